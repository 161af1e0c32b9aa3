//! AddPartitionsToTxn, key 24. Clients ask in versions 0 to 3, of one transaction; brokers in 4 and later, of many.

use super::describe::{self, message, structure};
use crate::{ErrorCode, PartitionId, ProducerEpoch, ProducerId, Text};

message! {
    /// Adds partitions to transactions, or asks whether they are in them.
    AddPartitionsToTxnRequest [0..=5, flexible 3..] {
        transactions: Vec<AddPartitionsToTxnTransaction> [4..],
        v3_and_below_transactional_id: Text [0..=3],
        v3_and_below_producer_id: ProducerId [0..=3],
        v3_and_below_producer_epoch: ProducerEpoch [0..=3],
        v3_and_below_topics: Vec<AddPartitionsToTxnTopic> [0..=3],
    }
}

structure! {
    AddPartitionsToTxnTransaction {
        transactional_id: Text [4..],
        producer_id: ProducerId [4..],
        producer_epoch: ProducerEpoch [4..],
        verify_only: bool [4..],
        topics: Vec<AddPartitionsToTxnTopic> [4..],
    }
    AddPartitionsToTxnTopic {
        name: Text,
        partitions: Vec<PartitionId>,
    }
}

message! {
    /// What became of each partition.
    AddPartitionsToTxnResponse [0..=5, flexible 3..] {
        throttle_time_ms: i32,
        error_code: ErrorCode [4..],
        results_by_transaction: Vec<AddPartitionsToTxnResult> [4..],
        results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult> [0..=3],
    }
}

structure! {
    AddPartitionsToTxnResult {
        transactional_id: Text [4..],
        topic_results: Vec<AddPartitionsToTxnTopicResult> [4..],
    }
    AddPartitionsToTxnTopicResult {
        name: Text,
        results_by_partition: Vec<AddPartitionsToTxnPartitionResult>,
    }
    AddPartitionsToTxnPartitionResult {
        partition_index: PartitionId,
        partition_error_code: ErrorCode,
    }
}
