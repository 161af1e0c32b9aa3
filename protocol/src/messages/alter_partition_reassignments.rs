//! AlterPartitionReassignments, key 45 (KIP-455).

use super::describe::{self, message, structure};
use crate::{BrokerId, ErrorCode, PartitionId, Text};

message! {
    /// Sends partitions to other brokers; no replicas at all call off what is on its way.
    AlterPartitionReassignmentsRequest [0..=1, flexible 0..] {
        timeout_ms: i32 [0.., default 60_000],
        allow_replication_factor_change: bool [1.., default true],
        topics: Vec<ReassignableTopic>,
    }
}

structure! {
    ReassignableTopic {
        name: Text,
        partitions: Vec<ReassignablePartition>,
    }
    ReassignablePartition {
        partition_index: PartitionId,
        replicas: Option<Vec<BrokerId>>,
    }
}

message! {
    /// What became of each partition.
    AlterPartitionReassignmentsResponse [0..=1, flexible 0..] {
        throttle_time_ms: i32,
        allow_replication_factor_change: bool [1.., default true],
        error_code: ErrorCode,
        error_message: Option<Text> [0.., default Some(Default::default())],
        responses: Vec<ReassignableTopicResponse>,
    }
}

structure! {
    ReassignableTopicResponse {
        name: Text,
        partitions: Vec<ReassignablePartitionResponse>,
    }
    ReassignablePartitionResponse {
        partition_index: PartitionId,
        error_code: ErrorCode,
        error_message: Option<Text> [0.., default Some(Default::default())],
    }
}
