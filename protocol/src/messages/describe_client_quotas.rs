//! DescribeClientQuotas, key 48 (KIP-546).

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Asks for quotas of clients, by what they are of.
    DescribeClientQuotasRequest [0..=1, flexible 1..] {
        components: Vec<ComponentData>,
        strict: bool,
    }
}

structure! {
    ComponentData {
        entity_type: Text,
        match_type: i8,
        r#match: Option<Text> [0.., default Some(Default::default())],
    }
}

message! {
    /// The quotas.
    DescribeClientQuotasResponse [0..=1, flexible 1..] {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<Text> [0.., default Some(Default::default())],
        entries: Option<Vec<EntryData>> [0.., default Some(Default::default())],
    }
}

structure! {
    EntryData {
        entity: Vec<EntityData>,
        values: Vec<ValueData>,
    }
    EntityData {
        entity_type: Text,
        entity_name: Option<Text> [0.., default Some(Default::default())],
    }
    ValueData {
        key: Text,
        value: f64,
    }
}
