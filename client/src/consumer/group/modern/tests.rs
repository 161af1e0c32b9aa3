//! The machine by itself, an answer at a time.

use mainstem_protocol::{
    PartitionId,
    messages::consumer_group_heartbeat::{Assignment, TopicPartitions},
};

use super::{
    super::{MemberIdentity, Round},
    *,
};
use crate::TopicPartition;

const T: TopicId = TopicId([1; 16]);
const U: TopicId = TopicId([2; 16]);

fn machine() -> Machine {
    let profile = Profile {
        group: "g".into(),
        rebalance_timeout_ms: 1000,
        topics: vec!["t".into(), "u".into()],
        ..Profile::default()
    };
    Machine::new(profile, "m".into())
}

fn listed(partitions: &[(TopicId, i32)]) -> Vec<TopicPartitions> {
    let one = |(topic_id, partition): &(TopicId, i32)| TopicPartitions {
        topic_id: *topic_id,
        partitions: vec![PartitionId(*partition)],
    };
    partitions.iter().map(one).collect()
}

fn answer(epoch: i32, assigned: Option<&[(TopicId, i32)]>) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        member_epoch: epoch,
        assignment: assigned.map(|partitions| Assignment { topic_partitions: listed(partitions) }),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

fn refusal(error_code: ErrorCode) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse { error_code, ..ConsumerGroupHeartbeatResponse::default() }
}

fn knows(machine: &mut Machine, ids: &[TopicId]) {
    machine.on_names(|id| ids.contains(&id).then(|| if id == T { "t".into() } else { "u".into() }));
}

/// A member that has t-0 in epoch 1, and has said so.
fn settled() -> Machine {
    let mut machine = machine();
    machine.heartbeat();
    assert!(machine.on_answer(answer(1, Some(&[(T, 0)]))).unwrap().is_none());
    knows(&mut machine, &[T, U]);
    assert!(matches!(machine.reconcile(), Some(Event::Assigned(partitions)) if partitions == [t(0)]));
    machine.heartbeat();
    machine
}

