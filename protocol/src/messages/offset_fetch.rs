//! OffsetFetch, key 9.

use super::describe::{self, message, structure};
use crate::{ErrorCode, LeaderEpoch, Offset, PartitionId, Text, TopicId};

message! {
    /// Asks how far groups have read.
    OffsetFetchRequest [1..=10, flexible 6..] {
        group_id: Text [1..=7],
        topics: Option<Vec<OffsetFetchRequestTopic>> [1..=7, null 2..=7, default Some(Default::default())],
        groups: Vec<OffsetFetchRequestGroup> [8..],
        require_stable: bool [7..],
    }
}

structure! {
    OffsetFetchRequestTopic {
        name: Text [1..=7],
        partition_indexes: Vec<PartitionId> [1..=7],
    }
    OffsetFetchRequestGroup {
        group_id: Text [8..],
        member_id: Option<Text> [9..],
        member_epoch: i32 [9.., default -1],
        topics: Option<Vec<OffsetFetchRequestTopics>> [8.., default Some(Default::default())],
    }
    OffsetFetchRequestTopics {
        name: Text [8..=9],
        topic_id: TopicId [10..],
        partition_indexes: Vec<PartitionId> [8..],
    }
}

message! {
    /// The committed offsets; -1 where there is none.
    OffsetFetchResponse [1..=10, flexible 6..] {
        throttle_time_ms: i32 [3..],
        topics: Vec<OffsetFetchResponseTopic> [1..=7],
        error_code: ErrorCode [2..=7],
        groups: Vec<OffsetFetchResponseGroup> [8..],
    }
}

structure! {
    OffsetFetchResponseTopic {
        name: Text [1..=7],
        partitions: Vec<OffsetFetchResponsePartition> [1..=7],
    }
    OffsetFetchResponseGroup {
        group_id: Text [8..],
        topics: Vec<OffsetFetchResponseTopics> [8..],
        error_code: ErrorCode [8..],
    }
    OffsetFetchResponsePartition {
        partition_index: PartitionId [1..=7],
        committed_offset: Offset [1..=7],
        committed_leader_epoch: LeaderEpoch [5..=7, default LeaderEpoch::NONE],
        metadata: Option<Text> [1..=7, default Some(Default::default())],
        error_code: ErrorCode [1..=7],
    }
    OffsetFetchResponseTopics {
        name: Text [8..=9],
        topic_id: TopicId [10..],
        partitions: Vec<OffsetFetchResponsePartitions> [8..],
    }
    OffsetFetchResponsePartitions {
        partition_index: PartitionId [8..],
        committed_offset: Offset [8..],
        committed_leader_epoch: LeaderEpoch [8.., default LeaderEpoch::NONE],
        metadata: Option<Text> [8.., default Some(Default::default())],
        error_code: ErrorCode [8..],
    }
}
