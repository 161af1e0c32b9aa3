//! ListGroups, key 16.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Asks for the groups that a broker coordinates, of certain states and types; no filter takes all.
    ListGroupsRequest [0..=5, flexible 3..] {
        states_filter: Vec<Text> [4..],
        types_filter: Vec<Text> [5..],
    }
}

message! {
    /// Groups by name.
    ListGroupsResponse [0..=5, flexible 3..] {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode,
        groups: Vec<ListedGroup>,
    }
}

structure! {
    ListedGroup {
        group_id: Text,
        protocol_type: Text,
        group_state: Text [4..],
        group_type: Text [5..],
    }
}
