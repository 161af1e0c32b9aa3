//! How a source of the low-level interface reads its topic.

use std::{sync::Arc, time::Duration};

use mainstem_client::{Record, Text, Timestamp};

use super::{Kind, Make, Node};
use crate::{
    BadRecords, BadTimes,
    graph::{
        operator::node,
        source::{Raw, RawTime, Source},
        times::{Times, ToldBy},
    },
    window::millis,
};

/// How a source of the low-level interface reads its topic: when its records happened, and how far they may be out of
/// order. [`crate::Input`] says the same of typed streams.
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::Timestamp;
/// use mainstem_processor::{BadTimes, SourceSpec};
///
/// // The time stands in the value; records of which that is not true are left out.
/// let spec = SourceSpec::new()
///     .try_event_time(|record| std::str::from_utf8(record.value.as_ref()?).ok()?.parse().ok().map(Timestamp))
///     .on_bad_time(BadTimes::Skip)
///     .disorder_max(Duration::from_secs(2));
/// ```
#[derive(Clone, Debug, Default)]
pub struct SourceSpec {
    times: Times<RawTime>,
    disorder_max: Duration,
}

impl SourceSpec {
    /// Records happened when their timestamps say, and in order.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the time at which a record happened from the record.
    #[must_use]
    pub fn event_time(self, of: impl Fn(&Record) -> Timestamp + Send + Sync + 'static) -> Self {
        self.try_event_time(move |record| Some(of(record)))
    }

    /// As [`Self::event_time`], of records of which some do not tell their time: [`Self::on_bad_time`] says what becomes of
    /// them.
    #[must_use]
    pub fn try_event_time(self, of: impl Fn(&Record) -> Option<Timestamp> + Send + Sync + 'static) -> Self {
        Self { times: self.times.told_by(ToldBy::Event(Arc::new(of))), ..self }
    }

    /// As [`crate::Input::append_time`].
    #[must_use]
    pub fn append_time(self) -> Self {
        Self { times: self.times.told_by(ToldBy::Append), ..self }
    }

    /// As [`crate::Input::processing_time`].
    #[must_use]
    pub fn processing_time(self) -> Self {
        Self { times: self.times.told_by(ToldBy::Clock), ..self }
    }

    /// As [`crate::Input::ahead_max`].
    #[must_use]
    pub fn ahead_max(self, ahead_max: Duration) -> Self {
        Self { times: self.times.ahead_max(ahead_max), ..self }
    }

    /// As [`crate::Input::not_before`].
    #[must_use]
    pub fn not_before(self, not_before: Timestamp) -> Self {
        Self { times: self.times.not_before(not_before), ..self }
    }

    /// Says what becomes of a record whose event time is bad; the task fails unless said otherwise.
    #[must_use]
    pub fn on_bad_time(self, bad_times: BadTimes) -> Self {
        Self { times: self.times.on_bad_time(bad_times), ..self }
    }

    /// How far a record may be behind the latest one of its partition without being late, as
    /// [`crate::Input::disorder_max`] says of typed streams: the watermark stays so far behind.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mainstem_processor::{
    ///     Context, InputBatch, OutputRecord, ProcessResult, Processor, SourceSpec, TestDriver, TopologyBuilder,
    /// };
    ///
    /// /// Says how far time has come whenever it has.
    /// struct Watermarks;
    ///
    /// impl Processor for Watermarks {
    ///     fn process(&mut self, _: &InputBatch, _: &mut Context<'_>) -> ProcessResult {
    ///         Ok(())
    ///     }
    ///
    ///     fn on_watermark(&mut self, ctx: &mut Context<'_>) -> ProcessResult {
    ///         let timestamp = ctx.watermark();
    ///         Ok(ctx.forward("out", OutputRecord { timestamp, ..OutputRecord::default() })?)
    ///     }
    /// }
    ///
    /// let topology = TopologyBuilder::new("watermarks")
    ///     .source_with("in", "events", SourceSpec::new().disorder_max(Duration::from_millis(30)))
    ///     .processor("watermarks", ["in"], [], || Watermarks)
    ///     .sink("out", "watermarks", ["watermarks"])
    ///     .build()?;
    /// let mut driver = TestDriver::new(&topology)?;
    /// for time in [100, 80, 140] {
    ///     driver.pipe("events", (), (), time)?;
    /// }
    /// let watermarks = driver.read::<(), ()>("watermarks")?;
    /// assert_eq!(watermarks.iter().map(|record| record.timestamp.0).collect::<Vec<_>>(), [70, 110]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn disorder_max(self, disorder_max: Duration) -> Self {
        Self { disorder_max, ..self }
    }

    /// The node that reads so.
    pub(crate) fn node(self, name: Text, topic: Text) -> Node {
        let Self { times, disorder_max } = self;
        let (goes_by_clock, needs_append_time) = (times.is_clock(), times.is_append());
        let make: Make =
            Arc::new(move |_| node(Source::new(Raw { times: times.clone() }, BadRecords::Fail, false)));
        let kind = Kind::Source { topic, is_repartition: false };
        let disorder_ms = millis(disorder_max);
        Node { disorder_ms, goes_by_clock, needs_append_time, ..Node::new(name, kind, Vec::new(), make) }
    }
}
