//! LeaveGroup, key 13.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Takes members out of a group.
    LeaveGroupRequest [0..=5, flexible 4..] {
        group_id: Text,
        member_id: Text [0..=2],
        members: Vec<MemberIdentity> [3..],
    }
}

structure! {
    MemberIdentity {
        member_id: Text [3..],
        group_instance_id: Option<Text> [3..],
        reason: Option<Text> [5..],
    }
}

message! {
    /// Whether each member has left.
    LeaveGroupResponse [0..=5, flexible 4..] {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode,
        members: Vec<MemberResponse> [3..],
    }
}

structure! {
    MemberResponse {
        member_id: Text [3..],
        group_instance_id: Option<Text> [3.., default Some(Default::default())],
        error_code: ErrorCode [3..],
    }
}
