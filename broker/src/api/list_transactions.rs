//! ListTransactions, key 66: which transactional ids there are (Kafka: `TransactionStateManager.listTransactionStates`).
//!
//! Version 1 asks for those that are open for so long, 2 for those whose ids match a pattern.

use std::collections::BTreeSet;

use mainstem_protocol::{
    ErrorCode, Text, Timestamp,
    messages::{ListTransactionsRequest, ListTransactionsResponse, list_transactions::TransactionState},
};
use regex::Regex;

use crate::{
    caps::TRANSACTIONAL_ID_PATTERN_BYTES_MAX,
    node::Node,
    transaction::{Coordinator, State, Transaction},
};

/// Looks through all that there are, off the reactor.
pub(crate) async fn answer(node: &Node, request: ListTransactionsRequest) -> ListTransactionsResponse {
    let pattern = match request.transactional_id_pattern.as_ref().filter(|pattern| !pattern.is_empty()) {
        Some(pattern) => match compile(pattern) {
            Ok(pattern) => Some(pattern),
            Err(error_code) => return ListTransactionsResponse { error_code, ..Default::default() },
        },
        None => None,
    };
    let (transactions, now) = (node.transactions.clone(), node.clock.now());
    let listing = tokio::task::spawn_blocking(move || list(&transactions, &request, pattern.as_ref(), now));
    let failed =
        |_| ListTransactionsResponse { error_code: ErrorCode::UNKNOWN_SERVER_ERROR, ..Default::default() };
    listing.await.unwrap_or_else(failed)
}

/// A pattern must match the whole id, as Kafka has it.
fn compile(pattern: &Text) -> Result<Regex, ErrorCode> {
    let whole = regex::RegexBuilder::new(&format!("^(?:{})$", pattern.as_ref() as &str))
        .size_limit(TRANSACTIONAL_ID_PATTERN_BYTES_MAX)
        .build();
    whole.map_err(|_| ErrorCode::INVALID_REGULAR_EXPRESSION)
}

fn list(
    transactions: &Coordinator,
    request: &ListTransactionsRequest,
    pattern: Option<&Regex>,
    now: Timestamp,
) -> ListTransactionsResponse {
    // Sets, so that what is looked at for each transaction does not grow with the request.
    let states: BTreeSet<_> = request.state_filters.iter().filter_map(|name| State::of_name(name)).collect();
    let producers: BTreeSet<_> = request.producer_id_filters.iter().copied().collect();
    let unknown = request.state_filters.iter().filter(|name| State::of_name(name).is_none());
    let is_wanted = |(id, transaction): &(Text, Transaction)| {
        let age = now.0.saturating_sub(transaction.started.0);
        (request.state_filters.is_empty() || states.contains(&transaction.state))
            && (producers.is_empty() || producers.contains(&transaction.producer.id))
            && (request.duration_filter < 0 || age > request.duration_filter)
            && pattern.is_none_or(|pattern| pattern.is_match(id))
    };
    ListTransactionsResponse {
        unknown_state_filters: unknown.cloned().collect(),
        transaction_states: transactions.transactions().filter(is_wanted).map(listed).collect(),
        ..Default::default()
    }
}

fn listed((transactional_id, transaction): (Text, Transaction)) -> TransactionState {
    TransactionState {
        transactional_id,
        producer_id: transaction.producer.id,
        transaction_state: transaction.state.name().into(),
    }
}
