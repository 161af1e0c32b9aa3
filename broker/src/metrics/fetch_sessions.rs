//! What becomes of fetch sessions; how many there are is asked for at each scrape.

use prometheus::IntCounter;

use super::register::{Registry, counter};

/// What becomes of fetch sessions.
#[derive(Debug)]
pub struct FetchSessions {
    incremental: IntCounter,
    evictions: IntCounter,
}

impl FetchSessions {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            incremental: counter(
                registry,
                "mainstem_fetch_session_requests_total",
                "Fetch requests that went on with a session, and named only what had changed",
            ),
            evictions: counter(
                registry,
                "mainstem_fetch_session_evictions_total",
                "Fetch sessions that had to go so that another could be kept",
            ),
        }
    }

    /// A request went on with a session.
    pub fn incremental(&self) {
        self.incremental.inc();
    }

    /// So many sessions had to go.
    pub fn evicted(&self, sessions: u64) {
        self.evictions.inc_by(sessions);
    }
}
