//! Event-time windows, and windows by count.
//!
//! | windows | a record lies in | `end` of the window |
//! |---|---|---|
//! | [`TimeWindows`]: tumbling, hopping | one, or several of one size | is not in it |
//! | [`CumulatingWindows`] | those that grow step by step from one start | is not in it |
//! | [`JoinWindows`]: how close records of two streams must be | | is in it |
//! | [`SlidingWindows`] | those that end with a record, or begin behind one | is in it |
//! | [`SessionWindows`] | the one that its neighbours in time make with it | is in it: the last record |
//! | [`CountWindows`] | those of a number of records of its key | (they have no times) |
//! | [`TumblingWindows`] | one; for processors of the low-level interface | is not in it |
//!
//! All are counted in UTC: a day has 24 hours, also where clocks are put forward or back that day, and windows of days
//! begin at midnight UTC; [`TimeWindows::offset`] moves that to the midnight of a fixed distance from UTC. Days and
//! months of a calendar are not to be had.
//!
//! A window closes when the watermark has reached its end and the grace is over; a record that comes then is late: it is
//! dropped and counted, or goes where [`crate::WindowedStream::late_to`] says. Where the end is not in the window, that
//! is at `end + grace <= watermark`, and where it is, at `end + grace < watermark`, as in Kafka Streams. Whether a
//! record is late depends on the records before it alone, and windows close in the order of their ends and then of their
//! keys, so results do not depend on how input is cut into batches.
//!
//! Kafka Streams knows no times before 1970: there hopping and sliding windows begin at zero that here begin before it.

mod count;
mod cumulating;
mod fixed;
mod join;
mod session;
mod sliding;
mod time;
mod tumbling;

use std::time::Duration;

use mainstem_client::Timestamp;

pub use count::CountWindows;
pub use cumulating::CumulatingWindows;
pub(crate) use fixed::FixedWindows;
pub use join::JoinWindows;
pub use session::SessionWindows;
pub use sliding::SlidingWindows;
pub use time::TimeWindows;
pub use tumbling::TumblingWindows;

/// A window: a stretch of time. Its start belongs to it; whether its end does depends on the windows that it is one of
/// ([`self`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first millisecond.
    pub start: Timestamp,
    /// The first millisecond after it; for sliding and session windows the last one in it.
    pub end: Timestamp,
}

/// The time of so many microseconds since 1970: parts of a millisecond are rounded down, before 1970 too.
///
/// ```
/// use mainstem_processor::window::time_of_micros;
/// assert_eq!([time_of_micros(-1).0, time_of_micros(1999).0], [-1, 1]);
/// ```
#[must_use]
pub const fn time_of_micros(micros: i64) -> Timestamp {
    Timestamp(micros.div_euclid(1000))
}

/// The time of so many nanoseconds since 1970, rounded down as [`time_of_micros`] does.
#[must_use]
pub const fn time_of_nanos(nanos: i64) -> Timestamp {
    Timestamp(nanos.div_euclid(1_000_000))
}

/// The start from which on windows of a size are open; `None` where all are closed.
fn first_open(size_ms: i64, grace_ms: i64, watermark: Timestamp) -> Option<i64> {
    if watermark.0 == i64::MAX {
        return None;
    }
    // A window is open if start + size + grace > watermark.
    let wait = size_ms.saturating_add(grace_ms);
    Some(watermark.0.checked_sub(wait).map_or(i64::MIN, |closed| closed + 1))
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
