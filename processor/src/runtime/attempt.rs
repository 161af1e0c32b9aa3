//! One attempt at a task: restore, then poll, work and commit, until something ends it. What was not committed by
//! then is dropped with it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mainstem_client::{
    Consumer, ConsumerConfig, Offset, Producer, ProducerConfig, TopicPartition, Transport,
    consumer::{OffsetReset, PartitionRecords, Polled},
    producer::Ticket,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{Job, TaskError, TaskId, restore, task::stopped};
use crate::{InputEnd, caps, state::SystemKey, work::Work};

/// Why an attempt has ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The inputs have ended.
    Finished,
    /// The task was stopped.
    Stopped,
}

/// A task at work.
pub(super) struct Attempt<'a> {
    pub(super) job: &'a Job,
    pub(super) id: TaskId,
    pub(super) consumer: Consumer,
    pub(super) producer: Producer,
    pub(super) work: Work,
    /// Where to go on in each input once what has been worked through is committed.
    pub(super) positions: BTreeMap<TopicPartition, Offset>,
    /// Where others see how far that is.
    pub(super) committed: &'a watch::Sender<BTreeMap<TopicPartition, Offset>>,
    /// Outputs that were sent since the last commit.
    pub(super) tickets: Vec<Ticket>,
    pub(super) sent_bytes: usize,
    /// When the next commit is due; none where there is nothing to commit.
    pub(super) commit_at: Option<Instant>,
    /// When each input last had something new; none once it is idle.
    heard: BTreeMap<TopicPartition, Option<Instant>>,
}

impl<'a> Attempt<'a> {
    /// Brings the state back, and finds out where to go on.
    pub(super) async fn begin(
        job: &'a Job,
        transport: &dyn Transport,
        id: TaskId,
        committed: &'a watch::Sender<BTreeMap<TopicPartition, Offset>>,
    ) -> Result<Self, TaskError> {
        let stores = restore::stores(job, transport, id).await?;
        let mut consumer = Consumer::new(transport, consumer_config(job));
        let inputs = job.inputs(id);
        consumer.assign(inputs.iter().cloned());
        let mut positions = BTreeMap::new();
        for input in &inputs {
            if let Some(offset) = stores.first().number(&SystemKey::Position(input)) {
                consumer.seek(input, Offset(offset));
                positions.insert(input.clone(), Offset(offset));
            }
        }
        committed.send_replace(positions.clone());
        let meter = Arc::clone(&job.settings.meter);
        let mut work = Work::new(&job.topology, &job.plan, id.part, id.number, stores, meter);
        for (partition, begin) in &job.begins {
            work.time.begin_at(partition, *begin);
        }
        // What could not be read was taken to be absent: positions, time, or what a store says of itself.
        if let Some(fault) = work.stores.fault() {
            return Err(fault.clone().into());
        }
        let producer =
            Producer::new(transport, ProducerConfig { linger: PRODUCER_LINGER, ..producer_config() });
        let is_own = |input: &&TopicPartition| !job.plan.writers.contains_key(&input.topic);
        let heard = inputs.iter().filter(is_own).map(|input| (input.clone(), Some(Instant::now()))).collect();
        Ok(Self {
            job,
            id,
            consumer,
            producer,
            work,
            positions,
            committed,
            tickets: Vec::new(),
            sent_bytes: 0,
            commit_at: None,
            heard,
        })
    }

