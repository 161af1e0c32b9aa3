//! Consumer groups over the wire: members come and go, and what they commit stays.

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey, ErrorCode, Offset, PartitionId, Text, TopicId,
    messages::{
        DeleteGroupsRequest, DeleteTopicsRequest, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
        LeaveGroupRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
        join_group::JoinGroupRequestProtocol,
        leave_group::MemberIdentity,
        offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
        offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics},
        sync_group::SyncGroupRequestAssignment,
    },
};

use crate::harness::{Client, TestBroker};

const GROUP: Text = Text::from_static("readers");
const TOPIC: Text = Text::from_static("read");

/// A topic in both ways in which requests name it.
struct Topic {
    id: TopicId,
}

async fn topic(broker: &TestBroker, client: &mut Client) -> Topic {
    client.create_topic(&TOPIC, 1, &[]).await;
    Topic { id: broker.broker().node().store.topics().named(&TOPIC).unwrap().id }
}

async fn commit(client: &mut Client, version: i16, topic: &Topic, offset: i64) -> ErrorCode {
    let partition = OffsetCommitRequestPartition { committed_offset: Offset(offset), ..Default::default() };
    let is_by_id = version >= 10;
    let topic = OffsetCommitRequestTopic {
        name: if is_by_id { Text::new() } else { TOPIC },
        topic_id: if is_by_id { topic.id } else { TopicId::ZERO },
        partitions: vec![partition],
    };
    let request = OffsetCommitRequest { group_id: GROUP, topics: vec![topic], ..Default::default() };
    client.ask(version, request).await.topics[0].partitions[0].error_code
}

async fn committed(client: &mut Client, version: i16, topic: &Topic) -> Offset {
    if version < 8 {
        let asked = OffsetFetchRequestTopic { name: TOPIC, partition_indexes: vec![PartitionId(0)] };
        let request = OffsetFetchRequest { group_id: GROUP, topics: Some(vec![asked]), ..Default::default() };
        return client.ask(version, request).await.topics[0].partitions[0].committed_offset;
    }
    let is_by_id = version >= 10;
    let asked = OffsetFetchRequestTopics {
        name: if is_by_id { Text::new() } else { TOPIC },
        topic_id: if is_by_id { topic.id } else { TopicId::ZERO },
        partition_indexes: vec![PartitionId(0)],
    };
    let group = OffsetFetchRequestGroup { group_id: GROUP, topics: Some(vec![asked]), ..Default::default() };
    let response =
        client.ask(version, OffsetFetchRequest { groups: vec![group], ..Default::default() }).await;
    response.groups[0].topics[0].partitions[0].committed_offset
}

#[tokio::test]
async fn every_version_commits_and_fetches_offsets() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let topic = topic(&broker, &mut client).await;
    for version in ApiKey::OffsetFetch.versions() {
        assert_eq!(committed(&mut client, version, &topic).await, Offset::NONE, "OffsetFetch {version}");
    }
    for version in ApiKey::OffsetCommit.versions() {
        let offset = i64::from(version);
        assert_eq!(
            commit(&mut client, version, &topic, offset).await,
            ErrorCode::NONE,
            "OffsetCommit {version}"
        );
        for version in ApiKey::OffsetFetch.versions() {
            assert_eq!(
                committed(&mut client, version, &topic).await,
                Offset(offset),
                "OffsetFetch {version}"
            );
        }
    }
}

#[tokio::test]
async fn committed_offsets_are_there_after_a_restart() {
    let mut broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let topic = topic(&broker, &mut client).await;
    assert_eq!(commit(&mut client, 9, &topic, 17).await, ErrorCode::NONE);
    broker = broker.restart().await;
    assert_eq!(committed(&mut broker.connect().await, 9, &topic).await, Offset(17));
}

