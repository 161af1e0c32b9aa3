//! What a store holds, as far as anybody outside can see: read from a store, or folded from a ledger.

use std::collections::{BTreeMap, VecDeque};

use mainstem_protocol::TopicId;
use mainstem_storage::Overrides;

/// Batches of a producer whose repeat a broker must know (Kafka: `ProducerStateEntry`).
const BATCHES_KNOWN: usize = 5;

/// All topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) topics: BTreeMap<TopicId, Topic>,
}

impl Image {
    /// How many there are in all partitions.
    pub(crate) fn records(&self) -> u64 {
        let partitions = self.topics.values().flat_map(|topic| &topic.partitions);
        partitions.map(|partition| partition.records.len() as u64).sum()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) partitions: Vec<Partition>,
    /// What it sets of its own.
    pub(crate) overrides: Overrides,
    /// Whether old segments go by themselves, or did once: then the log may begin later than anybody asked for.
    pub(crate) has_retention: bool,
    /// Whether the last value of each key is kept.
    pub(crate) keyed: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) log_start: i64,
    pub(crate) end: i64,
    /// Offset and value of each record, from the log start on.
    pub(crate) records: VecDeque<(i64, Value)>,
    pub(crate) producers: BTreeMap<i64, VecDeque<Repeat>>,
    /// The last value of each key, where the topic keeps them.
    pub(crate) keyed: BTreeMap<u8, Value>,
    pub(crate) transactions: Transactions,
}

/// Those of one partition, as readers of what is committed see them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transactions {
    /// The first offset of each producer's open one.
    pub(crate) open: BTreeMap<i64, i64>,
    /// Producer, first offset and marker of each that was taken back.
    pub(crate) aborted: Vec<(i64, i64, i64)>,
    pub(crate) last_stable: i64,
}

/// What is in a record. Each value is written once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Value(pub(crate) u64);

/// What a batch is to its producer's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transaction {
    /// It opens one, or goes on with it.
    Within { producer: i64 },
    /// It is the marker.
    End { producer: i64, committed: bool },
}

/// A batch of an idempotent producer, and where it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repeat {
    pub(crate) base_sequence: i32,
    pub(crate) base_offset: i64,
    pub(crate) values: Vec<Value>,
}

impl Partition {
    pub(crate) fn append(&mut self, base_offset: i64, values: &[Value]) {
        self.records.extend((base_offset..).zip(values.iter().copied()));
        self.end = base_offset + values.len() as i64;
    }

    /// Folds what a batch is to a transaction; it is appended already.
    pub(crate) fn turn(&mut self, base_offset: i64, transaction: Option<Transaction>) {
        let Transactions { open, aborted, .. } = &mut self.transactions;
        match transaction {
            None => {}
            Some(Transaction::Within { producer }) => drop(open.entry(producer).or_insert(base_offset)),
            Some(Transaction::End { producer, committed }) => {
                let first = open.remove(&producer).filter(|_| !committed);
                aborted.extend(first.map(|first| (producer, first, base_offset)));
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        let first = self.transactions.open.values().copied().min();
        self.transactions.last_stable = first.map_or(self.end, |first| first.max(self.log_start));
        let log_start = self.log_start;
        self.transactions.aborted.retain(|(_, _, marker)| *marker >= log_start);
    }

    /// Folds values of a keyed topic.
    pub(crate) fn fold(&mut self, values: &[Value]) {
        for value in values {
            match value.is_tombstone() {
                true => self.keyed.remove(&value.key()),
                false => self.keyed.insert(value.key(), *value),
            };
        }
    }

    pub(crate) fn remember(&mut self, producer: i64, repeat: Repeat) {
        let known = self.producers.entry(producer).or_default();
        known.push_back(repeat);
        if known.len() > BATCHES_KNOWN {
            known.pop_front();
        }
    }

    pub(crate) fn start_at(&mut self, offset: i64) {
        self.log_start = self.log_start.max(offset);
        while self.records.front().is_some_and(|(record, _)| *record < self.log_start) {
            self.records.pop_front();
        }
        self.settle();
    }
}

/// Bytes that count up: padding is a piece of it.
static COUNTING: [u8; 512] = {
    let mut bytes = [0; 512];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = at as u8;
        at += 1;
    }
    bytes
};
const CIRCLE: usize = 256;

impl Value {
    /// The key under which a keyed topic keeps it.
    pub(crate) const fn key(self) -> u8 {
        (self.0 % 7) as u8
    }

