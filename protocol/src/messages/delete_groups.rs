//! DeleteGroups, key 42.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Deletes groups with their committed offsets.
    DeleteGroupsRequest [0..=2, flexible 2..] {
        groups_names: Vec<Text>,
    }
}

message! {
    /// What became of each group.
    DeleteGroupsResponse [0..=2, flexible 2..] {
        throttle_time_ms: i32,
        results: Vec<DeletableGroupResult>,
    }
}

structure! {
    DeletableGroupResult {
        group_id: Text,
        error_code: ErrorCode,
    }
}
