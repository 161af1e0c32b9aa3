//! Metadata, key 3: the brokers, the topics, their partitions.
//!
//! Version 0 asks for all topics by an empty list, later ones by null. Ids may be asked for since version 12. What does
//! not exist is created where both the broker and the client allow it; the answer waits until it is there, so that
//! clients need not ask twice.

use std::{collections::BTreeSet, sync::Arc};

use mainstem_protocol::{
    BrokerId, ErrorCode, PartitionId, Text, TopicId,
    messages::{
        MetadataRequest, MetadataResponse,
        metadata::{
            MetadataRequestTopic, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
    },
};
use mainstem_storage::{
    Overrides,
    store::{NewTopic, Topic},
};

use super::{CLUSTER_OPERATIONS, Refusal, TOPIC_OPERATIONS, creation, topic_name};
use crate::{caps::AUTO_CREATED_PER_REQUEST_MAX, dispatch::Context, node::Node};

/// The first version in which topics may be asked for by their ids.
const IDS_SINCE: i16 = 12;

pub(crate) async fn answer(node: &Node, context: &Context, request: MetadataRequest) -> MetadataResponse {
    let mut topics = describe_topics(node, context, &request).await;
    if request.include_topic_authorized_operations {
        // Of an id that no topic has, nobody knows what may be done to it.
        let known = topics.iter_mut().filter(|topic| topic.error_code != ErrorCode::UNKNOWN_TOPIC_ID);
        known.for_each(|topic| topic.topic_authorized_operations = TOPIC_OPERATIONS);
    }
    let mut response = MetadataResponse {
        brokers: vec![broker(node, context)],
        cluster_id: Some(node.cluster_id()),
        controller_id: node.id(),
        topics,
        ..Default::default()
    };
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    response
}

fn broker(node: &Node, context: &Context) -> MetadataResponseBroker {
    let (host, port) = (context.advertised.host.clone(), i32::from(context.advertised.port));
    MetadataResponseBroker { node_id: node.id(), host, port, rack: None }
}

async fn describe_topics(
    node: &Node,
    context: &Context,
    request: &MetadataRequest,
) -> Vec<MetadataResponseTopic> {
    let Some(asked) = &request.topics else { return all(node) };
    if asked.is_empty() && context.version == 0 {
        return all(node);
    }
    let mut creator = Creator::new(node, request.allow_auto_topic_creation);
    let mut seen = BTreeSet::new();
    let mut topics = Vec::new();
    for topic in asked {
        if seen.insert((topic.name.clone(), topic.topic_id)) {
            topics.push(describe_asked(node, context.version, topic, &mut creator).await);
        }
    }
    topics
}

fn all(node: &Node) -> Vec<MetadataResponseTopic> {
    let topics = node.store.topics();
    let mut described: Vec<_> = topics.iter().map(|topic| describe(topic, node.id())).collect();
    described.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    described
}

async fn describe_asked(
    node: &Node,
    version: i16,
    asked: &MetadataRequestTopic,
    creator: &mut Creator<'_>,
) -> MetadataResponseTopic {
    let by_id = asked.topic_id != TopicId::ZERO;
    if version < IDS_SINCE && (by_id || asked.name.is_none()) {
        return failed(ErrorCode::INVALID_REQUEST, asked);
    }
    match (node.topic(asked.name.as_deref().unwrap_or_default(), asked.topic_id), &asked.name) {
        (Some(topic), _) => describe(&topic, node.id()),
        (None, _) if by_id => failed(ErrorCode::UNKNOWN_TOPIC_ID, &without_name(asked)),
        (None, None) => failed(ErrorCode::INVALID_REQUEST, asked),
        (None, Some(name)) => match creator.create(name).await {
            Ok(topic) => describe(&topic, node.id()),
            Err(code) => failed(code, asked),
        },
    }
}

fn without_name(asked: &MetadataRequestTopic) -> MetadataRequestTopic {
    MetadataRequestTopic { name: None, ..asked.clone() }
}

fn failed(error_code: ErrorCode, asked: &MetadataRequestTopic) -> MetadataResponseTopic {
    let MetadataRequestTopic { topic_id, name } = asked.clone();
    let is_internal = name.as_deref().is_some_and(topic_name::is_internal);
    MetadataResponseTopic { error_code, name, topic_id, is_internal, ..Default::default() }
}

fn describe(topic: &Topic, leader: BrokerId) -> MetadataResponseTopic {
    MetadataResponseTopic {
        name: Some(Text::from(topic.name.as_str())),
        topic_id: topic.id,
        is_internal: topic_name::is_internal(&topic.name),
        partitions: (0..)
            .zip(&topic.partitions)
            .map(|(index, partition)| MetadataResponsePartition {
                partition_index: PartitionId(index),
                leader_id: leader,
                leader_epoch: partition.leader_epoch(),
                replica_nodes: vec![leader],
                isr_nodes: vec![leader],
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    }
}

/// Creates topics because they were asked for, as many as one request may.
struct Creator<'a> {
    node: &'a Node,
    left: usize,
}

impl<'a> Creator<'a> {
    fn new(node: &'a Node, is_allowed: bool) -> Self {
        let is_allowed = is_allowed && node.config.now().topics.auto_create;
        Self { node, left: if is_allowed { AUTO_CREATED_PER_REQUEST_MAX } else { 0 } }
    }

    /// The topic, made now. Kafka's own topics are made by those parts of the broker that need them.
    async fn create(&mut self, name: &str) -> Result<Arc<Topic>, ErrorCode> {
        topic_name::check(name).map_err(|refusal| refusal.code)?;
        if self.left == 0 || topic_name::is_internal(name) {
            return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        }
        self.left -= 1;
        topic_name::check_new(name, &self.node.store.topics()).map_err(|refusal| refusal.code)?;
        match creation::create(self.node, self.new_topic(name)).await {
            Ok(topic) => Ok(topic),
            // Another connection was quicker; what it makes may not be there yet.
            Err(Refusal { code: ErrorCode::TOPIC_ALREADY_EXISTS, .. }) => {
                self.node.topic(name, TopicId::ZERO).ok_or(ErrorCode::LEADER_NOT_AVAILABLE)
            }
            Err(refusal) => Err(refusal.code),
        }
    }

    fn new_topic(&self, name: &str) -> NewTopic {
        let partitions = self.node.config.now().topics.partitions;
        NewTopic { name: name.to_owned(), partitions, overrides: Overrides::new(), keyed: false }
    }
}
