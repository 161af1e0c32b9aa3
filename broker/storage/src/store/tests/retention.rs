use std::time::Duration;

use super::*;
use crate::{ConfigChange, ConfigOperation, store::Alteration, testing::batch_at};

fn aged(bench: &Bench, overrides: &[(&str, &str)]) -> TopicId {
    let mut overrides = overrides.to_vec();
    overrides.push(("segment.bytes", "200"));
    let topic = bench.topic("orders", 1, &overrides);
    for at in 0..5 {
        bench.append(topic, 0, batch_at(5, None, Timestamp(NOW.0 + at * 1000)));
    }
    topic
}

fn retain(bench: &Bench) -> usize {
    let moved = bench.store.retention_step();
    bench.store.round().unwrap();
    bench.store.cleanup_step();
    moved
}

#[test]
fn segments_go_when_their_last_record_is_too_old() {
    let bench = Bench::new();
    let topic = aged(&bench, &[("retention.ms", "2000")]);
    assert_eq!(retain(&bench), 0);
    bench.clock.advance(Duration::from_millis(3500));
    assert_eq!(retain(&bench), 1);
    assert_eq!(ends(&bench.read(topic, 0)), [15, 20, 25]);
    assert_eq!(bench.partition(topic, 0).log_start(), Offset(10));
    let files = bench.disk.list(&bench.partition(topic, 0).folder()).unwrap();
    assert!(files.iter().all(|file| file.name.as_str() >= "00000000000000000010"), "{files:?}");
}

#[test]
fn the_segment_that_is_written_to_grows_old_too() {
    let bench = Bench::new();
    let topic = aged(&bench, &[("retention.ms", "2000")]);
    bench.clock.advance(Duration::from_secs(100));
    assert_eq!(retain(&bench), 1);
    assert!(bench.read(topic, 0).is_empty());
    assert_eq!(bench.partition(topic, 0).log_start(), Offset(25));
    assert_eq!(bench.append(topic, 0, batch(1, None)), Offset(25));
    let bench = bench.restart();
    assert_eq!(ends(&bench.read(topic, 0)), [26]);
}

#[test]
fn the_oldest_segments_go_when_there_are_too_many_bytes() {
    let bench = Bench::new();
    let topic = aged(&bench, &[("retention.bytes", "250"), ("retention.ms", "-1")]);
    assert_eq!(retain(&bench), 1);
    assert_eq!(ends(&bench.read(topic, 0)), [15, 20, 25]);
    assert_eq!(retain(&bench), 0);
}

#[test]
fn compacted_topics_are_left_alone_unless_they_are_to_be_deleted_too() {
    let bench = Bench::new();
    let overrides = [("retention.bytes", "0"), ("retention.ms", "1"), ("cleanup.policy", "compact")];
    let topic = aged(&bench, &overrides);
    bench.clock.advance(Duration::from_secs(100));
    assert_eq!(retain(&bench), 0);
    assert_eq!(bench.read(topic, 0).len(), 5);
    let operation = ConfigOperation::Append("delete".to_owned());
    let change = ConfigChange { name: "cleanup.policy".to_owned(), operation };
    drop(bench.store.alter_topic(topic, &Alteration::Changes(vec![change])).unwrap());
    bench.store.round().unwrap();
    assert_eq!(retain(&bench), 1);
    assert!(bench.read(topic, 0).is_empty());
}

#[test]
fn a_log_of_which_nothing_stays_gives_all_its_space_back() {
    let bench = Bench::new();
    let topic = aged(&bench, &[]);
    let ticket = bench.store.move_log_start(topic, PartitionId(0), Offset(25)).unwrap();
    bench.store.round().unwrap();
    ticket.wait().unwrap();
    bench.store.cleanup_step();
    assert_eq!(bench.disk.list(&bench.partition(topic, 0).folder()).unwrap(), []);
    assert_eq!(bench.append(topic, 0, batch(1, None)), Offset(25));
    let bench = bench.restart();
    assert_eq!((bench.partition(topic, 0).log_start(), ends(&bench.read(topic, 0))), (Offset(25), vec![26]));
}

#[test]
fn files_go_when_nobody_reads_them_any_more() {
    let bench = Bench::new();
    let topic = aged(&bench, &[]);
    let partition = bench.partition(topic, 0);
    let reader = partition.segments();
    let ticket = bench.store.move_log_start(topic, PartitionId(0), Offset(12)).unwrap();
    bench.store.round().unwrap();
    ticket.wait().unwrap();
    let removed = reader[0].log_path();
    bench.store.cleanup_step();
    assert!(bench.disk.len_of(&removed).is_ok());
    drop(reader);
    bench.store.cleanup_step();
    assert!(bench.disk.len_of(&removed).is_err());
}

#[test]
fn the_log_start_moves_within_the_log_alone() {
    let bench = Bench::new();
    let topic = aged(&bench, &[]);
    let partition = PartitionId(0);
    assert!(matches!(
        bench.store.move_log_start(topic, partition, Offset(26)),
        Err(AppendError::OffsetOutOfRange { high_watermark: Offset(25), .. })
    ));
    let ticket = bench.store.move_log_start(topic, partition, Offset(12)).unwrap();
    bench.store.round().unwrap();
    ticket.wait().unwrap();
    assert_eq!(bench.partition(topic, 0).log_start(), Offset(12));
    assert_eq!(ends(&bench.read(topic, 0)), [15, 20, 25]);
    assert!(bench.store.move_log_start(topic, partition, Offset(11)).is_err());
}

#[test]
fn producers_that_were_silent_for_long_are_forgotten() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[("retention.ms", "-1")]);
    bench.append(topic, 0, batch(1, Some((7, 0, 0))));
    bench.clock.advance(Duration::from_secs(23 * 60 * 60));
    retain(&bench);
    assert_eq!(bench.partition(topic, 0).placing().state().producers.len(), 1);
    bench.clock.advance(Duration::from_secs(2 * 60 * 60));
    retain(&bench);
    assert!(bench.partition(topic, 0).placing().state().producers.is_empty());
}
