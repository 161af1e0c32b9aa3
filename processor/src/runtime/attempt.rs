//! One attempt at a task: restore, then poll, work and commit, until something ends it. What was not committed by
//! then is dropped with it.

use std::{collections::BTreeMap, time::Duration};

use mainstem_client::{
    Consumer, ConsumerConfig, Offset, Producer, ProducerConfig, TopicPartition, Transport,
    consumer::{OffsetReset, PartitionRecords, Polled},
    producer::Ticket,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{TaskError, restore, task::stopped, work::Work};
use crate::{InputEnd, ProcessorSpec, caps, state::SystemKey};

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
    pub(super) spec: &'a ProcessorSpec,
    pub(super) partition: i32,
    pub(super) consumer: Consumer,
    pub(super) producer: Producer,
    pub(super) work: Work<'a>,
    /// Where to go on in each input once what has been worked through is committed.
    pub(super) positions: BTreeMap<TopicPartition, Offset>,
    /// Outputs that were sent since the last commit.
    pub(super) tickets: Vec<Ticket>,
    pub(super) sent_bytes: usize,
    /// When the next commit is due; none where there is nothing to commit.
    pub(super) commit_at: Option<Instant>,
}

impl<'a> Attempt<'a> {
    /// Brings the state back, and finds out where to go on.
    pub(super) async fn begin(
        spec: &'a ProcessorSpec,
        transport: &dyn Transport,
        partition: i32,
    ) -> Result<Self, TaskError> {
        let stores = restore::stores(spec, transport, partition).await?;
        let mut consumer = Consumer::new(transport, consumer_config(spec));
        let inputs = inputs(spec, &consumer, partition).await?;
        consumer.assign(inputs.iter().cloned());
        let mut positions = BTreeMap::new();
        for input in &inputs {
            if let Some(offset) = stores.first().number(&SystemKey::Position(input)) {
                consumer.seek(input, Offset(offset));
                positions.insert(input.clone(), Offset(offset));
            }
        }
        let work = Work::new(spec, stores, &inputs);
        let producer =
            Producer::new(transport, ProducerConfig { linger: PRODUCER_LINGER, ..producer_config() });
        let tickets = Vec::new();
        Ok(Self {
            spec,
            partition,
            consumer,
            producer,
            work,
            positions,
            tickets,
            sent_bytes: 0,
            commit_at: None,
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
            if self.is_commit_due() {
                self.commit().await?;
            }
        }
    }

    /// The end of an input may be reached without a record, and is looked for between polls.
    fn poll_limit(&self) -> Duration {
        match self.spec.input_end {
            InputEnd::Unbounded => caps::PATIENCE,
            InputEnd::At(_) => self.spec.commit_interval,
        }
    }

    async fn on_records(&mut self, batches: Vec<PartitionRecords>) -> Result<(), TaskError> {
        for batch in batches {
            let next_offset = self.within_bounds(batch.next_offset, &batch.partition);
            let partition = batch.partition.clone();
            let bounded = self.bounded(batch);
            self.work.process(bounded)?;
            self.positions.insert(partition, next_offset);
            self.send_outputs().await?;
            if self.uncommitted_bytes() >= self.spec.uncommitted_bytes_max {
                self.commit().await?;
            }
        }
        self.commit_at.get_or_insert_with(|| Instant::now() + self.spec.commit_interval);
        Ok(())
    }

    /// Leaves out what lies behind the end of a bounded input.
    fn bounded(&self, mut batch: PartitionRecords) -> PartitionRecords {
        if let Some(end) = self.end(&batch.partition) {
            batch.records.retain(|record| record.offset < end);
        }
        batch
    }

    fn within_bounds(&self, offset: Offset, partition: &TopicPartition) -> Offset {
        self.end(partition).map_or(offset, |end| offset.min(end))
    }

    /// Where an input ends, if it does.
    fn end(&self, partition: &TopicPartition) -> Option<Offset> {
        match &self.spec.input_end {
            InputEnd::Unbounded => None,
            InputEnd::At(ends) => Some(ends.get(partition).copied().unwrap_or(Offset::ZERO)),
        }
    }

    /// Whether all inputs have been read to their ends. An input may end in records that nobody gets to see, so it
    /// is the consumer's position that counts.
    async fn is_finished(&mut self) -> Result<bool, TaskError> {
        if self.spec.input_end == InputEnd::Unbounded {
            return Ok(false);
        }
        let mut all = true;
        for input in self.consumer.assignment() {
            let (reached, end) = (self.consumer.position(&input), self.end(&input).unwrap_or(Offset::ZERO));
            let is_over = end <= Offset::ZERO || reached.is_some_and(|reached| reached >= end);
            if is_over {
                self.work.finish_input(&input)?;
                self.send_outputs().await?;
            }
            all &= is_over;
        }
        Ok(all)
    }

    async fn finish(&mut self) -> Result<(), TaskError> {
        for input in self.consumer.assignment() {
            if let Some(end) = self.end(&input) {
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

fn consumer_config(spec: &ProcessorSpec) -> ConsumerConfig {
    ConsumerConfig {
        group_id: Some(spec.name.clone()),
        offset_reset: OffsetReset::Earliest,
        poll_records: caps::BATCH_RECORDS,
        ..ConsumerConfig::default()
    }
}

/// The task's partition of each input that has so many.
async fn inputs(
    spec: &ProcessorSpec,
    consumer: &Consumer,
    partition: i32,
) -> Result<Vec<TopicPartition>, TaskError> {
    let mut inputs = Vec::new();
    for topic in &spec.inputs {
        let partitions = consumer.partitions(topic).await?;
        inputs.extend(partitions.into_iter().find(|input| input.partition.0 == partition));
    }
    Ok(inputs)
}
