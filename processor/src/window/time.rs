//! Tumbling and hopping windows.

use std::time::Duration;

use mainstem_client::Timestamp;

use super::{FixedWindows, Window, millis};
use crate::caps;

/// Windows of one size, each beginning a fixed time behind the one before it: tumbling, where that time is the size,
/// or hopping, where it is less, so that windows overlap.
///
/// They are counted from 1970, in UTC, and rounded down before it: with windows of five seconds, -1 ms lies in
/// [-5000, 0). Where the advance does not divide the size, some records lie in one window more than others.
///
/// ```
/// use std::time::Duration;
/// use mainstem_processor::TimeWindows;
///
/// let windows = TimeWindows::hopping(Duration::from_millis(10), Duration::from_millis(3));
/// let starts: Vec<i64> = windows.windows_of(4.into()).map(|window| window.start.0).collect();
/// assert_eq!(starts, [-3, 0, 3]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindows {
    size_ms: i64,
    advance_ms: i64,
    offset_ms: i64,
    grace_ms: i64,
}

impl TimeWindows {
    /// Windows that follow one another, without grace. Less than a millisecond is refused when the topology is built.
    #[must_use]
    pub fn tumbling(size: Duration) -> Self {
        Self::hopping(size, size)
    }

    /// Windows that begin `advance` after one another, without grace. An advance of nothing or of more than the size
    /// is refused when the topology is built.
    #[must_use]
    pub fn hopping(size: Duration, advance: Duration) -> Self {
        Self { size_ms: millis(size), advance_ms: millis(advance), offset_ms: 0, grace_ms: 0 }
    }

    /// The same, waiting this long for records that come late. A window closes when the watermark reaches its end
    /// plus the grace.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace_ms: millis(grace), ..self }
    }

    /// The same, each window beginning so much later. An offset that is not less than the advance is refused when the
    /// topology is built.
    ///
    /// Days as they are two hours east of Greenwich begin at 22 o'clock UTC:
    ///
    /// ```
    /// use std::time::Duration;
    /// use mainstem_processor::TimeWindows;
    ///
    /// const HOUR: Duration = Duration::from_secs(3600);
    /// let days = TimeWindows::tumbling(24 * HOUR).offset(22 * HOUR);
    /// let day = days.windows_of(0.into()).next().unwrap();
    /// assert_eq!(day.start.0, -2 * 3_600_000);
    /// ```
    #[must_use]
    pub fn offset(self, offset: Duration) -> Self {
        Self { offset_ms: millis(offset), ..self }
    }

    /// The windows that a time lies in, the earliest first.
    pub fn windows_of(&self, time: Timestamp) -> impl Iterator<Item = Window> + use<> {
        let windows = self.fixed();
        windows.marks_of(time).map(move |mark| windows.at(mark))
    }

    /// Whether nothing more is waited for.
    #[must_use]
    pub const fn is_closed(&self, window: Window, watermark: Timestamp) -> bool {
        window.end.0.saturating_add(self.grace_ms) <= watermark.0
    }

    pub(crate) fn fixed(&self) -> FixedWindows {
        let Self { size_ms, advance_ms, offset_ms, grace_ms } = *self;
        FixedWindows::hopping(size_ms, advance_ms, offset_ms, grace_ms)
    }

    /// What is wrong with them.
    pub(crate) fn fault(&self) -> Option<String> {
        let Self { size_ms, advance_ms, offset_ms, .. } = *self;
        let each = size_ms.checked_div(advance_ms);
        if size_ms < 1 {
            Some("windows of no length; at least a millisecond is needed".to_owned())
        } else if advance_ms < 1 || advance_ms > size_ms {
            Some(format!("an advance of {advance_ms} ms; it must be from 1 to {size_ms} ms, the size"))
        } else if each.is_some_and(|each| each > caps::WINDOWS_OF_A_RECORD_MAX) {
            Some(format!(
                "more than {} windows for each record; a larger advance is needed",
                caps::WINDOWS_OF_A_RECORD_MAX
            ))
        } else if offset_ms >= advance_ms {
            Some(format!("an offset of {offset_ms} ms; it must be less than {advance_ms} ms, the advance"))
        } else {
            None
        }
    }
}
