use mainstem_protocol::{LeaderEpoch, records::Records};
use tokio::sync::Notify;

use super::*;
use crate::{
    TimeMatch, Visible,
    segment::FileRange,
    testing::{batch_at, sized_batch},
};

#[test]
fn a_read_gives_whole_batches_within_its_limit_and_at_least_one() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.fill(topic, 0, 4);
    let partition = bench.partition(topic, 0);
    let visible = partition.visible(&bench.store.cut());
    let read = |offset: i64, bytes_max: usize, at_least_one: bool| {
        let how = Read { bytes_max, at_least_one, wait: Wait::Yes, isolation: Isolation::Uncommitted };
        partition.read(&visible, Offset(offset), how).unwrap().len()
    };
    assert_eq!(read(0, 1000, false), 4 * 111);
    assert_eq!(read(0, 300, false), 2 * 111);
    assert_eq!(read(7, 120, false), 111);
    assert_eq!(read(7, 100, false), 0);
    assert_eq!(read(7, 100, true), 111);
    assert_eq!(read(20, 100, true), 0);
}

#[test]
fn a_read_knows_how_many_records_it_has() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[("segment.bytes", "1000")]);
    let first = bench.append(topic, 0, batch(3, None));
    bench.fill(topic, 0, 30);
    let partition = bench.partition(topic, 0);
    let visible = partition.visible(&bench.store.cut());
    for (offset, bytes_max) in
        (first.0..visible.high_watermark.0).flat_map(|at| [(at, 1), (at, 350), (at, 5000)])
    {
        let how = Read { bytes_max, at_least_one: true, wait: Wait::Yes, isolation: Isolation::Uncommitted };
        let records = partition.read(&visible, Offset(offset), how).unwrap();
        let Records::Range(range) = &records else { panic!("a range") };
        let counted = range.as_any().downcast_ref::<FileRange>().unwrap().offsets();
        let headers = batches(records.bytes().unwrap(), Tail::Report).map(|batch| *batch.unwrap().header());
        let held: i32 = headers.map(|header| header.record_count).sum();
        assert_eq!(counted, held as u64, "{bytes_max} bytes from {offset}");
    }
}

#[test]
fn the_leader_epoch_is_read_while_a_batch_gets_its_place() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    let partition = bench.partition(topic, 0);
    let _placing = partition.placing();
    assert_eq!(partition.leader_epoch(), LeaderEpoch(0));
}

#[test]
fn durability_05_a_read_stays_within_its_cut() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[("segment.bytes", "300")]);
    bench.fill(topic, 0, 2);
    let partition = bench.partition(topic, 0);
    let before: Visible = partition.visible(&bench.store.cut());
    bench.fill(topic, 0, 5);
    let how =
        Read { bytes_max: 10_000, at_least_one: true, wait: Wait::Yes, isolation: Isolation::Uncommitted };
    assert_eq!(partition.read(&before, Offset(0), how).unwrap().len(), 222);
    assert!(partition.read(&before, Offset(10), how).unwrap().is_empty());
}

#[test]
fn whoever_waits_is_told_once_when_there_is_more() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 2, &[]);
    let waiter = Arc::new(Notify::new());
    let told = |waiter: &Arc<Notify>| {
        let told = waiter.notified();
        tokio::pin!(told);
        told.as_mut().enable()
    };
    bench.partition(topic, 0).subscribe(&waiter);
    bench.partition(topic, 1).subscribe(&waiter);
    assert!(!told(&waiter));
    bench.fill(topic, 1, 1);
    assert!(told(&waiter));
    bench.fill(topic, 1, 1);
    assert!(!told(&waiter));
}

#[test]
fn waiters_that_went_are_forgotten() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    let partition = bench.partition(topic, 0);
    for _ in 0..10_000 {
        partition.subscribe(&Arc::new(Notify::new()));
    }
    assert!(partition.waiters() <= 64, "{}", partition.waiters());
}

#[test]
fn offsets_are_found_by_time_across_segments() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[("segment.bytes", "200")]);
    for at in 0..5 {
        let mut records =
            mainstem_protocol::records::BatchBuilder::new(mainstem_protocol::records::Compression::None);
        let timestamp = Timestamp(NOW.0 + at * 1000);
        let record =
            mainstem_protocol::records::NewRecord { timestamp, value: Some(b"x"), ..Default::default() };
        records.append(&record).unwrap();
        let mut bytes = records.seal(&mainstem_protocol::records::ProducerStamp::default()).unwrap();
        bench.append(topic, 0, Batch::split_from(&mut bytes).unwrap());
    }
    let partition = bench.partition(topic, 0);
    let visible = partition.visible(&bench.store.cut());
    let at = |millis: i64| partition.offset_for_timestamp(&visible, Timestamp(NOW.0 + millis)).unwrap();
    let found =
        |offset: i64| Some(TimeMatch { offset: Offset(offset), timestamp: Timestamp(NOW.0 + offset * 1000) });
    assert_eq!(at(-5), found(0));
    assert_eq!(at(1001), found(2));
    assert_eq!(at(4000), found(4));
    assert_eq!(at(4001), None);
    assert_eq!(partition.offset_of_largest_timestamp(&visible).unwrap(), found(4));
}

#[test]
fn a_range_outlives_its_segment() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.append(topic, 0, sized_batch(1, 5000, None, NOW));
    bench.append(topic, 0, batch_at(1, None, NOW));
    let partition = bench.partition(topic, 0);
    let visible = partition.visible(&bench.store.cut());
    let how =
        Read { bytes_max: 10_000, at_least_one: true, wait: Wait::Yes, isolation: Isolation::Uncommitted };
    let records = partition.read(&visible, Offset(0), how).unwrap();
    bench.store.delete_topic(topic).unwrap();
    bench.store.round().unwrap();
    bench.store.cleanup_step();
    assert_eq!(records.bytes().unwrap().len(), 5061 + 71);
}
