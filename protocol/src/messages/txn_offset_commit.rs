//! TxnOffsetCommit, key 28. In version 5 it adds the group to the transaction by itself (KIP-890).

use super::describe::{self, message, structure};
use crate::{ErrorCode, LeaderEpoch, Offset, PartitionId, ProducerEpoch, ProducerId, Text};

message! {
    /// Says how far a group has read, once the transaction is committed.
    TxnOffsetCommitRequest [0..=5, flexible 3..] {
        transactional_id: Text,
        group_id: Text,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        generation_id: i32 [3.., default -1],
        member_id: Text [3..],
        group_instance_id: Option<Text> [3..],
        topics: Vec<TxnOffsetCommitRequestTopic>,
    }
}

structure! {
    TxnOffsetCommitRequestTopic {
        name: Text,
        partitions: Vec<TxnOffsetCommitRequestPartition>,
    }
    TxnOffsetCommitRequestPartition {
        partition_index: PartitionId,
        committed_offset: Offset,
        committed_leader_epoch: LeaderEpoch [2.., default LeaderEpoch::NONE],
        committed_metadata: Option<Text> [0.., default Some(Default::default())],
    }
}

message! {
    /// What became of each offset.
    TxnOffsetCommitResponse [0..=5, flexible 3..] {
        throttle_time_ms: i32,
        topics: Vec<TxnOffsetCommitResponseTopic>,
    }
}

structure! {
    TxnOffsetCommitResponseTopic {
        name: Text,
        partitions: Vec<TxnOffsetCommitResponsePartition>,
    }
    TxnOffsetCommitResponsePartition {
        partition_index: PartitionId,
        error_code: ErrorCode,
    }
}
