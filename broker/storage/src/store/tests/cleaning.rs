use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use mainstem_protocol::{
    ProducerEpoch, ProducerId, Sequence,
    records::{BatchBuilder, Compression, Decompressor, EndTxnMarker, NewRecord, ProducerStamp, Record},
};
use proptest::prelude::*;

use super::*;
use crate::{
    ConfigChange, ConfigOperation, Isolation, Marker, TransactionVersion, compaction,
    store::{Alteration, CleanerOptions},
};

const COMPACT: (&str, &str) = ("cleanup.policy", "compact");
const AT_ONCE: (&str, &str) = ("min.cleanable.dirty.ratio", "0");

/// Keys are single bytes, values numbers; none for a tombstone.
type Content = (u8, Option<u64>);

fn content(records: &[Content], compression: Compression, stamp: ProducerStamp, now: Timestamp) -> Batch {
    let mut builder = BatchBuilder::new(compression);
    for (key, value) in records {
        let value = value.map(u64::to_be_bytes);
        let value = value.as_ref().map(|value| &value[..]);
        let record = NewRecord { timestamp: now, key: Some(&[*key]), value, ..NewRecord::default() };
        builder.append(&record).unwrap();
    }
    Batch::split_from(&mut builder.seal(&stamp).unwrap()).unwrap()
}

fn plain(records: &[Content]) -> Batch {
    content(records, Compression::None, ProducerStamp::NONE, NOW)
}

fn append(bench: &Bench, topic: TopicId, records: &[Content]) {
    bench.append(topic, 0, plain(records));
}

/// Every record that a reader finds, with every batch on the way: from `offset` on.
fn read_from(partition: &Partition, offset: Offset) -> (Vec<BatchHeader>, Vec<Record>) {
    let visible = partition.shown();
    let (mut offset, mut headers, mut found) = (offset, Vec::new(), Vec::new());
    while offset < visible.high_watermark {
        let how =
            Read { bytes_max: 300, at_least_one: true, wait: Wait::Yes, isolation: Isolation::Uncommitted };
        let records = partition.read(&visible, offset, how).unwrap().bytes().unwrap();
        assert!(!records.is_empty(), "nothing at {offset}");
        for batch in batches(records, Tail::Report) {
            let batch = batch.unwrap();
            assert!(batch.is_intact());
            assert!(batch.header().next_offset() > offset, "a reader goes on");
            let open = batch.open(&mut Decompressor::new(), 1 << 20).unwrap();
            // What is in a control batch is for nobody's eyes.
            let records = open.records().filter(|_| !batch.header().attributes.is_control());
            found.extend(records.map(Result::unwrap).filter(|record| record.offset >= offset));
            offset = batch.header().next_offset();
            headers.push(*batch.header());
        }
    }
    (headers, found)
}

fn offsets(bench: &Bench, topic: TopicId) -> Vec<i64> {
    let partition = bench.partition(topic, 0);
    read_from(&partition, partition.log_start()).1.iter().map(|record| record.offset.0).collect()
}

fn clean(bench: &Bench) -> usize {
    let mut passes = 0;
    while bench.store.clean_step().unwrap().is_some() {
        passes += 1;
    }
    bench.store.cleanup_step();
    passes
}

/// Two batches fit into a segment.
fn compacted(bench: &Bench, overrides: &[(&str, &str)]) -> TopicId {
    bench.topic("latest", 1, &[&[COMPACT, AT_ONCE, ("segment.bytes", "200")], overrides].concat())
}

