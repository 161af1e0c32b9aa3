//! DescribeQuorum, key 55.

use super::describe::{self, message, structure};
use crate::{BrokerId, ErrorCode, LeaderEpoch, Offset, PartitionId, Text, Timestamp, TopicId};

message! {
    /// Asks who votes on the metadata of the cluster.
    DescribeQuorumRequest [0..=2, flexible 0..] {
        topics: Vec<TopicRequest>,
    }
}

structure! {
    TopicRequest {
        topic_name: Text,
        partitions: Vec<PartitionRequest>,
    }
    PartitionRequest {
        partition_index: PartitionId,
    }
}

message! {
    /// Who leads, who votes, who follows.
    DescribeQuorumResponse [0..=2, flexible 0..] {
        error_code: ErrorCode,
        error_message: Option<Text> [2.., null 2.., default Some(Default::default())],
        topics: Vec<TopicData>,
        nodes: Vec<Node> [2..],
    }
}

structure! {
    TopicData {
        topic_name: Text,
        partitions: Vec<PartitionData>,
    }
    PartitionData {
        partition_index: PartitionId,
        error_code: ErrorCode,
        error_message: Option<Text> [2.., null 2.., default Some(Default::default())],
        leader_id: BrokerId,
        leader_epoch: LeaderEpoch,
        high_watermark: Offset,
        current_voters: Vec<ReplicaState>,
        observers: Vec<ReplicaState>,
    }
    ReplicaState {
        replica_id: BrokerId,
        replica_directory_id: TopicId [2..],
        log_end_offset: Offset,
        last_fetch_timestamp: Timestamp [1.., default Timestamp::NONE],
        last_caught_up_timestamp: Timestamp [1.., default Timestamp::NONE],
    }
    Node {
        node_id: BrokerId,
        listeners: Vec<Listener>,
    }
    Listener {
        name: Text,
        host: Text,
        port: u16,
    }
}
