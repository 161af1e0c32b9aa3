//! The nodes where records come in: bytes become keys and values, and records get their times.

use std::{collections::VecDeque, sync::Arc};

use mainstem_client::{Headers, Offset, PartitionId, Record, Text, Timestamp, TopicPartition};
use tracing::debug;

use super::{
    LAST, NodeError,
    cx::Cx,
    error::MalformedRecord,
    mark::Mark,
    operator::Logic,
    times::{Met, Times},
};
use crate::{
    InputRecord, OutputRecord,
    record::{Emitted, Item, Ordered},
    serdes::{Serde, SerdeError},
    watermark::{BEGINNING, END},
};

/// What becomes of a record that does not parse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BadRecords {
    /// The task fails, and says where the record is. It does so again after a restart, until somebody has decided
    /// otherwise.
    #[default]
    Fail,
    /// It is left out, and counted ([`crate::NodeCounts::errors`]).
    Skip,
    /// It is counted and goes to this topic as it came, with the cause in its headers, which are named as those of
    /// Kafka Streams (KIP-1034): `__streams.errors.exception`, `__streams.errors.message`, `__streams.errors.topic`,
    /// `__streams.errors.partition`, `__streams.errors.offset`; and `__streams.errors.node`.
    DeadLetter(Text),
}

/// How a source makes something of a record.
pub(crate) trait Read: Send + 'static {
    type Out: Ordered + Clone + Send + 'static;

    /// The record with the time at which it happened; what does not parse is named, with the record.
    fn read(&self, record: Record, met: Met) -> Outcome<Self::Out>;

    /// Whether a record must be read to know when it happened.
    fn is_timed_by_content(&self) -> bool;

    /// When a record with that timestamp happened, which need not be read for that; none where it has no time.
    fn time_of(&self, recorded: Timestamp, met: Met) -> Option<Timestamp>;

    /// What becomes of records without a time, where others that do not parse are treated so.
    fn bad_times(&self, bad_records: &BadRecords) -> BadRecords;

    /// Notes at which watermark the record is seen.
    fn seen(out: &mut Self::Out, watermark: Timestamp, order: u64);
}

/// What has become of a record, and when it happened.
pub(crate) type Outcome<T> = Result<(T, Timestamp), Box<Unreadable>>;

/// A record that does not parse, or cannot be read yet.
pub(crate) struct Unreadable {
    record: Record,
    part: &'static str,
    cause: SerdeError,
}

impl Unreadable {
    pub(crate) const fn without_time(record: Record, cause: SerdeError) -> Self {
        Self { record, part: EVENT_TIME, cause }
    }

    fn error(self, partition: TopicPartition) -> NodeError {
        let Self { record: Record { offset, .. }, part, cause } = self;
        NodeError::Malformed(Box::new(MalformedRecord { part, partition, offset, cause }))
    }
}

/// A source node.
pub(crate) struct Source<R: Read> {
    read: R,
    bad_records: BadRecords,
    bad_times: BadRecords,
    /// Whether the topic is a repartition topic, with marks in it.
    is_repartition: bool,
    /// What was read of records that wait to be merged with those of other topics, by partition.
    ahead: Vec<(PartitionId, VecDeque<Ahead<R::Out>>)>,
}

/// A record that was read to know its time.
struct Ahead<T> {
    offset: Offset,
    outcome: Outcome<T>,
}

/// The part of a record that it is without where it has no time.
const EVENT_TIME: &str = "event time";

impl<R: Read> Source<R> {
    pub(crate) fn new(read: R, bad_records: BadRecords, is_repartition: bool) -> Self {
        let bad_times = read.bad_times(&bad_records);
        Self { read, bad_records, bad_times, is_repartition, ahead: Vec::new() }
    }

    /// Times of an ordinary topic are those of its records; times of a repartition topic are those of the marks.
    /// A record at the end of time does not end the input.
    fn take(
        &self,
        record: Record,
        known: Option<Outcome<R::Out>>,
        channel: Option<usize>,
        cx: &mut Cx<'_>,
    ) -> Result<Option<R::Out>, NodeError> {
        if self.is_repartition
            && let Some(mark) = Mark::of(&record)
        {
            note(mark, record.offset, cx);
            return Ok(None);
        }
        match known.unwrap_or_else(|| self.read.read(record, cx.time.met(channel))) {
            Ok((mut out, time)) => {
                R::seen(&mut out, cx.time.watermark(), *cx.order);
                *cx.order += 1;
                let time = time.min(LAST);
                cx.counts.see_lateness(cx.time.lateness_ms(time));
                cx.time.see(time);
                if let Some(channel) = channel {
                    cx.time.advance(channel, time);
                }
                Ok(Some(out))
            }
            // That says nothing about the record.
            Err(unreadable) if unreadable.cause.is_retriable() => Err(unreadable.error(cx.partition.clone())),
            Err(unreadable) => self.put_aside(*unreadable, cx).map(|()| None),
        }
    }