#[test]
fn of_each_key_the_last_value_stays_and_small_segments_become_one() {
    let bench = Bench::new();
    let topic = compacted(&bench, &[]);
    for value in 0..10_u64 {
        append(&bench, topic, &[(1, Some(value)), ((10 + value) as u8, Some(value))]);
    }
    let larger = ConfigOperation::Set("1000".to_owned());
    let change = ConfigChange { name: "segment.bytes".to_owned(), operation: larger };
    drop(bench.store.alter_topic(topic, &Alteration::Changes(vec![change])).unwrap());
    bench.store.round().unwrap();
    let before = bench.partition(topic, 0).segments().len();
    assert_eq!(clean(&bench), 1);
    // The last segment is written to: what it holds is not cleaned, and does not count.
    let expected: Vec<i64> = vec![1, 3, 5, 7, 9, 11, 13, 14, 15, 16, 17, 18, 19];
    assert_eq!(offsets(&bench, topic), expected);
    assert!(bench.partition(topic, 0).segments().len() < before);
    let files = bench.disk.list(&bench.partition(topic, 0).folder()).unwrap();
    assert!(files.iter().any(|file| file.name.ends_with("-1.log")), "{files:?}");
    assert!(files.iter().all(|file| file.name != "00000000000000000000.log"), "{files:?}");
    let bench = bench.restart();
    assert_eq!(offsets(&bench, topic), expected);
    assert_eq!(clean(&bench), 0);
    bench.store.shutdown().unwrap();
    let bench = bench.restart();
    assert!(bench.recovery.was_clean);
    assert_eq!(offsets(&bench, topic), expected);
}

#[test]
fn a_log_is_cleaned_again_when_it_is_dirty_enough() {
    let bench = Bench::new();
    let topic = bench.topic("latest", 1, &[COMPACT, ("segment.bytes", "200")]);
    let fill = |count: u8| {
        for key in 0..count {
            bench.append(topic, 0, plain(&[(key, Some(1)), (100 + key, Some(1))]));
        }
    };
    fill(10);
    assert_eq!(clean(&bench), 1);
    let ratio = || {
        bench.store.clean_step().unwrap();
        bench.store.cleaner_stats().dirtiest_ratio
    };
    assert!(ratio() < 0.01);
    fill(4);
    assert!(ratio() > 0.2, "{}", ratio());
    assert_eq!(bench.store.cleaner_stats().passes, 1);
    fill(20);
    assert_eq!(clean(&bench), 1);
}

#[test]
fn records_stay_for_their_least_time_and_not_beyond_their_longest() {
    let bench = Bench::new();
    let lags = [("min.compaction.lag.ms", "1000"), ("max.compaction.lag.ms", "5000")];
    let topic = bench.topic("latest", 1, &[&[COMPACT, ("segment.bytes", "200")][..], &lags].concat());
    let now = |seconds: i64| Timestamp(NOW.0 + 1000 * seconds);
    let append = |seconds, key| {
        let records = [(key, Some(1)), (100 + key, Some(1))];
        bench.append(topic, 0, content(&records, Compression::None, ProducerStamp::NONE, now(seconds)));
    };
    (0..10).for_each(|key| append(0, key));
    assert_eq!(clean(&bench), 0, "too young");
    bench.clock.advance(Duration::from_secs(2));
    assert_eq!(clean(&bench), 1);
    (20..22).for_each(|key| append(2, key));
    bench.clock.advance(Duration::from_secs(3));
    assert_eq!(clean(&bench), 0, "not dirty enough");
    bench.clock.advance(Duration::from_secs(3));
    assert_eq!(clean(&bench), 1, "overdue");
}

#[test]
fn a_tombstone_stays_for_its_time_and_takes_its_key_along() {
    let bench = Bench::new();
    let topic = compacted(&bench, &[("delete.retention.ms", "1000")]);
    bench.append(topic, 0, plain(&[(1, Some(1)), (2, Some(2))]));
    bench.append(topic, 0, plain(&[(1, None)]));
    (0..4_u8).for_each(|key| append(&bench, topic, &[(50 + key, Some(1)), (60 + key, Some(1))]));
    assert_eq!(clean(&bench), 1);
    assert_eq!(offsets(&bench, topic)[..2], [1, 2], "the tombstone is there");
    let partition = bench.partition(topic, 0);
    let (headers, _) = read_from(&partition, Offset(2));
    assert_eq!(headers[0].delete_horizon(), Some(Timestamp(NOW.0 + 1000)));
    let again = |seconds| {
        bench.clock.advance(Duration::from_secs(seconds));
        (0..4_u8).for_each(|key| append(&bench, topic, &[(50 + key, Some(1)), (60 + key, Some(1))]));
        assert_eq!(clean(&bench), 1);
    };
    again(0);
    assert_eq!(offsets(&bench, topic)[..2], [1, 2], "not yet");
    again(1);
    assert_eq!(offsets(&bench, topic)[0], 1);
    assert!(!offsets(&bench, topic).contains(&2));
}

