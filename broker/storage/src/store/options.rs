//! How a store is opened.

use std::{fmt, sync::Arc, time::Duration};

use mainstem_protocol::{BrokerId, TopicId};

use super::Poisoned;
use crate::{config::TopicConfig, segment::Append};

/// How a store is opened.
#[derive(Debug)]
pub struct Options {
    /// The node's number, for a directory that has none yet.
    pub node_id: BrokerId,
    /// Bytes of the journal when it has grown; at most a quarter of it goes into one append group.
    pub journal_bytes: u64,
    /// What topics have that set nothing of their own.
    pub topic_defaults: TopicConfig,
    /// How bytes get into segments; `None` for `pwritev`.
    pub append: Option<Box<dyn Append>>,
    /// Whether the store has threads of its own. A simulation does their steps itself, one after the other.
    pub background: bool,
    /// How often retention is looked after (Kafka: `log.retention.check.interval.ms`).
    pub retention_check_interval: Duration,
    /// How long a producer is remembered after its last batch (Kafka: `producer.id.expiration.ms`).
    pub producer_expiration: Duration,
    /// Producers that a partition remembers (`max.producers.per.partition`).
    pub producers_max: u32,
    /// Partitions that all topics together may have (`max.broker.partitions`); those of the broker itself are counted
    /// and never refused.
    pub partitions_max: u32,
    /// Where the identities of new topics come from: a simulation has its own, so that the same seed is the same run.
    pub topic_id: fn() -> TopicId,
    /// How compacted topics are cleaned.
    pub cleaner: CleanerOptions,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
}

/// How compacted topics are cleaned, and at what cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanerOptions {
    /// Whether they are (Kafka: `log.cleaner.enable`).
    pub is_enabled: bool,
    /// Bytes that the keys of one pass may take (`log.cleaner.dedupe.buffer.size`); what is above needs several passes.
    pub dedupe_buffer_bytes: usize,
    /// Bytes that are read and written in a second at most (`log.cleaner.io.max.bytes.per.second`).
    pub bytes_per_second_max: f64,
    /// How long to wait where nothing is to be cleaned (`log.cleaner.backoff.ms`).
    pub backoff: Duration,
}

impl Default for CleanerOptions {
    fn default() -> Self {
        Self {
            is_enabled: true,
            dedupe_buffer_bytes: 128 * 1024 * 1024,
            bytes_per_second_max: f64::MAX,
            backoff: Duration::from_secs(15),
        }
    }
}

/// Is told what happens. Called on the journal's thread: returns at once.
pub trait Observer: Send + Sync + fmt::Debug {
    /// The journal was synced.
    fn synced(&self, _took: Duration) {}

    /// A round of the journal wrote so many groups, records and bytes.
    fn wrote(&self, _groups: u64, _records: u64, _bytes: u64) {}

    /// The log directory is poisoned: the process must stop (durability rule 27).
    fn poisoned(&self, _why: &Poisoned) {}
}

/// Tells nobody.
#[derive(Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {}

impl Default for Options {
    fn default() -> Self {
        Self {
            node_id: BrokerId(1),
            // A quarter of it is more than 64 MiB, so that a batch of a record of that size fits.
            journal_bytes: 288 * 1024 * 1024,
            topic_defaults: TopicConfig::default(),
            append: None,
            background: true,
            retention_check_interval: Duration::from_secs(5 * 60),
            producer_expiration: Duration::from_secs(24 * 60 * 60),
            producers_max: 10_000,
            partitions_max: 100_000,
            topic_id: TopicId::random,
            cleaner: CleanerOptions::default(),
            observer: Arc::new(NoObserver),
        }
    }
}
