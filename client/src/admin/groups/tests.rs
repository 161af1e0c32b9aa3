//! Groups as an admin sees and changes them, against the fake broker.

use mainstem_protocol::{
    ApiKey, ErrorCode, Offset, PartitionId, Text, TopicId,
    messages::{
        ConsumerGroupDescribeResponse, DeleteGroupsResponse, FindCoordinatorResponse, LeaveGroupResponse,
        OffsetCommitResponse, ResponseBody,
        consumer_group_describe::{Assignment, DescribedGroup, Member, TopicPartitions},
        delete_groups::DeletableGroupResult,
        leave_group::MemberResponse,
        offset_commit::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
    },
};
use tokio::time::Duration;

use super::{
    AlterGroupOffsetsError, DeleteGroupError, DeleteGroupOffsetsError, Departure, GroupEpochs, GroupFilter,
    RemoveMembersError,
};
use crate::{
    Consumer, ConsumerConfig, TopicPartition, TransportError,
    admin::{Admin, AdminConfig, AdminError},
    testing::{FakeBroker, NODE, Trouble},
};

fn admin(broker: &FakeBroker) -> Admin {
    Admin::new(broker, AdminConfig::default())
}

fn place(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

/// A broker with a group that has committed offsets.
async fn broker() -> FakeBroker {
    let broker = FakeBroker::new();
    broker.create_topic("t", 2);
    let offsets = [(place(0), Offset(5)), (place(1), Offset(7))];
    admin(&broker).alter_group_offsets("g", &offsets).await.unwrap();
    broker
}

/// A member of that group.
async fn member(broker: &FakeBroker) -> Consumer {
    let mut consumer = Consumer::new(broker, ConsumerConfig::group("g"));
    consumer.subscribe(["t"]).unwrap();
    consumer.poll(Duration::from_secs(10)).await.unwrap();
    consumer
}

async fn committed(broker: &FakeBroker) -> Vec<(TopicPartition, i64)> {
    let offsets = admin(broker).list_group_offsets("g").await.unwrap();
    offsets.into_iter().map(|(partition, committed)| (partition, committed.offset.0)).collect()
}

#[tokio::test(start_paused = true)]
async fn offsets_of_a_group_without_members_are_set_and_deleted() {
    let broker = broker().await;
    assert_eq!(committed(&broker).await, [(place(0), 5), (place(1), 7)]);
    admin(&broker).alter_group_offsets("g", &[(place(0), Offset::ZERO)]).await.unwrap();
    assert_eq!(committed(&broker).await, [(place(0), 0), (place(1), 7)]);
    admin(&broker).delete_group_offsets("g", &[place(1)]).await.unwrap();
    assert_eq!(committed(&broker).await, [(place(0), 0)]);
    admin(&broker).delete_group("g").await.unwrap();
    assert_eq!(admin(&broker).list_groups().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_group_with_members_keeps_its_offsets() {
    let broker = broker().await;
    let member = member(&broker).await;
    let altered = admin(&broker).alter_group_offsets("g", &[(place(0), Offset::ZERO)]).await;
    assert!(matches!(altered, Err(AlterGroupOffsetsError::Active { .. })), "{altered:?}");
    let deleted = admin(&broker).delete_group_offsets("g", &[place(0)]).await;
    assert!(matches!(deleted, Err(DeleteGroupOffsetsError::Subscribed { .. })), "{deleted:?}");
    let deleted = admin(&broker).delete_group("g").await;
    assert!(matches!(deleted, Err(DeleteGroupError::NotEmpty { .. })), "{deleted:?}");
    assert_eq!(committed(&broker).await, [(place(0), 5), (place(1), 7)]);
    member.close().await;
    admin(&broker).delete_group("g").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn members_that_are_taken_out_are_gone() {
    let broker = broker().await;
    let _member = member(&broker).await;
    let described = admin(&broker).describe_group("g").await.unwrap();
    let [member] = &described.members[..] else { panic!("one member") };
    assert_eq!((&member.subscribed[..], member.assignment.len()), (&[Text::from_static("t")][..], 2));
    let departure = [Departure::Member(member.id.clone())];
    admin(&broker).remove_members("g", &departure).await.unwrap();
    let again = admin(&broker).remove_members("g", &departure).await;
    assert!(matches!(again, Err(RemoveMembersError::NotMember { .. })), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn an_old_broker_takes_members_out_one_by_one_and_no_static_ones() {
    let broker = broker().await;
    broker.offer(ApiKey::LeaveGroup, 0..=2);
    let two = ["m-1", "m-2"].map(|id| Departure::Member(id.into()));
    for _ in &two {
        broker.trouble(ApiKey::LeaveGroup, Trouble::Answer(LeaveGroupResponse::default().into()));
    }
    admin(&broker).remove_members("g", &two).await.unwrap();
    assert_eq!(broker.requests().iter().filter(|asked| **asked == (ApiKey::LeaveGroup, 2)).count(), 2);
    let error = admin(&broker).remove_members("g", &[Departure::Instance("i-1".into())]).await.unwrap_err();
    let expected = "the broker is too old for removing members by their instance id: it speaks LeaveGroup up to version 2, \
                    and 3 is needed; use a broker of Kafka 2.4 or newer";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test(start_paused = true)]
async fn the_member_that_was_refused_is_named() {
    let broker = broker().await;
    let answer = |code| MemberResponse { error_code: code, ..Default::default() };
    let members = vec![answer(ErrorCode::NONE), answer(ErrorCode::FENCED_INSTANCE_ID)];
    let answer = LeaveGroupResponse { members, ..Default::default() };
    broker.trouble(ApiKey::LeaveGroup, Trouble::Answer(answer.into()));
    let two = ["i-1", "i-2"].map(|id| Departure::Instance(id.into()));
    let error = admin(&broker).remove_members("g", &two).await.unwrap_err();
    assert_eq!(error.to_string(), "member i-2 of group g was not taken out: FENCED_INSTANCE_ID");
}

#[tokio::test(start_paused = true)]
async fn groups_are_listed_by_state_and_type() {
    let broker = broker().await;
    let listed = async |states: &[&str], types: &[&str]| {
        let texts = |words: &[&str]| words.iter().map(|word| Text::from(*word)).collect();
        let filter = GroupFilter { states: texts(states), types: texts(types) };
        admin(&broker).list_groups_by(&filter).await.unwrap().len()
    };
    assert_eq!(listed(&["Empty"], &[]).await, 1);
    assert_eq!(listed(&["Stable"], &[]).await, 0);
    assert_eq!(listed(&["Stable", "Empty"], &["classic"]).await, 1);
    assert_eq!(listed(&[], &["consumer"]).await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_old_broker_is_not_taken_at_its_word_about_filters() {
    let broker = broker().await;
    for (newest, filter, feature) in [
        (3, GroupFilter { states: vec!["Empty".into()], ..Default::default() }, "by state"),
        (4, GroupFilter { types: vec!["classic".into()], ..Default::default() }, "by type"),
    ] {
        broker.offer(ApiKey::ListGroups, 0..=newest);
        let error = admin(&broker).list_groups_by(&filter).await.unwrap_err();
        assert!(matches!(error, AdminError::Transport(TransportError::TooOld { .. })), "{error}");
        assert!(error.to_string().contains(&format!("too old for listing groups {feature}")), "{error}");
    }
    assert_eq!(admin(&broker).list_groups().await.unwrap().len(), 1);
}

fn modern() -> ResponseBody {
    let partitions = |ids: &[i32]| Assignment {
        topic_partitions: vec![TopicPartitions {
            topic_id: TopicId::ZERO,
            topic_name: "t".into(),
            partitions: ids.iter().copied().map(PartitionId).collect(),
        }],
    };
    let member = Member {
        member_id: "m-1".into(),
        client_id: "app".into(),
        member_epoch: 4,
        subscribed_topic_regex: Some("t.*".into()),
        assignment: partitions(&[0]),
        target_assignment: partitions(&[0, 1]),
        ..Default::default()
    };
    let group = DescribedGroup {
        group_id: "g".into(),
        group_state: "Reconciling".into(),
        group_epoch: 5,
        assignment_epoch: 4,
        assignor_name: "uniform".into(),
        members: vec![member],
        ..Default::default()
    };
    ConsumerGroupDescribeResponse { groups: vec![group], ..Default::default() }.into()
}

#[tokio::test(start_paused = true)]
async fn a_group_of_the_newer_protocol_is_described_with_its_epochs() {
    let broker = broker().await;
    broker.trouble(ApiKey::ConsumerGroupDescribe, Trouble::Answer(modern()));
    let group = admin(&broker).describe_group("g").await.unwrap();
    assert_eq!((&*group.group_type, &*group.state, &*group.protocol), ("consumer", "Reconciling", "uniform"));
    assert_eq!(group.epochs, Some(GroupEpochs { group: 5, assignment: 4 }));
    let [member] = &group.members[..] else { panic!("one member") };
    assert_eq!((member.epoch, member.pattern.as_deref()), (Some(4), Some("t.*")));
    assert_eq!((&member.assignment[..], &member.target[..]), (&[place(0)][..], &[place(0), place(1)][..]));
    assert_eq!(broker.asked(ApiKey::DescribeGroups), 0);
}

#[tokio::test(start_paused = true)]
#[expect(clippy::reversed_empty_ranges, reason = "there is no version")]
async fn a_broker_that_knows_no_newer_protocol_is_asked_for_a_classic_group() {
    let broker = broker().await;
    broker.offer(ApiKey::ConsumerGroupDescribe, 0..=-1);
    let group = admin(&broker).describe_group("g").await.unwrap();
    assert_eq!((&*group.group_type, &*group.state, group.epochs), ("classic", "Empty", None));
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_has_moved_is_looked_for_again() {
    let broker = broker().await;
    let result = DeletableGroupResult { group_id: "g".into(), error_code: ErrorCode::NOT_COORDINATOR };
    let moved = DeleteGroupsResponse { results: vec![result], ..Default::default() };
    broker.trouble(ApiKey::DeleteGroups, Trouble::Answer(moved.into()));
    let before = broker.asked(ApiKey::FindCoordinator);
    admin(&broker).delete_group("g").await.unwrap();
    assert_eq!(broker.asked(ApiKey::FindCoordinator), before + 2);
}

#[tokio::test(start_paused = true)]
async fn the_partition_whose_offset_was_refused_is_named() {
    let broker = broker().await;
    let partition =
        |index, error_code| OffsetCommitResponsePartition { partition_index: PartitionId(index), error_code };
    let partitions = vec![partition(0, ErrorCode::NONE), partition(1, ErrorCode::OFFSET_METADATA_TOO_LARGE)];
    let topic = OffsetCommitResponseTopic { name: "t".into(), partitions, ..Default::default() };
    let answer = OffsetCommitResponse { topics: vec![topic], ..Default::default() };
    broker.trouble(ApiKey::OffsetCommit, Trouble::Answer(answer.into()));
    let error = admin(&broker).alter_group_offsets("g", &[(place(1), Offset(1))]).await.unwrap_err();
    assert_eq!(error.to_string(), "offset of group g for t-1 was not set: OFFSET_METADATA_TOO_LARGE");
    assert!(!error.is_retriable());
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_nobody_knows_is_told() {
    let broker = broker().await;
    let code = ErrorCode::GROUP_AUTHORIZATION_FAILED;
    let answer = FindCoordinatorResponse { error_code: code, node_id: NODE, ..Default::default() };
    broker.trouble(ApiKey::FindCoordinator, Trouble::Answer(answer.into()));
    let error = admin(&broker).alter_group_offsets("g", &[(place(0), Offset(1))]).await.unwrap_err();
    assert!(matches!(error, AlterGroupOffsetsError::Coordinator(_)), "{error:?}");
}
