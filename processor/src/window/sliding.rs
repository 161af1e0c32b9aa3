//! Windows that slide with the records.

use std::time::Duration;

use super::millis;

/// Windows that slide with the records: what happened within a certain time of one another. Both ends belong to a window,
/// which is so long that times with exactly the difference between them lie in it together.
///
/// Only windows that differ in what they hold are there: one that ends with each record, and one that begins a
/// millisecond behind each, if there is anything in it (KIP-450). So there are at most two for each record, whatever the
/// difference is, but each record goes into all windows around it: hopping windows are cheaper where there are many
/// records of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingWindows {
    difference_ms: i64,
    grace_ms: i64,
}

impl SlidingWindows {
    /// Windows of this time difference, without grace. A difference of less than a millisecond is refused when the
    /// topology is built.
    #[must_use]
    pub fn difference(difference: Duration) -> Self {
        Self { difference_ms: millis(difference), grace_ms: 0 }
    }

    /// The same, waiting this long for records that come late.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace_ms: millis(grace), ..self }
    }

    pub(crate) const fn difference_ms(&self) -> i64 {
        self.difference_ms
    }

    /// How long windows wait.
    pub(crate) const fn grace_ms(&self) -> i64 {
        self.grace_ms
    }

    /// What is wrong with them.
    pub(crate) fn fault(&self) -> Option<String> {
        let fault = "sliding windows of no time difference; at least a millisecond is needed";
        (self.difference_ms < 1).then(|| fault.to_owned())
    }
}
