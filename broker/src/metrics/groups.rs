//! How far consumer groups are behind.

use prometheus::IntGaugeVec;

use super::GroupLag;
use super::caps::GROUP_LAGS_MAX;
use super::register::{Registry, gauges};

/// The lag of every group that has committed an offset.
#[derive(Debug)]
pub(super) struct Lags {
    records: IntGaugeVec,
}

impl Lags {
    pub(super) fn new(registry: &Registry) -> Self {
        let help = "Records between a group's committed offset and the end of the partition";
        Self { records: gauges(registry, "mainstem_group_lag", help, &["group", "topic", "partition"]) }
    }

    pub(super) fn show(&self, lags: &[GroupLag]) {
        self.records.reset();
        for GroupLag { group, topic, partition, records } in lags.iter().take(GROUP_LAGS_MAX) {
            let labels = [group.as_str(), topic.as_str(), &partition.to_string()];
            self.records.with_label_values(&labels).set(i64::try_from(*records).unwrap_or(i64::MAX));
        }
    }
}
