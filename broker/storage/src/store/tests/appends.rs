use mainstem_protocol::{LeaderEpoch, Offset, PartitionId, Sequence, Timestamp, records::TimestampType};

use super::*;
use crate::{Lsn, testing::sized_batch};

#[test]
fn what_was_appended_is_read_once_it_is_committed() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    let ticket = bench.place_batch(topic, 0, batch(5, None)).unwrap();
    assert_eq!(bench.partition(topic, 0).high_watermark(), Offset(0));
    bench.store.round().unwrap();
    assert_eq!(ticket.wait().unwrap().places[0].base_offset, Offset(0));
    assert_eq!(bench.append(topic, 0, batch(3, None)), Offset(5));
    assert_eq!(ends(&bench.read(topic, 0)), [5, 8]);
    assert_eq!(bench.read(topic, 0)[0].leader_epoch, LeaderEpoch(0));
}

#[test]
fn one_sync_serves_all_partitions() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 100, &[]);
    let tickets: Vec<_> = (0..100).map(|at| bench.place_batch(topic, at, batch(1, None)).unwrap()).collect();
    let round = bench.store.round().unwrap();
    assert_eq!((round.groups, round.synced), (100, true));
    tickets.into_iter().for_each(|ticket| assert!(ticket.wait().is_ok()));
}

#[test]
fn a_group_is_placed_whole_or_not_at_all() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 2, &[]);
    let mut group = AppendGroup::new();
    group.push(topic, PartitionId(0), batch(5, None));
    group.push(topic, PartitionId(1), batch(5, Some((7, 0, 0))));
    bench.place(group).unwrap();
    bench.store.round().unwrap();
    let mut group = AppendGroup::new();
    group.push(topic, PartitionId(0), batch(5, None));
    group.push(topic, PartitionId(1), batch(5, Some((7, 0, 77))));
    assert!(matches!(bench.place(group), Err(AppendError::OutOfOrderSequence { .. })));
    bench.store.round().unwrap();
    assert_eq!(bench.partition(topic, 0).high_watermark(), Offset(5));
    assert_eq!(bench.append(topic, 0, batch(1, None)), Offset(5));
}

#[test]
fn several_batches_of_a_partition_follow_each_other_in_a_group() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[("segment.bytes", "300")]);
    let mut group = AppendGroup::new();
    for at in 0..10 {
        group.push(topic, PartitionId(0), batch(2, Some((7, 0, at * 2))));
    }
    let ticket = bench.place(group).unwrap();
    bench.store.round().unwrap();
    let bases: Vec<_> = ticket.wait().unwrap().places.iter().map(|place| place.base_offset.0).collect();
    assert_eq!(bases, (0..10).map(|at| at * 2).collect::<Vec<_>>());
    assert_eq!(bench.read(topic, 0).len(), 10);
    assert!(bench.partition(topic, 0).segments().len() > 3);
}

#[test]
fn durability_04_a_repeat_waits_for_the_original() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    let original = bench.place_batch(topic, 0, batch(5, Some((7, 0, 0)))).unwrap();
    let next = bench.place_batch(topic, 0, batch(5, Some((7, 0, 5)))).unwrap();
    let mut repeat = bench.place_batch(topic, 0, batch(5, Some((7, 0, 0)))).unwrap();
    assert_eq!(repeat.poll_now(), None);
    assert!(repeat.places()[0].is_duplicate);
    assert_eq!(repeat.lsn(), original.lsn());
    bench.store.round().unwrap();
    assert_eq!(repeat.wait().unwrap().places[0].base_offset, Offset(0));
    assert_eq!(next.wait().unwrap().places[0].base_offset, Offset(5));
    let later = bench.place_batch(topic, 0, batch(5, Some((7, 0, 5)))).unwrap();
    assert_eq!(later.wait().unwrap().places[0].base_offset, Offset(5));
    assert_eq!(ends(&bench.read(topic, 0)), [5, 10]);
}