#[test]
fn the_last_sequence_of_each_producer_stays_as_a_header_alone() {
    let bench = Bench::new();
    let topic = compacted(&bench, &[]);
    let stamp = |id: i64, sequence: i32| ProducerStamp {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(0),
        base_sequence: Sequence(sequence),
        transactional: false,
    };
    for (id, sequence) in [(7, 0), (7, 2), (8, 0)] {
        bench.append(
            topic,
            0,
            content(&[(1, Some(1)), (2, Some(2))], Compression::Lz4, stamp(id, sequence), NOW),
        );
    }
    (0..4).for_each(|_| append(&bench, topic, &[(1, Some(9)), (2, Some(9))]));
    assert_eq!(clean(&bench), 1);
    let (headers, _) = read_from(&bench.partition(topic, 0), Offset::ZERO);
    let empty: Vec<_> = headers.iter().filter(|header| header.record_count == 0).collect();
    let producers: Vec<_> =
        empty.iter().map(|header| (header.producer_id.0, header.last_sequence().0)).collect();
    assert_eq!(producers[..2], [(7, 3), (8, 1)]);
    assert!(empty.iter().all(|header| header.size() == 61));
    let bench = bench.restart();
    let repeat = content(&[(1, Some(1)), (2, Some(2))], Compression::Lz4, stamp(7, 2), NOW);
    let ticket = bench.place_batch(topic, 0, repeat).unwrap();
    assert!(ticket.places()[0].is_duplicate);
}

#[test]
fn what_does_not_fit_into_memory_takes_several_passes() {
    let cleaner =
        CleanerOptions { dedupe_buffer_bytes: 10 * compaction::SLOT_BYTES, ..CleanerOptions::default() };
    let bench = Bench::with(Options { cleaner, ..options() });
    let topic = compacted(&bench, &[]);
    for value in 0..3_u64 {
        (0..20_u8).for_each(|key| append(&bench, topic, &[(key, Some(value)), (100 + key, Some(value))]));
    }
    let passes = clean(&bench);
    assert!(passes > 5, "{passes}");
    let partition = bench.partition(topic, 0);
    let (_, records) = read_from(&partition, Offset::ZERO);
    // The last segment begins at 116.
    let cleaned = || records.iter().filter(|record| record.offset < Offset(116));
    let last: BTreeMap<_, _> = cleaned().map(|record| (record.key.clone().unwrap(), record.offset)).collect();
    assert_eq!(last.len(), cleaned().count());
}

#[test]
fn a_broken_partition_is_left_alone_and_others_are_cleaned() {
    let bench = Bench::new();
    let topic = bench.topic("latest", 2, &[COMPACT, AT_ONCE, ("segment.bytes", "200")]);
    for _ in 0..10 {
        bench.append(topic, 0, plain(&[(1, Some(1)), (2, Some(2))]));
        bench.append(topic, 1, plain(&[(1, Some(1)), (2, Some(2))]));
    }
    let broken = bench.partition(topic, 0).segments()[1].log_path();
    let file = bench.disk.open(&broken, crate::disk::Open::Write).unwrap();
    file.write_at(&[std::io::IoSlice::new(&[77])], 70).unwrap();
    let mut cleaned = Vec::new();
    for _ in 0..3 {
        cleaned.extend(bench.store.clean_step().unwrap().map(|cleaning| cleaning.partition.0));
    }
    assert_eq!(cleaned, [1]);
    let stats = bench.store.cleaner_stats();
    assert_eq!(stats.uncleanable_partitions, 1);
    assert_eq!(stats.uncleanable_bytes, bench.partition(topic, 0).bytes());
}

