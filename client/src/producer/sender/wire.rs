//! Produce requests, and what their answers say of each batch.

use std::collections::HashMap;

use mainstem_protocol::{
    Text,
    messages::{
        ProduceRequest, ProduceResponse,
        produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData},
    },
    records::Records,
};

use crate::{
    TopicPartition,
    producer::{ProducerConfig, partition::SealedBatch},
    topic_partition::by_topic,
};

/// Batches of several partitions, in one request.
pub(super) fn request(config: &ProducerConfig, batches: &[SealedBatch]) -> ProduceRequest {
    let partitions = batches.iter().map(|batch| {
        let TopicPartition { topic, partition } = &batch.outcome.partition;
        let records = Some(Records::Bytes(batch.bytes.clone()));
        (topic, PartitionProduceData { index: partition.0, records })
    });
    let topics = by_topic(partitions).into_iter();
    ProduceRequest {
        transactional_id: None,
        acks: config.acks.number(),
        timeout_ms: i32::try_from(config.request_timeout.as_millis()).unwrap_or(i32::MAX),
        topic_data: topics
            .map(|(name, partition_data)| TopicProduceData { name, partition_data, ..Default::default() })
            .collect(),
    }
}

/// Which record a broker names, and what it says: of that record, for that says more than of the batch (KIP-467).
pub(super) fn said(answer: PartitionProduceResponse) -> (Option<u32>, Option<Text>) {
    let PartitionProduceResponse { record_errors, error_message, .. } = answer;
    let Some(first) = record_errors.into_iter().next() else { return (None, error_message) };
    (u32::try_from(first.batch_index).ok(), first.batch_index_error_message.or(error_message))
}

pub(super) fn by_partition(answer: ProduceResponse) -> HashMap<TopicPartition, PartitionProduceResponse> {
    let topics = answer.responses.into_iter();
    let partitions = topics.flat_map(|topic| {
        let name = topic.name;
        let named = move |index| TopicPartition { topic: name.clone(), partition: index };
        topic.partition_responses.into_iter().map(move |answer| (named(answer.index.into()), answer))
    });
    partitions.collect()
}