/// Joins as a new member: once for an id, once with it.
async fn join(client: &mut Client) -> JoinGroupResponse {
    let protocol =
        JoinGroupRequestProtocol { name: Text::from_static("range"), metadata: Bytes::from_static(b"me") };
    let request = JoinGroupRequest {
        group_id: GROUP,
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: Text::from_static("consumer"),
        protocols: vec![protocol],
        ..Default::default()
    };
    let first = client.ask(9, request.clone()).await;
    assert_eq!(first.error_code, ErrorCode::MEMBER_ID_REQUIRED);
    client.ask(9, JoinGroupRequest { member_id: first.member_id, ..request }).await
}

#[tokio::test]
async fn a_member_joins_syncs_beats_and_leaves() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let joined = join(&mut client).await;
    assert_eq!((joined.error_code, joined.members.len()), (ErrorCode::NONE, 1));
    assert_eq!(joined.leader, joined.member_id);
    let (generation_id, member_id) = (joined.generation_id, joined.member_id);
    let mine = SyncGroupRequestAssignment {
        member_id: member_id.clone(),
        assignment: Bytes::from_static(b"all of it"),
    };
    let sync = SyncGroupRequest {
        group_id: GROUP,
        generation_id,
        member_id: member_id.clone(),
        protocol_type: Some(Text::from_static("consumer")),
        protocol_name: Some(Text::from_static("range")),
        assignments: vec![mine],
        ..Default::default()
    };
    let synced = client.ask(5, sync).await;
    assert_eq!((synced.error_code, synced.assignment), (ErrorCode::NONE, Bytes::from_static(b"all of it")));
    let beat = HeartbeatRequest {
        group_id: GROUP,
        generation_id,
        member_id: member_id.clone(),
        ..Default::default()
    };
    assert_eq!(client.ask(4, beat.clone()).await.error_code, ErrorCode::NONE);
    let members = vec![MemberIdentity { member_id, ..Default::default() }];
    let left = client.ask(5, LeaveGroupRequest { group_id: GROUP, members, ..Default::default() }).await;
    assert_eq!(left.members[0].error_code, ErrorCode::NONE);
    assert_eq!(client.ask(4, beat).await.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[tokio::test]
async fn every_version_deletes_groups() {
    let mut broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let topic = topic(&broker, &mut client).await;
    for version in ApiKey::DeleteGroups.versions() {
        assert_eq!(commit(&mut client, 9, &topic, 17).await, ErrorCode::NONE);
        let request = DeleteGroupsRequest { groups_names: vec![GROUP, Text::from_static("nobody")] };
        let results = client.ask(version, request).await.results;
        let codes: Vec<_> = results.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [ErrorCode::NONE, ErrorCode::GROUP_ID_NOT_FOUND], "DeleteGroups {version}");
        assert_eq!(committed(&mut client, 9, &topic).await, Offset::NONE);
    }
    broker = broker.restart().await;
    assert_eq!(committed(&mut broker.connect().await, 9, &topic).await, Offset::NONE);
}

#[tokio::test]
async fn deleted_offset_is_gone_and_so_is_that_of_a_deleted_topic() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let made = topic(&broker, &mut client).await;
    assert_eq!(commit(&mut client, 9, &made, 17).await, ErrorCode::NONE);
    let partitions = vec![OffsetDeleteRequestPartition { partition_index: PartitionId(0) }];
    let asked = OffsetDeleteRequestTopic { name: TOPIC, partitions };
    let request = OffsetDeleteRequest { group_id: GROUP, topics: vec![asked] };
    let response = client.ask(0, request).await;
    assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::NONE);
    assert_eq!(committed(&mut client, 9, &made).await, Offset::NONE);
    assert_eq!(commit(&mut client, 9, &made, 18).await, ErrorCode::NONE);
    let request = DeleteTopicsRequest { topic_names: vec![TOPIC], ..Default::default() };
    assert_eq!(client.ask(5, request).await.responses[0].error_code, ErrorCode::NONE);
    let made = topic(&broker, &mut client).await;
    assert_eq!(committed(&mut client, 9, &made).await, Offset::NONE);
}