#[test]
fn a_reader_of_what_was_cleaned_reads_on() {
    let bench = Bench::new();
    let topic = compacted(&bench, &[]);
    (0..10).for_each(|_| append(&bench, topic, &[(1, Some(1)), (2, Some(2))]));
    let partition = bench.partition(topic, 0);
    let how = Read { bytes_max: 1, at_least_one: true, wait: Wait::Yes, isolation: Isolation::Uncommitted };
    let reading = partition.segments();
    let held = partition.read(&partition.shown(), Offset(4), how).unwrap();
    clean(&bench);
    assert_eq!(
        batches(held.bytes().unwrap(), Tail::Report).next().unwrap().unwrap().header().base_offset,
        Offset(4)
    );
    let old = reading[0].log_path();
    assert!(bench.disk.len_of(&old).is_ok(), "it is read");
    drop((held, reading));
    bench.store.cleanup_step();
    assert!(bench.disk.len_of(&old).is_err(), "nobody reads it");
    for offset in 0..20 {
        read_from(&partition, Offset(offset));
    }
}

#[test]
fn a_log_start_that_moves_meanwhile_wins() {
    let bench = Bench::new();
    let topic = compacted(&bench, &[("cleanup.policy", "compact,delete")]);
    for key in 0..10 {
        bench.append(topic, 0, plain(&[(key, Some(1)), (77, Some(1))]));
    }
    // It has its place before the swap has.
    let ticket = bench.store.move_log_start(topic, PartitionId(0), Offset(9)).unwrap();
    assert_eq!(bench.store.clean_step(), Ok(None));
    ticket.wait().unwrap();
    let bench = bench.restart();
    assert_eq!(bench.partition(topic, 0).log_start(), Offset(9));
    assert_eq!(clean(&bench), 1);
    assert_eq!(offsets(&bench, topic), [10, 12, 14, 15, 16, 17, 18, 19]);
    let files = bench.disk.list(&bench.partition(topic, 0).folder()).unwrap();
    assert!(files.iter().all(|file| file.name.as_str() > "00000000000000000007"), "{files:?}");
}

#[test]
fn offsets_are_found_by_time_in_what_was_cleaned() {
    let bench = Bench::new();
    let topic = compacted(&bench, &[]);
    for at in 0..20_u64 {
        let now = Timestamp(NOW.0 + 10 * at as i64);
        let batch =
            content(&[(1, Some(at)), (20 + at as u8, Some(at))], Compression::Zstd, ProducerStamp::NONE, now);
        bench.append(topic, 0, batch);
    }
    clean(&bench);
    check_times(&bench, topic);
    check_times(&bench.restart(), topic);
}

fn check_times(bench: &Bench, topic: TopicId) {
    let partition = bench.partition(topic, 0);
    let (_, records) = read_from(&partition, Offset::ZERO);
    for time in (NOW.0..NOW.0 + 200).map(Timestamp) {
        let first = records.iter().find(|record| record.timestamp >= time);
        let expected = first.map(|record| (record.offset, record.timestamp));
        let found = partition.offset_for_timestamp(&partition.shown(), time).unwrap();
        assert_eq!(found.map(|found| (found.offset, found.timestamp)), expected, "{time}");
    }
}

/// What happens to a log.
#[derive(Clone, Debug)]
enum Move {
    Append { records: Vec<Content>, compression: usize, producer: Option<i64>, transactional: bool },
    End { producer: i64, committed: bool },
    Clean,
    CleanUp,
    Checkpoint,
    Restart,
    Later { seconds: u64 },
    DeleteBefore { percent: i64 },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let value = prop::option::weighted(0.8, 0..1000_u64);
    let records = prop::collection::vec((0..12_u8, value), 1..6);
    let one = prop_oneof![
        14 => (records, 0..5_usize, prop::option::of(1..4_i64), any::<bool>())
            .prop_map(|(records, compression, producer, transactional)| {
                Move::Append { records, compression, producer, transactional }
            }),
        4 => (1..4_i64, any::<bool>()).prop_map(|(producer, committed)| Move::End { producer, committed }),
        2 => Just(Move::Clean),
        1 => Just(Move::CleanUp),
        1 => Just(Move::Checkpoint),
        1 => Just(Move::Restart),
        1 => (1..40_u64).prop_map(|seconds| Move::Later { seconds }),
        1 => (0..100_i64).prop_map(|percent| Move::DeleteBefore { percent }),
    ];
    prop::collection::vec(one, 1..80)
}