    /// What was read ahead of a partition.
    fn ahead_of(&mut self, partition: PartitionId) -> &mut VecDeque<Ahead<R::Out>> {
        let known = self.ahead.iter().position(|(of, _)| *of == partition);
        let at = known.unwrap_or_else(|| {
            self.ahead.push((partition, VecDeque::new()));
            self.ahead.len() - 1
        });
        &mut self.ahead[at].1
    }

    fn put_aside(&self, unreadable: Unreadable, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let partition = cx.partition.clone();
        let is_timeless = unreadable.part == EVENT_TIME;
        let aside = if is_timeless { &self.bad_times } else { &self.bad_records };
        match aside {
            BadRecords::Fail => return Err(unreadable.error(partition)),
            BadRecords::Skip => {
                let Unreadable { record: Record { offset, .. }, part, cause } = unreadable;
                debug!(node = %cx.node, %partition, %offset, part, %cause, "record does not parse; it is left out");
                cx.counts.bad_times += u64::from(is_timeless);
                cx.counts.skipped += u64::from(!is_timeless);
            }
            BadRecords::DeadLetter(topic) => {
                let Unreadable { record, part, cause } = unreadable;
                cx.emit(dead_letter(topic, record, cx.node, &partition, part, &cause));
                cx.counts.dead_lettered += 1;
            }
        }
        cx.counts.errors += 1;
        Ok(())
    }
}

fn note(mark: Mark, offset: Offset, cx: &mut Cx<'_>) {
    match cx.time.channel(cx.partition, Some(mark.task)) {
        Some(channel) if mark.watermark == END => cx.time.finish_by(channel, offset),
        Some(channel) => cx.time.advance(channel, mark.watermark),
        None => {}
    }
    if mark.is_idle {
        cx.time.idle(cx.partition, Some(mark.task));
    }
}

fn dead_letter(
    topic: &Text,
    record: Record,
    node: &Text,
    partition: &TopicPartition,
    part: &str,
    cause: &SerdeError,
) -> Emitted {
    let (number, offset) = (partition.partition.to_string(), record.offset.to_string());
    let (message, before) = (format!("{part} does not parse: {cause}"), record.headers.as_ref());
    let causes: [(&str, &str); 6] = [
        ("exception", "DeserializationException"),
        ("message", &message),
        ("topic", &partition.topic),
        ("partition", &number),
        ("offset", &offset),
        ("node", node),
    ];
    let causes = causes.map(|(name, value)| (format!("__streams.errors.{name}"), value));
    let causes = causes.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_bytes())));
    let headers = Headers::new(before.iter().chain(causes)).unwrap_or_else(|| record.headers.clone());
    let Record { timestamp, key, value, .. } = record;
    let record = OutputRecord { key, value, timestamp, headers };
    Emitted { topic: topic.clone(), partition: None, record }
}

impl<R: Read> Logic for Source<R> {
    type In = Record;
    type Out = Vec<R::Out>;

    /// A mark is taken at once: its time is not that of a record. What must be read for its time is kept until it is taken;
    /// what cannot be read yet has no time, and must not be merged.
    fn look_ahead(
        &mut self,
        record: &Record,
        partition: &TopicPartition,
        met: Met,
    ) -> Result<Option<Timestamp>, NodeError> {
        if self.is_repartition && Mark::of(record).is_some() {
            return Ok(Some(BEGINNING));
        }
        if !self.read.is_timed_by_content() {
            return Ok(self.read.time_of(record.timestamp, met));
        }
        let (offset, outcome) = (record.offset, self.read.read(record.clone(), met));
        let outcome = match outcome {
            Err(unreadable) if unreadable.cause.is_retriable() => {
                return Err(unreadable.error(partition.clone()));
            }
            outcome => outcome,
        };
        let time = outcome.as_ref().ok().map(|(_, time)| *time);
        self.ahead_of(partition.partition).push_back(Ahead { offset, outcome });
        Ok(time)
    }

