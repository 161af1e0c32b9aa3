//! OffsetCommit, key 8.

use super::describe::{self, message, structure};
use crate::{ErrorCode, LeaderEpoch, Offset, PartitionId, Text, TopicId};

message! {
    /// Stores how far a group has read.
    OffsetCommitRequest [2..=10, flexible 8..] {
        group_id: Text,
        generation_id_or_member_epoch: i32 [2.., default -1],
        member_id: Text,
        group_instance_id: Option<Text> [7..],
        retention_time_ms: i64 [2..=4, default -1],
        topics: Vec<OffsetCommitRequestTopic>,
    }
}

structure! {
    OffsetCommitRequestTopic {
        name: Text [2..=9],
        topic_id: TopicId [10..],
        partitions: Vec<OffsetCommitRequestPartition>,
    }
    OffsetCommitRequestPartition {
        partition_index: PartitionId,
        committed_offset: Offset,
        committed_leader_epoch: LeaderEpoch [6.., default LeaderEpoch::NONE],
        committed_metadata: Option<Text> [2.., default Some(Default::default())],
    }
}

message! {
    /// Whether each offset was stored.
    OffsetCommitResponse [2..=10, flexible 8..] {
        throttle_time_ms: i32 [3..],
        topics: Vec<OffsetCommitResponseTopic>,
    }
}

structure! {
    OffsetCommitResponseTopic {
        name: Text [2..=9],
        topic_id: TopicId [10..],
        partitions: Vec<OffsetCommitResponsePartition>,
    }
    OffsetCommitResponsePartition {
        partition_index: PartitionId,
        error_code: ErrorCode,
    }
}
