//! What may be set of a producer. The names in parentheses are Kafka's.

use std::{sync::Arc, time::Duration};

use mainstem_protocol::records::Compression;

use crate::clock::{Clock, SystemClock};

/// When a record counts as stored (`acks`).
///
/// ```
/// use mainstem_client::{ProducerConfig, producer::Acks};
///
/// // Measurements that may be lost.
/// let config = ProducerConfig { acks: Acks::None, ..ProducerConfig::default() };
/// # assert_eq!(config.acks.number(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acks {
    /// At once: nobody waits for an answer, offsets are not known, and records may be lost.
    None,
    /// When the leader has it.
    Leader,
    /// When it is as safe as the topic wants it.
    #[default]
    All,
}

impl Acks {
    /// The number on the wire.
    ///
    /// ```
    /// assert_eq!(mainstem_client::producer::Acks::All.number(), -1);
    /// ```
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// The settings of a producer.
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::{Compression, ProducerConfig};
///
/// let config = ProducerConfig {
///     compression: Compression::Zstd,
///     linger: Duration::from_millis(50),
///     batch_bytes: 256 * 1024,
///     ..ProducerConfig::default()
/// };
/// # assert!(config.idempotent);
/// ```
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    /// When a record counts as stored (`acks`).
    pub acks: Acks,
    /// Whether repeats are recognised and the order is kept (`enable.idempotence`); only with [`Acks::All`].
    pub idempotent: bool,
    /// How batches are compressed (`compression.type`).
    pub compression: Compression,
    /// Bytes from which on a batch is full (`batch.size`); one record may be larger.
    pub batch_bytes: usize,
    /// How long a batch waits for more records (`linger.ms`).
    pub linger: Duration,
    /// Bytes that records may take until they are stored (`buffer.memory`).
    pub buffer_bytes: usize,
    /// Bytes that one request may have (`max.request.size`), before compression.
    pub request_bytes_max: usize,
    /// Requests that may wait for their answer at one broker (`max.in.flight.requests.per.connection`); at most 5
    /// where the producer is idempotent, since brokers recognise repeats among the last five batches.
    pub in_flight_max: usize,
    /// How long one answer may take (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// How long a record may take until it is stored or has failed (`delivery.timeout.ms`).
    pub delivery_timeout: Duration,
    /// How long [`super::Producer::send`] may wait for room or for the topic (`max.block.ms`).
    pub max_block: Duration,
    /// How old what is known of leaders may get while nothing goes wrong: partitions may have been added
    /// (`metadata.max.age.ms`).
    pub metadata_age_max: Duration,
    /// Where the timestamps come from of records that bring none.
    pub clock: Arc<dyn Clock>,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            idempotent: true,
            compression: Compression::None,
            batch_bytes: 64 * 1024,
            linger: Duration::from_millis(5),
            buffer_bytes: 32 * 1024 * 1024,
            request_bytes_max: 1024 * 1024,
            in_flight_max: 5,
            request_timeout: Duration::from_secs(30),
            delivery_timeout: Duration::from_secs(120),
            max_block: Duration::from_secs(60),
            metadata_age_max: Duration::from_secs(300),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Batches of a producer among which brokers recognise a repeat (Kafka: `ProducerStateEntry`).
const IDEMPOTENT_IN_FLIGHT_MAX: usize = 5;

impl ProducerConfig {
    /// Whether batches carry sequences.
    pub(super) fn is_idempotent(&self) -> bool {
        self.idempotent && self.acks == Acks::All
    }

    pub(super) fn in_flight(&self) -> usize {
        let limit = if self.is_idempotent() { IDEMPOTENT_IN_FLIGHT_MAX } else { usize::MAX };
        self.in_flight_max.clamp(1, limit)
    }
}
