//! DescribeTopicPartitions, key 75.

use super::describe::{self, message, structure};
use crate::{BrokerId, ErrorCode, LeaderEpoch, PartitionId, Text, TopicId};

message! {
    /// Asks about partitions in order of topics and indexes, some at a time: of all topics where none are named.
    DescribeTopicPartitionsRequest [0..=0, flexible 0..] {
        topics: Vec<TopicRequest>,
        response_partition_limit: i32 [0.., default 2000],
        cursor: Option<Cursor>,
    }
}

structure! {
    TopicRequest {
        name: Text,
    }
    /// The first partition that is wanted, or that did not fit any more.
    Cursor {
        topic_name: Text,
        partition_index: PartitionId,
    }
}

message! {
    /// The partitions, and where to go on.
    DescribeTopicPartitionsResponse [0..=0, flexible 0..] {
        throttle_time_ms: i32,
        topics: Vec<DescribeTopicPartitionsResponseTopic>,
        next_cursor: Option<Cursor>,
    }
}

structure! {
    DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode,
        name: Option<Text> [0.., default Some(Default::default())],
        topic_id: TopicId,
        is_internal: bool,
        partitions: Vec<DescribeTopicPartitionsResponsePartition>,
        topic_authorized_operations: i32 [0.., default i32::MIN],
    }
    DescribeTopicPartitionsResponsePartition {
        error_code: ErrorCode,
        partition_index: PartitionId,
        leader_id: BrokerId,
        leader_epoch: LeaderEpoch [0.., default LeaderEpoch::NONE],
        replica_nodes: Vec<BrokerId>,
        isr_nodes: Vec<BrokerId>,
        eligible_leader_replicas: Option<Vec<BrokerId>>,
        last_known_elr: Option<Vec<BrokerId>>,
        offline_replicas: Vec<BrokerId>,
    }
}
