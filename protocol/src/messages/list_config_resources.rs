//! ListConfigResources, key 74. Version 0 asks for client metrics alone, under which name Kafka had it before 4.1.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Asks what has settings; of all kinds where none are named.
    ListConfigResourcesRequest [0..=1, flexible 0..] {
        resource_types: Vec<i8> [1..],
    }
}

message! {
    /// What has settings.
    ListConfigResourcesResponse [0..=1, flexible 0..] {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        config_resources: Vec<ConfigResource>,
    }
}

structure! {
    ConfigResource {
        resource_name: Text,
        // Client metrics where the version has no other kind.
        resource_type: i8 [1.., default 16],
    }
}
