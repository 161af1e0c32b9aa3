//! What a simulation does to a store, by a seed, and what the store promises meanwhile.

mod transactions;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainstem_protocol::{Offset, PartitionId, TopicId};
use mainstem_storage::{
    AppendGroup, Clock, ConfigChange, ConfigOperation, Lsn, NotCommitted, Ticket,
    store::{Alteration, Topic},
};

use crate::{
    chance::Chance,
    image::{Image, Value},
    ledger::{Ledger, Placed, Promise, What},
    node::{Flush, Kind, Node, batch, keyed_batch, shown},
    tally::Tally,
};

/// Topics that there are at once.
const TOPICS_MAX: usize = 5;
/// Partitions of a topic, as it is created and at most.
const PARTITIONS: u64 = 3;
const PARTITIONS_MAX: usize = 6;

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
    /// Acknowledged, and not known to be durable.
    unsynced: VecDeque<Unsynced>,
    /// What no life gave twice.
    pub(crate) once: Once,
    pub(crate) tally: Tally,
    /// High watermark and last stable offset.
    high: BTreeMap<(TopicId, i32), (i64, i64)>,
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

impl Producer {
    /// Every other one writes in transactions alone.
    const fn is_transactional(&self) -> bool {
        self.id % 2 == 1
    }
}

/// A fact whose promise is still out.
struct Waiting {
    ticket: Ticket,
    lsn: u64,
    promise: Promise,
    placed: Vec<Placed>,
    /// What a topic was before, where it was deleted or altered: so it is again when that is taken back.
    before: Option<(TopicId, (String, Kind))>,
}

/// Records of a topic that is synced later than they are acknowledged.
struct Unsynced {
    lsn: u64,
    topic: TopicId,
    records: u64,
    at: Duration,
}

