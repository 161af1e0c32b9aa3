//! The cleaner of compacted topics (Kafka: `LogCleaner`, `LogCleanerManager`).

use mainstem_storage::store::CleanerStats;
use prometheus::{Gauge, IntCounter, IntGauge};

use super::register::{Registry, counter, gauge, seconds_gauge};

/// What the cleaner did, as it says itself at a scrape.
#[derive(Debug)]
pub(super) struct Cleaner {
    passes: IntCounter,
    bytes_read: IntCounter,
    bytes_written: IntCounter,
    bytes_freed: IntCounter,
    last_run: Gauge,
    last_took: Gauge,
    dirtiest: Gauge,
    uncleanable_partitions: IntGauge,
    uncleanable_bytes: IntGauge,
}

impl Cleaner {
    pub(super) fn new(registry: &Registry) -> Self {
        let counter = |name: &str, help: &str| counter(registry, name, help);
        let gauge = |name: &str, help: &str| gauge(registry, name, help);
        let fraction = |name: &str, help: &str| seconds_gauge(registry, name, help);
        Self {
            passes: counter(
                "mainstem_cleaner_passes_total",
                "Passes of the cleaner over a compacted partition that came to their end",
            ),
            bytes_read: counter("mainstem_cleaner_read_bytes_total", "Bytes that the cleaner has read"),
            bytes_written: counter(
                "mainstem_cleaner_written_bytes_total",
                "Bytes that the cleaner has written",
            ),
            bytes_freed: counter(
                "mainstem_cleaner_freed_bytes_total",
                "Bytes that compacted logs have less since they were cleaned",
            ),
            last_run: fraction(
                "mainstem_cleaner_last_pass_timestamp_seconds",
                "When the cleaner's last pass ended, since 1970; 0 where there was none",
            ),
            last_took: fraction(
                "mainstem_cleaner_last_pass_seconds",
                "Time that the cleaner's last pass took",
            ),
            dirtiest: fraction(
                "mainstem_cleaner_dirtiest_ratio",
                "The dirty share of the dirtiest compacted partition when the cleaner last looked, from 0 to 1",
            ),
            uncleanable_partitions: gauge(
                "mainstem_cleaner_uncleanable_partitions",
                "Partitions that are left alone since cleaning them failed: the log says why",
            ),
            uncleanable_bytes: gauge(
                "mainstem_cleaner_uncleanable_bytes",
                "Bytes of the logs of such partitions",
            ),
        }
    }

    pub(super) fn show(&self, stats: &CleanerStats) {
        raise(&self.passes, stats.passes);
        raise(&self.bytes_read, stats.bytes_read);
        raise(&self.bytes_written, stats.bytes_written);
        raise(&self.bytes_freed, stats.bytes_freed);
        self.last_run.set(stats.last_run.map_or(0.0, |ended| ended.0 as f64 / 1000.0));
        self.last_took.set(stats.last_took.as_secs_f64());
        self.dirtiest.set(stats.dirtiest_ratio);
        self.uncleanable_partitions.set(i64::try_from(stats.uncleanable_partitions).unwrap_or(i64::MAX));
        self.uncleanable_bytes.set(i64::try_from(stats.uncleanable_bytes).unwrap_or(i64::MAX));
    }
}

/// To what was counted elsewhere.
fn raise(counter: &IntCounter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}
