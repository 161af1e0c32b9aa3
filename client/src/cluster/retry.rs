//! How long to go on trying.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{backoff::Backoff, caps, metrics::Meter};

/// Attempts at one thing, until its time is up.
#[derive(Debug)]
pub(crate) struct Retry {
    backoff: Backoff,
    deadline: Instant,
    meter: Arc<Meter>,
}

impl Retry {
    pub(super) fn within(limit: Duration, meter: Arc<Meter>) -> Self {
        let backoff = Backoff::new(caps::RETRY_BACKOFF, caps::RETRY_BACKOFF_MAX);
        Self { backoff, deadline: Instant::now() + limit, meter }
    }

    /// Waits before the next attempt; `false` where there is no time for one.
    pub(crate) async fn pause(&mut self) -> bool {
        let wait = self.backoff.next();
        if Instant::now() + wait >= self.deadline {
            return false;
        }
        sleep(wait).await;
        self.meter.tried_again();
        true
    }
}
