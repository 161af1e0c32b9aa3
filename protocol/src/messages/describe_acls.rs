//! DescribeAcls, key 29.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Asks which rules of access there are.
    DescribeAclsRequest [1..=3, flexible 2..] {
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
    /// The rules.
    DescribeAclsResponse [1..=3, flexible 2..] {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<Text> [0.., default Some(Default::default())],
        resources: Vec<DescribeAclsResource>,
    }
}

structure! {
    DescribeAclsResource {
        resource_type: i8,
        resource_name: Text,
        pattern_type: i8 [1.., default 3],
        acls: Vec<AclDescription>,
    }
    AclDescription {
        principal: Text,
        host: Text,
        operation: i8,
        permission_type: i8,
    }
}
