//! Windows that grow step by step.

use std::time::Duration;

use mainstem_client::Timestamp;

use super::{FixedWindows, Window, millis};
use crate::caps;

/// Windows that grow step by step from one start to their full size, and then begin anew: the visitors of the day so
/// far, hour by hour. Flink calls them `CUMULATE`.
///
/// A record lies in the window of its own step and in all longer ones of the same start. Windows begin at multiples of
/// the full size since 1970, in UTC, rounded down before it.
///
/// ```
/// use std::time::Duration;
/// use mainstem_processor::CumulatingWindows;
///
/// let windows = CumulatingWindows::new(Duration::from_millis(30), Duration::from_millis(10));
/// let of_15: Vec<_> = windows.windows_of(15.into()).map(|window| (window.start.0, window.end.0)).collect();
/// assert_eq!(of_15, [(0, 20), (0, 30)]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CumulatingWindows {
    size_ms: i64,
    step_ms: i64,
    offset_ms: i64,
    grace_ms: i64,
}

impl CumulatingWindows {
    /// Windows that grow to `size` by `step`, without grace. A step that does not divide the size is refused when the
    /// topology is built.
    #[must_use]
    pub fn new(size: Duration, step: Duration) -> Self {
        Self { size_ms: millis(size), step_ms: millis(step), offset_ms: 0, grace_ms: 0 }
    }

    /// The same, waiting this long for records that come late.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace_ms: millis(grace), ..self }
    }

    /// The same, each window beginning so much later. An offset that is not less than the size is refused when the
    /// topology is built.
    #[must_use]
    pub fn offset(self, offset: Duration) -> Self {
        Self { offset_ms: millis(offset), ..self }
    }

    /// The windows that a time lies in, the shortest first.
    pub fn windows_of(&self, time: Timestamp) -> impl Iterator<Item = Window> + use<> {
        let windows = self.fixed();
        windows.marks_of(time).map(move |mark| windows.at(mark))
    }

    pub(crate) fn fixed(&self) -> FixedWindows {
        let Self { size_ms, step_ms, offset_ms, grace_ms } = *self;
        FixedWindows::cumulating(size_ms, step_ms, offset_ms, grace_ms)
    }

    /// What is wrong with them.
    pub(crate) fn fault(&self) -> Option<String> {
        let Self { size_ms, step_ms, offset_ms, .. } = *self;
        if size_ms < 1 {
            Some("windows of no length; at least a millisecond is needed".to_owned())
        } else if step_ms < 1 || size_ms % step_ms != 0 {
            Some(format!("a step of {step_ms} ms; it must divide {size_ms} ms, the size"))
        } else if size_ms / step_ms > caps::WINDOWS_OF_A_RECORD_MAX {
            Some(format!(
                "more than {} windows for each record; a larger step is needed",
                caps::WINDOWS_OF_A_RECORD_MAX
            ))
        } else if offset_ms >= size_ms {
            Some(format!("an offset of {offset_ms} ms; it must be less than {size_ms} ms, the size"))
        } else {
            None
        }
    }
}
