//! DescribeProducers, key 61.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Offset, PartitionId, ProducerId, Text, Timestamp};

message! {
    /// Asks who writes into partitions with a producer id.
    DescribeProducersRequest [0..=0, flexible 0..] {
        topics: Vec<TopicRequest>,
    }
}

structure! {
    TopicRequest {
        name: Text,
        partition_indexes: Vec<PartitionId>,
    }
}

message! {
    /// The producers that a partition remembers, and since which offset each has a transaction open; -1 is none.
    DescribeProducersResponse [0..=0, flexible 0..] {
        throttle_time_ms: i32,
        topics: Vec<TopicResponse>,
    }
}

structure! {
    TopicResponse {
        name: Text,
        partitions: Vec<PartitionResponse>,
    }
    PartitionResponse {
        partition_index: PartitionId,
        error_code: ErrorCode,
        error_message: Option<Text>,
        active_producers: Vec<ProducerState>,
    }
    ProducerState {
        producer_id: ProducerId,
        // Wider here than everywhere else.
        producer_epoch: i32,
        last_sequence: i32 [0.., default -1],
        last_timestamp: Timestamp [0.., default Timestamp::NONE],
        coordinator_epoch: i32,
        current_txn_start_offset: Offset [0.., default Offset::NONE],
    }
}
