//! What was asked of a store, in the order of its journal, and what it promised.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::TopicId;
use mainstem_storage::Overrides;

use crate::image::{Image, Partition, Repeat, Topic, Transaction, Value, differences};

/// Everything that was asked: what must be there, and behind it what may be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// Folded from all facts up to the last one that no power cut can take back.
    settled: Image,
    /// The facts behind it, in order.
    open: Vec<Fact>,
    /// What readers were shown of each partition.
    shown: BTreeMap<(TopicId, i32), Shown>,
    last_lsn: u64,
    /// Those that were given to clients: none may be given again.
    pub(crate) producer_ids: BTreeSet<i64>,
}

/// Something that has its place in the journal.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) lsn: u64,
    pub(crate) promise: Promise,
    pub(crate) what: What,
}

/// What the store said of a fact. Later ones are stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Promise {
    /// Nothing yet.
    None,
    /// It survives the death of the process.
    Written,
    /// It survives a power cut.
    Synced,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Created {
        topic: TopicId,
        name: String,
        partitions: usize,
        overrides: Overrides,
        keyed: bool,
    },
    /// It has these settings of its own now.
    Altered {
        topic: TopicId,
        overrides: Overrides,
    },
    /// It has so many partitions now.
    Grown {
        topic: TopicId,
        partitions: usize,
    },
    Deleted {
        topic: TopicId,
    },
    LogStart {
        topic: TopicId,
        partition: i32,
        offset: i64,
    },
    Appended(Vec<Placed>),
}

/// A batch and where it went.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) topic: TopicId,
    pub(crate) partition: i32,
    pub(crate) base_offset: i64,
    pub(crate) values: Vec<Value>,
    /// Producer id and first sequence.
    pub(crate) producer: Option<(i64, i32)>,
    pub(crate) transaction: Option<Transaction>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) log_start: i64,
    pub(crate) high_watermark: i64,
    pub(crate) last_stable: i64,
    pub(crate) leader_epoch: i32,
    /// Whether the topic is one of which nothing visible may be lost.
    pub(crate) is_synced: bool,
}

/// What happened to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accident {
    PowerCut,
    Kill,
}

impl Ledger {
    pub(crate) fn add(&mut self, lsn: u64, promise: Promise, what: What) {
        assert!(lsn > self.last_lsn, "LSN {lsn} was given after {}", self.last_lsn);
        self.last_lsn = lsn;
        self.open.push(Fact { lsn, promise, what });
    }

    /// The store made a promise for the fact with that LSN.
    pub(crate) fn promise(&mut self, lsn: u64, promise: Promise) {
        if let Some(fact) = self.open.iter_mut().find(|fact| fact.lsn == lsn) {
            fact.promise = fact.promise.max(promise);
        }
        let synced = self.open.iter().rposition(|fact| fact.promise == Promise::Synced);
        for fact in self.open.drain(..synced.map_or(0, |last| last + 1)) {
            apply(&mut self.settled, &fact.what);
        }
    }

    /// The store says that its journal is durable up to there.
    pub(crate) fn synced(&mut self, lsn: u64) {
        if let Some(last) = self.open.iter().rfind(|fact| fact.lsn <= lsn) {
            self.promise(last.lsn, Promise::Synced);
        }
    }

    /// The store took back what had that place, and may give it again.
    pub(crate) fn retract(&mut self, lsn: u64) {
        self.open.retain(|fact| fact.lsn != lsn);
        self.last_lsn = self.last_lsn.min(lsn - 1);
    }

    pub(crate) fn show(&mut self, topic: TopicId, partition: i32, shown: Shown) {
        self.shown.insert((topic, partition), shown);
    }

    /// Everything that was asked, whether it survives or not.
    pub(crate) fn all(&self) -> Image {
        self.after(self.open.len())
    }

    fn after(&self, count: usize) -> Image {
        let mut image = self.settled.clone();
        self.open[..count].iter().for_each(|fact| apply(&mut image, &fact.what));
        image
    }

    fn must_survive(&self, accident: Accident) -> usize {
        let least = if accident == Accident::Kill { Promise::Written } else { Promise::Synced };
        self.open.iter().rposition(|fact| fact.promise >= least).map_or(0, |last| last + 1)
    }

    /// Compares what survived with what may have: everything promised, of the rest a prefix, and nothing else.
    /// Returns how many of the open facts survived.
    pub(crate) fn check(&self, found: &Image, accident: Accident) -> Result<usize, Vec<String>> {
        let least = self.must_survive(accident);
        let mut image = self.after(least);
        let mut best = Vec::new();
        for survived in least..=self.open.len() {
            let differences = differences(&image, found);
            if differences.is_empty() {
                return self.check_shown(found, accident).map(|()| survived);
            }
            if best.is_empty() || differences.len() < best.len() {
                best = differences;
            }
            if let Some(fact) = self.open.get(survived) {
                apply(&mut image, &fact.what);
            }
        }
        let facts =
            self.open.iter().map(|fact| format!("{}: {:?}", fact.lsn, fact.promise)).collect::<Vec<_>>();
        best.insert(
            0,
            format!("none of the prefixes with {least} or more of these gives it: {}", facts.join(", ")),
        );
        Err(best)
    }

