//! Members of the classic protocol in a group of the newer one, rule by rule.

use std::collections::BTreeMap;

use mainstem_protocol::formats::consumer::{self, PROTOCOL_TYPE, Subscription};

use super::*;
use crate::group::{
    classic::{self, JoinAnswer, JoinRequest, Protocol, SyncAnswer, SyncRequest},
    modern::member::State as MemberState,
};

const CLASSIC_SESSION: Duration = Duration::from_secs(10);

/// A JoinGroup of a member that reads `t` and has these partitions of it.
fn request(id: &str, owned: &[i32]) -> JoinRequest {
    let topics: Vec<Text> = vec!["t".into()];
    let partitions = owned.iter().map(|partition| PartitionId(*partition)).collect();
    let owned_partitions = match owned {
        [] => Vec::new(),
        _ => vec![consumer::TopicPartitions { topic: "t".into(), partitions }],
    };
    let subscription = Subscription { topics, owned_partitions, ..Subscription::default() };
    let metadata = subscription.to_bytes(1).unwrap();
    JoinRequest {
        member_id: id.into(),
        fresh_id: "fresh".into(),
        requires_known_id: false,
        profile: classic::Profile {
            instance_id: None,
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            session_timeout: CLASSIC_SESSION,
            rebalance_timeout: REBALANCE,
            protocols: vec![Protocol { name: "range".into(), metadata }],
        },
        protocol_type: PROTOCOL_TYPE.into(),
        may_skip_assignment: false,
    }
}

fn with_instance(request: JoinRequest) -> JoinRequest {
    let profile = classic::Profile { instance_id: Some("i".into()), ..request.profile };
    JoinRequest { profile, ..request }
}

fn sync_request(id: &str, generation: i32) -> SyncRequest {
    SyncRequest {
        member_id: id.into(),
        instance_id: None,
        generation,
        protocol_type: Some(PROTOCOL_TYPE.into()),
        protocol: Some("range".into()),
        assignments: BTreeMap::new(),
    }
}

impl Bench {
    fn join(&mut self, request: &JoinRequest) -> Result<JoinAnswer, ErrorCode> {
        let change = self.group.join(request, &self.topics).map_err(|refusal| refusal.error)?;
        assert_eq!(change.successor, None);
        Ok(self.apply(change))
    }

    fn sync_with(&mut self, request: &SyncRequest) -> Result<SyncAnswer, ErrorCode> {
        let change = self.group.sync(request, &self.topics).map_err(|refusal| refusal.error)?;
        Ok(self.apply(change))
    }

    fn sync(&mut self, id: &str, generation: i32) -> Vec<i32> {
        let answer = self.sync_with(&sync_request(id, generation)).unwrap();
        assert_eq!(answer.error, ErrorCode::NONE);
        let topics = consumer::Assignment::from_bytes(answer.assignment).unwrap().assigned_partitions;
        topics.iter().flat_map(|topic| topic.partitions.iter().map(|partition| partition.0)).collect()
    }

    fn beat_classic(&mut self, id: &str, generation: i32) -> ErrorCode {
        match self.group.heartbeat_classic(&id.into(), None, generation, &self.topics) {
            Ok(change) => self.apply(change),
            Err(refusal) => refusal.error,
        }
    }
}

/// `m` of the newer protocol, and `c` of the classic one, which has joined and has nothing yet.
fn mixed() -> Bench {
    let mut bench = Bench::new();
    bench.beat(&joining("m", &["t"])).unwrap();
    let answer = bench.join(&request("c", &[])).unwrap();
    assert_eq!((answer.generation, &*answer.member_id, &*answer.leader), (2, "c", ""));
    assert_eq!(answer.protocol.as_deref(), Some("range"));
    bench
}

