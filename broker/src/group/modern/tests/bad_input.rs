//! What is refused, with Kafka's code, and that nothing changes by it.

use super::*;

/// A stable group of `a`, and of `s` as the instance `i`.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.beat(&joining("a", &["t"])).unwrap();
    bench.beat(&Heartbeat { instance_id: Some("i".into()), ..joining("s", &["t"]) }).unwrap();
    bench.settle();
    bench
}

fn check(beat: &Heartbeat, expected: ErrorCode) {
    check_in(bench(), beat, expected);
}

fn check_in(mut bench: Bench, beat: &Heartbeat, expected: ErrorCode) {
    let before = bench.clone();
    assert_eq!(bench.beat(beat), Err(expected));
    assert_same(&bench.group, &before.group);
    assert_eq!(bench.log, before.log);
    assert_eq!(bench.group.sessions, before.group.sessions);
}

fn check_request(version: i16, change: impl FnOnce(&mut ConsumerGroupHeartbeatRequest), expected: ErrorCode) {
    let mut request = request();
    change(&mut request);
    assert_eq!(read(request, version).unwrap_err().error, expected);
}

#[test]
fn unknown_member_is_told_so() {
    check(&staying("nobody", 5), ErrorCode::UNKNOWN_MEMBER_ID);
    check(&staying("nobody", LEAVE), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn epoch_from_the_future_is_fenced() {
    let epoch = bench().member("a").current.epoch;
    check(&staying("a", epoch + 1), ErrorCode::FENCED_MEMBER_EPOCH);
    check(&staying("a", i32::MAX), ErrorCode::FENCED_MEMBER_EPOCH);
}

#[test]
fn stale_epoch_is_fenced() {
    let mut bench = bench();
    bench.topics.set("t", 8);
    bench.settle();
    let stale = bench.member("a").current.previous_epoch - 1;
    assert!(stale > 0);
    check_in(bench, &staying("a", stale), ErrorCode::FENCED_MEMBER_EPOCH);
}

#[test]
fn previous_epoch_is_fenced_unless_the_member_has_no_more_than_it_should() {
    let bench = bench();
    let current = bench.member("a").current.clone();
    // It does not say what it has.
    check(&staying("a", current.previous_epoch), ErrorCode::FENCED_MEMBER_EPOCH);
    let everything = bench.of("t", 0..6);
    check(&owning("a", current.previous_epoch, &everything), ErrorCode::FENCED_MEMBER_EPOCH);
}

#[test]
fn instance_id_of_a_living_member_is_not_released() {
    let beat = Heartbeat { instance_id: Some("i".into()), ..joining("other", &["t"]) };
    check(&beat, ErrorCode::UNRELEASED_INSTANCE_ID);
}

#[test]
fn static_member_that_was_replaced_is_fenced() {
    let mut bench = bench();
    let epoch = bench.member("s").current.epoch;
    let away = Heartbeat { instance_id: Some("i".into()), ..staying("s", LEAVE_FOR_A_WHILE) };
    bench.beat(&away).unwrap();
    bench.beat(&Heartbeat { instance_id: Some("i".into()), ..joining("s2", &["t"]) }).unwrap();
    let late = |epoch| Heartbeat { instance_id: Some("i".into()), ..staying("s", epoch) };
    check_in(bench.clone(), &late(epoch), ErrorCode::FENCED_INSTANCE_ID);
    check_in(bench.clone(), &late(LEAVE), ErrorCode::FENCED_INSTANCE_ID);
    check_in(bench, &late(LEAVE_FOR_A_WHILE), ErrorCode::FENCED_INSTANCE_ID);
}

#[test]
fn instance_id_that_nobody_has_is_unknown() {
    let beat = |epoch| Heartbeat { instance_id: Some("nobody".into()), ..staying("a", epoch) };
    check(&beat(1), ErrorCode::UNKNOWN_MEMBER_ID);
    check(&beat(LEAVE), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn pattern_that_is_none_is_refused_with_the_reason() {
    for pattern in ["(", "a)|(b", "[", r"\", "(?=x)", "x{1000000}{1000}"] {
        let beat = Heartbeat { pattern: Some(pattern.into()), ..joining("p", &[]) };
        check(&beat, ErrorCode::INVALID_REGULAR_EXPRESSION);
        let refusal = bench().group.heartbeat(&beat, &bench().topics).unwrap_err();
        let message = refusal.message.unwrap();
        assert!(
            message.starts_with(&format!("SubscribedTopicRegex `{pattern}` is not a valid")),
            "{message}"
        );
    }
    let epoch = bench().member("a").current.epoch;
    let beat = Heartbeat { pattern: Some("(".into()), ..staying("a", epoch) };
    check(&beat, ErrorCode::INVALID_REGULAR_EXPRESSION);
}

#[test]
fn group_that_is_full_takes_no_more() {
    let mut bench = bench();
    bench.group.limits.members_max = 2;
    check_in(bench.clone(), &joining("late", &["t"]), ErrorCode::GROUP_MAX_SIZE_REACHED);
    let epoch = bench.member("a").current.epoch;
    bench.beat(&staying("a", epoch)).unwrap();
}

#[test]
fn commits_and_fetches_must_come_from_a_member_in_its_epoch() {
    let bench = bench();
    let epoch = bench.member("a").current.epoch;
    let commit = |member: &str, epoch| bench.group.check_commit(9, &member.into(), epoch);
    assert_eq!(commit("a", epoch), Ok(()));
    assert_eq!(commit("a", epoch - 1), Err(ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!(commit("a", epoch + 1), Err(ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!(commit("nobody", epoch), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(commit("", -1), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(bench.group.check_commit(8, &"a".into(), epoch), Err(ErrorCode::UNSUPPORTED_VERSION));
    let fetch = |member: Option<&str>, epoch| bench.group.check_fetch(member.map(Text::from).as_ref(), epoch);
    assert_eq!(fetch(None, -1), Ok(()));
    assert_eq!(fetch(Some("a"), epoch), Ok(()));
    assert_eq!(fetch(Some("a"), epoch + 1), Err(ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!(fetch(Some("nobody"), epoch), Err(ErrorCode::UNKNOWN_MEMBER_ID));
}

#[test]
fn group_without_members_takes_offsets_from_anybody() {
    assert_eq!(Bench::new().group.check_commit(8, &"".into(), -1), Ok(()));
}

#[test]
fn assignor_that_does_not_exist_is_refused() {
    check_request(
        1,
        |request| request.server_assignor = Some("cleverest".into()),
        ErrorCode::UNSUPPORTED_ASSIGNOR,
    );
    let mut request = request();
    request.server_assignor = Some("cleverest".into());
    let message = read(request, 1).unwrap_err().message.unwrap();
    assert_eq!(message, "ServerAssignor cleverest is not supported. Supported assignors: uniform, range.");
}

#[test]
fn fields_that_must_be_there_are_asked_for() {
    let check = |change: &dyn Fn(&mut ConsumerGroupHeartbeatRequest)| {
        check_request(1, |request| change(request), ErrorCode::INVALID_REQUEST);
    };
    check(&|request| request.group_id = "".into());
    check(&|request| request.group_id = " ".into());
    check(&|request| request.member_id = "".into());
    check(&|request| request.instance_id = Some("".into()));
    check(&|request| request.rack_id = Some(" ".into()));
    check(&|request| request.rebalance_timeout_ms = -1);
    check(&|request| request.topic_partitions = None);
    check(&|request| request.topic_partitions = Some(owned(TopicId([1; 16]), &[0])));
    check(&|request| request.subscribed_topic_names = None);
    check(&|request| request.member_epoch = -3);
    check(&|request| request.member_epoch = LEAVE_FOR_A_WHILE);
}

#[test]
fn member_of_version_0_may_come_without_an_id_only_to_join() {
    let mut nameless = request();
    nameless.member_id = "".into();
    assert_eq!(read(nameless, 0).unwrap().member_id, "fresh");
    let unnamed = |epoch| {
        move |request: &mut ConsumerGroupHeartbeatRequest| {
            (request.member_id, request.member_epoch) = ("".into(), epoch);
        }
    };
    check_request(0, unnamed(5), ErrorCode::INVALID_REQUEST);
    check_request(0, unnamed(LEAVE), ErrorCode::INVALID_REQUEST);
}
