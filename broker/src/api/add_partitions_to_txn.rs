//! AddPartitionsToTxn, key 24: partitions come into a transaction (Kafka: `KafkaApis.handleAddPartitionsToTxnRequest`).
//!
//! Up to version 3 it is for clients and about one transaction; since 4 brokers ask one another, about several, and may
//! only want to know. Since 2 PRODUCER_FENCED is known.

use mainstem_protocol::{
    ErrorCode,
    messages::{
        AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
        add_partitions_to_txn::{
            AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopic,
            AddPartitionsToTxnTopicResult, AddPartitionsToTxnTransaction,
        },
    },
};

use crate::{
    dispatch::Context,
    node::Node,
    transaction::{Partitions, Producer},
};

/// Versions before do not know PRODUCER_FENCED.
const FENCED_SINCE: i16 = 2;
/// The first version with several transactions.
const BATCHED_SINCE: i16 = 4;

pub(crate) async fn answer(
    node: &Node,
    context: &Context,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    if context.version < BATCHED_SINCE {
        let results = transaction(node, context, single(request)).await;
        return AddPartitionsToTxnResponse { results_by_topic_v3_and_below: results, ..Default::default() };
    }
    let mut results_by_transaction = Vec::with_capacity(request.transactions.len());
    for asked in request.transactions {
        let transactional_id = asked.transactional_id.clone();
        let topic_results = transaction(node, context, asked).await;
        results_by_transaction.push(AddPartitionsToTxnResult { transactional_id, topic_results });
    }
    AddPartitionsToTxnResponse { results_by_transaction, ..Default::default() }
}

fn single(request: AddPartitionsToTxnRequest) -> AddPartitionsToTxnTransaction {
    AddPartitionsToTxnTransaction {
        transactional_id: request.v3_and_below_transactional_id,
        producer_id: request.v3_and_below_producer_id,
        producer_epoch: request.v3_and_below_producer_epoch,
        verify_only: false,
        topics: request.v3_and_below_topics,
    }
}

/// All partitions come in, or none.
async fn transaction(
    node: &Node,
    context: &Context,
    request: AddPartitionsToTxnTransaction,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let AddPartitionsToTxnTransaction { transactional_id, producer_id, producer_epoch, verify_only, topics } =
        request;
    let producer = Producer { id: producer_id, epoch: producer_epoch };
    let is_there = |topic: &AddPartitionsToTxnTopic, partition| {
        node.store.topics().named(&topic.name).is_some_and(|topic| topic.partition(partition).is_some())
    };
    let all_there = topics.iter().all(|topic| topic.partitions.iter().all(|id| is_there(topic, *id)));
    if !all_there {
        return results(topics, |topic, partition| match is_there(topic, partition) {
            true => ErrorCode::OPERATION_NOT_ATTEMPTED,
            false => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        });
    }
    if verify_only {
        return results(topics, |topic, partition| {
            let verified =
                node.transactions.verify_partition(&transactional_id, producer, &topic.name, partition);
            verified.err().unwrap_or(ErrorCode::NONE)
        });
    }
    let named = topics.iter().flat_map(|topic| topic.partitions.iter().map(|id| (&topic.name, *id)));
    let added = node.transactions.add_partitions(&transactional_id, producer, Partitions::from_iter(named));
    let error = added.await.err().unwrap_or(ErrorCode::NONE);
    let error = super::fenced_since(FENCED_SINCE, context.version, error);
    results(topics, |_, _| error)
}

fn results(
    topics: Vec<AddPartitionsToTxnTopic>,
    error: impl Fn(&AddPartitionsToTxnTopic, mainstem_protocol::PartitionId) -> ErrorCode,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let topic = |topic: AddPartitionsToTxnTopic| {
        let partition = |partition_index| AddPartitionsToTxnPartitionResult {
            partition_index,
            partition_error_code: error(&topic, partition_index),
        };
        let results_by_partition = topic.partitions.iter().copied().map(partition).collect();
        AddPartitionsToTxnTopicResult { name: topic.name, results_by_partition }
    };
    topics.into_iter().map(topic).collect()
}
