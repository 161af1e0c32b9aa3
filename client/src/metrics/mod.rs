//! What a client has done, in numbers: counted as it goes, without an allocation for a record, and read when somebody looks.
//!
//! - [`Metrics`]: all of it at one moment; [`Metrics::prometheus`] writes it for Prometheus. With the feature `serde` it can
//!   be serialized.
//! - [`Traffic`]: connections and bytes.
//! - [`Latency`]: a histogram of times.
//! - `meter`: where it is counted.
//!
//! The names are Kafka's (`record-send-total` and so on) in Prometheus' spelling.

mod histogram;
mod meter;
mod text;

use std::collections::BTreeMap;

pub use histogram::{LATENCY_BUCKETS, Latency};
pub(crate) use meter::{Meter, TrafficMeter};

/// What a client has done since it was made.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Producer, ProducerConfig, ProducerRecord};
///
/// let producer = Producer::new(&transport, ProducerConfig::default());
/// producer.send(ProducerRecord::new("greetings").value("hello")).await?.await?;
/// let metrics = producer.metrics();
/// assert_eq!((metrics.produced.records, metrics.produced.batches), (1, 1));
/// assert_eq!(metrics.requests["Produce"].count, 1);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Metrics {
    /// Connections and bytes.
    pub traffic: Traffic,
    /// How long answers took, by API; requests that got no answer are not among them.
    pub requests: BTreeMap<&'static str, Latency>,
    /// Error codes in answers by Kafka's names, one for each partition, topic or group that has it; and requests without
    /// an answer, as `TIMED_OUT`, `DISCONNECTED` or `FAILED`.
    pub errors: BTreeMap<String, u64>,
    /// Attempts after the first one: of admin calls, look-ups, joins, heartbeats and commits that failed in a way that may
    /// pass. Batches that were sent again are [`Produced::batches_retried`].
    pub retries: u64,
    /// What a producer has written.
    pub produced: Produced,
    /// What a consumer has read.
    pub consumed: Consumed,
}

/// Connections of a client, and what has gone over them.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, TcpConfig, TcpTransport};
///
/// # let served = mainstem_client::testing::serve(&transport, 4).await?;
/// let admin = Admin::new(&TcpTransport::new(TcpConfig::bootstrap(&served.address)), AdminConfig::default());
/// admin.list_topics().await?;
/// let traffic = admin.metrics().traffic;
/// assert_eq!((traffic.connections, traffic.connections_failed), (1, 0));
/// assert!(traffic.outgoing_bytes > 0 && traffic.incoming_bytes > 0);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Traffic {
    /// Connections that are open (`connection-count`).
    pub connections: u64,
    /// Connections that were opened (`connection-creation-total`).
    pub connections_created: u64,
    /// Attempts to connect that failed.
    pub connections_failed: u64,
    /// Bytes that were sent, sizes of frames included (`outgoing-byte-total`).
    pub outgoing_bytes: u64,
    /// Bytes that came, sizes of frames included (`incoming-byte-total`).
    pub incoming_bytes: u64,
}

/// What a producer has written.
///
/// ```
/// let produced = mainstem_client::metrics::Produced { bytes: 50, uncompressed_bytes: 200, ..Default::default() };
/// assert_eq!(produced.compression_rate(), Some(0.25));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Produced {
    /// Records that were acknowledged (`record-send-total`).
    pub records: u64,
    /// Records that have failed (`record-error-total`).
    pub records_failed: u64,
    /// Batches that were acknowledged.
    pub batches: u64,
    /// Batches that were sent again (`record-retry-total` counts their records).
    pub batches_retried: u64,
    /// Bytes of the batches as they were made, compressed.
    pub bytes: u64,
    /// Bytes that they would have had without compression.
    pub uncompressed_bytes: u64,
    /// How long batches waited until they were made (`record-queue-time`).
    pub queue_time: Latency,
}

impl Produced {
    /// Compressed bytes for each byte without compression (`compression-rate-avg`); none before the first batch.
    ///
    /// ```
    /// assert_eq!(mainstem_client::metrics::Produced::default().compression_rate(), None);
    /// ```
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
    pub fn compression_rate(&self) -> Option<f64> {
        (self.uncompressed_bytes > 0).then(|| self.bytes as f64 / self.uncompressed_bytes as f64)
    }
}

/// What a consumer has read.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::OffsetReset};
///
/// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
/// let mut consumer = Consumer::new(&transport, config);
/// consumer.assign([TopicPartition::new("greetings", 0)]);
/// consumer.next().await?;
/// let consumed = consumer.metrics().consumed;
/// assert_eq!((consumed.records, consumed.lag["greetings-0"]), (1, 1));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Consumed {
    /// Records that were handed out (`records-consumed-total`).
    pub records: u64,
    /// Bytes of batches that were fetched, as they are stored (`bytes-consumed-total`).
    pub bytes: u64,
    /// How often the group has given partitions to this member (`rebalance-total`).
    pub rebalances: u64,
    /// Records between position and end of each partition that is read (`records-lag`).
    pub lag: BTreeMap<String, i64>,
}
