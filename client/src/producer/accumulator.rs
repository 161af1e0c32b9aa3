//! Records that wait for their batch to fill, and batches that wait for the sender.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainstem_protocol::{
    PartitionId, Timestamp,
    records::{BatchBuilder, Compression, NewRecord},
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    time::Instant,
};

use super::{
    ProduceError, ProducerConfig, ProducerRecord, SendError, Ticket,
    partitioner::{Sticky, partition_of_key},
    ticket::{BatchResult, Outcome},
};
use crate::{TopicPartition, caps};

/// A batch that takes records, or took them.
pub(super) struct OpenBatch {
    pub(super) builder: BatchBuilder,
    pub(super) outcome: Arc<Outcome>,
    pub(super) created: Instant,
    /// What the records take of the buffer, until the batch is stored or has failed.
    pub(super) room: OwnedSemaphorePermit,
}

/// Records that wait.
pub(super) struct Accumulator {
    compression: Compression,
    batch_bytes: usize,
    linger: Duration,
    state: Mutex<State>,
    /// Wakes the sender.
    pub(super) changed: Notify,
}

#[derive(Default)]
struct State {
    partitions: HashMap<TopicPartition, VecDeque<OpenBatch>>,
    sticky: Sticky,
    /// Builders to use again; they bring their buffers.
    builders: Vec<BatchBuilder>,
    /// Every batch that is neither stored nor has failed.
    unresolved: HashMap<u64, Arc<Outcome>>,
    next_batch: u64,
    flushing: usize,
    closed: bool,
}

impl fmt::Debug for Accumulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accumulator").field("linger", &self.linger).finish_non_exhaustive()
    }
}

