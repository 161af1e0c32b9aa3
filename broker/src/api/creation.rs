//! Topics are made, by CreateTopics or because somebody asked for one, changed, and deleted.

use std::sync::Arc;

use mainstem_protocol::{ErrorCode, TopicId};
use mainstem_storage::{
    ConfigError, NotCommitted, Ticket,
    store::{Alteration, AppendError, NewTopic, Topic, TopicError},
};

use super::Refusal;
use crate::{node::Node, partition::append};

/// Makes the topic and waits until it is durable.
///
/// # Errors
/// Where it exists already, its settings cannot be, or it cannot be stored.
pub(crate) async fn create(node: &Node, topic: NewTopic) -> Result<Arc<Topic>, Refusal> {
    let (id, ticket) = begin_creation(node, topic).await?;
    durable(ticket).await?;
    let gone = || Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "the topic was deleted at once");
    node.store.topics().get(id).cloned().ok_or_else(gone)
}

/// Begins to make the topic; it is there when the ticket resolves.
///
/// # Errors
/// Where it exists already, its settings cannot be, or the log takes nothing.
pub(crate) async fn begin_creation(node: &Node, topic: NewTopic) -> Result<(TopicId, Ticket), Refusal> {
    with_room(node, || node.store.create_topic(topic.clone())).await.map_err(|error| refusal(&error))
}

/// Begins to delete the topic; it is gone when the ticket resolves.
///
/// # Errors
/// Where it is gone already, or the log takes nothing.
pub(crate) async fn begin_deletion(node: &Node, id: TopicId) -> Result<Ticket, Refusal> {
    with_room(node, || node.store.delete_topic(id)).await.map_err(|error| refusal(&error))
}

/// Begins to give the topic more partitions, so many altogether; they are there when the ticket resolves.
///
/// # Errors
/// Where it is gone or has as many, the node has too many, or the log takes nothing.
pub(crate) async fn begin_growth(node: &Node, id: TopicId, partitions: u32) -> Result<Ticket, Refusal> {
    with_room(node, || node.store.add_partitions(id, partitions)).await.map_err(|error| refusal(&error))
}

/// Begins to alter the topic's settings; they hold when the ticket resolves.
///
/// # Errors
/// Where it is gone, its settings cannot be, or the log takes nothing.
pub(crate) async fn begin_alteration(
    node: &Node,
    id: TopicId,
    alteration: &Alteration,
) -> Result<Ticket, Refusal> {
    with_room(node, || node.store.alter_topic(id, alteration)).await.map_err(|error| refusal(&error))
}

/// Waits until what was begun is durable.
///
/// # Errors
/// Where the log failed meanwhile.
pub(crate) async fn durable(ticket: Ticket) -> Result<(), Refusal> {
    let failed = |error: NotCommitted| Refusal::new(ErrorCode::KAFKA_STORAGE_ERROR, error.to_string());
    ticket.await.map(drop).map_err(failed)
}

/// Waits until what was begun is durable, if anything was: all of a request is begun before any of it is waited for, so
/// that one sync serves it.
///
/// # Errors
/// Where it was refused, or the log failed meanwhile.
pub(crate) async fn finish(begun: Result<Option<Ticket>, Refusal>) -> Result<(), Refusal> {
    match begun? {
        Some(ticket) => durable(ticket).await,
        None => Ok(()),
    }
}

/// Changes something about topics, with room made for it in the journal where there is none.
pub(crate) async fn with_room<T>(
    node: &Node,
    change: impl Fn() -> Result<T, TopicError>,
) -> Result<T, TopicError> {
    loop {
        match change() {
            Err(TopicError::Append(AppendError::NoRoom)) => {
                append::wait_for_room(&node.store).await?;
            }
            changed => return changed,
        }
    }
}

/// The codes for what may go wrong with a topic as a whole.
pub(crate) fn refusal(error: &TopicError) -> Refusal {
    let code = match error {
        TopicError::Exists(_) => ErrorCode::TOPIC_ALREADY_EXISTS,
        TopicError::Unknown(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        TopicError::TooManyPartitions { .. } => ErrorCode::POLICY_VIOLATION,
        TopicError::Config(_) => ErrorCode::INVALID_CONFIG,
        TopicError::Partitions { .. } => ErrorCode::INVALID_PARTITIONS,
        TopicError::Append(_) => ErrorCode::KAFKA_STORAGE_ERROR,
    };
    let message = match error {
        TopicError::Unknown(_) => "this server does not host this topic".to_owned(),
        error => error.to_string(),
    };
    Refusal::new(code, message)
}

/// The code for a setting that cannot be.
pub(crate) fn config_refusal(error: &ConfigError) -> Refusal {
    Refusal::new(ErrorCode::INVALID_CONFIG, error.to_string())
}
