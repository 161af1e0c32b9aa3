//! DescribeTransactions, key 65: where transactions are (Kafka: `TransactionCoordinator.handleDescribeTransactions`).
//!
//! An id that is named twice is answered once (Kafka answers as often as it is named): a transaction of many partitions is
//! far larger than its name.

use std::collections::BTreeSet;

use mainstem_protocol::{
    ErrorCode, PartitionId, Text,
    messages::{
        DescribeTransactionsRequest, DescribeTransactionsResponse,
        describe_transactions::{TopicData, TransactionState},
    },
};

use crate::{node::Node, transaction::Transaction};

pub(crate) fn answer(node: &Node, request: DescribeTransactionsRequest) -> DescribeTransactionsResponse {
    let states = once(request.transactional_ids).map(|id| describe(node, id));
    DescribeTransactionsResponse { transaction_states: states.collect(), ..Default::default() }
}

/// Each id at its first mention.
fn once(ids: Vec<Text>) -> impl Iterator<Item = Text> {
    let mut seen = BTreeSet::new();
    ids.into_iter().filter(move |id| seen.insert(id.clone()))
}

fn describe(node: &Node, id: Text) -> TransactionState {
    let known = if id.is_empty() {
        Err(ErrorCode::INVALID_REQUEST)
    } else {
        node.transactions.transaction(&id).ok_or(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND)
    };
    match known {
        Ok(transaction) => described(id, &transaction),
        Err(error_code) => {
            TransactionState { error_code, transactional_id: id, ..TransactionState::default() }
        }
    }
}

fn described(id: Text, transaction: &Transaction) -> TransactionState {
    let topic = |(topic, partitions): (&Text, &BTreeSet<PartitionId>)| TopicData {
        topic: topic.clone(),
        partitions: partitions.iter().copied().collect(),
    };
    TransactionState {
        error_code: ErrorCode::NONE,
        transactional_id: id,
        transaction_state: transaction.state.name().into(),
        transaction_timeout_ms: transaction.timeout_ms,
        transaction_start_time_ms: transaction.started,
        producer_id: transaction.producer.id,
        producer_epoch: transaction.producer.epoch,
        topics: transaction.partitions.topics().map(topic).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transactional_id_that_is_named_often_is_described_once_where_it_came_first() {
        let ids = ["b", "a", "b", "", "a", ""].map(Text::from).to_vec();
        assert_eq!(once(ids).collect::<Vec<_>>(), ["b", "a", ""].map(Text::from));
    }
}
