//! Groups and directories of logs as administrators see them.

use std::collections::BTreeSet;

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey, ErrorCode, Offset, PartitionId, Text,
    messages::{
        ApiVersionsRequest, DescribeGroupsRequest, DescribeGroupsResponse, DescribeLogDirsRequest,
        JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest,
        SyncGroupRequest,
        describe_groups::DescribedGroup,
        describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsResult},
        join_group::JoinGroupRequestProtocol,
        leave_group::MemberIdentity,
        list_groups::ListedGroup,
        offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        sync_group::SyncGroupRequestAssignment,
    },
};

use crate::harness::{Client, TestBroker, batch};

const READERS: Text = Text::from_static("readers");
/// A group without members: who is in it assigns itself its partitions.
const SIMPLE: Text = Text::from_static("simple");
const TOPIC: Text = Text::from_static("read");

async fn join(client: &mut Client) -> JoinGroupResponse {
    let (name, metadata) = (Text::from_static("range"), Bytes::from_static(b"subscription"));
    let request = JoinGroupRequest {
        group_id: READERS,
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        group_instance_id: Some(Text::from_static("one")),
        protocol_type: Text::from_static("consumer"),
        protocols: vec![JoinGroupRequestProtocol { name, metadata }],
        ..Default::default()
    };
    client.ask(9, request).await
}

async fn sync(client: &mut Client, joined: &JoinGroupResponse) {
    let (member_id, assignment) = (joined.member_id.clone(), Bytes::from_static(b"assignment"));
    let request = SyncGroupRequest {
        group_id: READERS,
        generation_id: joined.generation_id,
        member_id: member_id.clone(),
        group_instance_id: Some(Text::from_static("one")),
        assignments: vec![SyncGroupRequestAssignment { member_id, assignment }],
        ..Default::default()
    };
    assert_eq!(client.ask(4, request).await.error_code, ErrorCode::NONE);
}

/// One stable group with a member, and one that has committed an offset and nothing else.
async fn groups(client: &mut Client) -> Text {
    client.create_topic(&TOPIC, 1, &[]).await;
    let partition = OffsetCommitRequestPartition { committed_offset: Offset(1), ..Default::default() };
    let topic = OffsetCommitRequestTopic { name: TOPIC, partitions: vec![partition], ..Default::default() };
    let commit = OffsetCommitRequest { group_id: SIMPLE, topics: vec![topic], ..Default::default() };
    let committed = client.ask(8, commit).await;
    assert_eq!(committed.topics[0].partitions[0].error_code, ErrorCode::NONE);
    let joined = join(client).await;
    sync(client, &joined).await;
    joined.member_id
}

async fn listed(client: &mut Client, version: i16, states: &[&str], types: &[&str]) -> Vec<ListedGroup> {
    let texts = |names: &[&str]| names.iter().map(|name| Text::from(*name)).collect();
    let request = ListGroupsRequest { states_filter: texts(states), types_filter: texts(types) };
    let response = client.ask(version, request).await;
    assert_eq!(response.error_code, ErrorCode::NONE);
    response.groups
}

async fn names(client: &mut Client, states: &[&str], types: &[&str]) -> BTreeSet<Text> {
    listed(client, 5, states, types).await.into_iter().map(|group| group.group_id).collect()
}

#[tokio::test]
async fn every_version_lists_the_groups() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    groups(&mut client).await;
    for version in ApiKey::ListGroups.versions() {
        let shown = |since: i16, text: &str| if version < since { Text::new() } else { text.into() };
        let group = |group_id: Text, protocol_type: &str, state: &str| ListedGroup {
            group_id,
            protocol_type: protocol_type.into(),
            group_state: shown(4, state),
            group_type: shown(5, "classic"),
        };
        let expected = vec![group(READERS, "consumer", "Stable"), group(SIMPLE, "", "Empty")];
        assert_eq!(listed(&mut client, version, &[], &[]).await, expected, "ListGroups {version}");
    }
}

