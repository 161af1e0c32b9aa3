//! What users of the low-level interface write.

use mainstem_client::Timestamp;

use crate::{Context, InputBatch};

/// What a processor's methods return. An error ends the task: nothing of what was not committed remains, and the
/// handle says why.
pub type ProcessResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Works through batches of records. One instance belongs to one task, which calls it from one thread.
///
/// What it keeps in itself is gone after a restart; what it keeps in the stores of the context is not. The same input
/// must lead to the same calls of the context: no chance, and no clock but that of [`Self::on_wall_clock`], whose calls come as
/// they come.
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
    /// The task begins, anew after a restart: its state is there, and no record has come yet. What it forwards goes on as
    /// what [`Self::process`] forwards does.
    ///
    /// # Errors
    /// Whatever ends the task.
    fn on_start(&mut self, _ctx: &mut Context<'_>) -> ProcessResult {
        Ok(())
    }

    /// Works through a batch.
    ///
    /// # Errors
    /// Whatever ends the task.
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult;

    /// The watermark has risen; [`Context::watermark`] says to where. It may rise several times before this is called once:
    /// results that are not to hang on how input is cut into batches are made by timers ([`Self::on_timer`]).
    ///
    /// # Errors
    /// Whatever ends the task.
    fn on_watermark(&mut self, _ctx: &mut Context<'_>) -> ProcessResult {
        Ok(())
    }

    /// The watermark of the node has reached a time that [`Context::schedule`] was told. Timers fire once, in the order of
    /// their times and then of their keys: those of a processor of a stream ([`crate::Stream::process`]) between two records,
    /// however input is cut into batches, and all others behind a batch; either way before [`Self::on_watermark`]. At the end
    /// of the input those fire that are there; those that they set wait for a later run.
    ///
    /// # Errors
    /// Whatever ends the task.
    fn on_timer(&mut self, _at: Timestamp, _key: &[u8], _ctx: &mut Context<'_>) -> ProcessResult {
        Ok(())
    }

    /// The time that [`Context::schedule_wall_clock`] was told is over: `now` is what the clock says, in milliseconds since
    /// 1970. Records need not come for this. Timers go off between batches, in the order of their times; one that the
    /// task was too busy for goes off once, later.
    ///
    /// When these calls come hangs on when the program was run, and so do the results that are made in them. The time of
    /// records has nothing to do with it: the watermark stays where it is.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mainstem_client::Timestamp;
    /// use mainstem_processor::{
    ///     Context, InputBatch, OutputRecord, ProcessResult, Processor, TestDriver, TopologyBuilder,
    /// };
    ///
    /// const PERIOD: Duration = Duration::from_secs(5);
    ///
    /// /// Gives a sign every five seconds.
    /// struct Pulse;
    ///
    /// impl Processor for Pulse {
    ///     fn on_start(&mut self, ctx: &mut Context<'_>) -> ProcessResult {
    ///         Ok(ctx.schedule_wall_clock(PERIOD, b"pulse")?)
    ///     }
    ///
    ///     fn process(&mut self, _: &InputBatch, _: &mut Context<'_>) -> ProcessResult {
    ///         Ok(())
    ///     }
    ///
    ///     fn on_wall_clock(&mut self, now: Timestamp, key: &[u8], ctx: &mut Context<'_>) -> ProcessResult {
    ///         ctx.schedule_wall_clock(PERIOD, key)?;
    ///         Ok(ctx.forward("out", OutputRecord { timestamp: now, ..OutputRecord::default() })?)
    ///     }
    /// }
    ///
    /// let topology = TopologyBuilder::new("pulse")
    ///     .source("in", "in")
    ///     .processor("pulse", ["in"], [], || Pulse)
    ///     .sink("out", "signs", ["pulse"])
    ///     .build()?;
    /// let mut driver = TestDriver::new(&topology)?;
    /// driver.advance(PERIOD)?;
    /// driver.advance(PERIOD)?;
    /// let signs = driver.read::<(), ()>("signs")?;
    /// assert_eq!(signs.iter().map(|sign| sign.timestamp.0).collect::<Vec<_>>(), [5000, 10_000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Whatever ends the task.
    fn on_wall_clock(&mut self, _now: Timestamp, _key: &[u8], _ctx: &mut Context<'_>) -> ProcessResult {
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
