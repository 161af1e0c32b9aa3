//! DescribeGroups, key 15.

use bytes::Bytes;

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Asks for classic groups and their members.
    DescribeGroupsRequest [0..=6, flexible 5..] {
        groups: Vec<Text>,
        include_authorized_operations: bool [3..],
    }
}

message! {
    /// Each group with its members.
    DescribeGroupsResponse [0..=6, flexible 5..] {
        throttle_time_ms: i32 [1..],
        groups: Vec<DescribedGroup>,
    }
}

structure! {
    DescribedGroup {
        error_code: ErrorCode,
        error_message: Option<Text> [6..],
        group_id: Text,
        group_state: Text,
        protocol_type: Text,
        protocol_data: Text,
        members: Vec<DescribedGroupMember>,
        authorized_operations: i32 [3.., default -2147483648],
    }

    DescribedGroupMember {
        member_id: Text,
        group_instance_id: Option<Text> [4..],
        client_id: Text,
        client_host: Text,
        member_metadata: Bytes,
        member_assignment: Bytes,
    }
}
