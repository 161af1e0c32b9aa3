//! What a store holds, as far as anybody outside can see: read from a store, or folded from a ledger.

use std::collections::{BTreeMap, VecDeque};

use mainstem_protocol::TopicId;

/// Batches of a producer whose repeat a broker must know (Kafka: `ProducerStateEntry`).
const BATCHES_KNOWN: usize = 5;

/// All topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) topics: BTreeMap<TopicId, Topic>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) partitions: Vec<Partition>,
    /// Whether old segments go by themselves: then the log may begin later than anybody asked for.
    pub(crate) has_retention: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) log_start: i64,
    pub(crate) end: i64,
    /// Offset and value of each record, from the log start on.
    pub(crate) records: VecDeque<(i64, Value)>,
    pub(crate) producers: BTreeMap<i64, VecDeque<Repeat>>,
}

/// What is in a record. Each value is written once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Value(pub(crate) u64);

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
    }
}

impl Value {
    /// The bytes of a record: the number, and padding that follows from it, so that a wrong byte shows.
    pub(crate) fn bytes(self, len: usize) -> Vec<u8> {
        let mut bytes = self.0.to_be_bytes().to_vec();
        bytes.extend((0..len).map(|at| self.padding(at)));
        bytes
    }

    /// `None` where the bytes are not those of any value.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (number, padding) = bytes.split_first_chunk()?;
        let value = Self(u64::from_be_bytes(*number));
        padding.iter().enumerate().all(|(at, byte)| *byte == value.padding(at)).then_some(value)
    }

    fn padding(self, at: usize) -> u8 {
        (self.0 as u8).wrapping_mul(31).wrapping_add(at as u8)
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
