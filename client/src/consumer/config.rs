//! What may be set of a consumer. The names in parentheses are Kafka's.

use std::{sync::Arc, time::Duration};

use mainstem_protocol::{Text, Timestamp};

use super::Assignor;
use crate::clock::{Clock, SystemClock};

/// Where to begin in a partition for which nothing was committed, or where what was committed is gone
/// (`auto.offset.reset`).
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::{ConsumerConfig, consumer::OffsetReset};
///
/// // What is older than an hour is of no interest.
/// let offset_reset = OffsetReset::Duration(Duration::from_secs(3600));
/// let config = ConsumerConfig { offset_reset, ..ConsumerConfig::default() };
/// # assert_eq!(config.offset_reset, offset_reset);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the first record that there still is.
    Earliest,
    /// Behind the last record.
    #[default]
    Latest,
    /// At the first record that is not older than this; behind the last one where all are.
    Timestamp(Timestamp),
    /// At the first record that is not older than this much before now (`by_duration`, KIP-1106); behind the last one
    /// where all are.
    Duration(Duration),
    /// Nowhere: [`super::Consumer::poll`] fails.
    Fail,
}

/// Which records of transactions are handed out (`isolation.level`).
///
/// ```
/// use mainstem_client::{ConsumerConfig, consumer::IsolationLevel};
///
/// let config = ConsumerConfig { isolation: IsolationLevel::ReadCommitted, ..ConsumerConfig::default() };
/// # assert_ne!(config.isolation, IsolationLevel::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IsolationLevel {
    /// All of them, whatever becomes of the transaction.
    #[default]
    ReadUncommitted,
    /// Those of transactions that were committed; nothing behind the first one that is still open.
    ReadCommitted,
}

impl IsolationLevel {
    /// The number on the wire.
    pub(crate) const fn id(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}

/// Who shares out the partitions of a group, and by which requests members hear of it (`group.protocol`).
///
/// ```
/// use mainstem_client::{ConsumerConfig, consumer::GroupProtocol};
///
/// let config = ConsumerConfig { group_protocol: GroupProtocol::Consumer, ..ConsumerConfig::group("readers") };
/// # assert_ne!(config.group_protocol, GroupProtocol::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupProtocol {
    /// One of the members, with an assignor that all of them know. Every broker speaks this.
    #[default]
    Classic,
    /// The broker (KIP-848). The coordinator moves partitions one by one, and nobody waits for the others. Needs a broker
    /// that answers ConsumerGroupHeartbeat; the session and heartbeat intervals are the broker's.
    Consumer,
}

/// The settings of a consumer.
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::ConsumerConfig;
///
/// let config = ConsumerConfig {
///     auto_commit_interval: Some(Duration::from_secs(5)),
///     prefetch_bytes: 4 * 1024 * 1024,
///     ..ConsumerConfig::group("readers")
/// };
/// # assert!(config.group_id.is_some());
/// ```
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// The group whose member this is, or in whose name offsets are committed (`group.id`).
    pub group_id: Option<Text>,
    /// The name of a static member (`group.instance.id`): a member that comes back under it within the session gets its
    /// partitions again without a rebalance, and closing the consumer does not leave the group.
    pub group_instance_id: Option<Text>,
    /// Who shares out partitions (`group.protocol`).
    pub group_protocol: GroupProtocol,
    /// Assignors that the members of a classic group may choose from, the best first
    /// (`partition.assignment.strategy`). Partitions are kept through a rebalance only where all of them are
    /// [`Assignor::CooperativeSticky`].
    pub assignors: Vec<Assignor>,
    /// The name of the broker's assignor (`group.remote.assignor`), with [`GroupProtocol::Consumer`]; the broker's own
    /// choice where there is none.
    pub server_assignor: Option<Text>,
    /// Which records of transactions are handed out (`isolation.level`).
    pub isolation: IsolationLevel,
    /// Where to begin (`auto.offset.reset`).
    pub offset_reset: OffsetReset,
    /// How often positions are committed by [`super::Consumer::poll`] itself (`auto.commit.interval.ms`); never,
    /// where there is none.
    pub auto_commit_interval: Option<Duration>,
    /// How long a broker may wait for records (`fetch.max.wait.ms`).
    pub fetch_wait: Duration,
    /// Bytes for which a broker waits (`fetch.min.bytes`).
    pub fetch_bytes_min: usize,
    /// Bytes of one answer (`fetch.max.bytes`); one batch may be larger.
    pub fetch_bytes_max: usize,
    /// Bytes of one answer for each partition (`max.partition.fetch.bytes`); one batch may be larger.
    pub partition_bytes_max: usize,
    /// Records that one poll hands out at most (`max.poll.records`).
    pub poll_records: usize,
    /// Bytes that are fetched ahead of whoever takes the records, before decompression; one batch of each broker may
    /// come on top. Where this is used up, no more records are asked for.
    pub prefetch_bytes: usize,
    /// How long the group waits for a heartbeat before it goes on without the member (`session.timeout.ms`).
    pub session_timeout: Duration,
    /// How often the member says that it lives (`heartbeat.interval.ms`).
    pub heartbeat_interval: Duration,
    /// How long the time between two polls may be before the member leaves, and how long the group waits for it to
    /// join again (`max.poll.interval.ms`).
    pub poll_interval_max: Duration,
    /// How often the group's leader looks for new partitions, and a member with a pattern for new topics
    /// (`metadata.max.age.ms`).
    pub metadata_age_max: Duration,
    /// How long one answer may take (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// How long commits, positions and the like are tried again (`default.api.timeout.ms`).
    pub timeout: Duration,
    /// Whether a broker that may create topics creates those that are subscribed to
    /// (`allow.auto.create.topics`).
    pub creates_topics: bool,
    /// What [`OffsetReset::Duration`] counts back from.
    pub clock: Arc<dyn Clock>,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            group_id: None,
            group_instance_id: None,
            group_protocol: GroupProtocol::Classic,
            assignors: vec![Assignor::Range, Assignor::CooperativeSticky],
            server_assignor: None,
            isolation: IsolationLevel::ReadUncommitted,
            offset_reset: OffsetReset::Latest,
            auto_commit_interval: None,
            fetch_wait: Duration::from_millis(500),
            fetch_bytes_min: 1,
            fetch_bytes_max: 50 * 1024 * 1024,
            partition_bytes_max: 1024 * 1024,
            poll_records: 500,
            prefetch_bytes: 32 * 1024 * 1024,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            poll_interval_max: Duration::from_secs(300),
            metadata_age_max: Duration::from_secs(300),
            request_timeout: Duration::from_secs(30),
            timeout: Duration::from_secs(60),
            creates_topics: true,
            clock: Arc::new(SystemClock),
        }
    }
}

impl ConsumerConfig {
    /// The defaults, for a member of a group.
    ///
    /// ```
    /// let config = mainstem_client::ConsumerConfig::group("readers");
    /// assert_eq!(config.group_id.as_deref(), Some("readers"));
    /// ```
    #[must_use]
    pub fn group(id: impl Into<Text>) -> Self {
        Self { group_id: Some(id.into()), ..Self::default() }
    }
}

/// Milliseconds, as the wire has them.
pub(super) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// Bytes, as the wire has them.
pub(super) fn bytes(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
