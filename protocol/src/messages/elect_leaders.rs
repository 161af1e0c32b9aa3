//! ElectLeaders, key 43.

use super::describe::{self, message, structure};
use crate::{ErrorCode, PartitionId, Text};

message! {
    /// Elects leaders of partitions, of all where none are named: the preferred replica (0), or any that lives (1).
    ElectLeadersRequest [0..=2, flexible 2..] {
        election_type: i8 [1..],
        topic_partitions: Option<Vec<TopicPartitions>> [0.., default Some(Default::default())],
        timeout_ms: i32 [0.., default 60_000],
    }
}

structure! {
    TopicPartitions {
        topic: Text,
        partitions: Vec<PartitionId>,
    }
}

message! {
    /// What became of each election.
    ElectLeadersResponse [0..=2, flexible 2..] {
        throttle_time_ms: i32,
        error_code: ErrorCode [1..],
        replica_election_results: Vec<ReplicaElectionResult>,
    }
}

structure! {
    ReplicaElectionResult {
        topic: Text,
        partition_result: Vec<PartitionResult>,
    }
    PartitionResult {
        partition_id: PartitionId,
        error_code: ErrorCode,
        error_message: Option<Text> [0.., default Some(Default::default())],
    }
}
