//! The rules of KIP-848, one by one.

use super::*;
use crate::group::modern::member::State as MemberState;

/// A stable group of these members, all of whom read `t`.
fn group_of(members: &[&str]) -> Bench {
    let mut bench = Bench::new();
    for id in members {
        bench.beat(&joining(id, &["t"])).unwrap();
    }
    bench.settle();
    bench
}

fn check_state(bench: &Bench, id: &str, state: MemberState, epoch: i32) {
    let current = &bench.member(id).current;
    assert_eq!((current.state, current.epoch), (state, epoch), "{id}");
}

#[test]
fn first_member_gets_everything_at_once() {
    let mut bench = Bench::new();
    assert_eq!(bench.group.state(), State::Empty);
    let beat = bench.beat(&joining("a", &["t"])).unwrap();
    assert_eq!(beat, Beat { member_id: "a".into(), epoch: 1, assignment: Some(bench.of("t", 0..6)) });
    assert_eq!((bench.group.epoch, bench.group.target_epoch), (1, 1));
    assert_eq!(bench.group.state(), State::Stable);
}

#[test]
fn second_member_gets_its_share_when_the_first_has_given_it_back() {
    let mut bench = group_of(&["a"]);
    // The new one is in the new epoch, and waits.
    let beat = bench.beat(&joining("b", &["t"])).unwrap();
    assert_eq!((beat.epoch, beat.assignment), (2, Some(Assignment::default())));
    check_state(&bench, "b", MemberState::Unreleased, 2);
    assert_eq!(bench.group.state(), State::Reconciling);
    // The old one learns what it may keep, in its old epoch.
    let beat = bench.beat(&staying("a", 1)).unwrap();
    let kept = bench.of("t", 0..3);
    assert_eq!((beat.epoch, beat.assignment), (1, Some(kept.clone())));
    check_state(&bench, "a", MemberState::Unrevoked, 1);
    // Nobody gets what is not given back.
    assert_eq!(bench.beat(&staying("b", 2)).unwrap().assignment, None);
    assert_eq!(bench.beat(&owning("a", 1, &bench.of("t", 0..6))).unwrap().epoch, 1);
    assert_eq!(bench.beat(&staying("b", 2)).unwrap().assignment, None);
    // Now it is.
    assert_eq!(bench.beat(&owning("a", 1, &kept)).unwrap().epoch, 2);
    check_state(&bench, "a", MemberState::Stable, 2);
    let beat = bench.beat(&staying("b", 2)).unwrap();
    assert_eq!((beat.epoch, beat.assignment), (2, Some(bench.of("t", 3..6))));
    assert_eq!(bench.group.state(), State::Stable);
}

#[test]
fn heartbeat_with_nothing_new_writes_nothing() {
    let bench = group_of(&["a", "b"]);
    let epoch = bench.member("a").current.epoch;
    let change = bench.group.heartbeat(&staying("a", epoch), &bench.topics).unwrap();
    assert_eq!(change.records, []);
    assert_eq!(change.answer, Beat { member_id: "a".into(), epoch, assignment: None });
}

#[test]
fn full_heartbeat_is_told_everything() {
    let mut bench = group_of(&["a"]);
    let full = Heartbeat { epoch: 1, ..joining("a", &["t"]) };
    assert_eq!(bench.beat(&full).unwrap().assignment, Some(bench.of("t", 0..6)));
    let partial = Heartbeat { rebalance_timeout: None, ..full };
    assert_eq!(bench.beat(&partial).unwrap().assignment, None);
}

#[test]
fn member_that_leaves_leaves_its_share_to_the_others() {
    let mut bench = group_of(&["a", "b"]);
    let epoch = bench.group.epoch;
    let beat = bench.beat(&staying("b", LEAVE)).unwrap();
    assert_eq!(beat, Beat { member_id: "b".into(), epoch: LEAVE, assignment: None });
    assert_eq!((bench.group.epoch, bench.group.state()), (epoch + 1, State::Assigning));
    let beat = bench.beat(&staying("a", bench.member("a").current.epoch)).unwrap();
    assert_eq!((beat.epoch, beat.assignment), (epoch + 1, Some(bench.of("t", 0..6))));
}

#[test]
fn last_member_that_leaves_leaves_the_group_empty() {
    let mut bench = group_of(&["a"]);
    bench.beat(&staying("a", LEAVE)).unwrap();
    assert_eq!((bench.group.state(), bench.group.is_empty()), (State::Empty, true));
    assert!(bench.group.owners.is_empty() && bench.group.targets.is_empty());
    // Its epoch goes on where it was.
    assert_eq!(bench.beat(&joining("a", &["t"])).unwrap().epoch, 3);
}

