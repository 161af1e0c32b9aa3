//! What a simulation does to a store, by a seed, and what the store promises meanwhile.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainstem_protocol::{Offset, PartitionId, TopicId};
use mainstem_storage::{AppendGroup, Ticket};

use crate::{
    chance::Chance,
    image::{Image, Value},
    ledger::{Ledger, Placed, Promise, What},
    node::{Kind, Node, batch, shown},
};

/// Topics that there are at once.
const TOPICS_MAX: usize = 5;
/// Partitions of a topic.
const PARTITIONS: u64 = 3;

/// Shared with whoever watches the disk.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Ledger>>);

impl Shared {
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One life of a store, from a start to an accident.
pub(crate) struct Workload {
    pub(crate) node: Node,
    pub(crate) ledger: Shared,
    chance: Chance,
    topics: BTreeMap<TopicId, (String, Kind)>,
    producers: Vec<Producer>,
    waiting: Vec<Waiting>,
    /// What no life gave twice.
    pub(crate) once: Once,
    pub(crate) groups: u64,
    high: BTreeMap<(TopicId, i32), i64>,
}

/// Numbers that are given once in the life of a data directory.
#[derive(Clone, Default)]
pub(crate) struct Once {
    next_value: u64,
}

struct Producer {
    id: i64,
    next: BTreeMap<(TopicId, i32), i32>,
}

/// A fact whose promise is still out.
struct Waiting {
    ticket: Ticket,
    lsn: u64,
    promise: Promise,
    placed: Vec<Placed>,
}

impl Workload {
    /// Goes on with what survived of earlier lives.
    pub(crate) fn new(node: Node, ledger: Shared, image: &Image, once: Once, seed: u64) -> Self {
        let topics = node.store.topics();
        let kind = |id: &TopicId| {
            let topic = topics.get(*id)?;
            let has_retention = topic.config.retention_bytes.is_some();
            Some((topic.name.clone(), Kind { is_synced: topic.config.is_synced(), has_retention }))
        };
        let topics = image.topics.keys().filter_map(|id| Some((*id, kind(id)?))).collect();
        let mut workload = Self {
            node,
            ledger,
            chance: Chance::new(seed),
            topics,
            producers: Vec::new(),
            waiting: Vec::new(),
            once,
            groups: 0,
            high: BTreeMap::new(),
        };
        workload.resume_producers(image);
        workload
    }

    /// Clients outlive a broker: they go on behind the last batch that survived.
    fn resume_producers(&mut self, image: &Image) {
        let mut known: BTreeMap<i64, BTreeMap<(TopicId, i32), i32>> = BTreeMap::new();
        for (id, topic) in &image.topics {
            for (index, partition) in (0..).zip(&topic.partitions) {
                for (producer, batches) in &partition.producers {
                    let last = batches.back().map(|last| last.base_sequence + last.values.len() as i32);
                    known.entry(*producer).or_default().insert((*id, index), last.unwrap_or(0));
                }
            }
        }
        self.producers = known.into_iter().map(|(id, next)| Producer { id, next }).take(4).collect();
    }

    /// Does one thing; whether the store still works.
    pub(crate) fn step(&mut self) -> bool {
        let is_well = match self.chance.below(100) {
            0..56 => self.append(),
            56..80 => self.node.round(),
            80..86 => self.node.checkpoint(),
            86..89 => self.done(|node| node.clean_up()),
            89..92 => self.done(|node| node.allocate()),
            92..94 => self.done(|node| node.retain(Duration::from_secs(600))),
            94..96 => self.create_topic(),
            96 => self.delete_topic(),
            97..99 => self.move_log_start(),
            _ => self.new_producer(),
        };
        self.hear();
        self.look();
        is_well
    }

    /// Writes and checkpoints until nothing waits.
    pub(crate) fn settle(&mut self) {
        while !self.waiting.is_empty() && self.node.round() {
            self.hear();
            self.look();
        }
    }

    fn done(&self, act: impl FnOnce(&Node)) -> bool {
        act(&self.node);
        true
    }

    fn append(&mut self) -> bool {
        let partitions = if self.chance.happens(30) { 2 + self.chance.below(3) } else { 1 };
        let mut group = AppendGroup::new();
        let mut placed: Vec<Placed> = Vec::new();
        let mut is_synced = false;
        for _ in 0..partitions {
            let topics: Vec<_> = self.topics.iter().map(|(id, (_, kind))| (*id, *kind)).collect();
            let Some((topic, kind)) = self.chance.pick(&topics).copied() else { return self.create_topic() };
            is_synced |= kind.is_synced;
            self.push_batch(topic, &mut group, &mut placed);
        }
        let Ok(ticket) = self.node.append(group) else { return true };
        self.groups += 1;
        for (batch, place) in placed.iter_mut().zip(ticket.places()) {
            batch.base_offset = place.base_offset.0;
            assert!(!place.is_duplicate, "a batch that was never sent is called a repeat");
            self.remember_sequence(batch);
        }
        let promise = if is_synced { Promise::Synced } else { Promise::Written };
        self.placed(ticket, promise, What::Appended(placed.clone()), placed);
        true
    }

