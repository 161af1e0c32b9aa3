//! ConsumerGroupDescribe, key 69 (KIP-848).

use super::describe::{self, message, structure};
use crate::{ErrorCode, PartitionId, Text, TopicId};

message! {
    /// Asks for groups of the newer protocol and their members.
    ConsumerGroupDescribeRequest [0..=1, flexible 0..] {
        group_ids: Vec<Text>,
        include_authorized_operations: bool,
    }
}

message! {
    /// Each group with its members.
    ConsumerGroupDescribeResponse [0..=1, flexible 0..] {
        throttle_time_ms: i32,
        groups: Vec<DescribedGroup>,
    }
}

structure! {
    DescribedGroup {
        error_code: ErrorCode,
        error_message: Option<Text>,
        group_id: Text,
        group_state: Text,
        group_epoch: i32,
        assignment_epoch: i32,
        assignor_name: Text,
        members: Vec<Member>,
        authorized_operations: i32 [0.., default -2147483648],
    }

    Member {
        member_id: Text,
        instance_id: Option<Text>,
        rack_id: Option<Text>,
        member_epoch: i32,
        client_id: Text,
        client_host: Text,
        subscribed_topic_names: Vec<Text>,
        subscribed_topic_regex: Option<Text>,
        assignment: Assignment,
        target_assignment: Assignment,
        member_type: i8 [1.., default -1],
    }

    Assignment {
        topic_partitions: Vec<TopicPartitions>,
    }

    /// Partitions of one topic.
    TopicPartitions {
        topic_id: TopicId,
        topic_name: Text,
        partitions: Vec<PartitionId>,
    }
}
