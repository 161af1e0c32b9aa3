//! What users write.

use mainstem_client::Timestamp;

use crate::{Context, InputBatch};

/// What a processor's methods return. An error ends the task: nothing of what was not committed remains, and the
/// handle says why.
pub type ProcessResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Works through batches of records. One instance belongs to one task, which calls it from one thread.
///
/// What it keeps in itself is gone after a restart; what it keeps in the stores of the context is not. The same input
/// must lead to the same calls of the context: no clock, no chance.
pub trait Processor: Send {
    /// Works through a batch.
    ///
    /// # Errors
    /// Whatever ends the task.
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult;

    /// The watermark has risen; [`Context::watermark`] says to where.
    ///
    /// # Errors
    /// Whatever ends the task.
    fn on_watermark(&mut self, _ctx: &mut Context<'_>) -> ProcessResult {
        Ok(())
    }

    /// The watermark has reached a time that [`Context::schedule`] was told. Timers fire once, in the order of their
    /// times and then of their keys, before [`Self::on_watermark`].
    ///
    /// # Errors
    /// Whatever ends the task.
    fn on_timer(&mut self, _at: Timestamp, _key: &[u8], _ctx: &mut Context<'_>) -> ProcessResult {
        Ok(())
    }
}