#[test]
fn classic_member_gets_its_share_when_it_is_told_to_join_again() {
    let mut bench = mixed();
    assert!(bench.sync("c", 2).is_empty());
    assert_eq!(bench.beat_classic("c", 2), ErrorCode::NONE, "it has to wait");
    let kept = bench.beat(&staying("m", 1)).unwrap().assignment.unwrap();
    bench.beat(&owning("m", 1, &kept)).unwrap();
    assert_eq!(bench.beat_classic("c", 2), ErrorCode::REBALANCE_IN_PROGRESS, "its share is free");
    assert_eq!(bench.join(&request("c", &[])).unwrap().generation, 2);
    assert_eq!(bench.sync("c", 2).len(), 3);
    assert_eq!(bench.group.state(), State::Stable);
    assert_same(&bench.restored(), &bench.group);
}

#[test]
fn classic_member_gives_back_by_joining_again() {
    let mut bench = Bench::new();
    bench.group.limits.classic_members_max = None;
    bench.beat(&joining("x", &["t"])).unwrap();
    bench.join(&request("c", &[])).unwrap();
    bench.beat(&staying("x", LEAVE)).unwrap();
    assert_eq!(bench.beat_classic("c", 2), ErrorCode::REBALANCE_IN_PROGRESS);
    let generation = bench.join(&request("c", &[])).unwrap().generation;
    assert_eq!(bench.sync("c", generation), [0, 1, 2, 3, 4, 5]);
    // Somebody else comes.
    bench.beat(&joining("m", &["t"])).unwrap();
    assert_eq!(bench.beat_classic("c", generation), ErrorCode::REBALANCE_IN_PROGRESS);
    let answer = bench.sync_with(&sync_request("c", generation)).unwrap();
    assert_eq!(answer.error, ErrorCode::REBALANCE_IN_PROGRESS);
    // It keeps what it has until it knows what to give back.
    assert_eq!(bench.join(&request("c", &[0, 1, 2, 3, 4, 5])).unwrap().generation, generation);
    assert_eq!(bench.member("c").current.state, MemberState::Unrevoked);
    let kept = bench.sync("c", generation);
    assert_eq!(kept.len(), 3);
    assert_eq!(bench.beat_classic("c", generation), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(bench.join(&request("c", &kept)).unwrap().generation, generation + 1);
    assert_eq!(bench.sync("c", generation + 1), kept);
    assert_eq!(bench.beat(&staying("m", generation + 1)).unwrap().assignment.unwrap().len(), 3);
}

#[test]
fn classic_member_lives_by_its_own_session() {
    let mut bench = mixed();
    bench.sync("c", 2);
    bench.pass(CLASSIC_SESSION - Duration::from_secs(1));
    assert_eq!(bench.beat_classic("c", 2), ErrorCode::NONE);
    assert_eq!(bench.restored().next_deadline(), Some(bench.now + CLASSIC_SESSION));
    bench.pass(CLASSIC_SESSION);
    assert_eq!(bench.beat_classic("c", 2), ErrorCode::UNKNOWN_MEMBER_ID);
    assert!(bench.group.members.contains_key("m"));
}

#[test]
fn classic_member_that_does_not_ask_for_its_assignment_in_time_is_out() {
    let mut bench = mixed();
    for _ in 0..4 {
        bench.pass(Duration::from_secs(7));
        bench.beat_classic("c", 2);
        bench.beat(&staying("m", 1)).unwrap();
    }
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.beat_classic("c", 2), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn classic_member_that_does_not_join_again_in_time_is_out_whatever_else_it_says() {
    let mut bench = mixed();
    bench.sync("c", 2);
    bench.beat(&joining("n", &["t"])).unwrap();
    for _ in 0..5 {
        assert_eq!(bench.beat_classic("c", 2), ErrorCode::REBALANCE_IN_PROGRESS);
        bench.beat(&staying("n", bench.member("n").current.epoch)).unwrap();
        bench.beat(&owning("m", 1, &Assignment::default())).unwrap_or_default();
        bench.pass(Duration::from_secs(6));
    }
    assert_eq!(bench.beat_classic("c", 2), ErrorCode::UNKNOWN_MEMBER_ID);
}

/// What is refused changes nothing.
fn check<T: std::fmt::Debug>(ask: impl FnOnce(&mut Bench) -> Result<T, ErrorCode>, expected: ErrorCode) {
    let mut bench = mixed();
    let before = bench.clone();
    assert_eq!(ask(&mut bench).unwrap_err(), expected);
    assert_same(&bench.group, &before.group);
    assert_eq!((&bench.log, &bench.group.sessions), (&before.log, &before.group.sessions));
    assert_eq!((&bench.group.joins, &bench.group.syncs), (&before.group.joins, &before.group.syncs));
}

#[test]
fn unknown_members_and_those_of_the_newer_protocol_are_refused() {
    let beat = |id: &'static str, generation| {
        move |bench: &mut Bench| match bench.beat_classic(id, generation) {
            ErrorCode::NONE => Ok(()),
            error => Err(error),
        }
    };
    check(beat("nobody", 2), ErrorCode::UNKNOWN_MEMBER_ID);
    check(beat("m", 1), ErrorCode::UNKNOWN_MEMBER_ID);
    check(beat("c", 1), ErrorCode::ILLEGAL_GENERATION);
    check(beat("c", 3), ErrorCode::ILLEGAL_GENERATION);
    let sync = |id: &'static str, generation| {
        move |bench: &mut Bench| bench.sync_with(&sync_request(id, generation))
    };
    check(sync("nobody", 2), ErrorCode::UNKNOWN_MEMBER_ID);
    check(sync("m", 1), ErrorCode::UNKNOWN_MEMBER_ID);
    check(sync("c", 1), ErrorCode::ILLEGAL_GENERATION);
    let other = SyncRequest { protocol: Some("sticky".into()), ..sync_request("c", 2) };
    check(|bench| bench.sync_with(&other), ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    let other = SyncRequest { protocol_type: Some("connect".into()), ..sync_request("c", 2) };
    check(|bench| bench.sync_with(&other), ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    let fenced = SyncRequest { instance_id: Some("i".into()), ..sync_request("c", 2) };
    check(|bench| bench.sync_with(&fenced), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn joins_that_do_not_fit_are_refused() {
    let join = |request: JoinRequest| move |bench: &mut Bench| bench.join(&request);
    let with = |change: fn(&mut JoinRequest)| {
        let mut request = request("", &[]);
        change(&mut request);
        join(request)
    };
    let inconsistent = ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
    check(with(|request| request.protocol_type = "connect".into()), inconsistent);
    check(with(|request| request.profile.protocols.clear()), inconsistent);
    check(with(|request| request.profile.protocols[0].name = "sticky".into()), inconsistent);
    check(with(|request| request.profile.protocols[0].metadata = Bytes::from_static(b"m")), inconsistent);
    check(with(|request| request.requires_known_id = true), ErrorCode::MEMBER_ID_REQUIRED);
    // Somebody who was a member, and may still read what others have by now.
    check(join(request("gone", &[0])), ErrorCode::UNKNOWN_MEMBER_ID);
    check(join(with_instance(request("gone", &[]))), ErrorCode::UNKNOWN_MEMBER_ID);
    let full = |bench: &mut Bench| {
        bench.group.limits.members_max = 2;
        bench.join(&request("", &[]))
    };
    check(full, ErrorCode::GROUP_MAX_SIZE_REACHED);
}

#[test]
fn offsets_of_a_classic_member_are_for_its_generation_in_every_version() {
    let bench = mixed();
    let commit = |version, id: &str, epoch| bench.group.check_commit(version, &id.into(), epoch);
    assert_eq!(commit(2, "c", 2), Ok(()));
    assert_eq!(commit(2, "c", 1), Err(ErrorCode::ILLEGAL_GENERATION));
    assert_eq!(commit(2, "m", 1), Err(ErrorCode::UNSUPPORTED_VERSION));
    assert_eq!(bench.group.check_fetch(Some(&"c".into()), 1), Err(ErrorCode::ILLEGAL_GENERATION));
}

#[test]
fn static_member_comes_back_with_the_other_protocol_and_has_what_it_had() {
    let mut bench = Bench::new();
    bench.beat(&joining("m", &["t"])).unwrap();
    let fresh = JoinRequest { fresh_id: "s".into(), ..with_instance(request("", &[])) };
    bench.join(&fresh).unwrap();
    // It need not have left: the classic protocol has no word for that.
    let back = Heartbeat { instance_id: Some("i".into()), ..joining("s2", &["t"]) };
    let epoch = bench.group.epoch;
    bench.beat(&back).unwrap();
    assert!(!bench.group.members.contains_key("s") && !bench.member("s2").is_classic());
    let fresh = JoinRequest { fresh_id: "s3".into(), ..fresh };
    bench.join(&fresh).unwrap();
    assert!(!bench.group.members.contains_key("s2") && bench.member("s3").is_classic());
    assert_eq!(bench.group.epoch, epoch, "nothing has changed for the others");
    let fenced = JoinRequest { member_id: "s2".into(), ..fresh };
    assert_eq!(bench.join(&fenced), Err(ErrorCode::FENCED_INSTANCE_ID));
    assert_same(&bench.restored(), &bench.group);
}

#[test]
fn last_member_of_the_newer_protocol_that_leaves_leaves_a_classic_group() {
    let mut bench = mixed();
    bench.beat(&staying("m", 1)).unwrap();
    let change = bench.group.leave(&staying("m", LEAVE), &bench.topics).unwrap();
    let successor = change.successor.clone().unwrap();
    assert_eq!((successor.generation, successor.protocol.as_deref()), (2, Some("range")));
    assert_eq!((successor.leader, successor.members.len()), (None, 1));
    bench.apply(change);
    assert!(bench.log.is_empty());
}

#[test]
fn group_stays_where_the_policy_or_the_size_says_so() {
    for max in [None, Some(0)] {
        let mut bench = mixed();
        bench.group.limits.classic_members_max = max;
        let change = bench.group.leave(&staying("m", LEAVE), &bench.topics).unwrap();
        assert_eq!(change.successor, None);
        bench.apply(change);
        assert_eq!(bench.beat_classic("c", 2), ErrorCode::REBALANCE_IN_PROGRESS);
    }
}

#[test]
fn static_member_that_takes_the_place_of_the_last_one_of_the_newer_protocol_makes_no_rebalance() {
    let mut bench = Bench::new();
    bench.beat(&Heartbeat { instance_id: Some("i".into()), ..joining("m", &["t"]) }).unwrap();
    bench.beat(&Heartbeat { instance_id: Some("i".into()), ..staying("m", LEAVE_FOR_A_WHILE) }).unwrap();
    let back = JoinRequest { fresh_id: "s".into(), ..with_instance(request("", &[])) };
    let change = bench.group.join(&back, &bench.topics).unwrap();
    let leader = change.successor.unwrap().leader;
    assert_eq!((leader, change.answer.skip_assignment), (None, false), "it would assign anew");
    let back = JoinRequest { may_skip_assignment: true, ..back };
    let change = bench.group.join(&back, &bench.topics).unwrap();
    let successor = change.successor.clone().unwrap();
    assert_eq!((successor.generation, successor.leader.as_deref()), (1, Some("s")));
    let answer = change.answer;
    assert_eq!((answer.generation, &*answer.member_id, &*answer.leader), (1, "s", "s"));
    assert_eq!((answer.skip_assignment, answer.members.len()), (true, 1));
    let group = classic::Group::restored(
        "g".into(),
        classic::Limits { members_max: 9, initial_delay: Duration::ZERO },
        successor,
        bench.now,
    );
    assert_eq!(group.state, classic::State::Stable);
    let given = consumer::Assignment::from_bytes(group.members["s"].assignment.clone()).unwrap();
    assert_eq!(given.assigned_partitions[0].partitions.len(), 6);
}

#[test]
fn group_of_classic_members_alone_notices_that_a_topic_has_grown() {
    let mut bench = mixed();
    bench.group.limits.classic_members_max = None;
    bench.beat(&staying("m", LEAVE)).unwrap();
    let generation = bench.join(&request("c", &[])).unwrap().generation;
    assert_eq!(bench.sync("c", generation).len(), 6);
    bench.topics.set("other", 1);
    assert_eq!(bench.beat_classic("c", generation), ErrorCode::NONE);
    bench.topics.set("t", 8);
    assert_eq!(bench.beat_classic("c", generation), ErrorCode::REBALANCE_IN_PROGRESS);
    let generation = bench.join(&request("c", &[])).unwrap().generation;
    assert_eq!(bench.sync("c", generation).len(), 8);
    assert_eq!(bench.beat_classic("c", generation), ErrorCode::NONE);
}

/// A classic group of `a`, which was given this.
fn classic_group(protocol_type: &'static str, given: Bytes) -> classic::Group {
    let stored = Stored {
        generation: 7,
        protocol_type: Some(protocol_type.into()),
        protocol: Some("range".into()),
        leader: Some("a".into()),
        members: vec![("a".into(), request("a", &[4, 5]).profile, given)],
    };
    let limits = classic::Limits { members_max: 9, initial_delay: Duration::ZERO };
    classic::Group::restored("g".into(), limits, stored, Duration::ZERO)
}

fn given(user_data: Option<Bytes>) -> Bytes {
    let partitions = [0, 1, 4, 99, -1].map(PartitionId).to_vec();
    let gone = consumer::TopicPartitions { topic: "gone".into(), partitions: partitions.clone() };
    let assigned_partitions = vec![consumer::TopicPartitions { topic: "t".into(), partitions }, gone];
    consumer::Assignment { assigned_partitions, user_data }.to_bytes(1).unwrap()
}

#[test]
fn upgraded_members_have_what_they_were_given_and_what_they_may_still_have() {
    let bench = Bench::new();
    let group = classic_group("consumer", given(None));
    let (upgraded, records) = Group::upgraded_from(&group, limits(), &bench.topics, Duration::ZERO).unwrap();
    assert_eq!((upgraded.epoch, upgraded.target_epoch), (7, 7));
    let member = &upgraded.members["a"];
    assert_eq!((member.current.epoch, member.current.state), (7, MemberState::Stable));
    assert_eq!(member.current.assigned, bench.of("t", [0, 1, 4, 5]));
    assert_eq!(upgraded.next_deadline(), Some(CLASSIC_SESSION));
    assert_same(&Group::restored("g".into(), limits(), records, Duration::ZERO), &upgraded);
}

#[test]
fn upgrade_is_refused_with_the_reason() {
    let topics = Bench::new().topics;
    let check = |group: &classic::Group, limits: Limits, why: &str| {
        let refusal = Group::upgraded_from(group, limits, &topics, Duration::ZERO).unwrap_err();
        assert_eq!(refusal.error, ErrorCode::GROUP_ID_NOT_FOUND);
        let message = format!("Cannot upgrade classic group g to consumer group because {why}.");
        assert_eq!(refusal.message, Some(message));
    };
    let group = classic_group("consumer", given(None));
    check(&group, Limits { may_upgrade: false, ..limits() }, "online upgrade is disabled");
    let full = Limits { members_max: 0, ..limits() };
    check(&group, full, "the group size exceeds the consumer group maximum size");
    let malformed = classic_group("consumer", Bytes::from_static(b"all"));
    check(&malformed, limits(), "the embedded consumer protocol is malformed");
    let custom = classic_group("consumer", given(Some(Bytes::from_static(b"x"))));
    let advice =
        "Please refer to the documentation or switch to a default assignor before re-attempting the upgrade";
    check(&custom, limits(), &format!("an unsupported custom assignor is in use. {advice}"));
    let connect = classic_group("connect", Bytes::new());
    check(&connect, limits(), "the group does not use the consumer embedded protocol");
}