    /// Works until the input ends, the task is stopped, or something fails.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<End, TaskError> {
        loop {
            if self.is_finished().await? {
                self.finish().await?;
                return Ok(End::Finished);
            }
            let commit_at = self.commit_at.unwrap_or_else(|| Instant::now() + caps::PATIENCE);
            let polled = tokio::select! {
                polled = self.consumer.poll(self.poll_limit()) => polled?,
                () = sleep_until(commit_at) => Polled::Nothing,
                () = stopped(&mut stop) => {
                    self.commit().await?;
                    return Ok(End::Stopped);
                }
            };
            if let Polled::Records(batches) = polled {
                self.on_records(batches).await?;
            }
            self.look_for_idle_inputs().await?;
            if self.is_commit_due() {
                self.commit().await?;
            }
        }
    }

    /// The end of an input may be reached without a record, and is looked for between polls.
    fn poll_limit(&self) -> Duration {
        match self.job.settings.input_end {
            InputEnd::Unbounded => self.job.settings.idle_after.unwrap_or(caps::PATIENCE),
            InputEnd::At(_) => self.job.settings.commit_interval,
        }
    }

    async fn on_records(&mut self, batches: Vec<PartitionRecords>) -> Result<(), TaskError> {
        for batch in batches {
            let next_offset = self.within_bounds(batch.next_offset, &batch.partition);
            let partition = batch.partition.clone();
            let bounded = self.bounded(batch);
            self.work.process(&partition, bounded.records)?;
            if let Some(heard) = self.heard.get_mut(&partition) {
                *heard = Some(Instant::now());
            }
            self.positions.insert(partition, next_offset);
            self.send_outputs().await?;
            if self.uncommitted_bytes() >= self.job.settings.uncommitted_bytes_max {
                self.commit().await?;
            }
        }
        self.commit_at.get_or_insert_with(|| Instant::now() + self.job.settings.commit_interval);
        Ok(())
    }

    /// An input that is read to its end, and has had nothing new for a while, is not waited for.
    async fn look_for_idle_inputs(&mut self) -> Result<(), TaskError> {
        let Some(idle_after) = self.job.settings.idle_after else { return Ok(()) };
        let now = Instant::now();
        for (input, heard) in &mut self.heard {
            let is_quiet = heard.is_some_and(|heard| now.duration_since(heard) >= idle_after);
            let (position, end) = (self.consumer.position(input), self.consumer.high_watermark(input));
            let is_at_end = position.zip(end).is_some_and(|(position, end)| position >= end);
            if is_quiet && is_at_end {
                *heard = None;
                self.work.idle_input(input)?;
                self.commit_at.get_or_insert(now);
            }
        }
        self.send_outputs().await
    }

    /// Leaves out what lies behind the end of a bounded input.
    fn bounded(&self, mut batch: PartitionRecords) -> PartitionRecords {
        if let Some(end) = self.end(&batch.partition) {
            batch.records.retain(|record| record.offset < end);
        }
        batch
    }

    fn within_bounds(&self, offset: Offset, partition: &TopicPartition) -> Offset {
        self.end_of_run(partition).map_or(offset, |end| offset.min(end))
    }

    /// Where a bounded input is left: never in front of where an earlier run has left it.
    fn end_of_run(&self, partition: &TopicPartition) -> Option<Offset> {
        let position = self.positions.get(partition).copied().unwrap_or(Offset::ZERO);
        self.end(partition).map(|end| end.max(position))
    }

    /// Where an input ends, if it does. Repartition topics end where the tasks that write them say so.
    fn end(&self, partition: &TopicPartition) -> Option<Offset> {
        match &self.job.settings.input_end {
            InputEnd::At(ends) if !self.is_repartition(partition) => {
                Some(ends.get(partition).copied().unwrap_or(Offset::ZERO))
            }
            _ => None,
        }
    }

    fn is_repartition(&self, partition: &TopicPartition) -> bool {
        self.job.plan.writers.contains_key(&partition.topic)
    }

    /// Whether all inputs have been read to their ends. An input may end in records that nobody gets to see, so it
    /// is the consumer's position that counts.
    async fn is_finished(&mut self) -> Result<bool, TaskError> {
        if self.job.settings.input_end == InputEnd::Unbounded {
            return Ok(false);
        }
        let mut all = true;
        for input in self.consumer.assignment() {
            if self.is_repartition(&input) {
                all &= self.work.time.is_finished(&input);
                continue;
            }
            let (reached, end) = (self.consumer.position(&input), self.end(&input).unwrap_or(Offset::ZERO));
            let is_over = end <= Offset::ZERO || reached.is_some_and(|reached| reached >= end);
            if is_over {
                // Others may wait to hear of it before they can end what this task waits for.
                if !self.work.time.is_finished(&input) {
                    self.commit_at.get_or_insert_with(Instant::now);
                }
                self.work.finish_input(&input)?;
                self.send_outputs().await?;
            }
            all &= is_over;
        }
        Ok(all)
    }

    async fn finish(&mut self) -> Result<(), TaskError> {
        for input in self.consumer.assignment() {
            if let Some(end) = self.end_of_run(&input) {
                self.positions.insert(input, end);
            }
        }
        self.commit().await
    }

    fn is_commit_due(&self) -> bool {
        self.commit_at.is_some_and(|commit_at| commit_at <= Instant::now())
    }

    fn uncommitted_bytes(&self) -> usize {
        self.sent_bytes + self.work.stores.uncommitted_bytes()
    }
}

/// Batches are cut by commits, which flush; until then they may fill.
const PRODUCER_LINGER: Duration = Duration::from_millis(50);

/// Room for the changes of one commit in one batch: a batch is stored as a whole or not at all.
pub(super) fn producer_config() -> ProducerConfig {
    ProducerConfig {
        batch_bytes: caps::CHANGELOG_BATCH_BYTES,
        request_bytes_max: caps::CHANGELOG_BATCH_BYTES,
        ..ProducerConfig::default()
    }
}

fn consumer_config(job: &Job) -> ConsumerConfig {
    ConsumerConfig {
        group_id: Some(job.topology.name().clone()),
        offset_reset: OffsetReset::Earliest,
        poll_records: caps::BATCH_RECORDS,
        ..ConsumerConfig::default()
    }
}
