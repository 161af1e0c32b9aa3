//! Processors that users write against the low-level interface.

use std::sync::Arc;

use mainstem_client::{Offset, Record, Text, Timestamp};

use super::{
    NodeError,
    cx::Cx,
    operator::Logic,
    outlet::Ports,
    timers::{Timers, due},
};
use crate::{Context, InputBatch, InputRecord, OutputRecord, ProcessResult, Processor};

/// A node that calls a processor.
pub(crate) struct Custom {
    processor: Box<dyn Processor>,
    stores: Vec<Text>,
    /// The nodes behind this one, each with a port of its own.
    children: Vec<Text>,
    forwarded: Vec<(usize, OutputRecord)>,
    timers: Timers,
}

impl Custom {
    pub(crate) fn new(processor: Box<dyn Processor>, stores: Vec<Text>, children: Vec<Text>) -> Self {
        Self { processor, stores, children, forwarded: Vec::new(), timers: Timers::new() }
    }

    fn call(
        &mut self,
        out: &mut Ports<InputRecord>,
        cx: &mut Cx<'_>,
        call: impl FnOnce(&mut dyn Processor, &mut Context<'_>) -> ProcessResult,
    ) -> Result<(), NodeError> {
        let mut ctx = Context {
            stores: cx.stores,
            wall: cx.wall,
            next_timer: &mut self.timers.next,
            node: cx.node,
            store_names: &self.stores,
            // Tables are made of typed streams.
            table_names: &[],
            outputs: &self.children,
            forwarded: &mut self.forwarded,
            late: &mut cx.counts.late,
            watermark: cx.watermark,
            stream_time: cx.time.stream_time(),
        };
        call(self.processor.as_mut(), &mut ctx).map_err(|error| NodeError::User(Arc::from(error)))?;
        for (port, record) in self.forwarded.drain(..) {
            out.push(port, passed_on(record, cx));
        }
        Ok(())
    }
}

fn passed_on(record: OutputRecord, cx: &Cx<'_>) -> InputRecord {
    let OutputRecord { key, value, timestamp, headers } = record;
    let record = Record { offset: Offset::NONE, timestamp, key, value, headers };
    InputRecord { record, event_time: timestamp, watermark: cx.watermark, order: *cx.order }
}

impl Logic for Custom {
    type In = InputRecord;
    type Out = Ports<InputRecord>;

    fn run(
        &mut self,
        input: &mut Vec<InputRecord>,
        out: &mut Self::Out,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let records = std::mem::take(input);
        let mut batch = InputBatch { partition: cx.partition.clone(), records };
        self.call(out, cx, |processor, ctx| processor.process(&batch, ctx))?;
        batch.records.clear();
        *input = batch.records;
        Ok(())
    }

    fn start(&mut self, out: &mut Self::Out, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.call(out, cx, |processor, ctx| processor.on_start(ctx))
    }

    fn watermark(&mut self, out: &mut Self::Out, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let due = due(cx);
        while let Some(timer) = self.timers.take(due, cx) {
            self.call(out, cx, |processor, ctx| processor.on_timer(timer.at, &timer.key, ctx))?;
        }
        self.call(out, cx, |processor, ctx| processor.on_watermark(ctx))
    }

    fn commit(&mut self, out: &mut Self::Out, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.call(out, cx, |processor, ctx| processor.on_commit(ctx))
    }

    fn wall_clock(
        &mut self,
        (now, key): (Timestamp, &[u8]),
        out: &mut Self::Out,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        self.call(out, cx, |processor, ctx| processor.on_wall_clock(now, key, ctx))
    }
}
