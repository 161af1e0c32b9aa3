//! ListTransactions, key 66.

use super::describe::{self, message, structure};
use crate::{ErrorCode, ProducerId, Text};

message! {
    /// Asks a coordinator which transactions there are; an empty filter lets all through.
    ListTransactionsRequest [0..=2, flexible 0..] {
        state_filters: Vec<Text>,
        producer_id_filters: Vec<ProducerId>,
        // Milliseconds that a transaction has been open at least; below zero for all.
        duration_filter: i64 [1.., default -1],
        // A regular expression for the transactional id.
        transactional_id_pattern: Option<Text> [2..],
    }
}

message! {
    /// The transactions that it keeps.
    ListTransactionsResponse [0..=2, flexible 0..] {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        unknown_state_filters: Vec<Text>,
        transaction_states: Vec<TransactionState>,
    }
}

structure! {
    TransactionState {
        transactional_id: Text,
        producer_id: ProducerId,
        transaction_state: Text,
    }
}
