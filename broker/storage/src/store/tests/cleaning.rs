mod random;

use std::{collections::BTreeMap, time::Duration};

use mainstem_protocol::{
    ProducerEpoch, ProducerId, Sequence,
    records::{BatchBuilder, Compression, Decompressor, NewRecord, ProducerStamp, Record},
};

use super::*;
use crate::{
    AbortedTransaction, ConfigChange, ConfigOperation, Isolation, Marker, TransactionVersion, compaction,
    disk::FaultyDisk,
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
fn a_view_from_before_a_cleaning_reads_whole_batches_and_no_more_than_it_shows() {
    let bench = Bench::new();
    let topic = compacted(&bench, &[("segment.bytes", "500")]);
    let partition = bench.partition(topic, 0);
    let mut views = Vec::new();
    for at in 0..40_u8 {
        // Batches of several sizes, of which a part is left.
        let keys = (0..=at % 5).map(|key| if key % 2 == 0 { key } else { 100 + at });
        append(&bench, topic, &keys.map(|key| (key, Some(1))).collect::<Vec<_>>());
        views.push(partition.shown());
    }
    assert_eq!(clean(&bench), 1);
    for view in views {
        for offset in (0..view.high_watermark.0).map(Offset) {
            let how = Read {
                bytes_max: 10_000,
                at_least_one: true,
                wait: Wait::Yes,
                isolation: Isolation::Committed,
            };
            let records = partition.read(&view, offset, how).unwrap().bytes().unwrap();
            for batch in batches(records, Tail::Report) {
                let batch = batch.unwrap();
                assert!(batch.is_intact());
                assert!(batch.header().next_offset() <= view.high_watermark, "{offset} of {view:?}");
            }
        }
    }
    read_from(&partition, Offset::ZERO);
}

#[test]
fn a_view_from_before_a_cleaning_finds_no_time_beyond_what_it_shows() {
    let bench = Bench::new();
    let topic = compacted(&bench, &[("segment.bytes", "500")]);
    let partition = bench.partition(topic, 0);
    let mut views = Vec::new();
    for at in 0..40_u8 {
        let keys = (0..=at % 5).map(|key| (if key % 2 == 0 { key } else { 100 + at }, Some(1)));
        let time = Timestamp(NOW.0 + i64::from(at));
        let batch = content(&keys.collect::<Vec<_>>(), Compression::None, ProducerStamp::NONE, time);
        bench.append(topic, 0, batch);
        views.push((partition.shown(), time));
    }
    assert_eq!(clean(&bench), 1);
    for (view, newest) in views {
        let later = Timestamp(newest.0 + 1);
        assert_eq!(partition.offset_for_timestamp(&view, later).unwrap(), None, "{view:?}");
        for time in (NOW.0..=newest.0).map(Timestamp) {
            let found = partition.offset_for_timestamp(&view, time).unwrap();
            assert!(found.is_none_or(|found| found.offset < view.high_watermark && found.timestamp >= time));
        }
        let largest = partition.offset_of_largest_timestamp(&view).unwrap();
        assert!(largest.is_none_or(|found| found.offset < view.high_watermark), "{largest:?} of {view:?}");
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
fn durability_12_a_swap_whose_sync_failed_leaves_its_segment_for_the_next_start() {
    for (sync, seed) in (0..12).flat_map(|sync| [(sync, 1), (sync, 2), (sync, 3)]) {
        let disk = Arc::new(FaultyDisk::new(seed));
        let bench = Bench::on(disk.clone());
        let topic = compacted(&bench, &[]);
        (0..10).for_each(|key| append(&bench, topic, &[(key, Some(1)), (77, Some(1))]));
        disk.fail_sync(disk.syncs() + sync);
        let cleaned = bench.store.clean_step();
        // Its process ends, and what it wrote is there.
        let next = Bench::open(options(), Arc::new(disk.killed(seed)));
        let next = next.unwrap_or_else(|error| panic!("sync {sync}, seed {seed}, {cleaned:?}: {error}"));
        let found = offsets(&next, topic);
        let expected: Vec<_> = (0..10).map(|key| 2 * key).chain([19]).collect();
        assert!(expected.iter().all(|offset| found.contains(offset)), "sync {sync}, seed {seed}: {found:?}");
    }
}

/// Transactions of one producer, all of them aborted.
fn abort(bench: &Bench, topic: TopicId, transactions: std::ops::Range<i32>) {
    for sequence in transactions {
        let (producer_id, producer_epoch) = (ProducerId(1), ProducerEpoch(0));
        let base_sequence = Sequence(sequence);
        let stamp = ProducerStamp { producer_id, producer_epoch, base_sequence, transactional: true };
        let batch = content(&[(1, Some(1))], Compression::None, stamp, NOW);
        let mut group = AppendGroup::single(topic, PartitionId(0), batch);
        let version = TransactionVersion::V1;
        let marker = Marker { producer_id, producer_epoch, coordinator_epoch: 0, committed: false, version };
        group.push_marker(topic, PartitionId(0), marker, NOW);
        bench.place(group).unwrap();
        bench.store.round().unwrap();
    }
}

fn set_segment_bytes(bench: &Bench, topic: TopicId, bytes: &str) {
    let operation = ConfigOperation::Set(bytes.to_owned());
    let change = ConfigChange { name: "segment.bytes".to_owned(), operation };
    drop(bench.store.alter_topic(topic, &Alteration::Changes(vec![change])).unwrap());
    bench.store.round().unwrap();
}

#[test]
fn segments_become_one_with_all_their_aborted_transactions() {
    let bench = Bench::new();
    let topic = compacted(&bench, &[]);
    abort(&bench, topic, 0..100);
    set_segment_bytes(&bench, topic, "1000000");
    assert_eq!(clean(&bench), 1);
    let partition = bench.partition(topic, 0);
    let known = partition.aborted_transactions(Offset::ZERO, Offset(i64::MAX)).unwrap();
    assert_eq!(known.len(), 100, "their time is not over");
    assert!(partition.segments().len() < 10, "{}", partition.segments().len());
    drop(partition);
    let bench = bench.restart();
    let again = bench.partition(topic, 0).aborted_transactions(Offset::ZERO, Offset(i64::MAX)).unwrap();
    assert_eq!(again, known);
}

/// What the index says of a transaction of a producer that has none in the log.
fn pretended(offset: i64) -> AbortedTransaction {
    let offset = Offset(offset);
    let producer_id = ProducerId(9);
    AbortedTransaction {
        producer_id,
        first_offset: offset,
        last_offset: offset,
        last_stable_offset: offset.plus(1),
    }
}

#[test]
fn a_segment_with_more_aborted_transactions_than_the_journal_can_say_is_not_cleaned() {
    let bench = Bench::new();
    let topic = compacted(&bench, &[]);
    (0..4).for_each(|_| append(&bench, topic, &[(1, Some(9)), (2, Some(9))]));
    let partition = bench.partition(topic, 0);
    (0..=8 * 8192 / 2).for_each(|_| partition.aborted.lock().push(pretended(0)));
    assert_eq!(clean(&bench), 0);
    assert_eq!(bench.store.cleaner_stats().uncleanable_partitions, 1);
    assert_eq!(read_from(&partition, Offset::ZERO).1.len(), 8);
}

#[test]
fn a_segment_with_as_many_aborted_transactions_as_there_may_be_is_cleaned() {
    let bench = Bench::with(Options { journal_bytes: 64 * 1024 * 1024, ..options() });
    let topic = compacted(&bench, &[]);
    abort(&bench, topic, 0..3);
    (0..4).for_each(|_| append(&bench, topic, &[(1, Some(9)), (2, Some(9))]));
    let partition = bench.partition(topic, 0);
    let others = || partition.aborted_transactions(Offset::ZERO, Offset(i64::MAX)).unwrap();
    let real = others();
    let most = crate::caps::ABORTED_TRANSACTIONS_MAX;
    {
        let mut aborted = partition.aborted.lock();
        *aborted =
            crate::state::Aborted::new(Offset::ZERO, (0..most).map(|_| pretended(0)).chain(real.clone()));
    }
    assert_eq!(clean(&bench), 1);
    // Of the others nothing was ever there.
    assert_eq!(others(), real);
    assert!(read_from(&partition, Offset::ZERO).1.len() < 8);
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
