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
mod tests {
    use super::*;

    const TOPIC: TopicId = TopicId([7; 16]);
    const OTHER: TopicId = TopicId([8; 16]);

    fn batch(topic: TopicId, partition: i32, base_offset: i64, values: &[u64]) -> Placed {
        let values = values.iter().copied().map(Value).collect();
        let producer = Some((1, base_offset as i32));
        Placed { topic, partition, base_offset, values, producer, transaction: None }
    }

    /// Two topics; a synced group, then an `os` group over two partitions, then one more.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        for (lsn, topic) in [(1, TOPIC), (2, OTHER)] {
            let name = format!("t{lsn}");
            let (overrides, keyed) = (Overrides::new(), topic == OTHER);
            ledger.add(lsn, Promise::Synced, What::Created { topic, name, partitions: 2, overrides, keyed });
        }
        ledger.add(3, Promise::None, What::Appended(vec![batch(TOPIC, 0, 0, &[10, 11])]));
        ledger.promise(3, Promise::Synced);
        ledger.add(
            4,
            Promise::None,
            What::Appended(vec![batch(TOPIC, 0, 2, &[12]), batch(OTHER, 1, 0, &[13])]),
        );
        ledger.promise(4, Promise::Written);
        ledger.add(5, Promise::None, What::Appended(vec![batch(TOPIC, 0, 3, &[14, 15])]));
        ledger
    }

    /// A transaction over two partitions that is taken back, and one that is open.
    fn with_transactions() -> Ledger {
        let mut ledger = ledger();
        let within =
            |batch: Placed, producer| Placed { transaction: Some(Transaction::Within { producer }), ..batch };
        let end = |topic, partition, at| Placed {
            values: vec![Value::marker(3, false)],
            producer: None,
            transaction: Some(Transaction::End { producer: 3, committed: false }),
            ..batch(topic, partition, at, &[])
        };
        let both = vec![within(batch(TOPIC, 0, 5, &[20, 21]), 3), within(batch(OTHER, 1, 1, &[22]), 3)];
        ledger.add(6, Promise::None, What::Appended(both));
        ledger.add(7, Promise::None, What::Appended(vec![within(batch(TOPIC, 0, 7, &[23]), 5)]));
        ledger.add(8, Promise::None, What::Appended(vec![end(TOPIC, 0, 8), end(OTHER, 1, 2)]));
        ledger.promise(8, Promise::Synced);
        ledger
    }

    #[test]
    fn every_planted_fault_of_transactions_is_found() {
        let ledger = with_transactions();
        let transactions = &ledger.all().topics[&TOPIC].partitions[0].transactions.clone();
        assert_eq!((transactions.last_stable, &transactions.aborted[..]), (7, &[(3, 5, 8)][..]));
        type Fault = fn(&mut Image);
        let faults: &[(&str, Fault)] = &[
            ("an aborted transaction counts as committed", |image| {
                partition(image).transactions.aborted.clear();
            }),
            ("an aborted transaction begins elsewhere", |image| {
                partition(image).transactions.aborted[0].1 = 6;
            }),
            ("an open transaction is forgotten", |image| partition(image).transactions.open.clear()),
            ("records of an open transaction are stable", |image| {
                partition(image).transactions.last_stable = 9;
            }),
            ("a transaction is ended in one of its partitions alone", |image| {
                let other = partition_mut(image, OTHER, 1).unwrap();
                other.records.pop_back();
                other.end -= 1;
                other.transactions = super::super::image::Transactions {
                    open: [(3, 1)].into(),
                    aborted: Vec::new(),
                    last_stable: 1,
                };
            }),
        ];
        assert_eq!(ledger.check(&ledger.all(), Accident::PowerCut), Ok(0));
        for (name, fault) in faults {
            let mut image = ledger.all();
            fault(&mut image);
            assert!(ledger.check(&image, Accident::PowerCut).is_err(), "{name} was not found");
        }
    }

    fn partition(image: &mut Image) -> &mut Partition {
        partition_mut(image, TOPIC, 0).unwrap()
    }

    #[test]
    fn every_prefix_behind_what_was_promised_is_accepted() {
        let ledger = ledger();
        for survived in 0..=2 {
            assert_eq!(ledger.check(&ledger.after(survived), Accident::PowerCut), Ok(survived));
        }
        assert!(ledger.check(&ledger.after(0), Accident::Kill).is_err());
        assert_eq!(ledger.check(&ledger.after(1), Accident::Kill), Ok(1));
    }

    /// Each planted fault, and the word by which the checker names it.
    #[test]
    fn every_planted_fault_is_found() {
        type Fault = fn(&mut Image);
        let faults: &[(&str, Fault)] = &[
            ("a promised record is lost", |image| {
                partition(image).records.pop_front();
            }),
            ("a promised topic is lost", |image| drop(image.topics.remove(&OTHER))),
            ("a topic that nobody created", |image| {
                let topic = image.topics[&TOPIC].clone();
                image.topics.insert(TopicId([9; 16]), topic);
            }),
            ("a record is there twice", |image| partition(image).append(6, &[Value(15)])),
            ("a record that was never sent", |image| partition(image).append(6, &[Value(99)])),
            ("two records changed places", |image| partition(image).records.swap(0, 1)),
            ("a value changed", |image| partition(image).records[1].1 = Value(77)),
            ("half of a group", |image| {
                partition_mut(image, OTHER, 1).unwrap().records.clear();
                partition_mut(image, OTHER, 1).unwrap().end = 0;
            }),
            ("a group in the middle is missing", |image| {
                *image = ledger().after(0);
                apply(image, &What::Appended(vec![batch(TOPIC, 0, 3, &[14, 15])]));
            }),
            ("the end is too high", |image| partition(image).end += 1),
            ("a key keeps another value", |image| {
                partition_mut(image, OTHER, 1).unwrap().keyed.insert(3, Value(14));
            }),
            ("a setting that nobody changed", |image| {
                let topic = image.topics.get_mut(&TOPIC).unwrap();
                topic.overrides.insert("retention.ms".into(), "5".into());
            }),
            ("a partition that nobody added", |image| {
                image.topics.get_mut(&TOPIC).unwrap().partitions.push(Partition::default());
            }),
            ("a key is lost", |image| partition_mut(image, OTHER, 1).unwrap().keyed.clear()),
            ("the log begins too late", |image| partition(image).start_at(1)),
        ];
        for (name, fault) in faults {
            let mut image = ledger().all();
            fault(&mut image);
            assert!(ledger().check(&image, Accident::PowerCut).is_err(), "{name} was not found");
        }
    }

    #[test]
    fn what_was_taken_back_may_be_placed_again_and_what_is_synced_must_stay() {
        let mut ledger = ledger();
        ledger.retract(5);
        ledger.add(5, Promise::None, What::Appended(vec![batch(TOPIC, 0, 3, &[16])]));
        ledger.synced(4);
        assert!(ledger.check(&self::ledger().after(0), Accident::PowerCut).is_err());
        assert_eq!(ledger.check(&self::ledger().after(1), Accident::PowerCut), Ok(0));
        assert!(ledger.check(&self::ledger().after(2), Accident::PowerCut).is_err());
    }

    #[test]
    fn promised_changes_of_a_topic_must_stay_and_all_before_them() {
        let mut ledger = ledger();
        ledger.add(6, Promise::None, What::Altered { topic: TOPIC, overrides: settings() });
        ledger.add(7, Promise::None, What::Grown { topic: TOPIC, partitions: 3 });
        assert_eq!(ledger.check(&ledger.after(2), Accident::PowerCut), Ok(2));
        ledger.promise(6, Promise::Synced);
        assert!(ledger.check(&self::ledger().after(2), Accident::PowerCut).is_err());
        assert_eq!(ledger.check(&ledger.after(0), Accident::PowerCut), Ok(0));
        let all = ledger.all();
        let topic = &all.topics[&TOPIC];
        assert_eq!((&topic.overrides, topic.partitions.len(), topic.has_retention), (&settings(), 3, true));
        ledger.promise(7, Promise::Written);
        assert!(ledger.check(&ledger.after(0), Accident::Kill).is_err());
    }

    fn settings() -> Overrides {
        [("retention.bytes".to_owned(), "5".to_owned())].into()
    }

    #[test]
    fn visible_records_of_synced_topics_may_not_go() {
        let mut ledger = ledger();
        let shown = Shown { high_watermark: 3, is_synced: true, ..Shown::default() };
        ledger.show(TOPIC, 0, shown);
        assert!(ledger.check(&ledger.after(0), Accident::PowerCut).is_err());
        assert_eq!(ledger.check(&ledger.after(1), Accident::PowerCut), Ok(1));
        ledger.show(TOPIC, 0, Shown { is_synced: false, ..shown });
        assert_eq!(ledger.check(&ledger.after(0), Accident::PowerCut), Ok(0));
        assert_eq!(ledger.truncated(&ledger.after(0)).len(), 1);
        assert_eq!(ledger.truncated(&ledger.after(1)).len(), 0);
    }

    #[test]
    fn half_of_a_group_is_noticed_while_it_is_shown() {
        let ledger = ledger();
        let shown = |high: i64, other: i64| {
            ledger.half_shown(|topic, _| Some(if topic == TOPIC { high } else { other }))
        };
        assert_eq!(shown(2, 0), None);
        assert_eq!(shown(3, 1), None);
        assert_eq!(shown(3, 0), Some(4));
        assert_eq!(shown(2, 1), Some(4));
    }

    #[test]
    fn log_may_begin_later_only_where_retention_may_move_it() {
        let mut ledger = ledger();
        let mut image = ledger.all();
        partition(&mut image).start_at(2);
        assert!(ledger.check(&image, Accident::PowerCut).is_err());
        ledger.settled.topics.get_mut(&TOPIC).unwrap().has_retention = true;
        assert_eq!(ledger.check(&image, Accident::PowerCut), Ok(2));
        ledger.show(TOPIC, 0, Shown { log_start: 3, ..Shown::default() });
        assert!(ledger.check(&image, Accident::PowerCut).is_err());
    }

    #[test]
    fn what_did_not_survive_never_was() {
        let mut ledger = ledger();
        let found = ledger.after(1);
        ledger.survive(1, &found);
        ledger.forget_lsn();
        ledger.add(2, Promise::None, What::Appended(vec![batch(TOPIC, 0, 3, &[20])]));
        assert_eq!(ledger.check(&found, Accident::PowerCut), Ok(0));
        assert_eq!(partition(&mut ledger.all()).records.back(), Some(&(3, Value(20))));
    }

    #[test]
    fn value_is_known_by_every_byte() {
        let bytes = Value(4711).bytes(100);
        assert_eq!(Value::parse(&bytes), Some(Value(4711)));
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            assert_ne!(Value::parse(&wrong), Some(Value(4711)), "byte {at}");
        }
    }
}
