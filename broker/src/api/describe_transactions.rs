//! DescribeTransactions, key 65: where transactions are (Kafka: `TransactionCoordinator.handleDescribeTransactions`).

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
    let states = request.transactional_ids.into_iter().map(|id| describe(node, id));
    DescribeTransactionsResponse { transaction_states: states.collect(), ..Default::default() }
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
