//! Windows of activity.

use std::time::Duration;

use super::millis;

/// Sessions: records of a key that follow one another without a gap of more than `gap` between them. A session goes from
/// its first record to its last, both in it; a record that is exactly the gap away still belongs to it. A record that
/// closes the gap between two sessions makes one of them.
///
/// A session closes when the watermark has passed its last record by more than the gap and the grace, for only then no
/// record can come that still belongs to it. A record that comes too late for a session of its own is still taken
/// where it lies within the gap of a session that is not closed (Kafka Streams: `KStreamSessionWindowAggregate`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionWindows {
    gap_ms: i64,
    grace_ms: i64,
}

impl SessionWindows {
    /// Sessions that end where nothing comes for longer than `gap`, without grace. A gap of less than a millisecond is
    /// refused when the topology is built.
    #[must_use]
    pub fn gap(gap: Duration) -> Self {
        Self { gap_ms: millis(gap), grace_ms: 0 }
    }

    /// The same, waiting this long for records that come late.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace_ms: millis(grace), ..self }
    }

    pub(crate) const fn gap_ms(&self) -> i64 {
        self.gap_ms
    }

    /// How far the watermark is behind a session's last record, at least, when it closes.
    pub(crate) const fn wait_ms(&self) -> i64 {
        self.gap_ms.saturating_add(self.grace_ms)
    }

    /// What is wrong with them.
    pub(crate) fn fault(&self) -> Option<String> {
        let fault = "sessions with a gap of nothing; at least a millisecond is needed";
        (self.gap_ms < 1).then(|| fault.to_owned())
    }
}