#[test]
fn silent_member_is_out_after_its_session() {
    let mut bench = group_of(&["a", "b"]);
    let epoch = bench.member("a").current.epoch;
    bench.pass(SESSION - Duration::from_secs(1));
    bench.beat(&staying("a", epoch)).unwrap();
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.group.members.len(), 1);
    assert_eq!(bench.group.next_deadline(), Some(bench.now + SESSION - Duration::from_secs(1)));
    assert_eq!(bench.beat(&staying("b", epoch)), Err(ErrorCode::UNKNOWN_MEMBER_ID));
}

#[test]
fn member_that_does_not_give_back_in_time_is_out() {
    let mut bench = group_of(&["a"]);
    bench.beat(&joining("b", &["t"])).unwrap();
    bench.beat(&staying("a", 1)).unwrap();
    bench.pass(REBALANCE - Duration::from_secs(1));
    // Heartbeats alone do not help.
    bench.beat(&staying("a", 1)).unwrap();
    bench.beat(&staying("b", 2)).unwrap();
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.beat(&staying("a", 1)), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(bench.beat(&staying("b", 2)).unwrap().assignment, Some(bench.of("t", 0..6)));
}

#[test]
fn answer_that_got_lost_is_asked_for_again_with_the_epoch_before() {
    let mut bench = group_of(&["a", "b"]);
    let before = bench.member("a").current.epoch;
    bench.beat(&staying("b", LEAVE)).unwrap();
    let had = bench.assigned("a");
    // The member does not hear this one.
    let epoch = bench.beat(&staying("a", before)).unwrap().epoch;
    assert!(epoch > before);
    let again = Heartbeat { epoch: before, owned: Some(had), ..joining("a", &["t"]) };
    let beat = bench.beat(&again).unwrap();
    assert_eq!((beat.epoch, beat.assignment), (epoch, Some(bench.of("t", 0..6))));
}

#[test]
fn fenced_member_joins_again_and_has_what_it_had() {
    let mut bench = group_of(&["a", "b"]);
    let had = bench.assigned("a");
    let epoch = bench.group.epoch;
    let beat = bench.beat(&joining("a", &["t"])).unwrap();
    assert_eq!((beat.epoch, beat.assignment), (epoch, Some(had)));
}

#[test]
fn static_member_that_comes_back_has_what_it_had_and_nobody_else_notices() {
    let mut bench = group_of(&["a"]);
    let instance = |beat: Heartbeat| Heartbeat { instance_id: Some("i".into()), ..beat };
    bench.beat(&instance(joining("s", &["t"]))).unwrap();
    bench.settle();
    let (epoch, had) = (bench.group.epoch, bench.assigned("s"));
    let beat = bench.beat(&instance(staying("s", LEAVE_FOR_A_WHILE))).unwrap();
    assert_eq!(beat.epoch, LEAVE_FOR_A_WHILE);
    assert_eq!(bench.group.members.len(), 2);
    let beat = bench.beat(&instance(joining("s2", &["t"]))).unwrap();
    assert_eq!(beat, Beat { member_id: "s2".into(), epoch, assignment: Some(had) });
    assert_eq!((bench.group.epoch, bench.group.state()), (epoch, State::Stable));
    assert!(!bench.group.members.contains_key("s"));
}

#[test]
fn static_member_may_come_back_under_the_id_that_it_had() {
    let mut bench = group_of(&["a"]);
    let instance = |beat: Heartbeat| Heartbeat { instance_id: Some("i".into()), ..beat };
    bench.beat(&instance(joining("s", &["t"]))).unwrap();
    bench.settle();
    let (epoch, had) = (bench.group.epoch, bench.assigned("s"));
    bench.beat(&instance(staying("s", LEAVE_FOR_A_WHILE))).unwrap();
    let beat = bench.beat(&instance(joining("s", &["t"]))).unwrap();
    assert_eq!((beat.epoch, beat.assignment), (epoch, Some(had)));
    assert_same(&bench.restored(), &bench.group);
}

#[test]
fn member_that_joins_again_as_a_static_one_keeps_what_it_has() {
    let mut bench = group_of(&["a", "b"]);
    let had = bench.assigned("a");
    let beat = Heartbeat { instance_id: Some("i".into()), ..joining("a", &["t"]) };
    assert_eq!(bench.beat(&beat).unwrap().assignment, Some(had));
    assert_eq!(bench.group.static_members["i"], "a");
    assert_same(&bench.restored(), &bench.group);
}

