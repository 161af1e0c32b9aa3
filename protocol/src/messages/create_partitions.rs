//! CreatePartitions, key 37. Version 3 may answer THROTTLING_QUOTA_EXCEEDED and changes no field.

use super::describe::{self, message, structure};
use crate::{BrokerId, ErrorCode, Text};

message! {
    /// Raises the number of partitions of topics.
    CreatePartitionsRequest [0..=3, flexible 2..] {
        topics: Vec<CreatePartitionsTopic>,
        timeout_ms: i32,
        validate_only: bool,
    }
}

structure! {
    CreatePartitionsTopic {
        name: Text,
        count: i32,
        assignments: Option<Vec<CreatePartitionsAssignment>> [0.., default Some(Default::default())],
    }

    CreatePartitionsAssignment {
        broker_ids: Vec<BrokerId>,
    }
}

message! {
    /// What became of each topic.
    CreatePartitionsResponse [0..=3, flexible 2..] {
        throttle_time_ms: i32,
        results: Vec<CreatePartitionsTopicResult>,
    }
}

structure! {
    CreatePartitionsTopicResult {
        name: Text,
        error_code: ErrorCode,
        error_message: Option<Text>,
    }
}
