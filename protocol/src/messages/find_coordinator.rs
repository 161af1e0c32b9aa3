//! FindCoordinator, key 10.

use super::describe::{self, message, structure};
use crate::{BrokerId, ErrorCode, Text};

message! {
    /// Asks which broker coordinates a group or a transaction.
    FindCoordinatorRequest [0..=5, flexible 3..] {
        key: Text [0..=3],
        key_type: i8 [1..],
        coordinator_keys: Vec<Text> [4..],
    }
}

message! {
    /// The coordinators.
    FindCoordinatorResponse [0..=5, flexible 3..] {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode [0..=3],
        error_message: Option<Text> [1..=3, default Some(Default::default())],
        node_id: BrokerId [0..=3],
        host: Text [0..=3],
        port: i32 [0..=3],
        coordinators: Vec<Coordinator> [4..],
    }
}

structure! {
    Coordinator {
        key: Text [4..],
        node_id: BrokerId [4..],
        host: Text [4..],
        port: i32 [4..],
        error_code: ErrorCode [4..],
        error_message: Option<Text> [4.., default Some(Default::default())],
    }
}
