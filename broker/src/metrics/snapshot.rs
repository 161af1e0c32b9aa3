//! What is known anyway, and asked for at each scrape.

use mainstem_protocol::PartitionId;
use prometheus::{IntGauge, Registry};

use super::groups::Lags;
use super::register::gauge;

/// What the broker knows at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Topics, the internal ones included.
    pub topics: u64,
    /// Partitions of all topics.
    pub partitions: u64,
    /// Bytes of the journal that no checkpoint has freed yet.
    pub journal_bytes_used: u64,
    /// Bytes that the journal may have.
    pub journal_bytes_max: u64,
    /// At most [`super::caps::GROUP_LAGS_MAX`]; what is above is not shown.
    pub group_lags: Vec<GroupLag>,
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
    journal_bytes_used: IntGauge,
    journal_bytes_max: IntGauge,
    lags: Lags,
}

impl Gauges {
    pub(super) fn new(registry: &Registry) -> Self {
        let gauge = |name: &str, help: &str| gauge(registry, name, help);
        Self {
            topics: gauge("mainstem_topics", "Topics, the internal ones included"),
            partitions: gauge("mainstem_partitions", "Partitions of all topics"),
            journal_bytes_used: gauge(
                "mainstem_journal_bytes_used",
                "Bytes of the journal that no checkpoint has freed yet",
            ),
            journal_bytes_max: gauge("mainstem_journal_bytes_max", "Bytes that the journal may have"),
            lags: Lags::new(registry),
        }
    }

    pub(super) fn show(&self, snapshot: &Snapshot) {
        let Snapshot { topics, partitions, journal_bytes_used, journal_bytes_max, group_lags } = snapshot;
        set(&self.topics, *topics);
        set(&self.partitions, *partitions);
        set(&self.journal_bytes_used, *journal_bytes_used);
        set(&self.journal_bytes_max, *journal_bytes_max);
        self.lags.show(group_lags);
    }
}

fn set(gauge: &IntGauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}