#[test]
fn durability_06_five_batches_in_flight_are_checked_in_their_order() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    for at in 0..5 {
        bench.place_batch(topic, 0, batch(1, Some((7, 0, at)))).unwrap();
    }
    let gap = bench.place_batch(topic, 0, batch(1, Some((7, 0, 6))));
    assert!(matches!(gap, Err(AppendError::OutOfOrderSequence { last: Sequence(4), .. })));
    let old = bench.place_batch(topic, 0, batch(1, Some((7, 1, 0))));
    old.unwrap();
    assert!(matches!(
        bench.place_batch(topic, 0, batch(1, Some((7, 0, 5)))),
        Err(AppendError::InvalidProducerEpoch { .. })
    ));
}

#[test]
fn log_append_time_is_the_brokers() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let old = crate::testing::batch_at(2, None, Timestamp(5));
    let ticket = bench.place_batch(topic, 0, old).unwrap();
    bench.store.round().unwrap();
    assert_eq!(ticket.wait().unwrap().places[0].log_append_time, NOW);
    let header = bench.read(topic, 0)[0];
    assert_eq!(header.max_timestamp, NOW);
    assert_eq!(header.attributes.timestamp_type(), TimestampType::LogAppendTime);
}

#[test]
fn segments_roll_by_size_and_by_time() {
    let bench = Bench::new();
    let small = bench.topic("small", 1, &[("segment.bytes", "500")]);
    bench.fill(small, 0, 20);
    assert_eq!(bench.partition(small, 0).segments().len(), 5);
    assert_eq!(bench.read(small, 0).len(), 20);
    let timed = bench.topic("timed", 1, &[("segment.ms", "100")]);
    for at in 0..10 {
        bench.append(timed, 0, crate::testing::batch_at(1, None, Timestamp(NOW.0 + at * 60)));
    }
    assert_eq!(bench.partition(timed, 0).segments().len(), 5);
}

#[test]
fn durability_10_a_group_bigger_than_a_frame_is_written_ahead() {
    let bench = Bench::new();
    let topic = bench.topic("big", 2, &[]);
    let big = sized_batch(1, 100_000, None, NOW);
    let mut group = AppendGroup::new();
    group.push(topic, PartitionId(0), big.clone());
    group.push(topic, PartitionId(1), big);
    let ticket = bench.place(group).unwrap();
    bench.fill(topic, 0, 1);
    ticket.wait().unwrap();
    assert_eq!(bench.read(topic, 0).len(), 2);
    let bench = bench.restart();
    assert_eq!(bench.read(topic, 0).len(), 2);
    assert_eq!(bench.read(topic, 1)[0].size(), 100_061);
}

#[test]
fn durability_10_a_group_that_is_written_ahead_gets_its_commit_frame_in_a_full_journal() {
    let bench = Bench::new();
    let topic = bench.topic("big", 2, &[]);
    let mut big = AppendGroup::single(topic, PartitionId(0), sized_batch(1, 200_000, None, NOW));
    bench.store.make_room(&mut big).unwrap();
    let small = || AppendGroup::single(topic, PartitionId(1), sized_batch(1, 3_000, None, NOW));
    bench.append(topic, 1, sized_batch(1, 3_000, None, NOW));
    let mut placed = 0;
    let full = loop {
        while bench.store.allocate_step() {}
        match bench.store.append(&small()) {
            Ok(_) => placed += 1,
            Err(error) => break error,
        }
        bench.store.round().unwrap();
    };
    assert_eq!(full, AppendError::NoRoom);
    assert!(placed > 20, "the journal is full after {placed}");
    let ticket = bench.store.append(&big).unwrap();
    bench.store.round().unwrap();
    ticket.wait().unwrap();
    assert_eq!(bench.read(topic, 0).len(), 1);
}

