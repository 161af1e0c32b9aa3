//! OffsetForLeaderEpoch, key 23.

use super::describe::{self, message, structure};
use crate::{BrokerId, ErrorCode, LeaderEpoch, Offset, PartitionId, Text};

message! {
    /// Asks where leader epochs end, to find out whether a log was truncated.
    OffsetForLeaderEpochRequest [2..=4, flexible 4..] {
        replica_id: BrokerId [3.., default BrokerId(-2)],
        topics: Vec<OffsetForLeaderTopic>,
    }
}

structure! {
    OffsetForLeaderTopic {
        topic: Text,
        partitions: Vec<OffsetForLeaderPartition>,
    }
    OffsetForLeaderPartition {
        partition: PartitionId,
        current_leader_epoch: LeaderEpoch [2.., default LeaderEpoch::NONE],
        leader_epoch: LeaderEpoch,
    }
}

message! {
    /// The end offsets of the epochs.
    OffsetForLeaderEpochResponse [2..=4, flexible 4..] {
        throttle_time_ms: i32,
        topics: Vec<OffsetForLeaderTopicResult>,
    }
}

structure! {
    OffsetForLeaderTopicResult {
        topic: Text,
        partitions: Vec<EpochEndOffset>,
    }
    EpochEndOffset {
        error_code: ErrorCode,
        partition: PartitionId,
        leader_epoch: LeaderEpoch [2.., default LeaderEpoch::NONE],
        end_offset: Offset [2.., default Offset::NONE],
    }
}
