//! Patterns that were compiled and matched before the group was looked at.

use super::*;
use crate::{
    caps,
    group::modern::{Looked, Matched},
};

/// Topics whose names must not be looked through.
struct Unread<'a>(&'a Topics);

impl Catalogue for Unread<'_> {
    fn version(&self) -> u64 {
        self.0.version()
    }

    fn topic(&self, name: &str) -> Option<(TopicId, u32)> {
        self.0.topic(name)
    }

    fn each_name(&self, _: &mut dyn FnMut(&str)) {
        panic!("patterns are matched where the group is held");
    }
}

fn by_pattern(id: &str, pattern: &str) -> Heartbeat {
    Heartbeat { topics: None, pattern: Some(pattern.into()), ..joining(id, &[]) }
}

impl Bench {
    fn matched(&self, incoming: Option<&str>) -> Matched {
        let incoming = incoming.map(Text::from);
        Matched::new(self.group.open_patterns(incoming.as_ref(), self.topics.version()), &self.topics)
    }

    fn beat_matched(&mut self, beat: &Heartbeat, matched: &Matched) -> Result<Beat, Refusal> {
        let looked = Looked { topics: &Unread(&self.topics), matched };
        let change = self.group.heartbeat(beat, &looked)?;
        Ok(self.apply(change))
    }
}

#[test]
fn what_was_matched_before_is_not_matched_while_the_group_is_held() {
    let mut bench = Bench::new();
    let matched = bench.matched(Some("t.*"));
    let beat = bench.beat_matched(&by_pattern("a", "t.*"), &matched).unwrap();
    assert_eq!(beat.assignment, Some(bench.of("t", 0..6)));
    assert_eq!(bench.group.open_patterns(Some(&"t.*".into()), bench.topics.version()), []);
    bench.topics.set("t2", 1);
    let matched = bench.matched(None);
    let beat = bench.beat_matched(&staying("a", beat.epoch), &matched).unwrap();
    assert_eq!(beat.assignment, Some(bench.of("t", 0..6).joined_with(&bench.of("t2", 0..1))));
}

#[test]
fn what_was_matched_with_other_topics_is_matched_again() {
    let mut bench = Bench::new();
    let matched = bench.matched(Some("t.*"));
    bench.topics.set("t2", 1);
    let looked = Looked { topics: &bench.topics, matched: &matched };
    let change = bench.group.heartbeat(&by_pattern("a", "t.*"), &looked).unwrap();
    let expected = bench.of("t", 0..6).joined_with(&bench.of("t2", 0..1));
    assert_eq!(bench.apply(change).assignment, Some(expected));
}

#[test]
fn what_was_found_to_be_no_pattern_is_refused() {
    let mut bench = Bench::new();
    let matched = bench.matched(Some("("));
    let refusal = bench.beat_matched(&by_pattern("a", "("), &matched).unwrap_err();
    assert_eq!(refusal.error, ErrorCode::INVALID_REGULAR_EXPRESSION);
    assert!(
        refusal.message.unwrap().starts_with("SubscribedTopicRegex `(` is not a valid regular expression")
    );
    assert!(bench.group.members.is_empty());
}

#[test]
fn group_has_so_many_patterns_and_no_more() {
    let mut bench = Bench::new();
    for number in 0..caps::GROUP_PATTERNS_MAX {
        let pattern = Text::from(format!("p{number}"));
        bench.group.replay(Record::Pattern(pattern, Some(Resolved::default())), bench.now);
    }
    let one_more = bench.beat(&by_pattern("a", "p.*"));
    assert_eq!(one_more.unwrap_err(), ErrorCode::INVALID_REGULAR_EXPRESSION);
    bench.beat(&by_pattern("a", "p7")).unwrap();
}
