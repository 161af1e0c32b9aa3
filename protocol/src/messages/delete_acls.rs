//! DeleteAcls, key 31.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Removes rules of access.
    DeleteAclsRequest [1..=3, flexible 2..] {
        filters: Vec<DeleteAclsFilter>,
    }
}

structure! {
    DeleteAclsFilter {
        resource_type_filter: i8,
        resource_name_filter: Option<Text> [0.., default Some(Default::default())],
        pattern_type_filter: i8 [1.., default 3],
        principal_filter: Option<Text> [0.., default Some(Default::default())],
        host_filter: Option<Text> [0.., default Some(Default::default())],
        operation: i8,
        permission_type: i8,
    }
}

message! {
    /// The rules that each filter has removed.
    DeleteAclsResponse [1..=3, flexible 2..] {
        throttle_time_ms: i32,
        filter_results: Vec<DeleteAclsFilterResult>,
    }
}

structure! {
    DeleteAclsFilterResult {
        error_code: ErrorCode,
        error_message: Option<Text> [0.., default Some(Default::default())],
        matching_acls: Vec<DeleteAclsMatchingAcl>,
    }
    DeleteAclsMatchingAcl {
        error_code: ErrorCode,
        error_message: Option<Text> [0.., default Some(Default::default())],
        resource_type: i8,
        resource_name: Text,
        pattern_type: i8 [1.., default 3],
        principal: Text,
        host: Text,
        operation: i8,
        permission_type: i8,
    }
}