#[tokio::test]
async fn groups_are_filtered_by_state_and_by_type() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    groups(&mut client).await;
    let (both, none) = (BTreeSet::from([READERS, SIMPLE]), BTreeSet::new());
    assert_eq!(names(&mut client, &["Stable"], &[]).await, BTreeSet::from([READERS]));
    assert_eq!(names(&mut client, &[" EMPTY "], &["Classic"]).await, BTreeSet::from([SIMPLE]));
    assert_eq!(names(&mut client, &["empty", "stable"], &["consumer", "classic"]).await, both);
    assert_eq!(names(&mut client, &["PreparingRebalance"], &[]).await, none);
    assert_eq!(names(&mut client, &["no state"], &[]).await, none);
    assert_eq!(names(&mut client, &[], &["consumer"]).await, none);
    assert_eq!(names(&mut client, &[], &[" classic"]).await, none);
}

#[tokio::test]
async fn groups_are_listed_after_a_restart() {
    let mut broker = TestBroker::start().await;
    groups(&mut broker.connect().await).await;
    broker = broker.restart().await;
    let groups = listed(&mut broker.connect().await, 5, &[], &[]).await;
    let states: Vec<_> = groups.iter().map(|group| (&*group.group_id, &*group.group_state)).collect();
    assert_eq!(states, [("readers", "Stable"), ("simple", "Empty")]);
}

async fn describe(client: &mut Client, version: i16, group: Text, with_operations: bool) -> DescribedGroup {
    let request =
        DescribeGroupsRequest { groups: vec![group], include_authorized_operations: with_operations };
    let DescribeGroupsResponse { mut groups, .. } = client.ask(version, request).await;
    groups.remove(0)
}

#[tokio::test]
async fn every_version_describes_a_group_with_its_members() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let member_id = groups(&mut client).await;
    for version in ApiKey::DescribeGroups.versions() {
        let group = describe(&mut client, version, READERS, false).await;
        assert_eq!((group.error_code, &group.error_message), (ErrorCode::NONE, &None));
        assert_eq!(
            (&*group.group_state, &*group.protocol_type, &*group.protocol_data),
            ("Stable", "consumer", "range")
        );
        let [member] = &group.members[..] else { panic!("one member: {group:?}") };
        assert_eq!(member.member_id, member_id);
        assert_eq!(member.group_instance_id, (version >= 4).then(|| Text::from_static("one")));
        assert_eq!((&*member.client_id, &*member.client_host), ("integration", "/127.0.0.1"));
        assert_eq!(
            (&member.member_metadata[..], &member.member_assignment[..]),
            (&b"subscription"[..], &b"assignment"[..])
        );
        assert_eq!(group.authorized_operations, i32::MIN);
    }
}

#[tokio::test]
async fn operations_are_told_where_they_are_asked_for() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    groups(&mut client).await;
    // Read, delete, describe, describe and alter configuration: what Kafka answers without an authorizer.
    let all = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;
    for version in 3..=6 {
        assert_eq!(describe(&mut client, version, SIMPLE, true).await.authorized_operations, all);
    }
    assert_eq!(describe(&mut client, 5, Text::from_static("no"), true).await.authorized_operations, all);
    assert_eq!(describe(&mut client, 6, Text::from_static("no"), true).await.authorized_operations, i32::MIN);
}

#[tokio::test]
async fn group_that_is_not_there_is_dead_and_an_error_from_version_six_on() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    for version in ApiKey::DescribeGroups.versions() {
        for name in ["nobody", ""] {
            let group = describe(&mut client, version, name.into(), false).await;
            assert_eq!((&*group.group_id, &*group.group_state), (name, "Dead"));
            let expected = if version < 6 {
                (ErrorCode::NONE, None)
            } else {
                (ErrorCode::GROUP_ID_NOT_FOUND, Some(format!("Group {name} not found.").into()))
            };
            assert_eq!((group.error_code, group.error_message), expected, "DescribeGroups {version}");
        }
    }
    assert!(listed(&mut client, 5, &[], &[]).await.is_empty(), "asking makes no group");
}