    /// Whether it removes its key from a keyed topic.
    pub(crate) const fn is_tombstone(self) -> bool {
        self.0.is_multiple_of(11)
    }

    /// What stands for the marker of a transaction.
    pub(crate) const fn marker(producer: i64, committed: bool) -> Self {
        Self(1 << 63 | (producer as u64) << 1 | committed as u64)
    }

    /// The bytes of a record: the number, and padding that follows from it, so that a wrong byte shows.
    pub(crate) fn bytes(self, len: usize) -> Vec<u8> {
        let mut bytes = self.0.to_be_bytes().to_vec();
        let mut left = len;
        while left > 0 {
            let piece = left.min(CIRCLE);
            bytes.extend(&self.padding()[..piece]);
            left -= piece;
        }
        bytes
    }

    /// `None` where the bytes are not those of any value.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (number, padding) = bytes.split_first_chunk()?;
        let value = Self(u64::from_be_bytes(*number));
        padding.chunks(CIRCLE).all(|piece| value.padding().starts_with(piece)).then_some(value)
    }

    fn padding(self) -> &'static [u8] {
        let first = (self.0 as u8).wrapping_mul(31) as usize;
        &COUNTING[first..first + CIRCLE]
    }
}

/// How `found` differs from `expected`; nothing where it does not.
pub(crate) fn differences(expected: &Image, found: &Image) -> Vec<String> {
    let mut all = Vec::new();
    for (id, topic) in &expected.topics {
        match found.topics.get(id) {
            Some(other) => compare_topics(topic, other, &mut all),
            None => all.push(format!("topic {} is lost", topic.name)),
        }
    }
    let ghosts = found.topics.iter().filter(|(id, _)| !expected.topics.contains_key(id));
    all.extend(ghosts.map(|(_, topic)| format!("topic {} should not be there", topic.name)));
    all
}

fn compare_topics(expected: &Topic, found: &Topic, all: &mut Vec<String>) {
    if (&expected.name, expected.partitions.len()) != (&found.name, found.partitions.len()) {
        all.push(format!(
            "topic {} became {} with {} partitions",
            expected.name,
            found.name,
            found.partitions.len()
        ));
        return;
    }
    if expected.overrides != found.overrides {
        all.push(format!("topic {} sets {:?}, not {:?}", expected.name, found.overrides, expected.overrides));
    }
    for (index, (expected_partition, found_partition)) in
        expected.partitions.iter().zip(&found.partitions).enumerate()
    {
        let name = format!("{}-{index}", expected.name);
        compare_partitions(&name, expected_partition, found_partition, expected.has_retention, all);
    }
}

fn compare_partitions(
    name: &str,
    expected: &Partition,
    found: &Partition,
    slack: bool,
    all: &mut Vec<String>,
) {
    let start_fits = found.log_start == expected.log_start
        || (slack && (expected.log_start..=expected.end).contains(&found.log_start));
    if !start_fits {
        all.push(format!("{name} begins at {}, not at {}", found.log_start, expected.log_start));
    }
    if found.end != expected.end {
        all.push(format!("{name} ends at {}, not at {}", found.end, expected.end));
    }
    if found.keyed != expected.keyed {
        all.push(format!("{name} keeps {:?}, not {:?}", found.keyed, expected.keyed));
    }
    let mut wanted = expected.clone();
    wanted.start_at(found.log_start);
    if found.transactions != wanted.transactions {
        all.push(format!("{name} has {:?}, not {:?}", found.transactions, wanted.transactions));
    }
    let wanted = expected.records.iter().filter(|(offset, _)| *offset >= found.log_start);
    let mut found = found.records.iter();
    for wanted in wanted {
        match found.next() {
            Some(record) if record == wanted => {}
            record => return all.push(format!("{name} has {record:?} where {wanted:?} belongs")),
        }
    }
    if let Some(ghost) = found.next() {
        all.push(format!("{name} has {ghost:?} behind its last record"));
    }
}
