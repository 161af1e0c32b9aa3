//! The nodes where records come in: bytes become keys and values, and records get their times.

use std::{any::Any, sync::Arc};

use mainstem_client::{Headers, Offset, Record, Text, Timestamp, TopicPartition};
use tracing::debug;

use super::{
    NodeError,
    error::MalformedRecord,
    mark::Mark,
    operator::{Cx, Operator, arrange, give},
};
use crate::{
    InputRecord, OutputRecord,
    record::{Emitted, Item, Ordered},
    serdes::{Serde, SerdeError},
    watermark::END,
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
    fn read(&self, record: Record) -> Result<(Self::Out, Timestamp), Box<Unreadable>>;

    /// Notes at which watermark the record is seen.
    fn seen(out: &mut Self::Out, watermark: Timestamp, order: u64);
}

/// A record that does not parse.
pub(crate) struct Unreadable {
    record: Record,
    part: &'static str,
    cause: SerdeError,
}

/// A source node.
pub(crate) struct Source<R: Read> {
    read: R,
    bad_records: BadRecords,
    /// Whether the topic is a repartition topic, with marks in it.
    is_repartition: bool,
    input: Vec<Record>,
    output: Vec<R::Out>,
}

impl<R: Read> Source<R> {
    pub(crate) const fn new(read: R, bad_records: BadRecords, is_repartition: bool) -> Self {
        Self { read, bad_records, is_repartition, input: Vec::new(), output: Vec::new() }
    }

    /// Times of an ordinary topic are those of its records; times of a repartition topic are those of the marks.
    fn take(&mut self, record: Record, channel: Option<usize>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        if self.is_repartition
            && let Some(mark) = Mark::of(&record)
        {
            note(mark, record.offset, cx);
            return Ok(());
        }
        match self.read.read(record) {
            Ok((mut out, time)) => {
                R::seen(&mut out, cx.time.watermark(), *cx.order);
                *cx.order += 1;
                cx.time.see(time);
                if let Some(channel) = channel {
                    cx.time.advance(channel, time);
                }
                self.output.push(out);
                Ok(())
            }
            Err(unreadable) => self.put_aside(*unreadable, cx),
        }
    }

    fn put_aside(&self, unreadable: Unreadable, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let Unreadable { record, part, cause } = unreadable;
        let (offset, partition) = (record.offset, cx.partition.clone());
        match &self.bad_records {
            BadRecords::Fail => {
                let record = MalformedRecord { part, partition, offset, cause };
                return Err(NodeError::Malformed(Box::new(record)));
            }
            BadRecords::Skip => {
                debug!(node = %cx.node, %partition, %offset, %cause, "record does not parse; it is left out");
            }
            BadRecords::DeadLetter(topic) => {
                cx.emit(dead_letter(topic, record, cx.node, &partition, part, &cause));
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

impl<R: Read> Operator for Source<R> {
    fn pending(&self) -> usize {
        self.input.len()
    }

    fn input(&mut self) -> &mut dyn Any {
        &mut self.input
    }

    fn arrange(&mut self) {
        arrange(&mut self.output);
    }

    fn run(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let channel = cx.time.channel(cx.partition, None);
        let mut input = std::mem::take(&mut self.input);
        for record in input.drain(..) {
            self.take(record, channel, cx)?;
        }
        self.input = input;
        Ok(())
    }

    fn produced(&self, _: usize) -> usize {
        self.output.len()
    }

    fn give(&mut self, _: usize, to: &mut dyn Any, is_last: bool) {
        give(&mut self.output, to, is_last);
    }

    fn clear(&mut self) {
        self.output.clear();
    }
}

/// When something happened, by its key, its value, and the timestamp of its record.
pub(crate) type EventTime<K, V> = Arc<dyn Fn(&K, &V, Timestamp) -> Timestamp + Send + Sync>;

/// Reads keys and values.
pub(crate) struct Typed<K, V> {
    pub(crate) event_time: Option<EventTime<K, V>>,
}

impl<K: Serde, V: Serde> Read for Typed<K, V> {
    type Out = Item<K, V>;

    fn read(&self, record: Record) -> Result<(Item<K, V>, Timestamp), Box<Unreadable>> {
        let key = match K::decode(record.key.as_ref()) {
            Ok(key) => key,
            Err(cause) => return Err(Box::new(Unreadable { record, part: "key", cause })),
        };
        let value = match V::decode(record.value.as_ref()) {
            Ok(value) => value,
            Err(cause) => return Err(Box::new(Unreadable { record, part: "value", cause })),
        };
        let recorded = record.timestamp;
        let time = self.event_time.as_ref().map_or(recorded, |of| of(&key, &value, recorded));
        Ok((Item { key, value, time, headers: record.headers, watermark: time, order: 0 }, time))
    }

    fn seen(out: &mut Item<K, V>, watermark: Timestamp, order: u64) {
        (out.watermark, out.order) = (watermark, order);
    }
}

/// Leaves records as they are.
pub(crate) struct Raw {
    pub(crate) event_time: Arc<dyn Fn(&Record) -> Timestamp + Send + Sync>,
}

impl Read for Raw {
    type Out = InputRecord;

    fn read(&self, record: Record) -> Result<(InputRecord, Timestamp), Box<Unreadable>> {
        let event_time = (self.event_time)(&record);
        Ok((InputRecord { record, event_time, watermark: event_time, order: 0 }, event_time))
    }

    fn seen(out: &mut InputRecord, watermark: Timestamp, order: u64) {
        (out.watermark, out.order) = (watermark, order);
    }
}