impl Workload {
    /// Goes on with what survived of earlier lives.
    pub(crate) fn new(node: Node, ledger: Shared, image: &Image, once: Once, seed: u64) -> Self {
        let topics = node.store.topics();
        let kind = |id: &TopicId| topics.get(*id).map(|topic| (topic.name.clone(), kind_of(topic)));
        let topics = image.topics.keys().filter_map(|id| Some((*id, kind(id)?))).collect();
        let mut workload = Self {
            node,
            ledger,
            chance: Chance::new(seed),
            topics,
            producers: Vec::new(),
            waiting: Vec::new(),
            unsynced: VecDeque::new(),
            once,
            tally: Tally::default(),
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
        self.producers = known.into_iter().map(|(id, next)| Producer { id, next }).take(6).collect();
    }

    /// Does one thing; whether the store still works.
    pub(crate) fn step(&mut self) -> bool {
        let is_well = match self.chance.below(100) {
            0..40 => self.append(),
            40..48 => self.write_in_transaction(),
            48..52 => self.end_transaction(),
            52..55 => self.alter(),
            55..79 => self.round(),
            79..85 => self.checkpoint(),
            85..88 => self.done(Node::clean_up),
            88..91 => self.done(Node::allocate),
            91..93 => self.retain(),
            93 => self.create_topic(),
            94 => self.delete_topic(),
            95..97 => self.truncate(),
            97 => self.grow(),
            98 => self.move_log_start(),
            _ => self.new_producer(),
        };
        self.hear();
        self.look();
        is_well
    }

    fn round(&mut self) -> bool {
        let is_well = self.node.round();
        self.hear();
        self.check_flushed();
        is_well
    }

    /// Writes until nothing waits.
    pub(crate) fn settle(&mut self) {
        while !self.waiting.is_empty() && self.round() {
            self.look();
        }
    }

    fn done(&self, act: impl FnOnce(&Node)) -> bool {
        act(&self.node);
        true
    }

    fn checkpoint(&mut self) -> bool {
        self.tally.checkpoints += 1;
        self.node.checkpoint()
    }

    fn retain(&mut self) -> bool {
        self.tally.retentions += self.node.retain(Duration::from_secs(600));
        true
    }

    fn append(&mut self) -> bool {
        let partitions = if self.chance.happens(30) { 2 + self.chance.below(3) } else { 1 };
        let mut group = AppendGroup::new();
        let mut placed: Vec<Placed> = Vec::new();
        let (mut synced, mut later) = (0, 0);
        for _ in 0..partitions {
            let topics: Vec<_> = self.topics.iter().map(|(id, (_, kind))| (*id, *kind)).collect();
            let Some((topic, kind)) = self.chance.pick(&topics).copied() else { return self.create_topic() };
            let count = if kind.is_synced() { &mut synced } else { &mut later };
            *count += 1;
            self.tally.keyed += u64::from(kind.keyed);
            self.push_batch(topic, kind, &mut group, &mut placed);
        }
        self.tally.note_group(placed.len(), synced > 0 && later > 0);
        self.place(group, placed, synced > 0)
    }

    fn place(&mut self, group: AppendGroup, mut placed: Vec<Placed>, is_synced: bool) -> bool {
        let Ok(ticket) = self.node.append(group) else { return true };
        for (batch, place) in placed.iter_mut().zip(ticket.places()) {
            batch.base_offset = place.base_offset.0;
            assert!(!place.is_duplicate, "a batch that was never sent is called a repeat");
            self.remember_sequence(batch);
        }
        let promise = if is_synced { Promise::Synced } else { Promise::Written };
        self.placed(ticket, promise, What::Appended(placed.clone()), placed);
        true
    }

    fn push_batch(&mut self, topic: TopicId, kind: Kind, group: &mut AppendGroup, placed: &mut Vec<Placed>) {
        let partition = self.partition_of(topic);
        if placed.iter().any(|batch| (batch.topic, batch.partition) == (topic, partition)) {
            return;
        }
        let count = 1 + self.chance.below(3);
        let values: Vec<_> = (self.once.next_value..self.once.next_value + count).map(Value).collect();
        self.once.next_value += count;
        let bytes = if self.chance.happens(3) { 9000 } else { self.chance.below(500) };
        let producer = self.producer_for(topic, partition);
        let build = if kind.keyed { keyed_batch } else { batch };
        group.push(topic, PartitionId(partition), build(&values, bytes as usize, producer));
        placed.push(Placed { topic, partition, base_offset: 0, values, producer, transaction: None });
    }

    fn next_sequence(&self, id: i64, topic: TopicId, partition: i32) -> i32 {
        let producer = self.producers.iter().find(|producer| producer.id == id);
        producer.and_then(|producer| producer.next.get(&(topic, partition))).copied().unwrap_or(0)
    }

    fn partition_of(&mut self, topic: TopicId) -> i32 {
        self.chance.below(self.partitions(topic) as u64) as i32
    }

    fn partitions(&self, topic: TopicId) -> usize {
        self.node.store.topics().get(topic).map_or(1, |topic| topic.partitions.len())
    }

    fn producer_for(&mut self, topic: TopicId, partition: i32) -> Option<(i64, i32)> {
        let plain: Vec<_> = self.producers.iter().filter(|producer| !producer.is_transactional()).collect();
        let index = self.chance.below(2 * plain.len() as u64 + 1) as usize;
        let producer = plain.get(index)?;
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
        let kind = self.kind();
        if let Some((topic, ticket)) = self.node.create_topic(&name, PARTITIONS as u32, kind) {
            let partitions = PARTITIONS as usize;
            let (overrides, keyed) = (kind.overrides(), kind.keyed);
            let what = What::Created { topic, name: name.clone(), partitions, overrides, keyed };
            self.placed(ticket, Promise::Synced, what, Vec::new());
            self.settle();
            self.topics.insert(topic, (name, kind));
        }
        true
    }

    fn kind(&mut self) -> Kind {
        let keyed = self.chance.happens(25);
        let flush = if keyed { Flush::Each } else { self.flush() };
        Kind { flush, has_retention: self.chance.happens(40), keyed }
    }

    fn flush(&mut self) -> Flush {
        match self.chance.below(10) {
            0..5 => Flush::Each,
            5..8 => Flush::After(2 + self.chance.below(30), 1000 * self.chance.below(1000)),
            _ => Flush::After(i64::MAX.unsigned_abs(), 1000),
        }
    }

    /// Changes the settings of a topic, its durability above all.
    fn alter(&mut self) -> bool {
        let topics: Vec<_> =
            self.topics.iter().map(|(id, (name, kind))| (*id, name.clone(), *kind)).collect();
        let Some((topic, name, before)) = self.chance.pick(&topics).cloned() else { return true };
        let flush = if before.keyed { Flush::Each } else { self.flush() };
        let after = Kind { flush, has_retention: self.chance.happens(40), ..before };
        let alteration = alteration(after, self.chance.happens(30));
        if let Ok(ticket) = self.node.store.alter_topic(topic, &alteration) {
            self.tally.alterations += 1;
            self.tally.hardenings += u64::from(after.is_synced() && !before.is_synced());
            let what = What::Altered { topic, overrides: after.overrides() };
            self.placed(ticket, Promise::Synced, what, Vec::new());
            self.remember_before(topic, (name.clone(), before));
            self.topics.insert(topic, (name, after));
        }
        true
    }

    fn grow(&mut self) -> bool {
        let topics: Vec<_> = self.topics.keys().copied().collect();
        let Some(topic) = self.chance.pick(&topics).copied() else { return true };
        let partitions = self.partitions(topic) + 1 + self.chance.below(2) as usize;
        if partitions <= PARTITIONS_MAX
            && let Ok(ticket) = self.node.store.add_partitions(topic, partitions as u32)
        {
            self.tally.growths += 1;
            self.placed(ticket, Promise::Synced, What::Grown { topic, partitions }, Vec::new());
        }
        true
    }

    fn remember_before(&mut self, topic: TopicId, known: (String, Kind)) {
        if let Some(waiting) = self.waiting.last_mut() {
            waiting.before = Some((topic, known));
        }
    }

    fn delete_topic(&mut self) -> bool {
        let topics: Vec<_> = self.topics.keys().copied().collect();
        let Some(topic) = self.chance.pick(&topics).copied() else { return true };
        if let Ok(ticket) = self.node.store.delete_topic(topic) {
            let known = self.topics.remove(&topic);
            self.tally.deletions += 1;
            self.placed(ticket, Promise::Synced, What::Deleted { topic }, Vec::new());
            known.into_iter().for_each(|known| self.remember_before(topic, known));
        }
        true
    }

    /// Takes back some of what has its place and is not committed.
    fn truncate(&mut self) -> bool {
        let lsns: Vec<_> = self.waiting.iter().map(|waiting| waiting.lsn).collect();
        if let Some(lsn) = self.chance.pick(&lsns) {
            self.node.store.truncate_to(Lsn(lsn - 1));
        }
        true
    }

    fn move_log_start(&mut self) -> bool {
        let topics: Vec<_> = self.topics.keys().copied().collect();
        let Some(topic) = self.chance.pick(&topics).copied() else { return true };
        let partition = self.partition_of(topic);
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
        self.waiting.push(Waiting { ticket, lsn, promise, placed, before: None });
    }

    /// Takes the answers that came, and holds the store to them and to what it says of its journal.
    fn hear(&mut self) {
        let mut superseded = Vec::new();
        for mut waiting in std::mem::take(&mut self.waiting) {
            match waiting.ticket.poll_now() {
                None => self.waiting.push(waiting),
                Some(Ok(_)) => self.acknowledged(&waiting),
                Some(Err(NotCommitted::Superseded)) => superseded.push(waiting),
                // The store failed: nobody knows.
                Some(Err(NotCommitted::Failed)) => {}
            }
        }
        superseded.into_iter().rev().for_each(|waiting| self.taken_back(waiting));
        let synced = self.node.store.stats().synced.0;
        self.ledger.ledger().synced(synced);
        self.unsynced.retain(|unsynced| unsynced.lsn > synced);
    }

    fn acknowledged(&mut self, waiting: &Waiting) {
        waiting.placed.iter().for_each(|batch| self.check_visible(batch));
        self.ledger.ledger().promise(waiting.lsn, waiting.promise);
        let (lsn, at) = (waiting.lsn, self.node.clock.monotonic());
        self.unsynced.extend(waiting.placed.iter().map(|batch| Unsynced {
            lsn,
            topic: batch.topic,
            records: batch.values.len() as u64,
            at,
        }));
    }

    /// As if it had never been: the newest comes first.
    fn taken_back(&mut self, waiting: Waiting) {
        self.tally.truncations += 1;
        self.ledger.ledger().retract(waiting.lsn);
        self.topics.extend(waiting.before);
        for batch in waiting.placed.iter().rev() {
            let Some((id, base_sequence)) = batch.producer else { continue };
            if let Some(producer) = self.producers.iter_mut().find(|producer| producer.id == id) {
                producer.next.insert((batch.topic, batch.partition), base_sequence);
            }
        }
    }

    /// After a round no topic has more that is not synced than its `flush.messages` and `flush.ms` allow.
    fn check_flushed(&self) {
        let now = self.node.clock.monotonic();
        for topic in self.node.store.topics().iter() {
            let of_topic = || self.unsynced.iter().filter(|unsynced| unsynced.topic == topic.id);
            let records: u64 = of_topic().map(|unsynced| unsynced.records).sum();
            assert!(records < topic.config.flush_messages, "{records} records of {} wait", topic.name);
            let patience = Duration::from_millis(topic.config.flush_ms);
            let is_late = |unsynced: &Unsynced| unsynced.at.saturating_add(patience) <= now;
            assert!(!of_topic().any(is_late), "{} is not synced in time", topic.name);
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
            let now = (shown.high_watermark, shown.last_stable);
            let before = self.high.insert((topic, partition), now).unwrap_or((0, 0));
            assert!(now.0 >= before.0, "a high watermark fell from {} to {}", before.0, now.0);
            assert!(now.1 >= before.1, "a last stable offset fell from {} to {}", before.1, now.1);
            assert!(now.1 <= now.0, "{} is stable, but {} is the high watermark", now.1, now.0);
            self.ledger.ledger().show(topic, partition, shown);
        }
    }
}

/// The settings of a kind: all of them anew, or one after the other over those that there are.
fn alteration(kind: Kind, is_whole: bool) -> Alteration {
    let overrides = kind.overrides();
    if is_whole {
        return Alteration::Replace(overrides);
    }
    let gone = ConfigChange { name: "retention.bytes".to_owned(), operation: ConfigOperation::Delete };
    let set = |(name, value)| ConfigChange { name, operation: ConfigOperation::Set(value) };
    Alteration::Changes([gone].into_iter().chain(overrides.into_iter().map(set)).collect())
}

fn kind_of(topic: &Topic) -> Kind {
    let config = &topic.config;
    let flush = match config.is_synced() {
        true => Flush::Each,
        false => Flush::After(config.flush_messages, config.flush_ms),
    };
    Kind { flush, has_retention: config.retention_bytes.is_some(), keyed: topic.keyed }
}
