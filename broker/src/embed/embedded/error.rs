//! What may be wrong with an embedded broker.

use std::{io, time::Duration};

use mainstem_client::{
    Text,
    cluster::MetadataError,
    consumer::ConsumeError,
    offsets::ListOffsetsError,
    producer::{ProduceError, SendError},
};
use mainstem_processor::SerdeError;
use mainstem_storage::store::Poisoned;

use crate::{broker::StartError, caps::EMBEDDED_READ_RECORDS_MAX, config::ConfigError};

/// Why an embedded broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedStartError {
    /// There is no temporary directory.
    #[error("temporary directory was not made: {0}")]
    Directory(io::Error),
    /// A setting is wrong.
    #[error(transparent)]
    Setting(#[from] ConfigError),
    /// The broker itself did not start.
    #[error(transparent)]
    Broker(#[from] StartError),
}

/// Why an embedded broker did not start again.
#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    /// The log could not be closed.
    #[error(transparent)]
    Shutdown(#[from] Poisoned),
    /// What was to change its data has panicked.
    #[error("data was not changed: {0}")]
    Change(String),
    /// It did not start.
    #[error(transparent)]
    Start(#[from] EmbeddedStartError),
}

/// Why records are not in a topic.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A key or value has no bytes.
    #[error(transparent)]
    Serde(#[from] SerdeError),
    /// The producer does not take a record.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A record was not stored.
    #[error(transparent)]
    Produce(#[from] ProduceError),
}

/// Why records of a topic are not at hand.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such topic, or nobody says so.
    #[error(transparent)]
    Topic(#[from] MetadataError),
    /// Nobody says where its partitions end.
    #[error(transparent)]
    Ends(#[from] ListOffsetsError),
    /// It cannot be read.
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    /// A key or value is something else.
    #[error("{topic} partition {partition} offset {offset}: {error}")]
    Serde {
        /// The topic.
        topic: Text,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
        /// What it is not.
        error: SerdeError,
    },
    /// Fewer records came than were waited for.
    #[error("{topic} has {found} records after {limit:?}, and not {wanted}")]
    Late {
        /// The topic.
        topic: Text,
        /// How many there are.
        found: usize,
        /// How many were waited for.
        wanted: usize,
        /// How long.
        limit: Duration,
    },
    /// More than a test should hold at once.
    #[error("{topic} has more than {EMBEDDED_READ_RECORDS_MAX} records: read it with a consumer")]
    TooMany {
        /// The topic.
        topic: Text,
    },
}