impl Accumulator {
    pub(super) fn new(config: &ProducerConfig) -> Self {
        Self {
            compression: config.compression,
            batch_bytes: config.batch_bytes,
            linger: config.linger,
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Puts a record into the batch of its partition, or into a new one.
    pub(super) fn append(
        &self,
        record: ProducerRecord,
        partitions: usize,
        room: OwnedSemaphorePermit,
        now: Timestamp,
    ) -> Result<Ticket, SendError> {
        let mut state = self.state();
        if state.closed {
            return Err(SendError::Closed);
        }
        let new = NewRecord {
            timestamp: record.timestamp.unwrap_or(now),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: record.headers.as_ref(),
        };
        let partition = state.choose(&record, partitions);
        // The sender knows when the batches are due that there are already: what concerns it is a new batch, and
        // one that is full.
        let (ticket, wake) = match state.open(&partition, |batch| self.fits(batch, &new)) {
            Some(batch) => (push(batch, &new, Some(room))?, self.is_full(batch)),
            None => {
                let partition = state.move_on(partition, &record, partitions);
                (push(state.begin(partition, self.compression, room), &new, None)?, true)
            }
        };
        drop(state);
        if wake {
            self.changed.notify_one();
        }
        Ok(ticket)
    }

    fn fits(&self, batch: &OpenBatch, record: &NewRecord<'_>) -> bool {
        batch.builder.estimated_size_with(record) <= self.batch_bytes
    }

    /// Takes the oldest batch of each partition that may be sent and has one to send.
    pub(super) fn take(
        &self,
        now: Instant,
        mut may_send: impl FnMut(&TopicPartition) -> bool,
    ) -> Vec<OpenBatch> {
        let mut state = self.state();
        let everything = state.flushing > 0 || state.closed;
        let ready = |batches: &VecDeque<OpenBatch>| {
            everything || batches.len() > 1 || batches.front().is_some_and(|batch| self.is_due(batch, now))
        };
        let waiting =
            state.partitions.iter_mut().filter(|(_, batches)| !batches.is_empty() && ready(batches));
        waiting
            .filter(|(partition, _)| may_send(partition))
            .filter_map(|(_, batches)| batches.pop_front())
            .collect()
    }

    fn is_due(&self, batch: &OpenBatch, now: Instant) -> bool {
        now >= batch.created + self.linger || self.is_full(batch)
    }

    fn is_full(&self, batch: &OpenBatch) -> bool {
        batch.builder.estimated_size() >= self.batch_bytes
    }

    /// Takes the batches that were begun before an instant, to give them up.
    pub(super) fn take_older(&self, than: Instant) -> Vec<OpenBatch> {
        let mut state = self.state();
        let mut taken = Vec::new();
        for batches in state.partitions.values_mut() {
            while batches.front().is_some_and(|batch| batch.created <= than) {
                taken.extend(batches.pop_front());
            }
        }
        taken
    }

    /// When batches will be due that are not yet, or will have been here for `age`.
    pub(super) fn next_event(&self, now: Instant, age: Duration) -> Option<Instant> {
        let state = self.state();
        let oldest = state.partitions.values().filter_map(VecDeque::front);
        let events = oldest.flat_map(|batch| [batch.created + self.linger, batch.created + age]);
        events.filter(|event| *event > now).min()
    }

    /// The topics of which records wait.
    pub(super) fn waiting(&self) -> Vec<TopicPartition> {
        let state = self.state();
        let waiting = state.partitions.iter().filter(|(_, batches)| !batches.is_empty());
        waiting.map(|(partition, _)| partition.clone()).collect()
    }

    /// Tells everybody who waits for a batch what became of it.
    pub(super) fn resolve(&self, outcome: &Outcome, result: BatchResult) {
        self.state().unresolved.remove(&outcome.batch);
        outcome.resolve(result);
    }

    /// Takes a builder back.
    pub(super) fn recycle(&self, mut builder: BatchBuilder) {
        builder.clear();
        let mut state = self.state();
        if state.builders.len() < caps::SPARE_BUILDERS_MAX {
            state.builders.push(builder);
        }
    }

    /// Makes every batch due, and waits for those that there are.
    pub(super) async fn flush(&self) {
        let waiting = {
            let mut state = self.state();
            state.flushing += 1;
            state.unresolved.values().cloned().collect::<Vec<_>>()
        };
        let flushing = Flushing(self);
        self.changed.notify_one();
        for outcome in waiting {
            outcome.result.wait().await;
        }
        drop(flushing);
    }

    /// Refuses further records.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// Gives up whatever is left.
    pub(super) fn abandon(&self) {
        let left = std::mem::take(&mut self.state().unresolved);
        for outcome in left.into_values() {
            outcome.resolve(Err(ProduceError::Closed));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A flush under way; it may be given up like any future.
struct Flushing<'a>(&'a Accumulator);

impl Drop for Flushing<'_> {
    fn drop(&mut self) {
        self.0.state().flushing -= 1;
    }
}

impl State {
    fn choose(&mut self, record: &ProducerRecord, partitions: usize) -> TopicPartition {
        let partition = match (record.partition, &record.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partition_of_key(key, partitions),
            (None, None) => self.sticky.current(&record.topic, partitions),
        };
        TopicPartition { topic: record.topic.clone(), partition }
    }

    /// The batch of the partition that still takes the record.
    fn open(
        &mut self,
        partition: &TopicPartition,
        fits: impl Fn(&OpenBatch) -> bool,
    ) -> Option<&mut OpenBatch> {
        self.partitions.get_mut(partition)?.back_mut().filter(|batch| fits(batch))
    }

    /// Where a record without a key begins a batch, it does so at the next partition.
    fn move_on(
        &mut self,
        partition: TopicPartition,
        record: &ProducerRecord,
        partitions: usize,
    ) -> TopicPartition {
        if record.partition.is_some() || record.key.is_some() {
            return partition;
        }
        self.sticky.advance(&record.topic);
        let next: PartitionId = self.sticky.current(&record.topic, partitions);
        TopicPartition { partition: next, ..partition }
    }

    fn begin(
        &mut self,
        partition: TopicPartition,
        compression: Compression,
        room: OwnedSemaphorePermit,
    ) -> &mut OpenBatch {
        let builder = self.builders.pop().unwrap_or_else(|| BatchBuilder::new(compression));
        let outcome = Outcome::new(self.next_batch, partition.clone());
        self.unresolved.insert(self.next_batch, Arc::clone(&outcome));
        self.next_batch += 1;
        let batches = self.partitions.entry(partition).or_default();
        batches.push_back(OpenBatch { builder, outcome, created: Instant::now(), room });
        let last = batches.len() - 1;
        &mut batches[last]
    }
}

fn push(
    batch: &mut OpenBatch,
    record: &NewRecord<'_>,
    room: Option<OwnedSemaphorePermit>,
) -> Result<Ticket, SendError> {
    let index = batch.builder.len() as i64;
    let too_large = |bytes| SendError::TooLarge { bytes, limit: i32::MAX as usize };
    batch.builder.append(record).map_err(|error| too_large(error.record_bytes))?;
    if let Some(room) = room {
        batch.room.merge(room);
    }
    Ok(Ticket::new(Arc::clone(&batch.outcome), index))
}