#[test]
fn static_member_that_does_not_come_back_is_out_after_its_session() {
    let mut bench = Bench::new();
    let instance = |beat: Heartbeat| Heartbeat { instance_id: Some("i".into()), ..beat };
    bench.beat(&instance(joining("s", &["t"]))).unwrap();
    bench.beat(&instance(staying("s", LEAVE_FOR_A_WHILE))).unwrap();
    bench.pass(SESSION);
    assert!(bench.group.is_empty());
    assert_eq!(bench.beat(&instance(joining("s2", &["t"]))).unwrap().epoch, 3);
}

#[test]
fn static_member_may_leave_for_good() {
    let mut bench = Bench::new();
    let instance = |beat: Heartbeat| Heartbeat { instance_id: Some("i".into()), ..beat };
    bench.beat(&instance(joining("s", &["t"]))).unwrap();
    bench.beat(&instance(staying("s", LEAVE))).unwrap();
    assert!(bench.group.is_empty());
}

#[test]
fn topic_that_grows_is_shared_out_with_the_next_heartbeat() {
    let mut bench = group_of(&["a"]);
    bench.topics.set("t", 8);
    let beat = bench.beat(&staying("a", 1)).unwrap();
    assert_eq!((beat.epoch, beat.assignment), (2, Some(bench.of("t", 0..8))));
}

#[test]
fn topic_that_nobody_reads_changes_nothing() {
    let mut bench = group_of(&["a"]);
    bench.topics.set("other", 3);
    assert_eq!(bench.beat(&staying("a", 1)).unwrap().assignment, None);
    assert_eq!(bench.group.epoch, 1);
}

#[test]
fn topic_that_comes_later_is_shared_out_then() {
    let mut bench = Bench::new();
    let beat = bench.beat(&joining("a", &["late"])).unwrap();
    assert_eq!((beat.epoch, beat.assignment), (1, Some(Assignment::default())));
    bench.topics.set("late", 2);
    let beat = bench.beat(&staying("a", 1)).unwrap();
    assert_eq!((beat.epoch, beat.assignment), (2, Some(bench.of("late", 0..2))));
}

#[test]
fn topic_that_goes_is_taken_away() {
    let mut bench = group_of(&["a"]);
    let had = bench.assigned("a");
    bench.topics.delete("t");
    assert_eq!(bench.beat(&staying("a", 1)).unwrap().assignment, Some(Assignment::default()));
    // One of the same name is another one.
    bench.topics.set("t", 6);
    bench.settle();
    assert_eq!(bench.assigned("a"), bench.of("t", 0..6));
    assert!(!bench.assigned("a").meets(&had));
}

#[test]
fn member_that_wants_other_topics_gives_back_the_ones_that_it_had() {
    let mut bench = group_of(&["a"]);
    bench.topics.set("u", 2);
    let other = Heartbeat { topics: Some(["u".into()].into()), ..staying("a", 1) };
    let beat = bench.beat(&other).unwrap();
    assert_eq!((beat.epoch, beat.assignment), (1, Some(Assignment::default())));
    let beat = bench.beat(&owning("a", 1, &Assignment::default())).unwrap();
    assert_eq!((beat.epoch, beat.assignment), (2, Some(bench.of("u", 0..2))));
}

#[test]
fn pattern_matches_whole_names_and_follows_the_topics() {
    let mut bench = Bench::new();
    for topic in ["ab", "abc", "b"] {
        bench.topics.set(topic, 1);
    }
    let beat = Heartbeat { topics: None, pattern: Some("a|ab.?".into()), ..joining("p", &[]) };
    let both = |bench: &Bench| bench.of("ab", [0]).joined_with(&bench.of("abc", [0]));
    assert_eq!(bench.beat(&beat).unwrap().assignment, Some(both(&bench)));
    bench.topics.set("abd", 1);
    let expected = both(&bench).joined_with(&bench.of("abd", [0]));
    assert_eq!(bench.beat(&staying("p", 1)).unwrap().assignment, Some(expected));
    bench.topics.delete("abd");
    assert_eq!(bench.beat(&staying("p", 2)).unwrap().assignment, Some(both(&bench)));
}

#[test]
fn pattern_goes_with_the_last_member_that_had_it() {
    let mut bench = Bench::new();
    let beat = |id| Heartbeat { topics: None, pattern: Some("t.*".into()), ..joining(id, &[]) };
    bench.beat(&beat("a")).unwrap();
    bench.beat(&beat("b")).unwrap();
    assert_eq!(bench.group.patterns.len(), 1);
    assert!(bench.group.is_subscribed_to("t") && !bench.group.is_subscribed_to("u"));
    bench.beat(&staying("a", LEAVE)).unwrap();
    assert_eq!(bench.group.patterns.len(), 1);
    bench.beat(&staying("b", LEAVE)).unwrap();
    assert!(bench.group.patterns.is_empty() && bench.restored().patterns.is_empty());
}

