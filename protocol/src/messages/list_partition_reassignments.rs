//! ListPartitionReassignments, key 46 (KIP-455).

use super::describe::{self, message, structure};
use crate::{BrokerId, ErrorCode, PartitionId, Text};

message! {
    /// Asks which partitions are on their way to other brokers, of all where none are named.
    ListPartitionReassignmentsRequest [0..=0, flexible 0..] {
        timeout_ms: i32 [0.., default 60_000],
        topics: Option<Vec<ListPartitionReassignmentsTopics>>,
    }
}

structure! {
    ListPartitionReassignmentsTopics {
        name: Text,
        partition_indexes: Vec<PartitionId>,
    }
}

message! {
    /// Those on their way.
    ListPartitionReassignmentsResponse [0..=0, flexible 0..] {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<Text> [0.., default Some(Default::default())],
        topics: Vec<OngoingTopicReassignment>,
    }
}

structure! {
    OngoingTopicReassignment {
        name: Text,
        partitions: Vec<OngoingPartitionReassignment>,
    }
    OngoingPartitionReassignment {
        partition_index: PartitionId,
        replicas: Vec<BrokerId>,
        adding_replicas: Vec<BrokerId>,
        removing_replicas: Vec<BrokerId>,
    }
}
