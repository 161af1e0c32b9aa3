//! Records that wait for their batch to fill, and batches that wait for the sender.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainstem_protocol::{
    PartitionId, Text, Timestamp,
    records::{BatchBuilder, Compression, NewRecord},
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    time::Instant,
};

use super::{
    ProduceError, ProducerConfig, ProducerRecord, SendError, Ticket,
    partitioner::{Random, Sticky, partition_of_key},
    ticket::{BatchResult, Outcome},
};
use crate::{TopicPartition, caps, cluster::TopicMetadata};

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
    topics: HashMap<Text, Queues>,
    random: Random,
    batches: Batches,
    flushing: usize,
    closed: bool,
}

/// What waits for the partitions of a topic.
#[derive(Default)]
struct Queues {
    /// By the number of the partition.
    partitions: Vec<VecDeque<OpenBatch>>,
    sticky: Sticky,
}

/// Where batches come from, and which there are.
#[derive(Default)]
struct Batches {
    /// Builders to use again; they bring their buffers.
    builders: Vec<BatchBuilder>,
    /// Every batch that is neither stored nor has failed.
    unresolved: HashMap<u64, Arc<Outcome>>,
    begun: u64,
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
        record: &ProducerRecord,
        topic: &TopicMetadata,
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
        let (ticket, wake) = self.place(&mut state, record, &new, topic, room)?;
        drop(state);
        if wake {
            self.changed.notify_one();
        }
        Ok(ticket)
    }

    /// Also says whether the sender has to look: it knows when the batches are due that there are already, so what
    /// concerns it is a new batch, and one that is full.
    fn place(
        &self,
        state: &mut State,
        record: &ProducerRecord,
        new: &NewRecord<'_>,
        topic: &TopicMetadata,
        room: OwnedSemaphorePermit,
    ) -> Result<(Ticket, bool), SendError> {
        let State { topics, random, batches, .. } = state;
        let queues = match topics.get_mut(&record.topic) {
            Some(queues) => queues,
            None => topics.entry(record.topic.clone()).or_default(),
        };
        let sticks = record.partition.is_none() && record.key.is_none();
        let partition = match (record.partition, &record.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partition_of_key(key, topic.partitions.len()),
            (None, None) => queues.stick(topic, random, |batch| self.fits(batch, new)),
        };
        let queue = queues.of(partition);
        let is_new = !queue.back().is_some_and(|batch| self.fits(batch, new));
        let room = if is_new {
            let partition = TopicPartition { topic: record.topic.clone(), partition };
            queue.push_back(batches.begin(partition, self.compression, room));
            None
        } else {
            Some(room)
        };
        let last = queue.len() - 1;
        let batch = &mut queue[last];
        let before = batch.builder.estimated_size();
        let ticket = push(batch, new, room)?;
        let (bytes, is_full) = (batch.builder.estimated_size().saturating_sub(before), self.is_full(batch));
        if sticks {
            queues.sticky.took(bytes, self.batch_bytes, is_full);
        }
        Ok((ticket, is_new || is_full))
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
        let mut may_be_taken = |batches: &VecDeque<OpenBatch>| {
            batches.front().is_some_and(|first| {
                let is_ready = everything || batches.len() > 1 || self.is_due(first, now);
                is_ready && may_send(&first.outcome.partition)
            })
        };
        let queues = state.queues_mut().filter(|batches| may_be_taken(batches));
        queues.filter_map(VecDeque::pop_front).collect()
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
        for batches in state.queues_mut() {
            while batches.front().is_some_and(|batch| batch.created <= than) {
                taken.extend(batches.pop_front());
            }
        }
        taken
    }

    /// When batches will be due that are not yet, or will have been here for `age`.
    pub(super) fn next_event(&self, now: Instant, age: Duration) -> Option<Instant> {
        let state = self.state();
        let oldest = state.queues().filter_map(VecDeque::front);
        let events = oldest.flat_map(|batch| [batch.created + self.linger, batch.created + age]);
        events.filter(|event| *event > now).min()
    }

    /// Whether any record waits.
    pub(super) fn has_waiting(&self) -> bool {
        self.state().queues().any(|batches| !batches.is_empty())
    }

    /// Tells everybody who waits for a batch what became of it.
    pub(super) fn resolve(&self, outcome: &Outcome, result: BatchResult) {
        self.state().batches.unresolved.remove(&outcome.batch);
        outcome.resolve(result);
    }

    /// Takes a builder back.
    pub(super) fn recycle(&self, mut builder: BatchBuilder) {
        builder.clear();
        let mut state = self.state();
        if state.batches.builders.len() < caps::SPARE_BUILDERS_MAX {
            state.batches.builders.push(builder);
        }
    }

    /// Makes every batch due, and waits for those that there are.
    pub(super) async fn flush(&self) {
        let waiting = {
            let mut state = self.state();
            state.flushing += 1;
            state.batches.unresolved.values().cloned().collect::<Vec<_>>()
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
        let left = std::mem::take(&mut self.state().batches.unresolved);
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
    fn queues(&self) -> impl Iterator<Item = &VecDeque<OpenBatch>> {
        self.topics.values().flat_map(|topic| &topic.partitions)
    }

    fn queues_mut(&mut self) -> impl Iterator<Item = &mut VecDeque<OpenBatch>> {
        self.topics.values_mut().flat_map(|topic| &mut topic.partitions)
    }
}

impl Queues {
    fn of(&mut self, partition: PartitionId) -> &mut VecDeque<OpenBatch> {
        let index = usize::try_from(partition.0).unwrap_or(0);
        if self.partitions.len() <= index {
            self.partitions.resize_with(index + 1, VecDeque::new);
        }
        &mut self.partitions[index]
    }

    /// The partition of a record without a key. Where such a record begins a batch because the last one is full, it does
    /// so elsewhere.
    fn stick(
        &mut self,
        topic: &TopicMetadata,
        random: &mut Random,
        fits: impl Fn(&OpenBatch) -> bool,
    ) -> PartitionId {
        let partition = self.current(topic, random);
        if self.of(partition).back().is_none_or(fits) {
            return partition;
        }
        self.sticky.move_on();
        self.current(topic, random)
    }

    fn current(&mut self, topic: &TopicMetadata, random: &mut Random) -> PartitionId {
        let Self { partitions, sticky } = self;
        let batches = |id: PartitionId| partitions.get(id.0 as usize).map_or(0, VecDeque::len);
        sticky.current(topic, batches, random)
    }
}

impl Batches {
    fn begin(
        &mut self,
        partition: TopicPartition,
        compression: Compression,
        room: OwnedSemaphorePermit,
    ) -> OpenBatch {
        let builder = self.builders.pop().unwrap_or_else(|| BatchBuilder::new(compression));
        let outcome = Outcome::new(self.begun, partition);
        self.unresolved.insert(self.begun, Arc::clone(&outcome));
        self.begun += 1;
        OpenBatch { builder, outcome, created: Instant::now(), room }
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
