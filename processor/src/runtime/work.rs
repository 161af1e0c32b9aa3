//! The calls of user code, and what they leave behind.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use mainstem_client::{Record, Text, Timestamp, TopicPartition, consumer::PartitionRecords};

use super::TaskError;
use crate::{
    Context, InputBatch, InputRecord, OutputRecord, ProcessResult, Processor, ProcessorSpec, state::Stores,
    watermark::TaskTime,
};

/// A processor with its state and its time.
pub(super) struct Work<'a> {
    spec: &'a ProcessorSpec,
    processor: Box<dyn Processor>,
    pub(super) stores: Stores,
    pub(super) time: TaskTime,
    /// Records for outputs, with their topics, that were not sent yet.
    pub(super) forwarded: Vec<(Text, OutputRecord)>,
    late: u64,
}

impl<'a> Work<'a> {
    pub(super) fn new(spec: &'a ProcessorSpec, stores: Stores, inputs: &[TopicPartition]) -> Self {
        let time = TaskTime::restored(inputs, stores.first());
        Self { spec, processor: (spec.factory)(), stores, time, forwarded: Vec::new(), late: 0 }
    }

    /// Works through a batch, and then through what the time that it brings leads to.
    pub(super) fn process(&mut self, records: PartitionRecords) -> Result<(), TaskError> {
        if records.records.is_empty() {
            return Ok(());
        }
        self.spec.meter.took(records.records.len() as u64);
        let (before, stream_time) = (self.time.watermark(), self.time.stream_time());
        let batch = self.seen(records);
        self.call(before, stream_time, |processor, ctx| processor.process(&batch, ctx))?;
        self.on_time(before)
    }

    /// The records, each with the watermark at which it is seen.
    fn seen(&mut self, records: PartitionRecords) -> InputBatch {
        let PartitionRecords { partition, records, .. } = records;
        let see = |record: Record| {
            let (event_time, watermark) = ((self.spec.event_time)(&record), self.time.watermark());
            self.time.advance(&partition, event_time);
            InputRecord { record, event_time, watermark }
        };
        let records = records.into_iter().map(see).collect();
        InputBatch { partition, records }
    }

    /// Notes that an input has ended.
    pub(super) fn finish_input(&mut self, input: &TopicPartition) -> Result<(), TaskError> {
        let before = self.time.watermark();
        self.time.finish(input);
        self.on_time(before)
    }

    /// Lets the processor know that the watermark has risen, if it has.
    fn on_time(&mut self, before: Timestamp) -> Result<(), TaskError> {
        let (watermark, stream_time) = (self.time.watermark(), self.time.stream_time());
        if watermark <= before {
            return Ok(());
        }
        while let Some((at, key)) = self.stores.first().due_timer(watermark) {
            self.stores.first_mut().delete_timer(at, &key);
            self.call(watermark, stream_time, |processor, ctx| processor.on_timer(at, &key, ctx))?;
        }
        self.call(watermark, stream_time, |processor, ctx| processor.on_watermark(ctx))?;
        self.spec.meter.watermark(watermark);
        Ok(())
    }

    fn call(
        &mut self,
        watermark: Timestamp,
        stream_time: Timestamp,
        call: impl FnOnce(&mut dyn Processor, &mut Context<'_>) -> ProcessResult,
    ) -> Result<(), TaskError> {
        let mut ctx = Context {
            stores: &mut self.stores,
            outputs: &self.spec.outputs,
            forwarded: &mut self.forwarded,
            late: &mut self.late,
            watermark,
            stream_time,
        };
        // After a panic neither the processor nor its stores are used again: the task ends.
        let called = catch_unwind(AssertUnwindSafe(|| call(self.processor.as_mut(), &mut ctx)));
        let late = std::mem::take(&mut self.late);
        if late > 0 {
            self.spec.meter.dropped_late(late);
        }
        match called {
            Ok(result) => result.map_err(|error| TaskError::User(Arc::from(error))),
            Err(panic) => Err(TaskError::Panic(message(panic.as_ref()))),
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