#[test]
fn durability_10_a_group_bigger_than_a_quarter_of_the_journal_is_refused() {
    let bench = Bench::new();
    let topic = bench.topic("big", 1, &[]);
    let batch = sized_batch(1, 300_000, None, NOW);
    assert!(matches!(
        bench.place_batch(topic, 0, batch),
        Err(AppendError::TooLarge { bytes_max: 262_144, .. })
    ));
}

#[test]
fn durability_16_nothing_is_allocated_before_the_first_append_and_then_in_steps() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    let folder = bench.partition(topic, 0).folder();
    assert!(bench.disk.list(&folder).is_err());
    bench.fill(topic, 0, 1);
    let segment = bench.partition(topic, 0).segments()[0].clone();
    assert_eq!(segment.allocated(), 64 * 1024);
    bench.append(topic, 0, sized_batch(1, 60_000, None, NOW));
    assert!(bench.store.allocate_step());
    assert_eq!(segment.allocated(), 128 * 1024);
}

#[test]
fn a_partition_without_anything_in_flight_has_no_overlay() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.place_batch(topic, 0, batch(1, Some((7, 0, 0)))).unwrap();
    assert!(bench.partition(topic, 0).placing().has_in_flight());
    bench.store.round().unwrap();
    assert!(!bench.partition(topic, 0).placing().has_in_flight());
}

#[test]
fn an_unknown_partition_and_an_empty_group_are_refused() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    assert!(matches!(bench.place_batch(topic, 1, batch(1, None)), Err(AppendError::UnknownPartition { .. })));
    assert!(matches!(bench.place(AppendGroup::new()), Err(AppendError::Empty)));
    assert_eq!(bench.store.stats().placed, Lsn(1));
}

#[test]
fn longest_silent_producers_are_forgotten_where_there_are_too_many_and_new_ones_refused_where_none_was() {
    let bench = Bench::with(Options { producers_max: 8, ..options() });
    let topic = bench.topic("orders", 1, &[]);
    let write = |producer: i64, sequence: i32, age_minutes: i64| {
        let timestamp = Timestamp(NOW.0 - age_minutes * 60_000);
        let batch = crate::testing::batch_at(1, Some((producer, 0, sequence)), timestamp);
        let ticket = bench.place_batch(topic, 0, batch);
        bench.store.round().unwrap();
        ticket.map(|ticket| ticket.wait().unwrap().places[0].is_duplicate)
    };
    for producer in 0..8 {
        // Two were silent for longer than a client repeats a batch.
        assert!(!write(producer, 0, if [3, 5].contains(&producer) { 20 + producer } else { 9 }).unwrap());
    }
    assert!(!write(8, 0, 0).unwrap(), "the longest silent one made room");
    assert!(write(3, 0, 23).unwrap(), "the other one is still known");
    assert!(!write(9, 0, 0).unwrap());
    let refused = write(10, 0, 0).unwrap_err();
    assert!(matches!(refused, AppendError::TooManyProducers { most: 8 }));
    assert!(refused.to_string().contains("max.producers.per.partition"), "{refused}");
    assert!(write(8, 0, 0).unwrap(), "who is known is not refused");
    assert!(!write(8, 1, 0).unwrap());
    let plain = bench.append(topic, 0, batch(1, None));
    assert_eq!(plain, Offset(11), "who has no id needs not be remembered");
}

#[test]
fn producers_in_flight_count_as_remembered_ones() {
    let bench = Bench::with(Options { producers_max: 2, ..options() });
    let topic = bench.topic("orders", 1, &[]);
    let place = |producer, sequence| bench.place_batch(topic, 0, batch(1, Some((producer, 0, sequence))));
    place(1, 0).unwrap();
    place(2, 0).unwrap();
    assert!(matches!(place(3, 0), Err(AppendError::TooManyProducers { most: 2 })));
    place(1, 1).unwrap();
    bench.store.round().unwrap();
    assert!(matches!(place(3, 0), Err(AppendError::TooManyProducers { most: 2 })));
}
