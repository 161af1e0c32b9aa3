//! The time of day, as it gets into records.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use mainstem_protocol::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// Milliseconds since 1970.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