    fn run(
        &mut self,
        input: &mut Vec<Record>,
        out: &mut Self::Out,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let channel = cx.time.channel(cx.partition, None);
        let partition = cx.partition.partition;
        let mut ahead = std::mem::take(self.ahead_of(partition));
        for record in input.drain(..) {
            let is_known = ahead.front().is_some_and(|known| known.offset == record.offset);
            let known = if is_known { ahead.pop_front().map(|known| known.outcome) } else { None };
            out.extend(self.take(record, known, channel, cx)?);
        }
        *self.ahead_of(partition) = ahead;
        Ok(())
    }
}

/// When something happened, by its key, its value, and the timestamp of its record.
pub(crate) type EventTime<K, V> = Arc<dyn Fn(&K, &V, Timestamp) -> Option<Timestamp> + Send + Sync>;

/// Reads keys and values.
pub(crate) struct Typed<K, V> {
    pub(crate) times: Times<EventTime<K, V>>,
}

impl<K: Serde, V: Serde> Read for Typed<K, V> {
    type Out = Item<K, V>;

    fn read(&self, record: Record, met: Met) -> Outcome<Item<K, V>> {
        let key = match K::decode(record.key.as_ref()) {
            Ok(key) => key,
            Err(cause) => return Err(Box::new(Unreadable { record, part: "key", cause })),
        };
        let value = match V::decode(record.value.as_ref()) {
            Ok(value) => value,
            Err(cause) => return Err(Box::new(Unreadable { record, part: "value", cause })),
        };
        let recorded = record.timestamp;
        match self.times.of(recorded, met, |event_time| event_time(&key, &value, recorded)) {
            Ok(time) => {
                Ok((Item { key, value, time, headers: record.headers, watermark: time, order: 0 }, time))
            }
            Err(cause) => Err(Box::new(Unreadable::without_time(record, cause))),
        }
    }

    fn is_timed_by_content(&self) -> bool {
        self.times.is_in_the_event()
    }

    fn time_of(&self, recorded: Timestamp, met: Met) -> Option<Timestamp> {
        self.times.of(recorded, met, |_| None).ok()
    }

    fn bad_times(&self, bad_records: &BadRecords) -> BadRecords {
        self.times.aside(bad_records)
    }

    fn seen(out: &mut Item<K, V>, watermark: Timestamp, order: u64) {
        (out.watermark, out.order) = (watermark, order);
    }
}

/// When something happened, by its record.
pub(crate) type RawTime = Arc<dyn Fn(&Record) -> Option<Timestamp> + Send + Sync>;

/// Leaves records as they are.
pub(crate) struct Raw {
    pub(crate) times: Times<RawTime>,
}

impl Read for Raw {
    type Out = InputRecord;

    fn read(&self, record: Record, met: Met) -> Outcome<InputRecord> {
        match self.times.of(record.timestamp, met, |event_time| event_time(&record)) {
            Ok(event_time) => {
                Ok((InputRecord { record, event_time, watermark: event_time, order: 0 }, event_time))
            }
            Err(cause) => Err(Box::new(Unreadable::without_time(record, cause))),
        }
    }

    fn is_timed_by_content(&self) -> bool {
        self.times.is_in_the_event()
    }

    fn time_of(&self, recorded: Timestamp, met: Met) -> Option<Timestamp> {
        self.times.of(recorded, met, |_| None).ok()
    }

    fn bad_times(&self, bad_records: &BadRecords) -> BadRecords {
        self.times.aside(bad_records)
    }