fn t(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

#[test]
fn joining_heartbeat_says_everything_and_later_ones_only_what_changed() {
    let mut machine = machine();
    let joining = machine.heartbeat();
    assert_eq!((joining.member_epoch, joining.rebalance_timeout_ms), (0, 1000));
    assert_eq!(joining.subscribed_topic_names, Some(vec!["t".into(), "u".into()]));
    assert_eq!(joining.topic_partitions, Some(Vec::new()));
    machine.on_answer(answer(1, Some(&[(T, 0)]))).unwrap();
    knows(&mut machine, &[T]);
    machine.reconcile();
    assert!(machine.is_in_a_hurry());
    let owning = machine.heartbeat();
    assert_eq!((owning.member_epoch, owning.rebalance_timeout_ms), (1, -1));
    assert_eq!((owning.subscribed_topic_names, owning.topic_partitions), (None, Some(listed(&[(T, 0)]))));
    assert!(!machine.is_in_a_hurry());
    assert_eq!(machine.heartbeat().topic_partitions, None);
    machine.on_silence();
    let again = machine.heartbeat();
    assert_eq!((again.rebalance_timeout_ms, again.topic_partitions), (1000, Some(listed(&[(T, 0)]))));
}

#[test]
fn what_goes_is_let_go_before_what_comes_is_taken() {
    let mut machine = settled();
    machine.on_answer(answer(1, Some(&[(U, 3)]))).unwrap();
    knows(&mut machine, &[U]);
    let Some(Event::Revoking(round, gone)) = machine.reconcile() else { panic!("nothing is let go") };
    assert_eq!(gone, [t(0)]);
    assert!(machine.reconcile().is_none() && !machine.is_in_a_hurry());
    assert_eq!(machine.heartbeat().topic_partitions, None, "it is not let go yet");
    machine.on_released(Round::default());
    assert!(machine.reconcile().is_none(), "that was an older round");
    machine.on_released(round);
    let Some(Event::Assigned(partitions)) = machine.reconcile() else { panic!("nothing comes") };
    assert_eq!(partitions, [TopicPartition::new("u", 3)]);
    assert_eq!(machine.heartbeat().topic_partitions, Some(listed(&[(U, 3)])));
}

#[test]
fn what_is_given_and_taken_back_before_anybody_looked_is_acknowledged_once() {
    let mut machine = settled();
    machine.on_answer(answer(2, Some(&[(T, 0), (T, 1)]))).unwrap();
    machine.on_answer(answer(2, Some(&[(T, 0)]))).unwrap();
    assert!(machine.reconcile().is_none() && machine.is_in_a_hurry());
    assert_eq!(machine.heartbeat().topic_partitions, Some(listed(&[(T, 0)])));
    assert!(!machine.is_in_a_hurry());
    assert_eq!(machine.heartbeat().topic_partitions, None);
}

#[test]
fn topics_without_a_name_are_taken_once_they_have_one() {
    let mut machine = settled();
    machine.on_names(|_| None);
    machine.on_answer(answer(2, Some(&[(T, 0), (T, 1), (TopicId([9; 16]), 0)]))).unwrap();
    assert!(machine.has_nameless());
    assert!(matches!(machine.reconcile(), Some(Event::Assigned(partitions)) if partitions == [t(0), t(1)]));
    machine.on_names(|_| Some("v".into()));
    assert!(matches!(machine.reconcile(), Some(Event::Assigned(partitions)) if partitions.len() == 3));
    assert!(machine.reconcile().is_none());
}

#[test]
fn member_that_is_given_nothing_is_told_so_once() {
    let mut machine = machine();
    machine.heartbeat();
    machine.on_answer(answer(1, Some(&[]))).unwrap();
    assert!(matches!(machine.reconcile(), Some(Event::Assigned(partitions)) if partitions.is_empty()));
    assert!(machine.reconcile().is_none());
}

#[test]
fn fenced_member_loses_everything_and_joins_again_once_that_was_heard() {
    for code in [ErrorCode::FENCED_MEMBER_EPOCH, ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::GROUP_ID_NOT_FOUND]
    {
        let mut machine = settled();
        let event = machine.on_answer(refusal(code)).unwrap();
        let Some(Event::Lost(round)) = event else { panic!("{event:?}") };
        assert_eq!(machine.identity(), MemberIdentity::OUTSIDER);
        assert!(!machine.beats() && machine.reconcile().is_none());
        assert!(machine.on_answer(answer(2, Some(&[(T, 0)]))).unwrap().is_none(), "that was too late");
        machine.on_released(round);
        let joining = machine.heartbeat();
        assert_eq!((joining.member_epoch, joining.topic_partitions), (0, Some(Vec::new())));
        assert_eq!(joining.member_id, "m");
    }
}

#[test]
fn refusals_are_passing_or_for_good() {
    for code in [ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::NOT_COORDINATOR] {
        let mut machine = settled();
        assert!(machine.on_answer(refusal(code)).unwrap().is_none());
        assert_eq!(machine.heartbeat().rebalance_timeout_ms, 1000, "it says everything again");
    }
    for code in [
        ErrorCode::UNSUPPORTED_ASSIGNOR,
        ErrorCode::UNRELEASED_INSTANCE_ID,
        ErrorCode::FENCED_INSTANCE_ID,
        ErrorCode::INVALID_REGULAR_EXPRESSION,
        ErrorCode::GROUP_MAX_SIZE_REACHED,
        ErrorCode::UNSUPPORTED_VERSION,
    ] {
        assert_eq!(settled().on_answer(refusal(code)).unwrap_err(), code);
    }
}

#[test]
fn group_of_another_kind_is_final_for_whoever_joins() {
    let mut machine = machine();
    machine.heartbeat();
    let refused = machine.on_answer(refusal(ErrorCode::GROUP_ID_NOT_FOUND));
    assert_eq!(refused.unwrap_err(), ErrorCode::GROUP_ID_NOT_FOUND);
}

#[test]
fn departure_is_final_or_temporary() {
    let leaving = |departure| settled().leave(departure).unwrap().member_epoch;
    assert_eq!((leaving(Departure::Final), leaving(Departure::Temporary)), (-1, -2));
    let mut lost = settled();
    lost.lose();
    assert!(lost.leave(Departure::Final).is_none());
}
