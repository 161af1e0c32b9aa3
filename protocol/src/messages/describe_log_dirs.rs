//! DescribeLogDirs, key 35.

use super::describe::{self, message, structure};
use crate::{ErrorCode, PartitionId, Text};

message! {
    /// Asks for the size of partitions on disk; null asks for all of them.
    DescribeLogDirsRequest [1..=4, flexible 2..] {
        topics: Option<Vec<DescribableLogDirTopic>> [0.., default Some(Vec::new())],
    }
}

structure! {
    DescribableLogDirTopic {
        topic: Text,
        partitions: Vec<PartitionId>,
    }
}

message! {
    /// Directories of logs, with the partitions in them.
    DescribeLogDirsResponse [1..=4, flexible 2..] {
        throttle_time_ms: i32,
        error_code: ErrorCode [3..],
        results: Vec<DescribeLogDirsResult>,
    }
}

structure! {
    DescribeLogDirsResult {
        error_code: ErrorCode,
        log_dir: Text,
        topics: Vec<DescribeLogDirsTopic>,
        total_bytes: i64 [4.., default -1],
        usable_bytes: i64 [4.., default -1],
    }

    DescribeLogDirsTopic {
        name: Text,
        partitions: Vec<DescribeLogDirsPartition>,
    }

    DescribeLogDirsPartition {
        partition_index: PartitionId,
        partition_size: i64,
        offset_lag: i64,
        is_future_key: bool,
    }
}
