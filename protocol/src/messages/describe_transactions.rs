//! DescribeTransactions, key 65.

use super::describe::{self, message, structure};
use crate::{ErrorCode, PartitionId, ProducerEpoch, ProducerId, Text, Timestamp};

message! {
    /// Asks the coordinator about transactions.
    DescribeTransactionsRequest [0..=0, flexible 0..] {
        transactional_ids: Vec<Text>,
    }
}

message! {
    /// The state of each.
    DescribeTransactionsResponse [0..=0, flexible 0..] {
        throttle_time_ms: i32,
        transaction_states: Vec<TransactionState>,
    }
}

structure! {
    TransactionState {
        error_code: ErrorCode,
        transactional_id: Text,
        transaction_state: Text,
        transaction_timeout_ms: i32,
        transaction_start_time_ms: Timestamp,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        topics: Vec<TopicData>,
    }
    TopicData {
        topic: Text,
        partitions: Vec<PartitionId>,
    }
}
