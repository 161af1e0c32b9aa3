//! Heartbeat, key 12.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Keeps a member alive.
    HeartbeatRequest [0..=4, flexible 4..] {
        group_id: Text,
        generation_id: i32,
        member_id: Text,
        group_instance_id: Option<Text> [3..],
    }
}

message! {
    /// Whether the member is still one, or should join again.
    HeartbeatResponse [0..=4, flexible 4..] {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode,
    }
}
