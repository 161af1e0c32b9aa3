//! DescribeTopicPartitions, key 75 (KIP-966): topics and their partitions in order, as many at a time as fit (Kafka:
//! `DescribeTopicPartitionsRequestHandler`).

use std::collections::BTreeSet;

use mainstem_protocol::{
    ErrorCode, PartitionId, Text, TopicId,
    messages::{
        DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
        describe_topic_partitions::{
            Cursor, DescribeTopicPartitionsResponsePartition as DescribedPartition,
            DescribeTopicPartitionsResponseTopic as DescribedTopic, TopicRequest,
        },
    },
};
use mainstem_storage::store::Topic;

use super::{TOPIC_OPERATIONS, topic_name};
use crate::node::Node;

pub(crate) fn answer(
    node: &Node,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let DescribeTopicPartitionsRequest { topics, response_partition_limit, cursor } = request;
    if !is_possible(cursor.as_ref(), &topics) {
        return refused(topics);
    }
    let most = node.config.now().topics.partitions_per_request;
    let limit = usize::try_from(response_partition_limit).unwrap_or(0).min(most).max(1);
    let mut page = Page { node, left: limit, is_of_all: topics.is_empty(), topics: Vec::new() };
    let next_cursor = page.fill(wanted(node, topics, cursor.as_ref()), cursor.as_ref());
    DescribeTopicPartitionsResponse { topics: page.topics, next_cursor, ..Default::default() }
}

/// A cursor points into what is asked for.
fn is_possible(cursor: Option<&Cursor>, topics: &[TopicRequest]) -> bool {
    cursor.is_none_or(|cursor| {
        let is_named = topics.is_empty() || topics.iter().any(|topic| topic.name == cursor.topic_name);
        is_named && cursor.partition_index.0 >= 0
    })
}

fn refused(topics: Vec<TopicRequest>) -> DescribeTopicPartitionsResponse {
    let topic =
        |topic: TopicRequest| DescribedTopic { name: Some(topic.name), ..failed(ErrorCode::INVALID_REQUEST) };
    DescribeTopicPartitionsResponse { topics: topics.into_iter().map(topic).collect(), ..Default::default() }
}

/// The names from the cursor on; all topics where none are named.
fn wanted(node: &Node, topics: Vec<TopicRequest>, cursor: Option<&Cursor>) -> BTreeSet<Text> {
    let is_ahead = |name: &Text| cursor.is_none_or(|cursor| *name >= cursor.topic_name);
    if topics.is_empty() {
        let all = node.store.topics();
        return all.iter().map(|topic| Text::from(&*topic.name)).filter(is_ahead).collect();
    }
    topics.into_iter().map(|topic| topic.name).filter(is_ahead).collect()
}

/// What fits into one answer.
struct Page<'a> {
    node: &'a Node,
    /// Partitions that fit still.
    left: usize,
    is_of_all: bool,
    topics: Vec<DescribedTopic>,
}

impl Page<'_> {
    /// Describes topics until no more partitions fit, and says where to go on.
    fn fill(&mut self, names: BTreeSet<Text>, cursor: Option<&Cursor>) -> Option<Cursor> {
        for name in names {
            if self.left == 0 {
                return Some(Cursor { topic_name: name, partition_index: PartitionId(0) });
            }
            let from = cursor
                .filter(|cursor| cursor.topic_name == name)
                .map_or(0, |cursor| cursor.partition_index.0);
            if let Some(next) = self.add(&name, from.unsigned_abs() as usize) {
                return Some(Cursor { topic_name: name, partition_index: next });
            }
        }
        None
    }

    /// Adds a topic from a partition on; the first partition that did not fit is returned.
    fn add(&mut self, name: &Text, from: usize) -> Option<PartitionId> {
        let Some(topic) = self.node.topic(name, TopicId::ZERO) else {
            // One that was deleted since is none of all.
            if !self.is_of_all {
                self.topics.push(unknown(name));
            }
            return None;
        };
        let end = topic.partitions.len().min(from.saturating_add(self.left));
        let partitions: Vec<_> = (from..end).map(|index| partition(self.node, &topic, index)).collect();
        self.left -= partitions.len();
        self.topics.push(DescribedTopic {
            name: Some(name.clone()),
            topic_id: topic.id,
            is_internal: topic_name::is_internal(name),
            partitions,
            topic_authorized_operations: TOPIC_OPERATIONS,
            ..Default::default()
        });
        (end < topic.partitions.len()).then(|| PartitionId(i32::try_from(end).unwrap_or(i32::MAX)))
    }
}

fn unknown(name: &Text) -> DescribedTopic {
    let code =
        topic_name::check(name).err().map_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, |refusal| refusal.code);
    DescribedTopic {
        name: Some(name.clone()),
        is_internal: topic_name::is_internal(name),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..failed(code)
    }
}

fn failed(error_code: ErrorCode) -> DescribedTopic {
    DescribedTopic { error_code, ..Default::default() }
}

fn partition(node: &Node, topic: &Topic, index: usize) -> DescribedPartition {
    let here = vec![node.id()];
    DescribedPartition {
        partition_index: PartitionId(i32::try_from(index).unwrap_or(i32::MAX)),
        leader_id: node.id(),
        leader_epoch: topic.partitions[index].leader_epoch(),
        replica_nodes: here.clone(),
        isr_nodes: here,
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        ..Default::default()
    }
}