#[test]
fn empty_pattern_matches_nothing() {
    let mut bench = Bench::new();
    let beat = Heartbeat { topics: None, pattern: Some("".into()), ..joining("a", &[]) };
    assert_eq!(bench.beat(&beat).unwrap().assignment, Some(Assignment::default()));
    assert!(bench.group.patterns.is_empty());
}

#[test]
fn assignor_of_most_members_counts() {
    let mut bench = Bench::new();
    bench.topics.set("t", 3);
    bench.topics.set("u", 3);
    for id in ["a", "b"] {
        let beat = Heartbeat { assignor: Some("range".into()), ..joining(id, &["t", "u"]) };
        bench.beat(&beat).unwrap();
    }
    bench.settle();
    assert_eq!(bench.assigned("a"), bench.of("t", 0..2).joined_with(&bench.of("u", 0..2)));
    assert_eq!(bench.assigned("b"), bench.of("t", 2..3).joined_with(&bench.of("u", 2..3)));
}

#[test]
fn member_that_wants_nothing_is_a_member_all_the_same() {
    let mut bench = group_of(&["a"]);
    let beat = bench.beat(&joining("b", &[])).unwrap();
    assert_eq!((beat.epoch, beat.assignment), (1, Some(Assignment::default())));
    assert_eq!((bench.group.epoch, bench.group.state()), (1, State::Stable));
}

#[test]
fn group_comes_back_from_its_records_and_gives_members_a_session() {
    let mut bench = group_of(&["a", "b"]);
    bench.beat(&Heartbeat { pattern: Some("t".into()), ..joining("c", &[]) }).unwrap();
    let epoch = bench.member("a").current.epoch;
    bench.beat(&staying("a", epoch)).unwrap();
    bench.now += Duration::from_secs(1000);
    let restored = bench.restored();
    assert_same(&restored, &bench.group);
    // Whoever had something to give back has the time for it again.
    assert_eq!(restored.next_deadline(), Some(bench.now + REBALANCE));
    bench.group = restored;
    bench.settle();
}

#[test]
fn group_that_is_deleted_leaves_nothing() {
    let mut bench = group_of(&["a", "b"]);
    bench.beat(&Heartbeat { pattern: Some("t".into()), ..joining("c", &[]) }).unwrap();
    let records = bench.group.deletion();
    bench.apply(Change { records, ..Change::new(()) });
    assert!(bench.log.is_empty());
    assert_same(&bench.group, &Group::new("g".into(), limits()));
}

#[test]
fn administrator_takes_members_out_by_id_or_by_instance() {
    let mut bench = group_of(&["a", "b"]);
    bench.beat(&Heartbeat { instance_id: Some("i".into()), ..joining("s", &["t"]) }).unwrap();
    let (a, s, none, i) = ("a".into(), "wrong".into(), Text::new(), "i".into());
    let change =
        bench.group.take_out(&[(&a, None), (&s, Some(&i)), (&none, Some(&i)), (&s, None)], &bench.topics);
    let codes = bench.apply(change);
    let expected =
        [ErrorCode::NONE, ErrorCode::FENCED_INSTANCE_ID, ErrorCode::NONE, ErrorCode::UNKNOWN_MEMBER_ID];
    assert_eq!(codes, expected);
    assert!(bench.group.members.keys().map(|id| &**id).eq(["b"]));
}

#[test]
fn tools_are_told_what_members_have_and_are_to_have() {
    let mut bench = group_of(&["a"]);
    bench.beat(&joining("b", &["t"])).unwrap();
    let (id, _) = bench.topics.topic("t").unwrap();
    let described = bench.group.described(|topic| (topic == id).then(|| "t".into()));
    assert_eq!((&*described.group_state, described.group_epoch), ("Reconciling", 2));
    assert_eq!((&*described.assignor_name, described.assignment_epoch), ("uniform", 2));
    let [a, b] = &described.members[..] else { panic!("two members") };
    assert_eq!((a.member_epoch, a.assignment.topic_partitions[0].partitions.len()), (1, 6));
    assert_eq!(a.target_assignment.topic_partitions[0].partitions.len(), 3);
    assert_eq!((b.member_epoch, b.assignment.topic_partitions.len(), b.member_type), (2, 0, 1));
    assert_eq!(b.target_assignment.topic_partitions[0].topic_name, "t");
}
