//! IncrementalAlterConfigs, key 44.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Changes settings of topics or brokers one by one (KIP-339).
    IncrementalAlterConfigsRequest [0..=1, flexible 1..] {
        resources: Vec<AlterConfigsResource>,
        validate_only: bool,
    }
}

structure! {
    AlterConfigsResource {
        resource_type: i8,
        resource_name: Text,
        configs: Vec<AlterableConfig>,
    }

    AlterableConfig {
        name: Text,
        config_operation: i8,
        value: Option<Text> [0.., default Some(Default::default())],
    }
}

message! {
    /// What became of each resource.
    IncrementalAlterConfigsResponse [0..=1, flexible 1..] {
        throttle_time_ms: i32,
        responses: Vec<AlterConfigsResourceResponse>,
    }
}

structure! {
    AlterConfigsResourceResponse {
        error_code: ErrorCode,
        error_message: Option<Text> [0.., default Some(Default::default())],
        resource_type: i8,
        resource_name: Text,
    }
}
