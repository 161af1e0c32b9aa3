//! Why a node cannot go on.

use std::sync::Arc;

use mainstem_client::{Offset, Text, TopicPartition};

use crate::{StoreFault, serdes::SerdeError};

/// A record that does not parse, or cannot be read yet ([`SerdeError::is_retriable`]).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{part} in topic {} partition {} at offset {offset} {}: {cause}",
    partition.topic, partition.partition, cause.verdict()
)]
pub struct MalformedRecord {
    /// Key or value.
    pub part: &'static str,
    /// Where the record is.
    pub partition: TopicPartition,
    /// Where in it.
    pub offset: Offset,
    /// What is wrong.
    pub cause: SerdeError,
}

/// Why a node cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NodeError {
    /// A record does not parse, and the policy is to fail; or it cannot be read yet.
    #[error(transparent)]
    Malformed(Box<MalformedRecord>),
    /// A key or value has no bytes.
    #[error("{part} cannot be written: {cause}")]
    Unwritable {
        /// Key or value.
        part: &'static str,
        /// What is wrong.
        cause: SerdeError,
    },
    /// A store holds something else than what is kept there.
    #[error("store {store} holds something else; was it another one's before? {cause}")]
    Stored {
        /// The store.
        store: Text,
        /// What is wrong.
        cause: SerdeError,
    },
    /// A store on disk cannot be read.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// More windows around a record than there may be.
    #[error(
        "a record lies in more than {limit} sliding windows of its key; a smaller time difference is needed, or hopping \
         windows"
    )]
    TooManyWindows {
        /// How many there may be.
        limit: i64,
    },
    /// A table holds back more than it may.
    #[error(
        "{held} are held back, and there is room for {room}; allow more, or let the buffer emit early when full"
    )]
    NoRoom {
        /// How much is held back.
        held: String,
        /// How much may be.
        room: String,
    },
    /// A processor returned an error.
    #[error("processor failed: {0}")]
    User(Arc<dyn std::error::Error + Send + Sync>),
    /// User code panicked.
    #[error("user code panicked: {0}")]
    Panic(String),
}

impl NodeError {
    /// Whether it may go on later with the same input: what it takes to read or write something was not to be had.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Malformed(record) => record.cause.is_retriable(),
            Self::Unwritable { cause, .. } | Self::Stored { cause, .. } => cause.is_retriable(),
            Self::User(error) => error.downcast_ref().is_some_and(SerdeError::is_retriable),
            Self::Store(_) | Self::TooManyWindows { .. } | Self::NoRoom { .. } | Self::Panic(_) => false,
        }
    }
}