/// A log, and everything that was ever appended to it.
struct Modelled {
    bench: Bench,
    topic: TopicId,
    all: BTreeMap<i64, Content>,
    sequences: BTreeMap<i64, i32>,
    /// The offsets of what is open, by producer.
    open: BTreeMap<i64, Vec<i64>>,
    aborted: BTreeSet<i64>,
    /// The offset behind the last batch.
    end: i64,
}

impl Modelled {
    fn new() -> Self {
        let cleaner =
            CleanerOptions { dedupe_buffer_bytes: 8 * compaction::SLOT_BYTES, ..CleanerOptions::default() };
        let bench = Bench::with(Options { cleaner, ..options() });
        let overrides = [
            ("cleanup.policy", "compact,delete"),
            ("delete.retention.ms", "60000"),
            ("segment.bytes", "400"),
        ];
        let topic = compacted(&bench, &overrides);
        Self {
            bench,
            topic,
            all: BTreeMap::new(),
            sequences: BTreeMap::new(),
            open: BTreeMap::new(),
            aborted: BTreeSet::new(),
            end: 0,
        }
    }

    fn make(mut self, one: Move) -> Self {
        let topic = self.topic;
        match one {
            Move::Append { records, compression, producer, transactional } => {
                self.append(records, Compression::ALL[compression], producer, transactional);
            }
            Move::End { producer, committed } => self.end_transaction(producer, committed),
            Move::Clean => drop(clean(&self.bench)),
            Move::CleanUp => drop(self.bench.store.cleanup_step()),
            Move::Checkpoint => self.bench.store.write_checkpoint(false).unwrap(),
            Move::Restart => return Self { bench: self.bench.restart(), ..self },
            Move::Later { seconds } => self.bench.clock.advance(Duration::from_secs(seconds)),
            Move::DeleteBefore { percent } => {
                let partition = self.bench.partition(topic, 0);
                let (start, end) = (partition.log_start().0, partition.last_stable().0);
                let offset = Offset(start + (end - start) * percent / 300);
                drop(self.bench.store.move_log_start(topic, PartitionId(0), offset).unwrap());
                self.bench.store.round().unwrap();
            }
        }
        self
    }

    fn append(
        &mut self,
        records: Vec<Content>,
        compression: Compression,
        producer: Option<i64>,
        transactional: bool,
    ) {
        // Whoever has a transaction open goes on with it.
        let is_open = producer.is_some_and(|id| self.open.contains_key(&id));
        let transactional = producer.is_some() && (transactional || is_open);
        let stamp = producer.map_or(ProducerStamp::NONE, |id| {
            let next = self.sequences.entry(id).or_default();
            let base_sequence = Sequence(*next);
            *next += records.len() as i32;
            let (producer_id, producer_epoch) = (ProducerId(id), ProducerEpoch(0));
            ProducerStamp { producer_id, producer_epoch, base_sequence, transactional }
        });
        let now = crate::Clock::now(&*self.bench.clock);
        let base = self.bench.append(self.topic, 0, content(&records, compression, stamp, now)).0;
        self.end = base + records.len() as i64;
        if let (Some(id), true) = (producer, transactional) {
            self.open.entry(id).or_default().extend(base..self.end);
        }
        self.all.extend((base..).zip(records));
    }

    fn end_transaction(&mut self, producer: i64, committed: bool) {
        let Some(offsets) = self.open.remove(&producer) else { return };
        let mut group = AppendGroup::new();
        let marker = Marker {
            producer_id: ProducerId(producer),
            producer_epoch: ProducerEpoch(0),
            committed,
            coordinator_epoch: 0,
            version: TransactionVersion::V1,
        };
        group.push_marker(self.topic, PartitionId(0), marker, crate::Clock::now(&*self.bench.clock));
        let ticket = self.bench.place(group).unwrap();
        self.bench.store.round().unwrap();
        self.end = ticket.wait().unwrap().places[0].base_offset.0 + 1;
        if !committed {
            self.aborted.extend(offsets);
        }
    }

