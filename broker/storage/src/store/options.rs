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
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
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
            observer: Arc::new(NoObserver),
        }
    }
}
