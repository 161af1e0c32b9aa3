//! OffsetDelete, key 47, which never became flexible.

use super::describe::{self, message, structure};
use crate::{ErrorCode, PartitionId, Text};

message! {
    /// Deletes committed offsets of a group.
    OffsetDeleteRequest [0..=0, flexible 0x7fff..] {
        group_id: Text,
        topics: Vec<OffsetDeleteRequestTopic>,
    }
}

structure! {
    OffsetDeleteRequestTopic {
        name: Text,
        partitions: Vec<OffsetDeleteRequestPartition>,
    }

    OffsetDeleteRequestPartition {
        partition_index: PartitionId,
    }
}

message! {
    /// What became of each offset.
    OffsetDeleteResponse [0..=0, flexible 0x7fff..] {
        error_code: ErrorCode,
        throttle_time_ms: i32,
        topics: Vec<OffsetDeleteResponseTopic>,
    }
}

structure! {
    OffsetDeleteResponseTopic {
        name: Text,
        partitions: Vec<OffsetDeleteResponsePartition>,
    }

    OffsetDeleteResponsePartition {
        partition_index: PartitionId,
        error_code: ErrorCode,
    }
}
