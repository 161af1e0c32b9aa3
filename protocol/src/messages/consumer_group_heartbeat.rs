//! ConsumerGroupHeartbeat, key 68 (KIP-848).

use super::describe::{self, message, structure};
use crate::{ErrorCode, PartitionId, Text, TopicId};

message! {
    /// Joins a group, stays in it, tells what changed, or leaves it, all by `member_epoch`: 0 joins, -1 leaves, -2 leaves
    /// as a static member that will be back. What did not change since the last heartbeat is null (or -1).
    ConsumerGroupHeartbeatRequest [0..=1, flexible 0..] {
        group_id: Text,
        member_id: Text,
        member_epoch: i32,
        instance_id: Option<Text>,
        rack_id: Option<Text>,
        rebalance_timeout_ms: i32 [0.., default -1],
        subscribed_topic_names: Option<Vec<Text>>,
        subscribed_topic_regex: Option<Text> [1..],
        server_assignor: Option<Text>,
        topic_partitions: Option<Vec<TopicPartitions>>,
    }
}

message! {
    /// The member's epoch, and its assignment where that changed.
    ConsumerGroupHeartbeatResponse [0..=1, flexible 0..] {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<Text>,
        member_id: Option<Text>,
        member_epoch: i32,
        heartbeat_interval_ms: i32,
        assignment: Option<Assignment>,
    }
}

structure! {
    Assignment {
        topic_partitions: Vec<TopicPartitions>,
    }

    /// Partitions of one topic.
    #[derive(Eq)]
    TopicPartitions {
        topic_id: TopicId,
        partitions: Vec<PartitionId>,
    }
}
