//! DescribeProducers, key 61: who writes into a partition, and since which offset a transaction is open there (Kafka:
//! `UnifiedLog.activeProducers`). Whoever looks for a transaction that hangs begins here (KIP-664).
//!
//! A partition that is named twice is answered once (Kafka answers as often as it is named), and there is an end to the
//! producers of one answer: a few bytes that ask must not become gigabytes.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::{
    ErrorCode, Offset, PartitionId, Text, TopicId,
    messages::{
        DescribeProducersRequest, DescribeProducersResponse,
        describe_producers::{PartitionResponse, ProducerState, TopicRequest, TopicResponse},
    },
};
use mainstem_storage::ProducerView;

use super::{Refusal, topic_name};
use crate::{caps::PRODUCERS_DESCRIBED_MAX, node::Node};

pub(crate) fn answer(node: &Node, request: DescribeProducersRequest) -> DescribeProducersResponse {
    let topics = each_once(request.topics, PRODUCERS_DESCRIBED_MAX, |topic, partition| {
        producers(node, topic, partition)
    });
    DescribeProducersResponse { topics, ..Default::default() }
}

/// Answers each partition once, at its first mention, until `most` producers have been told.
fn each_once(
    asked: Vec<TopicRequest>,
    most: usize,
    find: impl Fn(&Text, PartitionId) -> Result<Vec<ProducerState>, Refusal>,
) -> Vec<TopicResponse> {
    let mut seen: BTreeMap<Text, BTreeSet<PartitionId>> = BTreeMap::new();
    let (mut told, mut topics) = (0, Vec::new());
    for TopicRequest { name, partition_indexes } in asked {
        let is_known = seen.contains_key(&name);
        let seen = seen.entry(name.clone()).or_default();
        let mut partitions = Vec::new();
        for partition in partition_indexes.into_iter().filter(|partition| seen.insert(*partition)) {
            let found = if told < most { find(&name, partition) } else { Err(too_many(most)) };
            told += found.as_ref().map_or(0, Vec::len);
            partitions.push(respond(partition, found));
        }
        if !(is_known && partitions.is_empty()) {
            topics.push(TopicResponse { name, partitions });
        }
    }
    topics
}

/// A partition is told whole or not at all, so that nobody takes a part of its producers for all of them.
fn too_many(most: usize) -> Refusal {
    let message =
        format!("one answer tells of {most} producers and no further partition; ask for fewer at once");
    Refusal::new(ErrorCode::INVALID_REQUEST, message)
}

fn respond(partition_index: PartitionId, found: Result<Vec<ProducerState>, Refusal>) -> PartitionResponse {
    match found {
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
    Ok(partition.ok_or_else(unknown)?.producers().into_iter().map(state).collect())
}

fn state(producer: ProducerView) -> ProducerState {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, partitions: &[i32]) -> TopicRequest {
        let partition_indexes = partitions.iter().copied().map(PartitionId).collect();
        TopicRequest { name: name.into(), partition_indexes }
    }

    /// Topics, and of each partition the code and how many producers are told.
    type Told<'a> = Vec<(&'a str, Vec<(i32, ErrorCode, usize)>)>;

    fn told(topics: &[TopicResponse]) -> Told<'_> {
        let partition = |partition: &PartitionResponse| {
            (partition.partition_index.0, partition.error_code, partition.active_producers.len())
        };
        topics.iter().map(|topic| (&*topic.name, topic.partitions.iter().map(partition).collect())).collect()
    }

    #[test]
    fn a_partition_that_is_named_often_is_described_once_where_it_came_first() {
        let request = vec![
            asked("b", &[1, 0, 1, 1]),
            asked("a", &[0]),
            asked("b", &[0, 1]),
            asked("b", &[2]),
            asked("c", &[]),
        ];
        let topics = each_once(request, 100, |_, _| Ok(vec![ProducerState::default(); 3]));
        let one = |partition| (partition, ErrorCode::NONE, 3);
        let expected =
            vec![("b", vec![one(1), one(0)]), ("a", vec![one(0)]), ("b", vec![one(2)]), ("c", Vec::new())];
        assert_eq!(told(&topics), expected);
    }

    #[test]
    fn partitions_behind_the_most_producers_of_an_answer_are_refused_whole() {
        let request = vec![asked("a", &[0, 1, 2]), asked("b", &[0])];
        let topics = each_once(request, 4, |_, _| Ok(vec![ProducerState::default(); 3]));
        let (well, refused) = (ErrorCode::NONE, ErrorCode::INVALID_REQUEST);
        let expected =
            vec![("a", vec![(0, well, 3), (1, well, 3), (2, refused, 0)]), ("b", vec![(0, refused, 0)])];
        assert_eq!(told(&topics), expected);
        let message = topics[1].partitions[0].error_message.as_ref().unwrap();
        assert_eq!(
            &**message,
            "one answer tells of 4 producers and no further partition; ask for fewer at once"
        );
    }
}
