//! Processors of the low-level interface within typed streams.
//!
//! They are given one record at a time: what they forward then is seen when that record was, so that what comes behind them
//! does not hang on how input is cut into batches; where they share a store with others, all take one record at a time
//! ([`crate::Topology::is_stepwise`]). For the same reason timers go off between two records, and what they lead
//! to is seen at their time.

use std::{marker::PhantomData, sync::Arc};

use bytes::Bytes;
use mainstem_client::{Offset, Record, Text, Timestamp};

use super::{
    LAST, MalformedRecord, NodeError, behind,
    cx::Cx,
    operator::Logic,
    outlet::Ports,
    sink::Write,
    timers::{Timers, due},
};
use crate::{
    Context, InputBatch, InputRecord, OutputRecord, ProcessResult, Processor, record::Item, serdes::Serde,
    watermark::BEGINNING,
};

/// A node that calls a processor with the records of a typed stream.
pub(crate) struct Process<K, V> {
    processor: Box<dyn Processor>,
    stores: Vec<Text>,
    /// Those of them that tables write.
    tables: Vec<Text>,
    /// What the processor calls its outputs, each of which has a port of its own.
    outputs: Vec<Text>,
    forwarded: Vec<(usize, OutputRecord)>,
    /// What the last record came in, to be used again.
    batch: Option<InputBatch>,
    timers: Timers,
    /// The latest watermark at which a record was seen or a timer went off.
    reached: Timestamp,
    types: PhantomData<fn(K, V)>,
}

/// When what a processor forwards is seen.
#[derive(Clone, Copy)]
struct Moment {
    /// As [`Item::watermark`].
    watermark: Timestamp,
    order: u64,
}

impl<K: Serde, V: Serde> Process<K, V> {
    pub(crate) fn new(
        processor: Box<dyn Processor>,
        stores: Vec<Text>,
        tables: Vec<Text>,
        outputs: Vec<Text>,
    ) -> Self {
        let (forwarded, timers) = (Vec::new(), Timers::new());
        let (batch, reached, types) = (None, BEGINNING, PhantomData);
        Self { processor, stores, tables, outputs, forwarded, batch, timers, reached, types }
    }

    fn call(
        &mut self,
        moment: Moment,
        out: &mut Ports<InputRecord>,
        cx: &mut Cx<'_>,
        call: impl FnOnce(&mut dyn Processor, &mut Context<'_>) -> ProcessResult,
    ) -> Result<(), NodeError> {
        let Moment { watermark, order } = moment;
        let mut ctx = Context {
            stores: cx.stores,
            wall: cx.wall,
            next_timer: &mut self.timers.next,
            node: cx.node,
            store_names: &self.stores,
            table_names: &self.tables,
            outputs: &self.outputs,
            forwarded: &mut self.forwarded,
            late: &mut cx.counts.late,
            watermark: behind(watermark, cx.delay_ms),
            stream_time: cx.time.stream_time(),
        };
        call(self.processor.as_mut(), &mut ctx).map_err(|error| NodeError::User(Arc::from(error)))?;
        for (port, OutputRecord { key, value, timestamp, headers }) in self.forwarded.drain(..) {
            let record = Record { offset: Offset::NONE, timestamp, key, value, headers };
            out.push(port, InputRecord { record, event_time: timestamp, watermark, order });
        }
        Ok(())
    }

    fn take(
        &mut self,
        item: Item<K, V>,
        batch: &mut InputBatch,
        out: &mut Ports<InputRecord>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let moment = Moment { watermark: item.watermark, order: item.order };
        self.ring(behind(moment.watermark, cx.delay_ms), moment.order, out, cx)?;
        self.reached = moment.watermark.max(self.reached);
        let OutputRecord { key, value, timestamp, headers } = item.write(cx)?;
        let record = Record { offset: Offset::NONE, timestamp, key, value, headers };
        let watermark = behind(moment.watermark, cx.delay_ms);
        batch.records.clear();
        batch.records.push(InputRecord { record, event_time: timestamp, watermark, order: moment.order });
        self.call(moment, out, cx, |processor, ctx| processor.process(batch, ctx))
    }

    /// Lets the timers go off that are due.
    fn ring(
        &mut self,
        due: Timestamp,
        order: u64,
        out: &mut Ports<InputRecord>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        while let Some(timer) = self.timers.take(due, cx) {
            let at = Timestamp(timer.at.0.saturating_add(cx.delay_ms)).min(LAST);
            self.reached = at.max(self.reached);
            let moment = Moment { watermark: self.reached, order };
            self.call(moment, out, cx, |processor, ctx| processor.on_timer(timer.at, &timer.key, ctx))?;
        }
        Ok(())
    }
}

/// Between two records.
fn now(cx: &Cx<'_>) -> Moment {
    Moment { watermark: cx.time.watermark(), order: *cx.order }
}

impl<K: Serde, V: Serde> Logic for Process<K, V> {
    type In = Item<K, V>;
    type Out = Ports<InputRecord>;

    fn run(
        &mut self,
        input: &mut Vec<Item<K, V>>,
        out: &mut Self::Out,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let known = self.batch.take().filter(|batch| batch.partition == *cx.partition);
        let mut batch = known.unwrap_or_else(|| {
            let records = Vec::with_capacity(1);
            InputBatch { partition: cx.partition.clone(), records }
        });
        input.drain(..).try_for_each(|item| self.take(item, &mut batch, out, cx))?;
        self.batch = Some(batch);
        Ok(())
    }

    fn start(&mut self, out: &mut Self::Out, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.call(now(cx), out, cx, |processor, ctx| processor.on_start(ctx))
    }

    fn watermark(&mut self, out: &mut Self::Out, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.ring(due(cx), *cx.order, out, cx)?;
        self.call(now(cx), out, cx, |processor, ctx| processor.on_watermark(ctx))
    }

    fn commit(&mut self, out: &mut Self::Out, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.call(now(cx), out, cx, |processor, ctx| processor.on_commit(ctx))
    }

    fn wall_clock(
        &mut self,
        (at, key): (Timestamp, &[u8]),
        out: &mut Self::Out,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        self.call(now(cx), out, cx, |processor, ctx| processor.on_wall_clock(at, key, ctx))
    }
}

/// A node that reads what a processor has forwarded.
pub(crate) struct Reading<K, V>(PhantomData<fn() -> (K, V)>);

impl<K: Serde, V: Serde> Reading<K, V> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

fn read<T: Serde>(part: &'static str, bytes: Option<&Bytes>, cx: &Cx<'_>) -> Result<T, NodeError> {
    T::decode(bytes).map_err(|cause| {
        let (partition, offset) = (cx.partition.clone(), Offset::NONE);
        NodeError::Malformed(Box::new(MalformedRecord { part, partition, offset, cause }))
    })
}

impl<K: Serde, V: Serde> Logic for Reading<K, V> {
    type In = InputRecord;
    type Out = Vec<Item<K, V>>;

    fn run(
        &mut self,
        input: &mut Vec<InputRecord>,
        out: &mut Self::Out,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        for InputRecord { record, event_time: time, watermark, order } in input.drain(..) {
            let key = read("key", record.key.as_ref(), cx)?;
            let value = read("value", record.value.as_ref(), cx)?;
            out.push(Item { key, value, time, headers: record.headers, watermark, order });
        }
        Ok(())
    }
}
