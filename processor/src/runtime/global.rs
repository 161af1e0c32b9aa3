//! What the thread of a global table does: it reads all partitions of the topic, up to where they ended when it began, lets
//! the tasks know, and follows the topic from then on.

use std::{collections::BTreeMap, io, sync::Arc};

use mainstem_client::{
    Consumer, ConsumerConfig, Offset, TopicPartition, Transport,
    consumer::{ConsumeError, OffsetReset, PartitionRecords, Polled},
};
use tokio::{runtime, sync::watch, time::sleep};
use tracing::{error, info, warn};

use super::{Job, TaskError, TaskId, TaskState, handle::TaskHandle, task::stopped};
use crate::{InputEnd, caps, state::Stores, work::Work};

/// The reader of a global table on its thread.
struct Reader {
    job: Arc<Job>,
    transport: Arc<dyn Transport>,
    id: TaskId,
    stop: watch::Receiver<bool>,
    state: watch::Sender<TaskState>,
    reached: watch::Sender<BTreeMap<TopicPartition, Offset>>,
}

/// Starts the thread of a global table.
pub(super) fn start(job: Arc<Job>, transport: Arc<dyn Transport>, part: usize) -> io::Result<TaskHandle> {
    let id = TaskId { part, number: 0 };
    let (name, inputs) = (format!("{}-{id}", job.topology.name()), job.inputs(id));
    let (stop, stop_seen) = watch::channel(false);
    let (state_set, state) = watch::channel(TaskState::default());
    let (reached, committed) = watch::channel(BTreeMap::new());
    let reader = Reader { job, transport, id, stop: stop_seen, state: state_set, reached };
    std::thread::Builder::new().name(name).spawn(move || reader.run())?;
    Ok(TaskHandle { inputs, stop, state, committed })
}

/// Waits until a global table is there, whole.
pub(super) async fn is_there(mut reader: watch::Receiver<TaskState>) {
    let is_there = |state: &TaskState| matches!(state, TaskState::Running | TaskState::Finished);
    if reader.wait_for(is_there).await.is_err() {
        // It never will be. The reader has said why, and the task is stopped like all others.
        std::future::pending().await
    }
}

impl Reader {
    fn run(self) {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let last = match runtime {
            Ok(runtime) => runtime.block_on(self.live()),
            Err(error) => TaskState::Failed(TaskError::Thread(error.to_string())),
        };
        let (processor, task) = (self.job.topology.name(), self.id);
        match &last {
            TaskState::Failed(error) => error!(%processor, %task, %error, "global table failed"),
            _ => info!(%processor, %task, "global table ended"),
        }
        self.state.send_replace(last);
    }

    async fn live(&self) -> TaskState {
        let (mut stop, mut wait) = (self.stop.clone(), caps::RESTART_BACKOFF);
        loop {
            let error = tokio::select! {
                read = self.read() => match read {
                    Ok(()) => return TaskState::Finished,
                    Err(error) => error,
                },
                () = stopped(&mut stop) => return TaskState::Stopped,
            };
            if !error.is_retriable() && !is_overtaken(&error) {
                return TaskState::Failed(error);
            }
            warn!(processor = %self.job.topology.name(), task = %self.id, %error, "global table is read again");
            tokio::select! {
                () = sleep(wait) => wait = (wait * 2).min(caps::RESTART_BACKOFF_MAX),
                () = stopped(&mut stop) => return TaskState::Stopped,
            }
        }
    }

    /// Reads the table from its beginning, and goes on until the input ends, which it may not.
    async fn read(&self) -> Result<(), TaskError> {
        let Job { topology, plan, globals, .. } = &*self.job;
        let part = &topology.parts()[self.id.part];
        let stores = Stores::new(part.stores.iter().cloned()).with_globals(globals.clone());
        let meter = Arc::clone(&self.job.settings.meter);
        let mut work = Work::new(topology, plan, self.id.part, self.id.number, stores, meter)
            .by_clock(Arc::clone(&self.job.settings.clock));
        let (mut consumer, ends) = self.begin().await?;
        part.globals.iter().for_each(|table| globals.begin(table));
        let mut is_complete = false;
        loop {
            if !is_complete && is_at(&consumer, &ends) {
                part.globals.iter().for_each(|table| globals.complete(table));
                is_complete = true;
                if self.job.settings.input_end != InputEnd::Unbounded {
                    return Ok(());
                }
                self.state.send_replace(TaskState::Running);
            }
            if let Polled::Records(batches) = consumer.poll(caps::COMMIT_INTERVAL).await? {
                batches.into_iter().try_for_each(|batch| self.take(batch, &mut work))?;
            }
        }
    }

    /// A consumer at the beginning of all partitions, and where they end.
    async fn begin(&self) -> Result<(Consumer, Vec<(TopicPartition, Offset)>), TaskError> {
        let config = ConsumerConfig {
            // Records that are not there any more may have been removals: the table is built up again then.
            offset_reset: OffsetReset::Fail,
            poll_records: caps::BATCH_RECORDS,
            ..ConsumerConfig::default()
        };
        let mut consumer = Consumer::new(self.transport.as_ref(), config);
        let inputs = self.job.inputs(self.id);
        consumer.assign(inputs.iter().cloned());
        for (input, start) in consumer.beginning_offsets(&inputs).await? {
            consumer.seek(&input, start);
        }
        let ends = consumer.end_offsets(&inputs).await?.into_iter();
        let ends = ends.map(|(input, end)| {
            let end = self.bound(&input).map_or(end, |bound| bound.min(end));
            (input, end)
        });
        Ok((consumer, ends.collect()))
    }

    fn bound(&self, input: &TopicPartition) -> Option<Offset> {
        match &self.job.settings.input_end {
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
        self.reached.send_modify(|reached| {
            reached.insert(partition, next_offset);
        });
        Ok(())
    }
}

fn is_at(consumer: &Consumer, ends: &[(TopicPartition, Offset)]) -> bool {
    ends.iter().all(|(input, end)| consumer.position(input).is_some_and(|position| position >= *end))
}

fn is_overtaken(error: &TaskError) -> bool {
    matches!(error, TaskError::Consume(ConsumeError::OutOfRange { .. }))
}
