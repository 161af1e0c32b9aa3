//! What a processor reports of itself while it runs.

use std::fmt;

use mainstem_client::Timestamp;

/// Counts what goes through a processor. Called a few times per batch, never per record.
pub trait Meter: Send + Sync + fmt::Debug + 'static {
    /// Records were taken from the inputs.
    fn took(&self, records: u64);

    /// Records were given to the outputs.
    fn gave(&self, records: u64);

    /// Outputs, state and positions were committed.
    fn committed(&self);

    /// Records came after their window was closed, and were dropped.
    fn dropped_late(&self, records: u64);

    /// The watermark of a task has risen; [`i64::MAX`] says that its input has ended.
    fn watermark(&self, at: Timestamp);
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMeter;

impl Meter for NoMeter {
    fn took(&self, _: u64) {}
    fn gave(&self, _: u64) {}
    fn committed(&self) {}
    fn dropped_late(&self, _: u64) {}
    fn watermark(&self, _: Timestamp) {}
}
