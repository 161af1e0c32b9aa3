//! DescribeProducers, key 61: who writes into a partition, and since which offset a transaction is open there (Kafka:
//! `UnifiedLog.activeProducers`). Whoever looks for a transaction that hangs begins here (KIP-664).

use mainstem_protocol::{
    ErrorCode, Offset, PartitionId, Text, TopicId,
    messages::{
        DescribeProducersRequest, DescribeProducersResponse,
        describe_producers::{PartitionResponse, ProducerState, TopicRequest, TopicResponse},
    },
};
use mainstem_storage::ProducerView;

use super::{Refusal, topic_name};
use crate::node::Node;

pub(crate) fn answer(node: &Node, request: DescribeProducersRequest) -> DescribeProducersResponse {
    let topics = request.topics.into_iter().map(|topic| describe(node, topic)).collect();
    DescribeProducersResponse { topics, ..Default::default() }
}

fn describe(node: &Node, asked: TopicRequest) -> TopicResponse {
    let TopicRequest { name, partition_indexes } = asked;
    let partitions = partition_indexes.into_iter().map(|partition| find(node, &name, partition)).collect();
    TopicResponse { name, partitions }
}

fn find(node: &Node, topic: &Text, partition_index: PartitionId) -> PartitionResponse {
    match producers(node, topic, partition_index) {
        Ok(active_producers) => PartitionResponse { partition_index, active_producers, ..Default::default() },
        Err(refusal) => PartitionResponse {
            partition_index,
            error_code: refusal.code,
            error_message: refusal.text(),
            ..Default::default()
        },
    }
}

fn producers(node: &Node, topic: &Text, partition: PartitionId) -> Result<Vec<ProducerState>, Refusal> {
    topic_name::check(topic)?;
    let found = node.topic(topic, TopicId::ZERO);
    let partition = found.as_ref().and_then(|found| found.partition(partition));
    let unknown = || Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "there is no such partition");
    Ok(partition.ok_or_else(unknown)?.producers().into_iter().map(told).collect())
}

fn told(producer: ProducerView) -> ProducerState {
    let ProducerView { id, epoch, last_sequence, last_timestamp, coordinator_epoch, transaction } = producer;
    ProducerState {
        producer_id: id,
        producer_epoch: epoch.0.into(),
        last_sequence: last_sequence.0,
        last_timestamp,
        coordinator_epoch,
        current_txn_start_offset: transaction.unwrap_or(Offset::NONE),
    }
}
