//! What users of the low-level interface write.

use mainstem_client::Timestamp;

use crate::{Context, InputBatch};

/// What a processor's methods return. An error ends the task: nothing of what was not committed remains, and the
/// handle says why.
pub type ProcessResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Works through batches of records. One instance belongs to one task, which calls it from one thread.
///
/// What it keeps in itself is gone after a restart; what it keeps in the stores of the context is not. The same input
/// must lead to the same calls of the context: no clock, no chance.
///
/// ```
/// use mainstem_processor::{
///     Context, InputBatch, OutputRecord, ProcessResult, Processor, TestDriver, TopologyBuilder,
/// };
///
/// /// Passes on the longest value of each batch.
/// struct Longest;
///
/// impl Processor for Longest {
///     fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
///         let length = |value: &Option<bytes::Bytes>| value.as_ref().map_or(0, bytes::Bytes::len);
///         let longest = batch.records.iter().max_by_key(|input| length(&input.record.value));
///         if let Some(input) = longest {
///             let value = input.record.value.clone();
///             let record = OutputRecord { value, timestamp: input.event_time, ..OutputRecord::default() };
///             ctx.forward("out", record)?;
///         }
///         Ok(())
///     }
/// }
///
/// let topology = TopologyBuilder::new("longest")
///     .source("in", "words")
///     .processor("longest-word", ["in"], [], || Longest)
///     .sink("out", "longest-words", ["longest-word"])
///     .build()?;
/// let mut driver = TestDriver::new(&topology)?;
/// driver.pipe("words", (), "mainstem", 0)?;
/// assert_eq!(driver.read::<(), String>("longest-words")?[0].value, "mainstem");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

    /// Everything that was worked through is about to be committed: what the processor has kept in itself until now
    /// goes into its stores and outputs.
    ///
    /// # Errors
    /// Whatever ends the task.
    fn on_commit(&mut self, _ctx: &mut Context<'_>) -> ProcessResult {
        Ok(())
    }
}