    fn push_batch(&mut self, topic: TopicId, group: &mut AppendGroup, placed: &mut Vec<Placed>) {
        let partition = self.chance.below(PARTITIONS) as i32;
        if placed.iter().any(|batch| (batch.topic, batch.partition) == (topic, partition)) {
            return;
        }
        let count = 1 + self.chance.below(3);
        let values: Vec<_> = (self.once.next_value..self.once.next_value + count).map(Value).collect();
        self.once.next_value += count;
        let bytes = if self.chance.happens(3) { 9000 } else { self.chance.below(500) };
        let producer = self.producer_for(topic, partition);
        group.push(topic, PartitionId(partition), batch(&values, bytes as usize, producer));
        placed.push(Placed { topic, partition, base_offset: 0, values, producer });
    }

    fn producer_for(&mut self, topic: TopicId, partition: i32) -> Option<(i64, i32)> {
        let index = self.chance.below(2 * self.producers.len() as u64 + 1) as usize;
        let producer = self.producers.get(index)?;
        Some((producer.id, producer.next.get(&(topic, partition)).copied().unwrap_or(0)))
    }

    fn remember_sequence(&mut self, batch: &Placed) {
        let Some((id, base_sequence)) = batch.producer else { return };
        let next = base_sequence + batch.values.len() as i32;
        let producer = self.producers.iter_mut().find(|producer| producer.id == id);
        if let Some(producer) = producer {
            producer.next.insert((batch.topic, batch.partition), next);
        }
    }

    fn create_topic(&mut self) -> bool {
        if self.topics.len() >= TOPICS_MAX {
            return true;
        }
        // Few names, so that they come again.
        let name = format!("topic-{}", self.chance.below(8));
        let kind = Kind { is_synced: self.chance.happens(60), has_retention: self.chance.happens(40) };
        if let Some((topic, ticket)) = self.node.create_topic(&name, PARTITIONS as u32, kind) {
            let partitions = PARTITIONS as usize;
            let what =
                What::Created { topic, name: name.clone(), partitions, has_retention: kind.has_retention };
            self.placed(ticket, Promise::Synced, what, Vec::new());
            self.settle();
            self.topics.insert(topic, (name, kind));
        }
        true
    }

    fn delete_topic(&mut self) -> bool {
        let topics: Vec<_> = self.topics.keys().copied().collect();
        let Some(topic) = self.chance.pick(&topics).copied() else { return true };
        if let Ok(ticket) = self.node.store.delete_topic(topic) {
            self.topics.remove(&topic);
            self.placed(ticket, Promise::Synced, What::Deleted { topic }, Vec::new());
        }
        true
    }

    fn move_log_start(&mut self) -> bool {
        let topics: Vec<_> = self.topics.keys().copied().collect();
        let Some(topic) = self.chance.pick(&topics).copied() else { return true };
        let partition = self.chance.below(PARTITIONS) as i32;
        let Some(shown) = self.node.store.partition(topic, PartitionId(partition)) else { return true };
        let (start, end) = (shown.log_start().0, shown.high_watermark().0);
        let offset = start + self.chance.below((end - start) as u64 + 1) as i64;
        if let Ok(ticket) = self.node.store.move_log_start(topic, PartitionId(partition), Offset(offset)) {
            self.placed(ticket, Promise::Synced, What::LogStart { topic, partition, offset }, Vec::new());
        }
        true
    }

    fn new_producer(&mut self) -> bool {
        let Some(id) = self.node.producer_id() else { return true };
        let is_fresh = self.ledger.ledger().producer_ids.insert(id);
        assert!(is_fresh, "producer id {id} was given twice");
        self.producers.push(Producer { id, next: BTreeMap::new() });
        true
    }

    fn placed(&mut self, ticket: Ticket, promise: Promise, what: What, placed: Vec<Placed>) {
        let lsn = ticket.lsn().0;
        self.ledger.ledger().add(lsn, Promise::None, what);
        self.waiting.push(Waiting { ticket, lsn, promise, placed });
    }

    /// Takes the answers that came, and holds the store to them.
    fn hear(&mut self) {
        for mut waiting in std::mem::take(&mut self.waiting) {
            match waiting.ticket.poll_now() {
                None => self.waiting.push(waiting),
                Some(Ok(_)) => {
                    waiting.placed.iter().for_each(|batch| self.check_visible(batch));
                    self.ledger.ledger().promise(waiting.lsn, waiting.promise);
                }
                // The store failed: nobody knows.
                Some(Err(_)) => {}
            }
        }
    }

    /// No acknowledgement leaves before its records are visible (durability 4).
    fn check_visible(&self, batch: &Placed) {
        let Some(partition) = self.node.store.partition(batch.topic, PartitionId(batch.partition)) else {
            return;
        };
        let end = batch.base_offset + batch.values.len() as i64;
        assert!(partition.high_watermark().0 >= end, "acknowledged before it was visible: {batch:?}");
    }

    /// Notes what readers see now; it never falls while the process lives (durability 5).
    fn look(&mut self) {
        for (topic, partition, shown) in shown(&self.node.store) {
            let before = self.high.insert((topic, partition), shown.high_watermark).unwrap_or(0);
            assert!(
                shown.high_watermark >= before,
                "a high watermark fell from {before} to {}",
                shown.high_watermark
            );
            self.ledger.ledger().show(topic, partition, shown);
        }
    }
}
