//! DeleteRecords, key 21.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Offset, PartitionId, Text};

message! {
    /// Deletes what lies before an offset; -1 is the high watermark.
    DeleteRecordsRequest [0..=2, flexible 2..] {
        topics: Vec<DeleteRecordsTopic>,
        timeout_ms: i32,
    }
}

structure! {
    DeleteRecordsTopic {
        name: Text,
        partitions: Vec<DeleteRecordsPartition>,
    }
    DeleteRecordsPartition {
        partition_index: PartitionId,
        offset: Offset,
    }
}

message! {
    /// Where each partition begins now.
    DeleteRecordsResponse [0..=2, flexible 2..] {
        throttle_time_ms: i32,
        topics: Vec<DeleteRecordsTopicResult>,
    }
}

structure! {
    DeleteRecordsTopicResult {
        name: Text,
        partitions: Vec<DeleteRecordsPartitionResult>,
    }
    DeleteRecordsPartitionResult {
        partition_index: PartitionId,
        low_watermark: Offset,
        error_code: ErrorCode,
    }
}
