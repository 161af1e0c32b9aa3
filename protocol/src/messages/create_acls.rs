//! CreateAcls, key 30.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Makes rules of access.
    CreateAclsRequest [1..=3, flexible 2..] {
        creations: Vec<AclCreation>,
    }
}

structure! {
    AclCreation {
        resource_type: i8,
        resource_name: Text,
        resource_pattern_type: i8 [1.., default 3],
        principal: Text,
        host: Text,
        operation: i8,
        permission_type: i8,
    }
}

message! {
    /// What became of each.
    CreateAclsResponse [1..=3, flexible 2..] {
        throttle_time_ms: i32,
        results: Vec<AclCreationResult>,
    }
}

structure! {
    AclCreationResult {
        error_code: ErrorCode,
        error_message: Option<Text> [0.., default Some(Default::default())],
    }
}
