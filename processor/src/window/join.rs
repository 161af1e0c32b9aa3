//! How close records of two streams must be to meet.

use std::time::Duration;

use mainstem_client::Timestamp;

use crate::graph::{LAST, join::Of};

/// How close two records of different streams must be to be put together: the one on the right may have happened so
/// long before the one on the left, and so long after it, both bounds included. `grace` is how late records may come.
///
/// ```
/// use std::time::Duration;
/// use mainstem_processor::JoinWindows;
///
/// // An impression, and a click within ten minutes after it.
/// let minute = Duration::from_secs(60);
/// let windows = JoinWindows::within(10 * minute).before(Duration::ZERO).grace(minute);
/// assert_eq!(windows, JoinWindows::within(Duration::ZERO).after(10 * minute).grace(minute));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinWindows {
    before_ms: i64,
    after_ms: i64,
    grace_ms: i64,
}

impl JoinWindows {
    /// The records on the right that happened at most so long before or after the one on the left, in whole
    /// milliseconds. None may come late.
    #[must_use]
    pub fn within(difference: Duration) -> Self {
        Self { before_ms: ms(difference), after_ms: ms(difference), grace_ms: 0 }
    }

    /// How long before the one on the left the one on the right may have happened.
    #[must_use]
    pub fn before(self, before: Duration) -> Self {
        Self { before_ms: ms(before), ..self }
    }

    /// How long after the one on the left the one on the right may have happened.
    #[must_use]
    pub fn after(self, after: Duration) -> Self {
        Self { after_ms: ms(after), ..self }
    }

    /// How long records are waited for that come late: one that is older than the watermark by more is dropped and
    /// counted. Results without a partner wait as long.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace_ms: ms(grace), ..self }
    }

    /// The times that partners of a record may have.
    pub(crate) const fn partners_of(&self, of: Of, time: Timestamp) -> (Timestamp, Timestamp) {
        let (before, after) = match of {
            Of::Left => (self.before_ms, self.after_ms),
            Of::Right => (self.after_ms, self.before_ms),
        };
        (Timestamp(time.0.saturating_sub(before)), Timestamp(time.0.saturating_add(after)))
    }

    /// The watermark at which a record can have no partner any more but late ones: the last that it may have happened
    /// just before it, the grace included.
    pub(crate) fn given_up_at(&self, of: Of, time: Timestamp) -> Timestamp {
        let (_, last) = self.partners_of(of, time);
        Timestamp(last.0.saturating_add(self.grace_ms).saturating_add(1)).min(LAST)
    }

    pub(crate) const fn is_late(&self, time: Timestamp, watermark: Timestamp) -> bool {
        time.0.saturating_add(self.grace_ms) < watermark.0
    }

    /// How long a record is needed once the watermark has passed it.
    pub(crate) fn kept_ms(&self) -> i64 {
        self.before_ms.max(self.after_ms).saturating_add(self.grace_ms)
    }

    /// The earliest time that a partner may have of a record that is not late.
    pub(crate) fn needed_from(&self, watermark: Timestamp) -> Timestamp {
        Timestamp(watermark.0.saturating_sub(self.kept_ms()))
    }

    /// How far results may be behind the watermark.
    pub(crate) fn delay_ms(&self) -> i64 {
        self.kept_ms().saturating_add(1)
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
