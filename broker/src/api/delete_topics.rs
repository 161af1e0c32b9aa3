//! DeleteTopics, key 20 (Kafka: `ControllerApis.deleteTopics`). By name up to version 5, by name or id since 6.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mainstem_protocol::{
    ErrorCode, Text, TopicId,
    messages::{
        DeleteTopicsRequest, DeleteTopicsResponse,
        delete_topics::{DeletableTopicResult, DeleteTopicState},
    },
};
use mainstem_storage::{Ticket, store::Topic};

use super::{Refusal, creation, topic_name};
use crate::{caps::TOPICS_PER_REQUEST_MAX, dispatch::Context, node::Node};

pub(crate) async fn answer(
    node: &Node,
    _context: &Context,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let asked = asked(request);
    let counts = counts(node, &asked);
    let (asked, repeated) = once_each(asked);
    let mut begun = Vec::with_capacity(asked.len());
    for (index, state) in asked.iter().enumerate() {
        begun.push(match index < TOPICS_PER_REQUEST_MAX {
            true if repeated.contains(&key(state)) => Err(named_again()),
            true => begin(node, state, &counts).await,
            false => Err(Refusal::new(ErrorCode::POLICY_VIOLATION, "too many topics in one request")),
        });
    }
    let mut responses = Vec::with_capacity(begun.len());
    let mut deleted = BTreeSet::new();
    for (state, begun) in asked.into_iter().zip(begun) {
        let finished = finish(node, begun).await;
        deleted.extend(finished.as_ref().map(|topic| Text::from(topic.name.as_str())));
        responses.push(respond(state, finished));
    }
    if !deleted.is_empty() {
        node.groups.topics_deleted(deleted).await;
    }
    DeleteTopicsResponse { responses, ..Default::default() }
}

fn asked(request: DeleteTopicsRequest) -> Vec<DeleteTopicState> {
    let by_name = |name| DeleteTopicState { name: Some(name), ..Default::default() };
    request.topics.into_iter().chain(request.topic_names.into_iter().map(by_name)).collect()
}

/// Each name and each id once, and those that came more than once: they are answered once, and not deleted.
fn once_each(asked: Vec<DeleteTopicState>) -> (Vec<DeleteTopicState>, BTreeSet<Key>) {
    let (mut seen, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    let mut once = Vec::with_capacity(asked.len());
    for state in asked {
        let key = key(&state);
        if seen.insert(key.clone()) {
            once.push(state);
        } else {
            repeated.insert(key);
        }
    }
    (once, repeated)
}

/// What names a topic.
type Key = (Option<Text>, TopicId);

fn key(state: &DeleteTopicState) -> Key {
    (state.name.clone(), state.topic_id)
}

fn named_again() -> Refusal {
    Refusal::new(ErrorCode::INVALID_REQUEST, "the topic is named more than once")
}

/// How often each topic is named, be it by name or by id.
fn counts(node: &Node, asked: &[DeleteTopicState]) -> BTreeMap<TopicId, usize> {
    let mut counts = BTreeMap::new();
    for topic in asked.iter().filter_map(|state| find(node, state).ok()) {
        *counts.entry(topic.id).or_default() += 1;
    }
    counts
}

/// A topic that is being deleted. All of a request are begun before one is waited for, so that one sync serves them.
type Begun = (Arc<Topic>, Ticket);

async fn finish(node: &Node, begun: Result<Begun, Refusal>) -> Result<Arc<Topic>, Refusal> {
    let (topic, ticket) = begun?;
    creation::durable(ticket).await?;
    node.metrics.topics.forget(&topic.name);
    Ok(topic)
}

async fn begin(
    node: &Node,
    state: &DeleteTopicState,
    counts: &BTreeMap<TopicId, usize>,
) -> Result<Begun, Refusal> {
    if !node.config.now().topics.delete {
        let message = "the broker was started with delete.topic.enable=false";
        return Err(Refusal::new(ErrorCode::TOPIC_DELETION_DISABLED, message));
    }
    let topic = find(node, state)?;
    if topic_name::is_internal(&topic.name) {
        let message = "internal topics are the broker's own";
        return Err(Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message));
    }
    if counts.get(&topic.id).is_some_and(|count| *count > 1) {
        return Err(named_again());
    }
    let ticket = creation::begin_deletion(node, topic.id).await?;
    Ok((topic, ticket))
}

fn find(node: &Node, state: &DeleteTopicState) -> Result<Arc<Topic>, Refusal> {
    let by_id = state.topic_id != TopicId::ZERO;
    if by_id == state.name.is_some() {
        return Err(Refusal::new(ErrorCode::INVALID_REQUEST, "a topic is named by its name or by its id"));
    }
    let code = if by_id { ErrorCode::UNKNOWN_TOPIC_ID } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
    let found = node.topic(state.name.as_deref().unwrap_or_default(), state.topic_id);
    found.ok_or_else(|| Refusal::new(code, "this server does not host this topic"))
}

fn respond(state: DeleteTopicState, result: Result<Arc<Topic>, Refusal>) -> DeletableTopicResult {
    match result {
        Ok(topic) => DeletableTopicResult {
            name: Some(Text::from(topic.name.as_str())),
            topic_id: topic.id,
            ..Default::default()
        },
        Err(refusal) => DeletableTopicResult {
            name: state.name,
            topic_id: state.topic_id,
            error_code: refusal.code,
            error_message: refusal.text(),
        },
    }
}
