//! Which topics members want, by name or by pattern (Kafka: `maybeUpdateRegularExpressions`, `computeMetadataHash`).
//!
//! Kafka matches patterns in the background, at most every ten seconds, and answers meanwhile as if they matched nothing.
//! Here they are matched with the heartbeat that finds the topics changed: a linear-time matcher needs milliseconds for
//! thousands of topics.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::{ErrorCode, Text, TopicId};
use regex::{Regex, RegexBuilder};

use super::{Group, Member, Record, Refusal, assignor::PartitionCounts};
use crate::caps;

/// The topics of one moment.
pub(crate) trait Catalogue {
    /// Another number for other topics.
    fn version(&self) -> u64;
    /// The identity of a topic, and how many partitions it has.
    fn topic(&self, name: &str) -> Option<(TopicId, u32)>;
    /// Calls `found` with every name.
    fn each_name(&self, found: &mut dyn FnMut(&str));
}

/// The topics that a pattern matches, and as of which version of the topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) topics: BTreeSet<Text>,
    pub(crate) version: u64,
    pub(crate) compiled: Compiled,
}

/// A pattern that is compiled once, since that takes far longer than a match; none when it comes from the log. What is
/// kept at hand makes no difference between equal things.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compiled(Option<Regex>);

impl PartialEq for Compiled {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Compiled {}

/// The topics of each pattern.
pub(super) type Patterns = BTreeMap<Text, Resolved>;

/// Reads a pattern, which must match a whole name.
///
/// # Errors
/// INVALID_REGULAR_EXPRESSION with the reason.
pub(super) fn compile(pattern: &Text) -> Result<Regex, Refusal> {
    // By itself first: what closes the group around it is no pattern.
    let compiled = build(pattern).and_then(|_| build(&format!(r"\A(?:{pattern})\z")));
    compiled.map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
        let message =
            format!("SubscribedTopicRegex `{pattern}` is not a valid regular expression: {reason}.");
        Refusal::new(ErrorCode::INVALID_REGULAR_EXPRESSION, message)
    })
}

fn build(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .size_limit(caps::TOPIC_PATTERN_BYTES_MAX)
        .dfa_size_limit(caps::TOPIC_PATTERN_BYTES_MAX)
        .build()
}

impl Group {
    /// The patterns that these members have, each with its topics. What is known of the same topics is taken over. A
    /// pattern was checked when it came in; one that does not compile any more matches nothing.
    pub(super) fn resolve<'a>(
        &self,
        members: impl Iterator<Item = &'a Member>,
        topics: &dyn Catalogue,
    ) -> Patterns {
        let wanted: BTreeSet<&Text> = members.filter_map(Member::pattern).collect();
        let is_current = self.topics_version == Some(topics.version());
        let mut resolved = Patterns::new();
        let mut open = Vec::new();
        for pattern in wanted {
            match self.patterns.get(pattern).filter(|_| is_current) {
                Some(known) => drop(resolved.insert(pattern.clone(), known.clone())),
                None => open.push((pattern, self.compiled(pattern))),
            }
        }
        resolved.extend(matches(&open, topics));
        resolved
    }

    fn compiled(&self, pattern: &Text) -> Compiled {
        let known = self.patterns.get(pattern).and_then(|resolved| resolved.compiled.0.clone());
        Compiled(known.or_else(|| compile(pattern).ok()))
    }

    /// The records that turn the patterns of the group into these, and whether the topics of one of them are others.
    pub(super) fn pattern_records(&self, patterns: &Patterns) -> (Vec<Record>, bool) {
        let gone = self.patterns.keys().filter(|pattern| !patterns.contains_key(*pattern));
        let mut records: Vec<_> = gone.map(|pattern| Record::Pattern(pattern.clone(), None)).collect();
        let is_other = |(pattern, resolved): &(&Text, &Resolved)| {
            self.patterns.get(*pattern).is_none_or(|known| known.topics != resolved.topics)
        };
        let others: Vec<_> = patterns.iter().filter(is_other).collect();
        let has_changed = !others.is_empty();
        let others = others.into_iter();
        records.extend(
            others.map(|(pattern, resolved)| Record::Pattern(pattern.clone(), Some(resolved.clone()))),
        );
        (records, has_changed)
    }
}

fn matches(patterns: &[(&Text, Compiled)], topics: &dyn Catalogue) -> Patterns {
    let version = topics.version();
    let mut found = vec![BTreeSet::new(); patterns.len()];
    if !patterns.is_empty() {
        topics.each_name(&mut |name| {
            for ((_, compiled), found) in patterns.iter().zip(&mut found) {
                if compiled.0.as_ref().is_some_and(|compiled| compiled.is_match(name)) {
                    found.insert(Text::from(name));
                }
            }
        });
    }
    let resolved = patterns.iter().zip(found);
    resolved
        .map(|((pattern, compiled), topics)| {
            ((*pattern).clone(), Resolved { topics, version, compiled: compiled.clone() })
        })
        .collect()
}

/// The names of the topics that a member wants, whether they exist or not.
pub(super) fn wanted_names<'a>(member: &'a Member, patterns: &'a Patterns) -> impl Iterator<Item = &'a Text> {
    let matched = member.pattern().and_then(|pattern| patterns.get(pattern));
    member.profile.topics.iter().chain(matched.into_iter().flat_map(|resolved| &resolved.topics))
}

/// The topics that a member wants and that exist.
pub(super) fn wanted(member: &Member, patterns: &Patterns, topics: &dyn Catalogue) -> BTreeSet<TopicId> {
    wanted_names(member, patterns).filter_map(|name| Some(topics.topic(name)?.0)).collect()
}

/// How many partitions the topics have that these members want.
pub(super) fn partition_counts<'a>(
    members: impl Iterator<Item = &'a Member>,
    patterns: &Patterns,
    topics: &dyn Catalogue,
) -> PartitionCounts {
    members.flat_map(|member| wanted_names(member, patterns)).filter_map(|name| topics.topic(name)).collect()
}

/// A number that is another one when a topic comes, goes or grows; 0 for no topics. It is compared only with what this
/// function gave before (FNV-1a; Kafka's number is made otherwise).
pub(super) fn metadata_hash(counts: &PartitionCounts) -> i64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    if counts.is_empty() {
        return 0;
    }
    let bytes = counts.iter().flat_map(|(topic, count)| topic.0.into_iter().chain(count.to_be_bytes()));
    bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME)).cast_signed()
}