    fn seen(out: &mut InputRecord, watermark: Timestamp, order: u64) {
        (out.watermark, out.order) = (watermark, order);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainstem_client::{Record, Text, Timestamp};

    use crate::{
        Context, Input, InputBatch, OutputRecord, ProcessResult, Processor, ProcessorSpec, SourceSpec,
        StreamBuilder, TestDriver, TimeWindows, Topology, TopologyBuilder, Windowed,
    };

    const END: i64 = i64::MAX;

    /// Passes on each watermark as text.
    struct Watermarks;

    impl Processor for Watermarks {
        fn process(&mut self, _: &InputBatch, _: &mut Context<'_>) -> ProcessResult {
            Ok(())
        }

        fn on_watermark(&mut self, ctx: &mut Context<'_>) -> ProcessResult {
            let watermark = ctx.watermark().0.to_string();
            Ok(ctx.forward("out", OutputRecord { value: Some(watermark.into()), ..Default::default() })?)
        }
    }

    #[test]
    fn record_at_the_end_of_time_does_not_end_the_input() {
        let topology = TopologyBuilder::new("t")
            .source("in", "input")
            .processor("watermarks", ["in"], [], || Watermarks)
            .sink("out", "output", ["watermarks"]);
        let mut driver = TestDriver::new(&topology.build().unwrap()).unwrap();
        for time in [7, END, END] {
            driver.pipe("input", (), "value", time).unwrap();
        }
        let mut watermarks = || -> Vec<i64> {
            let records = driver.read::<(), Text>("output").unwrap().into_iter();
            records.map(|record| record.value.parse().unwrap()).collect()
        };
        assert_eq!(watermarks(), [7, END - 1]);
        driver.finish().unwrap();
        let records = driver.read::<(), Text>("output").unwrap();
        assert_eq!(records.iter().map(|record| &*record.value).collect::<Vec<_>>(), [END.to_string()]);
    }

    #[test]
    fn inputs_of_a_processor_are_read_each_as_it_was_said() {
        let in_order = |spec: ProcessorSpec| spec.input("input");
        let out_of_order = |spec: ProcessorSpec| {
            spec.input_with("input", SourceSpec::new().disorder_max(Duration::from_millis(3)))
        };
        let by_value: fn(&Record) -> Timestamp =
            |record| Timestamp(record.value.as_ref().unwrap().len() as i64);
        for (spec, expected) in [
            (in_order(ProcessorSpec::new("t", || Watermarks)), 100),
            (out_of_order(ProcessorSpec::new("t", || Watermarks)), 97),
            (in_order(ProcessorSpec::new("t", || Watermarks).event_time(by_value)), 5),
            (out_of_order(ProcessorSpec::new("t", || Watermarks).event_time(by_value)), 97),
        ] {
            let mut driver = TestDriver::new(&spec.output("out", "output").topology().unwrap()).unwrap();
            driver.pipe("input", (), "value", 100).unwrap();
            assert_eq!(driver.read::<(), Text>("output").unwrap()[0].value, expected.to_string());
        }
    }

    #[test]
    fn lateness_is_counted_against_the_largest_time_that_was_seen() {
        let builder = StreamBuilder::new("t");
        builder.stream::<Text, Text>("in").to("out");
        let topology = builder.build().unwrap();
        let mut driver = TestDriver::new(&topology).unwrap();
        for time in [100, 130, 90, 120, 130] {
            driver.pipe("in", "k", "v", time).unwrap();
        }
        let source = topology.nodes().iter().find(|node| node.parents.is_empty()).unwrap();
        let counts = driver.counts(&source.name);
        assert_eq!((counts.lateness_ms, counts.lateness_ms_max), (40 + 10, 40));
    }

    /// Counts by windows of ten, and adds the counts up behind a repartition topic; the value is the event time.
    fn added_up() -> Topology {
        let builder = StreamBuilder::new("t");
        let windows = TimeWindows::tumbling(Duration::from_millis(10)).grace(Duration::from_millis(3));
        let input = Input::<Text, i64>::new().event_time(|_, time, _| (*time).into());
        let counts = builder.stream_with("in", input).group_by_key().windowed_by(windows).on_close();
        let counts = counts.count("counts").updates().select_key(|counted, _| counted.key.clone());
        let sums = counts.group_by_key().windowed_by(windows).on_close();
        sums.reduce("sums", |sum, count| sum + count).to("out");
        builder.build().unwrap()
    }

    #[test]
    fn window_at_the_end_of_time_closes_with_the_input_and_nothing_of_it_is_late() {
        let mut driver = TestDriver::new(&added_up()).unwrap();
        for time in [END, END, END - 1] {
            driver.pipe("in", "k", time, 0).unwrap();
        }
        assert_eq!(driver.read::<Windowed<Text>, i64>("out").unwrap(), []);
        driver.finish().unwrap();
        let results = driver.read::<Windowed<Text>, i64>("out").unwrap();
        let results: Vec<_> = results.iter().map(|result| (result.key.window.end.0, result.value)).collect();
        assert_eq!(results, [(END, 3)]);
        assert_eq!((driver.counts("counts").late, driver.counts("sums").late), (0, 0));
    }
}
