//! The journal's syncs.

use std::time::Duration;

use prometheus::Histogram;

use super::register::{BYTES, GROUPS, Registry, SECONDS, histogram};

/// The journal's syncs: how long they take, and how much each of them serves.
#[derive(Debug)]
pub struct Journal {
    seconds: Histogram,
    groups: Histogram,
    bytes: Histogram,
}

impl Journal {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            seconds: histogram(
                registry,
                "mainstem_journal_sync_seconds",
                "Time that a sync of the journal takes",
                SECONDS,
            ),
            groups: histogram(
                registry,
                "mainstem_journal_sync_groups",
                "Append groups that one sync of the journal serves",
                GROUPS,
            ),
            bytes: histogram(
                registry,
                "mainstem_journal_sync_bytes",
                "Bytes that one sync of the journal serves",
                BYTES,
            ),
        }
    }

    /// A sync has served `groups` append groups of `bytes` in all.
    pub fn synced(&self, elapsed: Duration, groups: u64, bytes: u64) {
        self.seconds.observe(elapsed.as_secs_f64());
        self.groups.observe(groups as f64);
        self.bytes.observe(bytes as f64);
    }
}
