//! AlterConfigs, key 33.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Replaces the settings of topics or brokers: what it does not name falls back to its default.
    AlterConfigsRequest [0..=2, flexible 2..] {
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
        value: Option<Text> [0.., default Some(Default::default())],
    }
}

message! {
    /// What became of each resource.
    AlterConfigsResponse [0..=2, flexible 2..] {
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
