//! How long to go on trying.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{backoff::Backoff, caps};

/// Attempts at one thing, until its time is up.
#[derive(Debug)]
pub(crate) struct Retry {
    backoff: Backoff,
    deadline: Instant,
}

impl Retry {
    pub(crate) fn within(limit: Duration) -> Self {
        let backoff = Backoff::new(caps::RETRY_BACKOFF, caps::RETRY_BACKOFF_MAX);
        Self { backoff, deadline: Instant::now() + limit }
    }

    /// Waits before the next attempt; `false` where there is no time for one.
    pub(crate) async fn pause(&mut self) -> bool {
        let wait = self.backoff.next();
        if Instant::now() + wait >= self.deadline {
            return false;
        }
        sleep(wait).await;
        true
    }
}
