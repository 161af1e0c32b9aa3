//! ListOffsets, key 2.

use super::describe::{self, message, structure};
use crate::{BrokerId, ErrorCode, LeaderEpoch, Offset, PartitionId, Text, Timestamp};

message! {
    /// Asks for offsets by timestamp or by name (earliest, latest ...).
    ListOffsetsRequest [1..=11, flexible 6..] {
        replica_id: BrokerId,
        isolation_level: i8 [2..],
        topics: Vec<ListOffsetsTopic>,
        timeout_ms: i32 [10..],
    }
}

structure! {
    ListOffsetsTopic {
        name: Text,
        partitions: Vec<ListOffsetsPartition>,
    }
    ListOffsetsPartition {
        partition_index: PartitionId,
        current_leader_epoch: LeaderEpoch [4.., default LeaderEpoch::NONE],
        timestamp: Timestamp,
    }
}

message! {
    /// The offsets asked for.
    ListOffsetsResponse [1..=11, flexible 6..] {
        throttle_time_ms: i32 [2..],
        topics: Vec<ListOffsetsTopicResponse>,
    }
}

structure! {
    ListOffsetsTopicResponse {
        name: Text,
        partitions: Vec<ListOffsetsPartitionResponse>,
    }
    ListOffsetsPartitionResponse {
        partition_index: PartitionId,
        error_code: ErrorCode,
        timestamp: Timestamp [1.., default Timestamp::NONE],
        offset: Offset [1.., default Offset::NONE],
        leader_epoch: LeaderEpoch [4.., default LeaderEpoch::NONE],
    }
}
