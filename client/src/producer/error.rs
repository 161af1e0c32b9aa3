//! Why a record is not taken, and why it is not stored.

use std::time::Duration;

use mainstem_protocol::{ErrorCode, Text, records::compression::CompressError};

use crate::{TopicPartition, cluster::MetadataError, transport::TransportError};

/// Why a record was not taken.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Producer, ProducerConfig, ProducerRecord, producer::SendError};
///
/// let config = ProducerConfig { request_bytes_max: 1000, ..ProducerConfig::default() };
/// let producer = Producer::new(&transport, config);
/// let refused = producer.send(ProducerRecord::new("greetings").value(vec![0; 1000])).await;
/// assert!(matches!(refused, Err(SendError::TooLarge { limit: 1000, .. })));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum SendError {
    /// The topic cannot be had.
    #[error(transparent)]
    Metadata(MetadataError),
    /// The topic has no such partition.
    #[error("{partition} does not exist: the topic has {count} partitions")]
    NoSuchPartition {
        /// What was asked for.
        partition: TopicPartition,
        /// How many there are.
        count: usize,
    },
    /// The record is larger than a request may be.
    #[error("record of {bytes} bytes is above the limit of {limit}")]
    TooLarge {
        /// Bytes of the record.
        bytes: usize,
        /// The setting `request_bytes_max`.
        limit: usize,
    },
    /// The buffer stayed full, or no broker said anything about the topic.
    #[error("no room for the record within {waited:?}")]
    NoRoom {
        /// The setting `max_block`.
        waited: Duration,
    },
    /// No transaction is open; of a [`TransactionalProducer`](super::TransactionalProducer) alone.
    #[error("no transaction is open")]
    NoTransaction,
    /// The producer was closed.
    #[error("the producer is closed")]
    Closed,
}

impl SendError {
    /// Whether the same record may be taken later.
    ///
    /// ```
    /// assert!(!mainstem_client::producer::SendError::Closed.is_retriable());
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Metadata(error) => error.is_retriable(),
            Self::NoRoom { .. } => true,
            Self::NoSuchPartition { .. } | Self::TooLarge { .. } | Self::NoTransaction | Self::Closed => {
                false
            }
        }
    }
}

/// Why a record was not stored, or may not have been.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Producer, ProducerConfig, ProducerRecord, producer::ProduceError};
///
/// let linger = std::time::Duration::from_secs(60);
/// let producer = Producer::new(&transport, ProducerConfig { linger, ..ProducerConfig::default() });
/// let ticket = producer.send(ProducerRecord::new("greetings").value("never sent")).await?;
/// drop(producer);
/// assert!(matches!(ticket.receipt().await, Err(ProduceError::Closed)));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProduceError {
    /// The broker refused the batch.
    #[error("{partition} refused the batch: {code}{}", detail(.message.as_ref()))]
    Refused {
        /// Where it should have gone.
        partition: TopicPartition,
        /// What the broker says.
        code: ErrorCode,
        /// What it says in words.
        message: Option<Text>,
        /// The record that is at fault, by its place in the batch ([`super::Ticket::place`]), where the broker names one
        /// (KIP-467).
        record: Option<u32>,
    },
    /// The request did not go through.
    #[error("batch for {partition} was not acknowledged: {source}")]
    Transport {
        /// Where it should have gone.
        partition: TopicPartition,
        /// What went wrong.
        source: TransportError,
    },
    /// The time to deliver was up.
    #[error("batch for {partition} was not delivered within {limit:?}: {last}")]
    TimedOut {
        /// Where it should have gone.
        partition: TopicPartition,
        /// The setting `delivery_timeout`.
        limit: Duration,
        /// What went wrong last.
        last: String,
    },
    /// The batch could not be compressed.
    #[error("batch for {partition} was not compressed: {source}")]
    Compress {
        /// Where it should have gone.
        partition: TopicPartition,
        /// What went wrong.
        source: CompressError,
    },
    /// The broker gives this producer no identity.
    #[error("the broker gives the producer no id: {0}")]
    NoProducerId(String),
    /// The record was not sent, since its transaction will not be committed.
    #[error("the record was not sent: {0}")]
    Aborted(String),
    /// The producer ended before the record was sent.
    #[error("the producer ended before the record was stored")]
    Closed,
}

fn detail(message: Option<&Text>) -> String {
    message.map_or_else(String::new, |message| format!(" ({message})"))
}

impl ProduceError {
    /// What went wrong, without what it went wrong with.
    pub(super) fn cause(&self) -> String {
        match self {
            Self::Refused { code, message, .. } => format!("{code}{}", detail(message.as_ref())),
            Self::Transport { source, .. } => source.to_string(),
            error => error.to_string(),
        }
    }

    /// Whether sending the record again may help. It may then be stored twice: the producer has already tried again
    /// as long as it could do so without that.
    ///
    /// ```
    /// assert!(!mainstem_client::producer::ProduceError::Closed.is_retriable());
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Refused { code, .. } => code.is_retriable(),
            Self::Transport { source, .. } => source.is_retriable(),
            Self::TimedOut { .. } => true,
            Self::Compress { .. } | Self::NoProducerId(_) | Self::Aborted(_) | Self::Closed => false,
        }
    }
}
