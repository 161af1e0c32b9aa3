//! Topics are made, by CreateTopics or because somebody asked for one, and deleted.

use std::sync::Arc;

use mainstem_protocol::{ErrorCode, TopicId};
use mainstem_storage::{
    ConfigError,
    store::{AppendError, NewTopic, Topic, TopicError},
};

use super::Refusal;
use crate::{node::Node, partition::append};

/// Makes the topic and waits until it is durable.
///
/// # Errors
/// Where it exists already, its settings cannot be, or it cannot be stored.
pub(crate) async fn create(node: &Node, topic: NewTopic) -> Result<Arc<Topic>, Refusal> {
    let (id, ticket) = with_room(node, || node.store.create_topic(topic.clone())).await?;
    ticket.await.map_err(|error| Refusal::new(ErrorCode::KAFKA_STORAGE_ERROR, error.to_string()))?;
    let gone = || Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "the topic was deleted at once");
    node.store.topics().get(id).cloned().ok_or_else(gone)
}

/// Deletes the topic and waits until that is durable.
///
/// # Errors
/// Where it is gone already, or the log takes nothing.
pub(crate) async fn delete(node: &Node, id: TopicId) -> Result<(), Refusal> {
    let ticket = with_room(node, || node.store.delete_topic(id)).await?;
    ticket.await.map_err(|error| Refusal::new(ErrorCode::KAFKA_STORAGE_ERROR, error.to_string()))?;
    Ok(())
}

/// Changes something about topics, with room made for it in the journal where there is none.
async fn with_room<T>(node: &Node, change: impl Fn() -> Result<T, TopicError>) -> Result<T, Refusal> {
    loop {
        match change() {
            Err(TopicError::Append(AppendError::NoRoom)) => {
                append::wait_for_room(&node.store).await.map_err(|error| refusal(&error.into()))?;
            }
            changed => return changed.map_err(|error| refusal(&error)),
        }
    }
}

/// The codes for what may go wrong with a topic as a whole.
pub(crate) fn refusal(error: &TopicError) -> Refusal {
    let code = match error {
        TopicError::Exists(_) => ErrorCode::TOPIC_ALREADY_EXISTS,
        TopicError::Unknown(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        TopicError::Config(_) => ErrorCode::INVALID_CONFIG,
        TopicError::Partitions(_) => ErrorCode::INVALID_PARTITIONS,
        TopicError::Append(_) => ErrorCode::KAFKA_STORAGE_ERROR,
    };
    Refusal::new(code, error.to_string())
}

/// The code for a setting that cannot be.
pub(crate) fn config_refusal(error: &ConfigError) -> Refusal {
    Refusal::new(ErrorCode::INVALID_CONFIG, error.to_string())
}
