//! AlterClientQuotas, key 49 (KIP-546).

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Sets and removes quotas of clients.
    AlterClientQuotasRequest [0..=1, flexible 1..] {
        entries: Vec<EntryRequest>,
        validate_only: bool,
    }
}

structure! {
    EntryRequest {
        entity: Vec<EntityData>,
        ops: Vec<OpData>,
    }
    EntityData {
        entity_type: Text,
        entity_name: Option<Text> [0.., default Some(Default::default())],
    }
    OpData {
        key: Text,
        value: f64,
        remove: bool,
    }
}

message! {
    /// What became of each alteration.
    AlterClientQuotasResponse [0..=1, flexible 1..] {
        throttle_time_ms: i32,
        entries: Vec<EntryResponse>,
    }
}

structure! {
    EntryResponse {
        error_code: ErrorCode,
        error_message: Option<Text> [0.., default Some(Default::default())],
        entity: Vec<EntityData>,
    }
}
