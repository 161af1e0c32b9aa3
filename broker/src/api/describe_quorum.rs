//! DescribeQuorum, key 55 (KIP-595): who votes on the metadata of the cluster.
//!
//! There is no Raft here, and yet the question has a true answer: the metadata is in this node's journal, and this node is
//! the only one that has a voice in it. So it is described as Kafka describes a quorum of one voter (`KafkaRaftClient`,
//! `RaftUtil`): the epoch is the journal's incarnation, which rises with each start as an epoch does with each election; the
//! offsets are those of the journal's frames, of which the last durable one is what a quorum would call committed. Tools
//! that look whether a cluster has a leader, and whether its voters keep up, see what they would see of Kafka.

use std::sync::Arc;

use mainstem_protocol::{
    ErrorCode, LeaderEpoch, Offset, PartitionId, Text, TopicId,
    messages::{
        DescribeQuorumRequest, DescribeQuorumResponse,
        describe_quorum::{
            Listener, Node as QuorumNode, PartitionData, ReplicaState, TopicData, TopicRequest,
        },
    },
};
use mainstem_storage::{Lsn, store::Stats};

use crate::{dispatch::Context, node::Node};

/// What Kafka calls the log of the cluster's metadata, and its one partition.
const TOPIC: &str = "__cluster_metadata";
const PARTITION: PartitionId = PartitionId(0);

pub(crate) async fn answer(
    node: &Node,
    context: &Context,
    request: DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    if !is_of_metadata(&request.topics) {
        let topics = request.topics.into_iter().map(unknown).collect();
        return DescribeQuorumResponse { topics, ..Default::default() };
    }
    let store = Arc::clone(&node.store);
    // The journal's figures wait for whoever writes it.
    let Ok(stats) = tokio::task::spawn_blocking(move || store.stats()).await else {
        let error_code = ErrorCode::UNKNOWN_SERVER_ERROR;
        return DescribeQuorumResponse { error_code, ..Default::default() };
    };
    DescribeQuorumResponse {
        topics: vec![TopicData {
            topic_name: Text::from_static(TOPIC),
            partitions: vec![describe(node, &stats)],
        }],
        nodes: vec![QuorumNode { node_id: node.id(), listeners: vec![listener(context)] }],
        ..Default::default()
    }
}

/// Kafka answers for exactly this one partition.
fn is_of_metadata(topics: &[TopicRequest]) -> bool {
    let [TopicRequest { topic_name, partitions }] = topics else { return false };
    &**topic_name == TOPIC && partitions.iter().map(|partition| partition.partition_index).eq([PARTITION])
}

fn unknown(topic: TopicRequest) -> TopicData {
    let TopicRequest { topic_name, partitions } = topic;
    let partition = |partition_index| PartitionData {
        partition_index,
        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ..Default::default()
    };
    let partitions = partitions.into_iter().map(|asked| partition(asked.partition_index)).collect();
    TopicData { topic_name, partitions }
}

fn describe(node: &Node, stats: &Stats) -> PartitionData {
    let now = node.clock.now();
    let voter = ReplicaState {
        replica_id: node.id(),
        replica_directory_id: TopicId::ZERO,
        log_end_offset: behind(stats.written),
        last_fetch_timestamp: now,
        last_caught_up_timestamp: now,
    };
    let epoch = node.store.identity().incarnation.0;
    PartitionData {
        partition_index: PARTITION,
        leader_id: node.id(),
        leader_epoch: LeaderEpoch(i32::try_from(epoch).unwrap_or(i32::MAX)),
        high_watermark: behind(stats.synced),
        current_voters: vec![voter],
        ..Default::default()
    }
}

/// Offsets name what comes next, LSNs what was last.
fn behind(lsn: Lsn) -> Offset {
    Offset(i64::try_from(lsn.0).map_or(i64::MAX, |lsn| lsn.saturating_add(1)))
}

fn listener(context: &Context) -> Listener {
    Listener {
        name: (&*context.listener).into(),
        host: context.advertised.host.clone(),
        port: context.advertised.port,
    }
}