#[tokio::test]
async fn states_of_a_group_have_kafkas_names() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let joined = join(&mut client).await;
    let group = describe(&mut client, 6, READERS, false).await;
    assert_eq!((&*group.group_state, &*group.protocol_data), ("CompletingRebalance", ""));
    assert!(group.members[0].member_metadata.is_empty(), "only a stable group has one protocol");
    sync(&mut client, &joined).await;
    let member = MemberIdentity { member_id: joined.member_id, ..Default::default() };
    let instance = MemberIdentity { group_instance_id: Some(Text::from_static("one")), ..member };
    let leave = LeaveGroupRequest { group_id: READERS, members: vec![instance], ..Default::default() };
    assert_eq!(client.ask(5, leave).await.members[0].error_code, ErrorCode::NONE);
    let group = describe(&mut client, 6, READERS, false).await;
    assert_eq!((&*group.group_state, &*group.protocol_type, group.members.len()), ("Empty", "consumer", 0));
}

async fn log_dir(
    client: &mut Client,
    version: i16,
    topics: Option<Vec<DescribableLogDirTopic>>,
) -> DescribeLogDirsResult {
    let mut response = client.ask(version, DescribeLogDirsRequest { topics }).await;
    assert_eq!((response.error_code, response.results.len()), (ErrorCode::NONE, 1));
    response.results.remove(0)
}

/// The partitions of [`TOPIC`] that are described, with their sizes.
fn sizes(result: &DescribeLogDirsResult) -> Vec<(i32, i64)> {
    let topics = result.topics.iter().filter(|topic| topic.name == TOPIC);
    let partitions = topics.flat_map(|topic| &topic.partitions);
    partitions.map(|partition| (partition.partition_index.0, partition.partition_size)).collect()
}

#[tokio::test]
async fn every_version_tells_the_size_of_partitions_and_of_the_disk() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic(&TOPIC, 2, &[]).await;
    let batch = batch(&[b"a record"]);
    for _ in 0..3 {
        assert_eq!(client.produce(&TOPIC, 1, batch.clone()).await.error_code, ErrorCode::NONE);
    }
    for version in ApiKey::DescribeLogDirs.versions() {
        let result = log_dir(&mut client, version, None).await;
        assert_eq!(sizes(&result), [(0, 0), (1, 3 * batch.len() as i64)], "DescribeLogDirs {version}");
        assert_eq!(result.error_code, ErrorCode::NONE);
        assert!(std::path::Path::new(&*result.log_dir).is_absolute(), "{}", &*result.log_dir);
        let is_told = result.total_bytes > 0 && result.usable_bytes > 0;
        assert_eq!(is_told, version >= 4, "{} {}", result.total_bytes, result.usable_bytes);
        assert!(result.topics.iter().any(|topic| &*topic.name == "__consumer_offsets"));
        let partitions = result.topics.iter().flat_map(|topic| &topic.partitions);
        assert!(
            partitions.into_iter().all(|partition| partition.offset_lag == 0 && !partition.is_future_key)
        );
    }
}

#[tokio::test]
async fn only_partitions_that_are_asked_for_and_exist_are_described() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic(&TOPIC, 3, &[]).await;
    let asked = |topic: &str, partitions: &[i32]| DescribableLogDirTopic {
        topic: topic.into(),
        partitions: partitions.iter().copied().map(PartitionId).collect(),
    };
    let topics = vec![asked("read", &[2, 2, 7, -1]), asked("nothing", &[0]), asked("read", &[0])];
    let result = log_dir(&mut client, 4, Some(topics)).await;
    assert_eq!((sizes(&result), result.topics.len()), (vec![(0, 0), (2, 0)], 1));
    assert!(log_dir(&mut client, 4, Some(vec![asked("read", &[9])])).await.topics.is_empty());
    assert!(log_dir(&mut client, 4, Some(Vec::new())).await.topics.is_empty());
}

#[tokio::test]
async fn what_administrators_ask_is_advertised() {
    let broker = TestBroker::start().await;
    let answer = broker.connect().await.ask(0, ApiVersionsRequest::default()).await;
    for (key, versions) in [(15, (0, 6)), (16, (0, 5)), (35, (1, 4))] {
        let found = answer.api_keys.iter().find(|entry| entry.api_key == key).unwrap();
        assert_eq!((found.min_version, found.max_version), versions, "API {key}");
    }
}
