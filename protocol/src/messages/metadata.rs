//! Metadata, key 3.

use super::describe::{self, message, structure};
use crate::{BrokerId, ErrorCode, LeaderEpoch, PartitionId, Text, TopicId};

message! {
    /// Asks who leads which partition of which topic.
    MetadataRequest [0..=13, flexible 9..] {
        topics: Option<Vec<MetadataRequestTopic>> [0.., null 1.., default Some(Default::default())],
        allow_auto_topic_creation: bool [4.., default true],
        include_cluster_authorized_operations: bool [8..=10],
        include_topic_authorized_operations: bool [8..],
    }
}

structure! {
    MetadataRequestTopic {
        topic_id: TopicId [10..],
        name: Option<Text> [0.., null 10.., default Some(Default::default())],
    }
}

message! {
    /// The brokers, the topics and their partitions.
    MetadataResponse [0..=13, flexible 9..] {
        throttle_time_ms: i32 [3..],
        brokers: Vec<MetadataResponseBroker>,
        cluster_id: Option<Text> [2..],
        controller_id: BrokerId [1.., default BrokerId::NONE],
        topics: Vec<MetadataResponseTopic>,
        cluster_authorized_operations: i32 [8..=10, default -2147483648],
        error_code: ErrorCode [13..],
    }
}

structure! {
    MetadataResponseBroker {
        node_id: BrokerId,
        host: Text,
        port: i32,
        rack: Option<Text> [1..],
    }
    MetadataResponseTopic {
        error_code: ErrorCode,
        name: Option<Text> [0.., null 12.., default Some(Default::default())],
        topic_id: TopicId [10..],
        is_internal: bool [1..],
        partitions: Vec<MetadataResponsePartition>,
        topic_authorized_operations: i32 [8.., default -2147483648],
    }
    MetadataResponsePartition {
        error_code: ErrorCode,
        partition_index: PartitionId,
        leader_id: BrokerId,
        leader_epoch: LeaderEpoch [7.., default LeaderEpoch::NONE],
        replica_nodes: Vec<BrokerId>,
        isr_nodes: Vec<BrokerId>,
        offline_replicas: Vec<BrokerId> [5..],
    }
}
