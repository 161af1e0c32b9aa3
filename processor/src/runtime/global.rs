//! What the reader of a global table does: it reads all partitions of the topic, up to where they ended when it began, lets
//! the tasks know, and follows the topic from then on.

use std::{
    collections::BTreeMap,
    future::{pending, poll_fn},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use mainstem_client::{
    Consumer, ConsumerConfig, Offset, TopicPartition, Transport,
    consumer::{ConsumeError, OffsetReset, PartitionRecords, Polled},
};
use tokio::{sync::watch, task::yield_now};

use super::{
    Job, TaskError, TaskId, TaskState,
    handle::{TaskHandle, over},
    held_back::HeldBack,
    life::{Attempts, End, Life},
};
use crate::{InputEnd, caps, meter::OfNodes, state::Stores, work::Work};

/// The reader of a global table, on the thread that all of a processor share. What it has taken stays taken when it must try
/// again: only where the topic has lost what was not read does it begin anew, and holds the table twice meanwhile.
pub(super) struct Reader {
    life: Life,
}

/// Waits until a global table is there, whole.
pub(super) async fn is_there(mut reader: watch::Receiver<TaskState>) {
    let is_there = |state: &TaskState| matches!(state, TaskState::Running | TaskState::Finished);
    if reader.wait_for(is_there).await.is_err() {
        // It never will be: the task fails with the table, or is stopped as it was.
        pending().await
    }
}

/// Waits until a global table can be read no further, which may never be; says why.
pub(super) async fn failure(readers: &[watch::Receiver<TaskState>]) -> TaskError {
    let mut readers: Vec<_> = readers.iter().map(|reader| Box::pin(failure_of(reader.clone()))).collect();
    poll_fn(|context| {
        let failures = readers.iter_mut().map(|reader| reader.as_mut().poll(context));
        failures.reduce(|one, other| if one.is_ready() { one } else { other }).unwrap_or(Poll::Pending)
    })
    .await
}

async fn failure_of(reader: watch::Receiver<TaskState>) -> TaskError {
    match over(reader).await {
        TaskState::Failed(error) => error,
        _ => pending().await,
    }
}

impl Attempts for Reader {
    fn life(&self) -> &Life {
        &self.life
    }

    /// A table that was read to its end shows that trouble is over.
    async fn attempt(&self, wait: &mut Duration) -> Result<End, TaskError> {
        let read = tokio::select! {
            read = self.read(wait) => read,
            () = self.life.stopped() => return Ok(End::Stopped),
        };
        if let Err(TaskError::Overtaken { .. }) = read {
            self.life.reached.send_replace(BTreeMap::new());
        }
        read.map_err(|error| self.named(error))
    }
}

impl Reader {
    pub(super) fn new(job: Arc<Job>, transport: Arc<dyn Transport>, part: usize) -> (Self, TaskHandle) {
        let (life, handle) = Life::new(job, transport, TaskId { part, number: 0 });
        (Self { life }, handle)
    }

    /// What ends the reader ends the tasks, which must say whose trouble it is.
    fn named(&self, error: TaskError) -> TaskError {
        let Life { job, id, .. } = &self.life;
        if error.is_retriable() || matches!(error, TaskError::Node { .. }) {
            return error;
        }
        let source = job.topology.parts()[id.part].nodes[0];
        let node = job.topology.nodes()[source].name.clone();
        TaskError::GlobalTable { node, error: Box::new(error) }
    }

    /// Reads the table from where it was read to, and goes on until the input ends, which it may not.
    async fn read(&self, wait: &mut Duration) -> Result<End, TaskError> {
        let Life { job, id, .. } = &self.life;
        let Job { topology, plan, globals, .. } = &**job;
        let part = &topology.parts()[id.part];
        let stores = Stores::new(part.stores.iter().cloned()).with_globals(globals.clone());
        let meter = Arc::new(OfNodes(Arc::clone(&job.settings.meter)));
        let mut work = Work::new(topology, plan, id.part, id.number, stores, meter)
            .by_clock(Arc::clone(&job.settings.clock));
        let (mut consumer, ends) = self.begin().await?;
        if self.life.reached.borrow().is_empty() {
            part.globals.iter().for_each(|table| globals.begin(table));
        }
        let mut held_back = HeldBack::new(job, *id, self.life.transport.as_ref());
        let mut is_complete = false;
        loop {
            if !is_complete && is_at(&consumer, &ends) {
                part.globals.iter().for_each(|table| drop(globals.complete(table)));
                (is_complete, *wait) = (true, caps::RESTART_BACKOFF);
                if job.settings.input_end != InputEnd::Unbounded {
                    return Ok(End::Finished);
                }
                self.life.tell(TaskState::Running);
            }
            let polled = tokio::select! {
                polled = consumer.poll(caps::COMMIT_INTERVAL) => polled.map_err(not_read)?,
                () = held_back.told() => Polled::Nothing,
            };
            if let Polled::Records(batches) = polled {
                batches.into_iter().try_for_each(|batch| self.take(batch, &mut work))?;
                yield_now().await;
            }
            held_back.look(&consumer);
        }
    }

    /// A consumer where all partitions are read on, and where they end.
    async fn begin(&self) -> Result<(Consumer, Vec<(TopicPartition, Offset)>), TaskError> {
        let config = ConsumerConfig {
            // Records that are not there any more may have been removals: the table is built up again then.
            offset_reset: OffsetReset::Fail,
            poll_records: caps::BATCH_RECORDS,
            isolation: self.life.job.settings.isolation_level,
            ..ConsumerConfig::default()
        };
        let mut consumer = Consumer::new(self.life.transport.as_ref(), config);
        let inputs = self.life.job.inputs(self.life.id);
        consumer.assign(inputs.iter().cloned());
        for (input, start) in consumer.beginning_offsets(&inputs).await? {
            let reached = self.life.reached.borrow().get(&input).copied();
            consumer.seek(&input, reached.unwrap_or(start));
        }
        let ends = consumer.end_offsets(&inputs).await?.into_iter();
        let ends = ends.map(|(input, end)| {
            let end = self.bound(&input).map_or(end, |bound| bound.min(end));
            (input, end)
        });
        Ok((consumer, ends.collect()))
    }

    fn bound(&self, input: &TopicPartition) -> Option<Offset> {
        match &self.life.job.settings.input_end {
            InputEnd::At(ends) => ends.get(input).copied(),
            InputEnd::Unbounded => None,
        }
    }

    fn take(&self, batch: PartitionRecords, work: &mut Work) -> Result<(), TaskError> {
        let PartitionRecords { partition, mut records, next_offset, .. } = batch;
        if let Some(bound) = self.bound(&partition) {
            records.retain(|record| record.offset < bound);
        }
        work.process(&partition, records)?;
        self.life.reached.send_modify(|reached| {
            reached.insert(partition, next_offset);
        });
        Ok(())
    }
}

fn is_at(consumer: &Consumer, ends: &[(TopicPartition, Offset)]) -> bool {
    ends.iter().all(|(input, end)| consumer.position(input).is_some_and(|position| position >= *end))
}

/// What is gone of the topic before it was read was perhaps a removal: only the whole of what is left makes the table.
fn not_read(error: ConsumeError) -> TaskError {
    match &error {
        ConsumeError::OutOfRange { partition, .. } => {
            TaskError::Overtaken { topic: partition.topic.clone(), reason: error.to_string() }
        }
        _ => error.into(),
    }
}