    /// A group of which readers see a part (durability 5), where there is one: its LSN.
    pub(crate) fn half_shown(&self, high_watermark: impl Fn(TopicId, i32) -> Option<i64>) -> Option<u64> {
        let is_shown = |batch: &Placed| {
            let end = batch.base_offset + batch.values.len() as i64;
            high_watermark(batch.topic, batch.partition).map(|high| high >= end)
        };
        let is_half = |fact: &&Fact| {
            let What::Appended(batches) = &fact.what else { return false };
            let shown: Vec<_> = batches.iter().filter_map(is_shown).collect();
            shown.contains(&true) && shown.contains(&false)
        };
        self.open.iter().find(is_half).map(|fact| fact.lsn)
    }

    fn check_shown(&self, found: &Image, accident: Accident) -> Result<(), Vec<String>> {
        let violations = self.shown.iter().filter_map(|((topic, partition), shown)| {
            let topic = found.topics.get(topic)?;
            let end = topic.partitions.get(*partition as usize)?.end;
            let start = topic.partitions.get(*partition as usize)?.log_start;
            let is_kept = shown.is_synced || accident == Accident::Kill;
            let name = format!("{}-{partition}", topic.name);
            if is_kept && end < shown.high_watermark {
                return Some(format!("{name} ends at {end}, but {} was shown", shown.high_watermark));
            }
            (start < shown.log_start)
                .then(|| format!("{name} begins at {start}, but {} was shown", shown.log_start))
        });
        let violations: Vec<_> = violations.collect();
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    /// Partitions of which readers were shown records that are gone now (durability 18).
    pub(crate) fn truncated(&self, found: &Image) -> Vec<(TopicId, i32, Shown)> {
        let lost = |topic: &TopicId, partition: i32, shown: &Shown| {
            let end = found.topics.get(topic)?.partitions.get(partition as usize)?.end;
            (end < shown.high_watermark).then_some((*topic, partition, *shown))
        };
        self.shown.iter().filter_map(|((topic, partition), shown)| lost(topic, *partition, shown)).collect()
    }

    /// Goes on after an accident: what survived stays, and the rest never was.
    pub(crate) fn survive(&mut self, survived: usize, found: &Image) {
        self.settled = self.after(survived);
        self.open.clear();
        self.shown.clear();
        // What retention took is gone for good.
        for (id, topic) in &mut self.settled.topics {
            let Some(found) = found.topics.get(id) else { continue };
            for (partition, found) in topic.partitions.iter_mut().zip(&found.partitions) {
                partition.start_at(found.log_start);
            }
        }
    }

    /// The next life's LSNs begin wherever the journal now ends.
    pub(crate) fn forget_lsn(&mut self) {
        self.last_lsn = 0;
    }
}

fn apply(image: &mut Image, what: &What) {
    match what {
        What::Created { topic, name, partitions, overrides, keyed } => {
            let (name, partitions) = (name.clone(), vec![Partition::default(); *partitions]);
            let (overrides, has_retention, keyed) = (overrides.clone(), has_retention(overrides), *keyed);
            image.topics.insert(*topic, Topic { name, partitions, overrides, has_retention, keyed });
        }
        What::Altered { topic, overrides } => {
            if let Some(topic) = image.topics.get_mut(topic) {
                topic.has_retention |= has_retention(overrides);
                topic.overrides = overrides.clone();
            }
        }
        What::Grown { topic, partitions } => {
            if let Some(topic) = image.topics.get_mut(topic) {
                topic.partitions.resize_with(*partitions, Partition::default);
            }
        }
        What::Deleted { topic } => drop(image.topics.remove(topic)),
        What::LogStart { topic, partition, offset } => {
            if let Some(partition) = partition_mut(image, *topic, *partition) {
                partition.start_at(*offset);
            }
        }
        What::Appended(batches) => batches.iter().for_each(|batch| append(image, batch)),
    }
}

fn has_retention(overrides: &Overrides) -> bool {
    overrides.contains_key("retention.bytes")
}

fn append(image: &mut Image, batch: &Placed) {
    let Placed { topic, partition, base_offset, values, producer, transaction } = batch;
    let keyed = image.topics.get(topic).is_some_and(|topic| topic.keyed);
    let Some(partition) = partition_mut(image, *topic, *partition) else { return };
    partition.append(*base_offset, values);
    partition.turn(*base_offset, *transaction);
    if keyed {
        partition.fold(values);
    }
    if let Some((producer, base_sequence)) = producer {
        let (base_sequence, base_offset) = (*base_sequence, *base_offset);
        partition.remember(*producer, Repeat { base_sequence, base_offset, values: values.clone() });
    }
}

fn partition_mut(image: &mut Image, topic: TopicId, partition: i32) -> Option<&mut Partition> {
    image.topics.get_mut(&topic)?.partitions.get_mut(partition as usize)
}

#[cfg(test)]
mod tests;
