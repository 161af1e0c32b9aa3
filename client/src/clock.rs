//! The time of day, as it gets into records.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use mainstem_protocol::Timestamp;

/// Tells the time.
///
/// ```
/// use mainstem_client::{Timestamp, clock::Clock};
///
/// /// Noon, all day long.
/// #[derive(Debug)]
/// struct Noon;
///
/// impl Clock for Noon {
///     fn now(&self) -> Timestamp {
///         Timestamp(43_200_000)
///     }
/// }
/// assert_eq!(Noon.now(), Timestamp(43_200_000));
/// ```
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// Milliseconds since 1970.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
///
/// ```
/// use mainstem_client::clock::{Clock, SystemClock};
///
/// assert!(SystemClock.now().0 > 1_600_000_000_000);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
