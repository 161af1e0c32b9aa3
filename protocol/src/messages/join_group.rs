//! JoinGroup, key 11.

use bytes::Bytes;

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Makes the sender a member of the next generation of a group.
    JoinGroupRequest [0..=9, flexible 6..] {
        group_id: Text,
        session_timeout_ms: i32,
        rebalance_timeout_ms: i32 [1.., default -1],
        member_id: Text,
        group_instance_id: Option<Text> [5..],
        protocol_type: Text,
        protocols: Vec<JoinGroupRequestProtocol>,
        reason: Option<Text> [8..],
    }
}

structure! {
    JoinGroupRequestProtocol {
        name: Text,
        metadata: Bytes,
    }
}

message! {
    /// The generation; its leader gets all members.
    JoinGroupResponse [0..=9, flexible 6..] {
        throttle_time_ms: i32 [2..],
        error_code: ErrorCode,
        generation_id: i32 [0.., default -1],
        protocol_type: Option<Text> [7..],
        protocol_name: Option<Text> [0.., null 7.., default Some(Default::default())],
        leader: Text,
        skip_assignment: bool [9..],
        member_id: Text,
        members: Vec<JoinGroupResponseMember>,
    }
}

structure! {
    JoinGroupResponseMember {
        member_id: Text,
        group_instance_id: Option<Text> [5..],
        metadata: Bytes,
    }
}
