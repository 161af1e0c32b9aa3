//! What the log tells of itself: counted, and where it cannot go on, reported.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mainstem_storage::store::{Observer, Poisoned};
use tracing::error;

use crate::{
    metrics::Journal,
    task::{Failure, Failures},
};

/// Who failed where the log directory is poisoned.
const STORAGE: &str = "storage";

impl Failure {
    /// Whether the log could not be written, or not be made durable.
    #[must_use]
    pub fn is_of_disk(&self) -> bool {
        self.owner == STORAGE
    }
}

/// Listens to the log.
#[derive(Debug)]
pub(crate) struct LogObserver {
    journal: Arc<Journal>,
    failures: Failures,
    /// Groups and bytes that were written since the last sync.
    groups: AtomicU64,
    bytes: AtomicU64,
}

impl LogObserver {
    pub(crate) const fn new(journal: Arc<Journal>, failures: Failures) -> Self {
        Self { journal, failures, groups: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }
}

impl Observer for LogObserver {
    fn synced(&self, took: Duration) {
        let groups = self.groups.swap(0, Ordering::Relaxed);
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        self.journal.synced(took, groups, bytes);
    }

    fn wrote(&self, groups: u64, _records: u64, bytes: u64) {
        self.groups.fetch_add(groups, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn poisoned(&self, why: &Poisoned) {
        error!(reason = why.reason, "the log directory is poisoned: the broker stops");
        self.failures.report(Failure { owner: STORAGE, task: "journal", reason: why.to_string() });
    }
}
