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
use tokio::{sync::Notify, time::Instant};

use super::{
    ProduceError, ProducerConfig, ProducerRecord, SendError, Ticket,
    outcome::{BatchResult, Outcome},
    partitioner::{Random, Sticky, partition_of_key},
    room::{Room, Taken},
};
use crate::{TopicPartition, caps, cluster::TopicMetadata};

/// A batch that takes records, or took them.
pub(super) struct OpenBatch {
    pub(super) builder: BatchBuilder,
    pub(super) outcome: Arc<Outcome>,
    pub(super) created: Instant,
    /// What the records take of the buffer, until the batch is stored or has failed.
    pub(super) room: Taken,
}

/// Records that wait.
pub(super) struct Accumulator {
    compression: Compression,
    batch_bytes: usize,
    /// How long batches wait for more records.
    linger: Duration,
    room: Room,
    state: Mutex<State>,
    /// Wakes the sender.
    pub(super) changed: Notify,
}

#[derive(Default)]
struct State {
    topics: Vec<Topic>,
    /// Where each topic is in there.
    places: HashMap<Text, usize>,
    /// Where the topic is that the last record went to.
    last: usize,
    random: Random,
    batches: Batches,
    flushing: usize,
    /// Whether no transaction is open that records could belong to.
    paused: bool,
    closed: bool,
}

/// A topic that records went to.
struct Topic {
    known: Known,
    queues: Queues,
}

/// What is known of a topic, as long as the cluster's metadata do not change.
pub(super) struct Known {
    pub(super) topic: Arc<TopicMetadata>,
    /// The number that the metadata had ([`crate::Cluster`]).
    pub(super) changes: u64,
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
            room: Room::new(config.buffer_bytes),
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Waits for room. Dropped, nothing is taken.
    pub(super) async fn reserve(&self, bytes: usize) -> Result<Taken, SendError> {
        self.room.take(bytes).await.ok_or(SendError::Closed)
    }

    /// Puts a record into the batch of its partition, or into a new one, where that can be done at once: its topic is
    /// known, and there is room. Otherwise there is no result, and nothing has happened.
    pub(super) fn try_append(
        &self,
        record: &ProducerRecord,
        bytes: usize,
        changes: u64,
        now: impl FnOnce() -> Timestamp,
    ) -> Option<Result<Ticket, SendError>> {
        let mut state = self.state();
        let place = state.place(&record.topic)?;
        let Known { topic, changes: known } = &state.topics[place].known;
        if *known != changes
            || state.closed
            || state.paused
            || record.partition.is_some_and(|id| !topic.has(id))
        {
            return None;
        }
        let room = self.room.try_take(bytes)?;
        Some(self.put(state, place, record, room, record.timestamp.unwrap_or_else(now)))
    }

    /// Puts a record into the batch of its partition, or into a new one.
    pub(super) fn append(
        &self,
        record: &ProducerRecord,
        known: Known,
        room: Taken,
        now: Timestamp,
    ) -> Result<Ticket, SendError> {
        let mut state = self.state();
        if state.closed {
            return Err(SendError::Closed);
        }
        if state.paused {
            return Err(SendError::NoTransaction);
        }
        let place = state.learn(known);
        self.put(state, place, record, room.into_bytes(), record.timestamp.unwrap_or(now))
    }

    fn put(
        &self,
        mut state: MutexGuard<'_, State>,
        place: usize,
        record: &ProducerRecord,
        room: usize,
        timestamp: Timestamp,
    ) -> Result<Ticket, SendError> {
        let new = NewRecord {
            timestamp,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: record.headers.as_ref(),
        };
        let State { topics, random, batches, .. } = &mut *state;
        let (ticket, wake) = self.push(&mut topics[place], random, batches, record, &new, room)?;
        drop(state);
        if wake {
            self.changed.notify_one();
        }
        Ok(ticket)
    }

    /// Also says whether the sender has to look: it knows when the batches are due that there are already, so what
    /// concerns it is a new batch, and one that is full.
    fn push(
        &self,
        topic: &mut Topic,
        random: &mut Random,
        batches: &mut Batches,
        record: &ProducerRecord,
        new: &NewRecord<'_>,
        room: usize,
    ) -> Result<(Ticket, bool), SendError> {
        let Topic { known: Known { topic, .. }, queues } = topic;
        let sticks = record.partition.is_none() && record.key.is_none();
        let partition = match (record.partition, &record.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partition_of_key(key, topic.partitions.len()),
            (None, None) => queues.stick(topic, random, |batch| self.fits(batch, new)),
        };
        let queue = queues.of(partition);
        let is_new = !queue.back().is_some_and(|batch| self.fits(batch, new));
        if is_new {
            let partition = TopicPartition { topic: topic.name.clone(), partition };
            queue.push_back(batches.begin(partition, self.compression, self.room.hold(0)));
        }
        let last = queue.len() - 1;
        let batch = &mut queue[last];
        batch.room.add(room);
        let before = batch.builder.estimated_size();
        let ticket = batch.push(new)?;
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
            let _ = outcome.wait().await;
        }
        drop(flushing);
    }

    /// Refuses further records.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// Refuses records until a transaction is open: whoever flushes then knows that none comes behind.
    pub(super) fn pause(&self) {
        self.state().paused = true;
    }

    /// Takes records again.
    pub(super) fn resume(&self) {
        self.state().paused = false;
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
    /// Where a topic is, if records went to it before.
    fn place(&mut self, topic: &Text) -> Option<usize> {
        let is_last = self.topics.get(self.last).is_some_and(|last| last.known.topic.name == *topic);
        if !is_last {
            self.last = *self.places.get(topic)?;
        }
        Some(self.last)
    }

    /// Takes note of what is known of a topic; where that is.
    fn learn(&mut self, known: Known) -> usize {
        if let Some(place) = self.place(&known.topic.name) {
            self.topics[place].known = known;
            return place;
        }
        self.last = self.topics.len();
        self.places.insert(known.topic.name.clone(), self.last);
        self.topics.push(Topic { known, queues: Queues::default() });
        self.last
    }

    fn queues(&self) -> impl Iterator<Item = &VecDeque<OpenBatch>> {
        self.topics.iter().flat_map(|topic| &topic.queues.partitions)
    }

    fn queues_mut(&mut self) -> impl Iterator<Item = &mut VecDeque<OpenBatch>> {
        self.topics.iter_mut().flat_map(|topic| &mut topic.queues.partitions)
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
    fn begin(&mut self, partition: TopicPartition, compression: Compression, room: Taken) -> OpenBatch {
        let builder = self.builders.pop().unwrap_or_else(|| BatchBuilder::new(compression));
        let outcome = Outcome::new(self.begun, partition);
        self.unresolved.insert(self.begun, Arc::clone(&outcome));
        self.begun += 1;
        OpenBatch { builder, outcome, created: Instant::now(), room }
    }
}

impl OpenBatch {
    fn push(&mut self, record: &NewRecord<'_>) -> Result<Ticket, SendError> {
        let index = self.builder.len() as u32;
        let too_large = |bytes| SendError::TooLarge { bytes, limit: i32::MAX as usize };
        self.builder.append(record).map_err(|error| too_large(error.record_bytes))?;
        Ok(Ticket::new(Arc::clone(&self.outcome), index))
    }
}
