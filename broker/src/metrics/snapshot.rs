//! What is known anyway, and asked for at each scrape.

use mainstem_protocol::PartitionId;
use mainstem_storage::store::CleanerStats;
use prometheus::{IntGauge, IntGaugeVec};

use super::caps::{GROUPS_MAX, TOPICS_MAX};
use super::cleaner::Cleaner;
use super::groups::Lags;
use super::register::{Registry, gauge, gauges};
use super::topics::OTHERS;

/// What the broker knows at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Topics, the internal ones included.
    pub topics: u64,
    /// Partitions of all topics.
    pub partitions: u64,
    /// Transactions that are open in partitions, once for each.
    pub open_transactions: u64,
    /// Those of them that their coordinator must have ended long ago.
    pub hanging_transactions: u64,
    /// Every topic's size.
    pub topic_sizes: Vec<TopicSize>,
    /// Bytes of the journal that no checkpoint has freed yet.
    pub journal_bytes_used: u64,
    /// Bytes that the journal may have.
    pub journal_bytes_max: u64,
    /// What the cleaner of compacted topics did.
    pub cleaner: CleanerStats,
    /// The file system of the data directory, if it tells.
    pub disk: Option<DiskSpace>,
    /// Fetch sessions.
    pub fetch_sessions: u64,
    /// Partitions of all fetch sessions.
    pub fetch_session_partitions: u64,
    /// Transactional ids by the state of their last transaction.
    pub transactions: Vec<(&'static str, u64)>,
    /// At most [`super::caps::GROUPS_MAX`]; what is above is not shown.
    pub groups: Vec<GroupSize>,
    /// At most [`super::caps::GROUP_LAGS_MAX`]; what is above is not shown.
    pub group_lags: Vec<GroupLag>,
}

/// What a topic takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSize {
    /// The topic.
    pub topic: String,
    /// Its partitions.
    pub partitions: u64,
    /// Bytes of batches in its segments.
    pub bytes: u64,
}

/// The file system of the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// All bytes of it.
    pub total: u64,
    /// Bytes that the broker may still take.
    pub free: u64,
}

/// A group and its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSize {
    /// The group.
    pub group: String,
    /// Its members now.
    pub members: u64,
}

/// How far a group is behind in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLag {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: PartitionId,
    /// Records between the committed offset and the end.
    pub records: u64,
}

#[derive(Debug)]
pub(super) struct Gauges {
    topics: IntGauge,
    partitions: IntGauge,
    open_transactions: IntGauge,
    hanging_transactions: IntGauge,
    topic_partitions: IntGaugeVec,
    topic_bytes: IntGaugeVec,
    journal_bytes_used: IntGauge,
    journal_bytes_max: IntGauge,
    cleaner: Cleaner,
    disk_size: IntGauge,
    disk_free: IntGauge,
    fetch_sessions: IntGauge,
    fetch_session_partitions: IntGauge,
    transactions: IntGaugeVec,
    group_members: IntGaugeVec,
    lags: Lags,
}

impl Gauges {
    pub(super) fn new(registry: &Registry) -> Self {
        let gauge = |name: &str, help: &str| gauge(registry, name, help);
        let by = |label: &str, name: &str, help: &str| gauges(registry, name, help, &[label]);
        Self {
            topics: gauge("mainstem_topics", "Topics, the internal ones included"),
            partitions: gauge("mainstem_partitions", "Partitions of all topics"),
            open_transactions: gauge(
                "mainstem_partitions_open_transactions",
                "Transactions that are open in partitions, once for each",
            ),
            hanging_transactions: gauge(
                "mainstem_partitions_hanging_transactions",
                "Open transactions that their coordinator must have ended long ago: readers of what is committed wait for them",
            ),
            topic_partitions: by("topic", "mainstem_topic_partitions", "Partitions of a topic"),
            topic_bytes: by("topic", "mainstem_topic_log_bytes", "Bytes of batches in a topic's segments"),
            journal_bytes_used: gauge(
                "mainstem_journal_bytes_used",
                "Bytes of the journal that no checkpoint has freed yet",
            ),
            journal_bytes_max: gauge("mainstem_journal_bytes_max", "Bytes that the journal may have"),
            cleaner: Cleaner::new(registry),
            disk_size: gauge("mainstem_disk_size_bytes", "Size of the data directory's file system"),
            disk_free: gauge(
                "mainstem_disk_free_bytes",
                "Bytes of the data directory's file system that the broker may still take",
            ),
            fetch_sessions: gauge("mainstem_fetch_sessions", "Fetch sessions that there are now"),
            fetch_session_partitions: gauge(
                "mainstem_fetch_session_partitions",
                "Partitions of all fetch sessions",
            ),
            transactions: by(
                "state",
                "mainstem_transactional_ids",
                "Transactional ids by the state of their last transaction",
            ),
            group_members: by("group", "mainstem_group_members", "Members of a consumer group now"),
            lags: Lags::new(registry),
        }
    }

    pub(super) fn show(&self, snapshot: Snapshot) {
        let Snapshot {
            topics,
            partitions,
            open_transactions,
            hanging_transactions,
            topic_sizes,
            journal_bytes_used,
            journal_bytes_max,
            cleaner,
            disk,
            fetch_sessions,
            fetch_session_partitions,
            transactions,
            groups,
            group_lags,
        } = snapshot;
        set(&self.topics, topics);
        set(&self.partitions, partitions);
        set(&self.open_transactions, open_transactions);
        set(&self.hanging_transactions, hanging_transactions);
        set(&self.journal_bytes_used, journal_bytes_used);
        set(&self.journal_bytes_max, journal_bytes_max);
        self.cleaner.show(&cleaner);
        if let Some(DiskSpace { total, free }) = disk {
            set(&self.disk_size, total);
            set(&self.disk_free, free);
        }
        set(&self.fetch_sessions, fetch_sessions);
        set(&self.fetch_session_partitions, fetch_session_partitions);
        self.show_topics(&topic_sizes);
        transactions.iter().for_each(|(state, count)| {
            set(&self.transactions.with_label_values(&[*state]), *count);
        });
        self.show_groups(&groups);
        self.lags.show(&group_lags);
    }

    /// Those above the cap are added up.
    fn show_topics(&self, sizes: &[TopicSize]) {
        self.topic_partitions.reset();
        self.topic_bytes.reset();
        for (at, TopicSize { topic, partitions, bytes }) in sizes.iter().enumerate() {
            let label = if at < TOPICS_MAX { topic } else { OTHERS };
            add(&self.topic_partitions.with_label_values(&[label]), *partitions);
            add(&self.topic_bytes.with_label_values(&[label]), *bytes);
        }
    }

    fn show_groups(&self, groups: &[GroupSize]) {
        self.group_members.reset();
        for GroupSize { group, members } in groups.iter().take(GROUPS_MAX) {
            set(&self.group_members.with_label_values(&[group.as_str()]), *members);
        }
    }
}

fn set(gauge: &IntGauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

fn add(gauge: &IntGauge, value: u64) {
    gauge.add(i64::try_from(value).unwrap_or(i64::MAX));
}