    /// What readers find is what was appended, in its order, and folds to the same values by key.
    fn check(&self) {
        let partition = self.bench.partition(self.topic, 0);
        let start = partition.log_start();
        let (headers, records) = read_from(&partition, start);
        assert!(headers.windows(2).all(|pair| pair[0].next_offset() <= pair[1].base_offset));
        assert!(records.windows(2).all(|pair| pair[0].offset < pair[1].offset));
        let found: Vec<_> = records.iter().map(|record| (record.offset.0, as_content(record))).collect();
        assert!(
            found.iter().all(|(offset, content)| self.all.get(offset) == Some(content)),
            "only what was appended"
        );
        let stable = partition.last_stable();
        assert_eq!(stable.0, self.open.values().flatten().copied().min().unwrap_or(self.end).max(start.0));
        let expected = self.all.range(start.0..stable.0).filter(|(offset, _)| !self.aborted.contains(offset));
        let committed = read_committed(&partition);
        assert!(committed.iter().all(|record| !self.aborted.contains(&record.offset.0)), "aborted records");
        assert_eq!(fold(committed.iter().map(as_content)), fold(expected.map(|(_, content)| *content)));
        assert_eq!(partition.high_watermark(), Offset(self.end));
    }
}

/// What a client of committed records makes of what it is told (Kafka: `CompletedFetch`).
fn read_committed(partition: &Partition) -> Vec<Record> {
    let visible = partition.shown();
    let (mut offset, mut found) = (visible.log_start, Vec::new());
    while offset < visible.last_stable {
        let how =
            Read { bytes_max: 300, at_least_one: true, wait: Wait::Yes, isolation: Isolation::Committed };
        let records = partition.read(&visible, offset, how).unwrap().bytes().unwrap();
        let all: Vec<_> = batches(records, Tail::Report).map(Result::unwrap).collect();
        let next = all.last().expect("it goes on").header().next_offset();
        let mut aborted = partition.aborted_transactions(offset, next).unwrap();
        aborted.sort_by_key(|transaction| transaction.first_offset);
        let (mut aborted, mut left_out) = (aborted.into_iter().peekable(), BTreeSet::new());
        for batch in all {
            let header = *batch.header();
            while let Some(begun) = aborted.next_if(|next| next.first_offset <= header.last_offset()) {
                left_out.insert(begun.producer_id);
            }
            let open = batch.open(&mut Decompressor::new(), 1 << 20).unwrap();
            if header.attributes.is_control() {
                let marker = open.refs().next().map(|record| record.unwrap());
                let marker = marker.map(|record| EndTxnMarker::parse(record.key, record.value).unwrap());
                if marker.is_some_and(|marker| !marker.committed) {
                    left_out.remove(&header.producer_id);
                }
            } else if !(header.attributes.is_transactional() && left_out.contains(&header.producer_id)) {
                found.extend(open.records().map(Result::unwrap).filter(|record| record.offset >= offset));
            }
        }
        offset = next;
    }
    found
}

fn as_content(record: &Record) -> Content {
    let value = record.value.as_ref().map(|value| u64::from_be_bytes(value[..].try_into().unwrap()));
    (record.key.as_ref().unwrap()[0], value)
}

fn fold(contents: impl Iterator<Item = Content>) -> BTreeMap<u8, u64> {
    let mut values = BTreeMap::new();
    for (key, value) in contents {
        match value {
            Some(value) => drop(values.insert(key, value)),
            None => drop(values.remove(&key)),
        }
    }
    values
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn cleaning_changes_no_value_of_any_key(moves in moves()) {
        let mut modelled = Modelled::new();
        for one in moves {
            let is_seen = matches!(one, Move::Clean | Move::Restart);
            modelled = modelled.make(one);
            if is_seen {
                modelled.check();
            }
        }
        clean(&modelled.bench);
        modelled.check();
    }
}
