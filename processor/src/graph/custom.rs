//! Processors that users write against the low-level interface.

use std::{any::Any, sync::Arc};

use bytes::Bytes;
use mainstem_client::{Offset, Record, Text, Timestamp};

use super::{
    NodeError,
    operator::{Cx, Operator, arrange, give},
};
use crate::{Context, InputBatch, InputRecord, OutputRecord, ProcessResult, Processor};

/// A node that calls a processor.
pub(crate) struct Custom {
    processor: Box<dyn Processor>,
    stores: Vec<Text>,
    /// The nodes behind this one, each with a port of its own.
    children: Vec<Text>,
    input: Vec<InputRecord>,
    forwarded: Vec<(usize, OutputRecord)>,
    ports: Vec<Vec<InputRecord>>,
}

impl Custom {
    pub(crate) fn new(processor: Box<dyn Processor>, stores: Vec<Text>, children: Vec<Text>) -> Self {
        let ports = children.iter().map(|_| Vec::new()).collect();
        Self { processor, stores, children, input: Vec::new(), forwarded: Vec::new(), ports }
    }

    fn call(
        &mut self,
        cx: &mut Cx<'_>,
        call: impl FnOnce(&mut dyn Processor, &mut Context<'_>) -> ProcessResult,
    ) -> Result<(), NodeError> {
        let mut ctx = Context {
            stores: cx.stores,
            node: cx.node,
            store_names: &self.stores,
            outputs: &self.children,
            forwarded: &mut self.forwarded,
            late: &mut cx.counts.late,
            watermark: cx.watermark,
            stream_time: cx.time.stream_time(),
        };
        call(self.processor.as_mut(), &mut ctx).map_err(|error| NodeError::User(Arc::from(error)))?;
        for (port, record) in self.forwarded.drain(..) {
            self.ports[port].push(passed_on(record, cx));
        }
        Ok(())
    }
}

fn passed_on(record: OutputRecord, cx: &Cx<'_>) -> InputRecord {
    let OutputRecord { key, value, timestamp, headers } = record;
    let record = Record { offset: Offset::NONE, timestamp, key, value, headers };
    InputRecord { record, event_time: timestamp, watermark: cx.watermark, order: *cx.order }
}

impl Operator for Custom {
    fn pending(&self) -> usize {
        self.input.len()
    }

    fn input(&mut self) -> &mut dyn Any {
        &mut self.input
    }

    fn arrange(&mut self) {
        arrange(&mut self.input);
    }

    fn run(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let records = std::mem::take(&mut self.input);
        let mut batch = InputBatch { partition: cx.partition.clone(), records };
        self.call(cx, |processor, ctx| processor.process(&batch, ctx))?;
        batch.records.clear();
        self.input = batch.records;
        Ok(())
    }

    fn watermark(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.call(cx, |processor, ctx| processor.on_watermark(ctx))
    }

    fn commit(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.call(cx, |processor, ctx| processor.on_commit(ctx))
    }

    fn timer(&mut self, at: Timestamp, key: &Bytes, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.call(cx, |processor, ctx| processor.on_timer(at, key, ctx))
    }

    fn produced(&self, port: usize) -> usize {
        self.ports.get(port).map_or(0, Vec::len)
    }

    fn give(&mut self, port: usize, to: &mut dyn Any, is_last: bool) {
        if let Some(port) = self.ports.get_mut(port) {
            give(port, to, is_last);
        }
    }

    fn clear(&mut self) {
        self.ports.iter_mut().for_each(Vec::clear);
    }
}
