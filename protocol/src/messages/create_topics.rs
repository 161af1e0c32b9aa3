//! CreateTopics, key 19.

use super::describe::{self, message, structure};
use crate::{BrokerId, ErrorCode, PartitionId, Text, TopicId};

message! {
    /// Creates topics.
    CreateTopicsRequest [2..=7, flexible 5..] {
        topics: Vec<CreatableTopic>,
        timeout_ms: i32 [2.., default 60000],
        validate_only: bool,
    }
}

structure! {
    CreatableTopic {
        name: Text,
        num_partitions: i32,
        replication_factor: i16,
        assignments: Vec<CreatableReplicaAssignment>,
        configs: Vec<CreatableTopicConfig>,
    }
    CreatableReplicaAssignment {
        partition_index: PartitionId,
        broker_ids: Vec<BrokerId>,
    }
    CreatableTopicConfig {
        name: Text,
        value: Option<Text> [2.., default Some(Default::default())],
    }
}

message! {
    /// The topics created, or why not.
    CreateTopicsResponse [2..=7, flexible 5..] {
        throttle_time_ms: i32,
        topics: Vec<CreatableTopicResult>,
    }
}

structure! {
    CreatableTopicResult {
        name: Text,
        topic_id: TopicId [7..],
        error_code: ErrorCode,
        error_message: Option<Text> [2.., default Some(Default::default())],
        topic_config_error_code: i16 [5.., tag 0],
        num_partitions: i32 [5.., default -1],
        replication_factor: i16 [5.., default -1],
        configs: Option<Vec<CreatableTopicConfigs>> [5.., default Some(Default::default())],
    }
    CreatableTopicConfigs {
        name: Text [5..],
        value: Option<Text> [5.., default Some(Default::default())],
        read_only: bool [5..],
        config_source: i8 [5.., default -1],
        is_sensitive: bool [5..],
    }
}
