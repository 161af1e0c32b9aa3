//! SyncGroup, key 14.

use bytes::Bytes;

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// The leader hands out assignments, the others ask for theirs.
    SyncGroupRequest [0..=5, flexible 4..] {
        group_id: Text,
        generation_id: i32,
        member_id: Text,
        group_instance_id: Option<Text> [3..],
        protocol_type: Option<Text> [5..],
        protocol_name: Option<Text> [5..],
        assignments: Vec<SyncGroupRequestAssignment>,
    }
}

structure! {
    SyncGroupRequestAssignment {
        member_id: Text,
        assignment: Bytes,
    }
}

message! {
    /// The assignment of the member.
    SyncGroupResponse [0..=5, flexible 4..] {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode,
        protocol_type: Option<Text> [5..],
        protocol_name: Option<Text> [5..],
        assignment: Bytes,
    }
}
