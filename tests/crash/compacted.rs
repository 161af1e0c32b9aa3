//! The power is cut at every step of a compaction: no key has another value for it, whatever is lost of what was written.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use mainstem_protocol::{PartitionId, TopicId};
use mainstem_storage::{AppendGroup, disk::FaultyDisk, store::NewTopic};

use crate::{
    accident::after,
    chance::Chance,
    image::Value,
    ledger::Accident,
    lock,
    node::{How, Node, keyed_batch, restart_topic_ids},
    setting,
};

/// What was appended, in order, and up to where that was acknowledged.
#[derive(Clone, Default)]
struct Told {
    appended: BTreeMap<i64, Value>,
    acknowledged: i64,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Report {
    passes: u64,
    cuts: u64,
    records: u64,
}

const STEPS: u64 = 400;

fn simulate(seed: u64, cut_percent: u64) -> Report {
    restart_topic_ids();
    let mut chance = Chance::new(seed);
    let disk = FaultyDisk::new(chance.next());
    disk.forget_on_close();
    let node = Node::open_with(&disk, if seed.is_multiple_of(2) { How::Map } else { How::Write }).unwrap();
    let topic = create(&node);
    let told = Arc::new(Mutex::new(Told::default()));
    let report = Arc::new(Mutex::new(Report::default()));
    watch(&disk, topic, &told, &report, cut_percent, chance.next(), seed);
    for value in 0..STEPS {
        step(&node, topic, &mut chance, value, &told, &report);
    }
    disk.unobserve();
    check(&node, topic, &lock(&told), "at the end");
    *lock(&report)
}

fn create(node: &Node) -> TopicId {
    let overrides = [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0"),
        ("segment.bytes", "600"),
        ("index.interval.bytes", "100"),
        ("delete.retention.ms", "1000"),
    ];
    let overrides = overrides.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let new = NewTopic { name: "latest".to_owned(), partitions: 1, overrides, keyed: false };
    let (topic, ticket) = node.store.create_topic(new).unwrap();
    assert!(node.round());
    ticket.wait().unwrap();
    topic
}

fn step(
    node: &Node,
    topic: TopicId,
    chance: &mut Chance,
    value: u64,
    told: &Mutex<Told>,
    report: &Mutex<Report>,
) {
    match chance.below(20) {
        0 => lock(report).passes += u64::from(node.store.clean_step().unwrap().is_some()),
        1 => node.clean_up(),
        2 => assert!(node.checkpoint()),
        3 => node.clock.advance(Duration::from_millis(700)),
        _ => append(node, topic, Value(value), 10 + chance.below(90) as usize, told),
    }
}

fn append(node: &Node, topic: TopicId, value: Value, bytes: usize, told: &Mutex<Told>) {
    let group = AppendGroup::single(topic, PartitionId(0), keyed_batch(&[value], bytes, None));
    let ticket = node.append(group).unwrap();
    let offset = ticket.places()[0].base_offset.0;
    lock(told).appended.insert(offset, value);
    assert!(node.round());
    ticket.wait().unwrap();
    lock(told).acknowledged = offset + 1;
}

fn watch(
    disk: &FaultyDisk,
    topic: TopicId,
    told: &Arc<Mutex<Told>>,
    report: &Arc<Mutex<Report>>,
    cut_percent: u64,
    chance: u64,
    seed: u64,
) {
    let (told, report, mut chance) = (Arc::clone(told), Arc::clone(report), Chance::new(chance));
    disk.observe(move |disk, event| {
        if !chance.happens(cut_percent) {
            return;
        }
        let accident = if chance.happens(15) { Accident::Kill } else { Accident::PowerCut };
        let place = format!("seed {seed}, compaction, at {event:?}, {accident:?}");
        let left = after(disk, accident, chance.next());
        let records = look_at(&left, topic, &lock(&told), chance.next(), &place);
        let mut report = lock(&report);
        report.cuts += 1;
        report.records += records;
    });
}

/// Starts on what an accident left, compacts there, and starts again behind a second one.
fn look_at(disk: &FaultyDisk, topic: TopicId, told: &Told, seed: u64, place: &str) -> u64 {
    let open = |disk| Node::open(disk).unwrap_or_else(|error| panic!("{place}: {error}"));
    let node = open(disk);
    let records = check(&node, topic, told, place);
    while node.store.clean_step().unwrap().is_some() {}
    node.clean_up();
    check(&node, topic, told, &format!("{place}, then compacted"));
    check(&open(&disk.cut(seed)), topic, told, &format!("{place}, then compacted, then cut"));
    records
}

/// Readers find nothing but what was appended, in its order, and the last value of each key; returns how many records.
fn check(node: &Node, topic: TopicId, told: &Told, place: &str) -> u64 {
    let image = node.image().unwrap_or_else(|error| panic!("{place}: {error}"));
    let partition = &image.topics[&topic].partitions[0];
    assert!(partition.end >= told.acknowledged, "{place}: it ends at {}", partition.end);
    let found = partition.records.iter().copied();
    let is_ours = |(offset, value)| told.appended.get(&offset) == Some(&value);
    assert!(found.clone().all(is_ours), "{place}: a record that nobody appended");
    let offsets: Vec<_> = found.clone().map(|(offset, _)| offset).collect();
    assert!(offsets.is_sorted_by(|left, right| left < right), "{place}: offsets do not rise");
    let expected = told.appended.range(..partition.end).map(|(_, value)| *value);
    assert_eq!(by_key(found.map(|(_, value)| value)), by_key(expected), "{place}");
    partition.records.len() as u64
}

fn by_key(values: impl Iterator<Item = Value>) -> BTreeMap<u8, Value> {
    let mut by_key = BTreeMap::new();
    for value in values {
        match value.is_tombstone() {
            true => drop(by_key.remove(&value.key())),
            false => drop(by_key.insert(value.key(), value)),
        }
    }
    by_key
}

#[test]
fn power_cut_at_any_event_of_a_compaction_changes_no_value() {
    let first = setting("CRASH_SEED", 1);
    for seed in first..first + setting("CRASH_SEEDS", 1).max(2) {
        let report = simulate(seed, setting("CRASH_PERCENT", 10).max(10));
        println!("seed {seed}: {report:?}");
        assert!(report.passes >= 5 && report.cuts >= 50, "seed {seed} did too little: {report:?}");
    }
}

/// Here the topic's folders have never been synced when the first cleaned segment takes the place of others.
#[test]
fn durability_13_a_cleaned_segment_survives_in_folders_that_no_checkpoint_has_synced() {
    let report = simulate(847_197_768, 10);
    assert!(report.passes >= 5 && report.cuts >= 50, "{report:?}");
}
