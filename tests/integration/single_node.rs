//! What a node without security, without quotas and without others like it says of these things.

use mainstem_protocol::{
    BrokerId, ErrorCode, Offset, PartitionId, Text,
    messages::{
        AlterPartitionReassignmentsRequest, CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest,
        DescribeQuorumRequest, ListOffsetsRequest, ListPartitionReassignmentsRequest,
        alter_partition_reassignments::{ReassignablePartition, ReassignableTopic},
        create_acls::AclCreation,
        delete_acls::DeleteAclsFilter,
        describe_quorum::{PartitionData, PartitionRequest, TopicRequest},
        list_offsets::{ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopic},
    },
};

use crate::harness::{Client, TestBroker};

/// Moves the first partition of `topic` to `replicas`; none call it off.
async fn reassign(client: &mut Client, topic: &str, replicas: Option<&[i32]>) -> ErrorCode {
    let replicas = replicas.map(|ids| ids.iter().copied().map(BrokerId).collect());
    let partitions = vec![ReassignablePartition { partition_index: PartitionId(0), replicas }];
    let topics = vec![ReassignableTopic { name: Text::from(topic), partitions }];
    let request = AlterPartitionReassignmentsRequest { topics, ..Default::default() };
    let answer = client.ask(1, request).await;
    assert_eq!(answer.error_code, ErrorCode::NONE);
    answer.responses[0].partitions[0].error_code
}

#[tokio::test]
async fn partitions_stay_on_the_one_broker_there_is() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("orders", 1, &[]).await;
    assert_eq!(reassign(&mut client, "orders", Some(&[1])).await, ErrorCode::NONE);
    for elsewhere in [&[2][..], &[1, 2], &[1, 1], &[]] {
        let code = reassign(&mut client, "orders", Some(elsewhere)).await;
        assert_eq!(code, ErrorCode::INVALID_REPLICA_ASSIGNMENT, "{elsewhere:?}");
    }
    assert_eq!(reassign(&mut client, "orders", None).await, ErrorCode::NO_REASSIGNMENT_IN_PROGRESS);
    assert_eq!(reassign(&mut client, "none", Some(&[1])).await, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let listed = client.ask(0, ListPartitionReassignmentsRequest::default()).await;
    assert_eq!((listed.error_code, listed.topics.len()), (ErrorCode::NONE, 0));
}

#[tokio::test]
async fn rules_of_access_are_refused_one_by_one() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let disabled = ErrorCode::SECURITY_DISABLED;
    assert_eq!(client.ask(3, DescribeAclsRequest::default()).await.error_code, disabled);
    let creations = vec![AclCreation::default(); 2];
    let created = client.ask(3, CreateAclsRequest { creations }).await;
    let codes: Vec<_> = created.results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [disabled; 2]);
    let filters = vec![DeleteAclsFilter::default()];
    let deleted = client.ask(3, DeleteAclsRequest { filters }).await;
    let codes: Vec<_> = deleted.filter_results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [disabled]);
}

async fn quorum(client: &mut Client, topic: &str) -> PartitionData {
    let partitions = vec![PartitionRequest { partition_index: PartitionId(0) }];
    let topics = vec![TopicRequest { topic_name: Text::from(topic), partitions }];
    let mut answer = client.ask(2, DescribeQuorumRequest { topics }).await;
    assert_eq!(answer.error_code, ErrorCode::NONE);
    answer.topics.remove(0).partitions.remove(0)
}

#[tokio::test]
async fn the_one_node_leads_the_metadata_with_an_epoch_that_rises_with_each_start() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let before = quorum(&mut client, "__cluster_metadata").await;
    assert_eq!((before.error_code, before.leader_id), (ErrorCode::NONE, BrokerId(1)));
    assert_eq!((before.current_voters.len(), before.observers.len()), (1, 0));
    assert_eq!(before.current_voters[0].replica_id, BrokerId(1));
    client.create_topic("orders", 1, &[]).await;
    let after = quorum(&mut client, "__cluster_metadata").await;
    assert!(after.high_watermark > before.high_watermark, "{before:?}, {after:?}");
    assert!(after.current_voters[0].log_end_offset >= after.high_watermark, "{after:?}");
    assert_eq!(quorum(&mut client, "orders").await.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let broker = broker.restart().await;
    let again = quorum(&mut broker.connect().await, "__cluster_metadata").await;
    assert!(again.leader_epoch > after.leader_epoch, "{after:?}, {again:?}");
}

async fn list_offsets(client: &mut Client, version: i16, timestamp: i64) -> ListOffsetsPartitionResponse {
    let partition = ListOffsetsPartition { timestamp: timestamp.into(), ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: Text::from_static("orders"), partitions: vec![partition] }];
    let mut answer = client.ask(version, ListOffsetsRequest { topics, ..Default::default() }).await;
    answer.topics.remove(0).partitions.remove(0)
}

#[tokio::test]
async fn nothing_is_tiered_and_nothing_is_to_be() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("orders", 1, &[]).await;
    for (name, since) in [(-5, 9), (-6, 11)] {
        let found = list_offsets(&mut client, since, name).await;
        assert_eq!((found.error_code, found.offset), (ErrorCode::NONE, Offset::NONE), "{name}");
        let refused = list_offsets(&mut client, since - 1, name).await;
        assert_eq!(refused.error_code, ErrorCode::UNSUPPORTED_VERSION, "{name}");
    }
}
