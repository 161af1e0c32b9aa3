//! What the driver promises to tests.

mod timers;

use std::time::Duration;

use bytes::Bytes;
use mainstem_client::{Text, Timestamp};

use super::*;
use crate::{
    Context, InputBatch, OutputRecord, ProcessResult, Processor, StreamBuilder, TimeWindows, Topology,
    TopologyBuilder, Windowed,
};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Counts values by key, and by key and second when that is over; the values go to `copies`.
fn counted() -> Topology {
    let builder = StreamBuilder::new("t");
    let values = builder.stream::<Text, Text>("in");
    values.to("copies");
    values.group_by_key().count("counts").to("count-changes");
    let windows = TimeWindows::tumbling(seconds(1));
    values.group_by_key().windowed_by(windows).on_close().count("per-second").to("seconds");
    builder.build().unwrap()
}

fn in_partitions(partitions: i32) -> TestDriver {
    TestDriver::with_partitions(&counted(), &[("in", partitions), ("copies", partitions)]).unwrap()
}

fn put(driver: &mut TestDriver, partition: i32, time: i64) {
    let record = TestRecord::new("k", "v", time).partition(partition);
    driver.pipe_record("in", &record).unwrap();
}

/// The seconds that are over, by their starts.
fn closed(driver: &mut TestDriver) -> Vec<i64> {
    let results = driver.read::<Windowed<Text>, i64>("seconds").unwrap();
    results.iter().map(|result| result.key.window.start.0).collect()
}

/// Writes how far time has come whenever it has, with the task's partition as the key.
#[derive(Default)]
struct Watermarks {
    partition: i32,
}

impl Processor for Watermarks {
    fn process(&mut self, batch: &InputBatch, _: &mut Context<'_>) -> ProcessResult {
        self.partition = batch.partition.partition.0;
        Ok(())
    }

    fn on_watermark(&mut self, ctx: &mut Context<'_>) -> ProcessResult {
        let key = Some(Bytes::copy_from_slice(&self.partition.to_be_bytes()));
        let value = Some(Bytes::copy_from_slice(&ctx.watermark().0.to_be_bytes()));
        Ok(ctx.forward("out", OutputRecord { key, value, ..OutputRecord::default() })?)
    }
}

fn watermarks_of<const N: usize>(topics: [&str; N]) -> Topology {
    let builder =
        topics.iter().fold(TopologyBuilder::new("t"), |builder, topic| builder.source(*topic, *topic));
    let builder = builder.processor("watermarks", topics, [], Watermarks::default);
    builder.sink("out", "watermarks", ["watermarks"]).build().unwrap()
}

/// Partition and watermark, whenever it has risen.
fn watermarks(driver: &mut TestDriver) -> Vec<(i32, i64)> {
    let records = driver.read::<i32, i64>("watermarks").unwrap();
    records.iter().map(|record| (record.key, record.value)).collect()
}

#[test]
fn each_partition_has_a_watermark_of_its_own() {
    let mut driver = TestDriver::with_partitions(&watermarks_of(["in"]), &[("in", 2)]).unwrap();
    for (partition, time) in [(0, 10), (1, 5), (0, 8), (1, 7), (0, 20)] {
        driver.pipe_record("in", &TestRecord::new((), (), time).partition(partition)).unwrap();
    }
    assert_eq!(watermarks(&mut driver), [(0, 10), (1, 5), (1, 7), (0, 20)]);
}

#[test]
fn task_of_two_topics_is_as_far_as_the_one_furthest_behind() {
    let mut driver = TestDriver::new(&watermarks_of(["left", "right"])).unwrap();
    driver.pipe("left", (), (), 10).unwrap();
    assert_eq!(watermarks(&mut driver), []);
    driver.pipe("right", (), (), 4).unwrap();
    driver.pipe("right", (), (), 30).unwrap();
    assert_eq!(watermarks(&mut driver), [(0, 4), (0, 10)]);
}

#[test]
fn windows_of_one_partition_do_not_close_by_the_time_of_another() {
    let mut driver = in_partitions(2);
    put(&mut driver, 0, 0);
    put(&mut driver, 1, 5000);
    assert_eq!(closed(&mut driver), [0; 0]);
    put(&mut driver, 0, 1000);
    assert_eq!(closed(&mut driver), [0]);
}

#[test]
fn clock_does_not_move_the_time_of_records() {
    let mut driver = in_partitions(1);
    put(&mut driver, 0, 0);
    driver.advance(seconds(3600)).unwrap();
    assert_eq!(closed(&mut driver), [0; 0]);
    put(&mut driver, 0, 1);
    assert_eq!(driver.counts("per-second").late, 0);
}

#[test]
fn partition_is_waited_for_until_it_had_nothing_new_for_ten_seconds() {
    let mut driver = TestDriver::new(&watermarks_of(["left", "right"])).unwrap();
    driver.pipe("right", (), (), 4).unwrap();
    driver.advance(seconds(6)).unwrap();
    driver.pipe("left", (), (), 10).unwrap();
    assert_eq!(watermarks(&mut driver), [(0, 4)]);
    driver.advance(Duration::from_millis(3999)).unwrap();
    assert_eq!(watermarks(&mut driver), []);
    driver.advance(Duration::from_millis(1)).unwrap();
    assert_eq!(watermarks(&mut driver), [(0, 10)]);
    driver.pipe("left", (), (), 20).unwrap();
    assert_eq!(watermarks(&mut driver), [(0, 20)]);
}

#[test]
fn partition_that_was_idle_is_waited_for_from_its_next_record_on() {
    let mut driver = TestDriver::new(&watermarks_of(["left", "right"])).unwrap();
    driver.advance(seconds(10)).unwrap();
    driver.pipe("left", (), (), 10).unwrap();
    driver.pipe("right", (), (), 11).unwrap();
    driver.pipe("left", (), (), 30).unwrap();
    assert_eq!(watermarks(&mut driver), [(0, 10), (0, 11)]);
}

#[test]
fn finish_closes_every_window_and_ends_time() {
    let mut driver = in_partitions(2);
    put(&mut driver, 0, 0);
    put(&mut driver, 1, 5000);
    driver.finish().unwrap();
    let mut starts = closed(&mut driver);
    starts.sort_unstable();
    assert_eq!(starts, [0, 5000]);
    let mut driver = TestDriver::new(&watermarks_of(["in"])).unwrap();
    driver.finish().unwrap();
    assert_eq!(watermarks(&mut driver), [(0, i64::MAX)]);
}

#[test]
fn finish_reaches_what_is_behind_a_repartition_topic() {
    let builder = StreamBuilder::new("t");
    let grouped = builder.stream::<(), Text>("in").group_by(|(), value| value.clone());
    grouped.windowed_by(TimeWindows::tumbling(seconds(1))).on_close().count("counts").to("seconds");
    let mut driver = TestDriver::with_partitions(&builder.build().unwrap(), &[("in", 3)]).unwrap();
    for partition in 0..3 {
        driver.pipe_record("in", &TestRecord::new((), "v", 1).partition(partition)).unwrap();
    }
    assert_eq!(closed(&mut driver), [0; 0]);
    driver.finish().unwrap();
    let results = driver.read::<Windowed<Text>, i64>("seconds").unwrap();
    assert_eq!(results.iter().map(|result| result.value).collect::<Vec<_>>(), [3]);
    assert_eq!(driver.window_store::<Text, i64>("counts").unwrap(), []);
}

#[test]
fn keys_choose_partitions_as_with_every_kafka_producer() {
    let mut driver = in_partitions(8);
    for key in ["a", "b", "c", "a"] {
        driver.pipe("in", key, "v", 0).unwrap();
    }
    let copies = driver.read::<String, String>("copies").unwrap();
    let places: Vec<_> = copies.iter().map(|copy| (&*copy.key, copy.partition.unwrap())).collect();
    // What Kafka's murmur2 makes of these keys with eight partitions.
    assert_eq!(places, [("a", 4), ("b", 4), ("c", 2), ("a", 4)]);
}

#[test]
fn record_without_a_key_goes_to_the_first_partition() {
    let builder = StreamBuilder::new("t");
    builder.stream::<Option<Text>, Text>("in").to("out");
    let mut driver =
        TestDriver::with_partitions(&builder.build().unwrap(), &[("in", 3), ("out", 3)]).unwrap();
    driver.pipe("in", (), "v", 0).unwrap();
    assert_eq!(driver.read::<Option<Text>, Text>("out").unwrap()[0].partition, Some(0));
}

#[test]
fn partitions_keep_state_apart_and_the_store_shows_all() {
    let mut driver = in_partitions(2);
    put(&mut driver, 0, 0);
    put(&mut driver, 1, 0);
    put(&mut driver, 1, 1);
    let counts = driver.store::<String, i64>("counts").unwrap();
    assert_eq!(counts, [("k".to_owned(), 1), ("k".to_owned(), 2)]);
}

#[test]
fn topics_are_read_apart_and_each_record_once() {
    let mut driver = in_partitions(1);
    put(&mut driver, 0, 1);
    put(&mut driver, 0, 2);
    assert_eq!(driver.read::<Text, Text>("copies").unwrap().len(), 2);
    assert_eq!(driver.read::<Text, Text>("copies").unwrap(), []);
    put(&mut driver, 0, 3);
    let copies = driver.read::<Text, Text>("copies").unwrap();
    assert_eq!(copies, [TestRecord::new("k".into(), "v".into(), 3).partition(0)]);
    let changes = driver.read::<String, i64>("count-changes").unwrap();
    assert_eq!(changes.iter().map(|change| change.value).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(driver.read::<Text, Text>("nobody-writes-it").unwrap(), []);
}

#[test]
fn what_is_read_as_something_else_is_refused() {
    let mut driver = in_partitions(1);
    put(&mut driver, 0, 1);
    let error = driver.read::<Text, i64>("copies").unwrap_err();
    assert_eq!(error.to_string(), "1 bytes are not an integer of 64 bits, which has 8");
}

#[test]
fn table_of_a_topic_has_the_last_value_of_each_key() {
    let mut driver = in_partitions(1);
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
        driver.pipe("in", key, value, 0).unwrap();
    }
    let table = driver.read_table::<String, String>("copies").unwrap();
    let entries: Vec<_> = table.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(entries, [("a", "3"), ("b", "2")]);
}

#[test]
fn stores_are_read_back_by_key_and_by_window() {
    let mut driver = in_partitions(1);
    for (key, time) in [("b", 0), ("a", 999), ("b", 998)] {
        driver.pipe("in", key, "v", time).unwrap();
    }
    let counts = driver.store::<String, i64>("counts").unwrap();
    assert_eq!(counts, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    let windows = driver.window_store::<String, i64>("per-second").unwrap();
    let windows = windows.iter().map(|(key, count)| (key.window.end.0, &*key.key, *count));
    assert_eq!(windows.collect::<Vec<_>>(), [(1000, "a", 1), (1000, "b", 2)]);
    let raw = driver.raw_store("counts").unwrap();
    assert_eq!(raw.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn store_that_is_not_there_is_refused_with_those_that_are() {
    let driver = in_partitions(1);
    let expected = "there is no store sums; there are counts, per-second";
    for error in [
        driver.store::<Text, i64>("sums").unwrap_err(),
        driver.window_store::<Text, i64>("sums").unwrap_err(),
        driver.raw_store("sums").unwrap_err(),
    ] {
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn records_of_one_batch_are_committed_together() {
    let mut driver = in_partitions(1);
    let records = [1, 2, 3].map(|time| TestRecord::new("k", "v", time));
    driver.pipe_batch("in", &records).unwrap();
    let changes = driver.read::<String, i64>("count-changes").unwrap();
    assert_eq!(changes.iter().map(|change| change.value).collect::<Vec<_>>(), [3]);
}

#[test]
fn counts_are_those_of_all_tasks() {
    let mut driver = in_partitions(2);
    put(&mut driver, 0, 5000);
    put(&mut driver, 0, 0);
    put(&mut driver, 1, 0);
    let counts = driver.counts("per-second");
    assert_eq!((counts.records_in, counts.late), (3, 1));
    assert_eq!(driver.counts("nowhere"), crate::NodeCounts::default());
}

#[test]
fn topics_and_partitions_that_nobody_reads_are_refused_with_those_that_are_read() {
    let mut driver = in_partitions(2);
    let error = driver.pipe("nin", "k", "v", 0).unwrap_err();
    assert_eq!(error.to_string(), "no source reads nin partition 0; the topology reads in");
    let error = driver.pipe("copies", "k", "v", 0).unwrap_err();
    assert_eq!(error.to_string(), "no source reads copies partition 0; the topology reads in");
    for partition in [2, -1] {
        let record = TestRecord::new("k", "v", 0).partition(partition);
        let error = driver.pipe_record("in", &record).unwrap_err();
        assert!(matches!(error, TestError::NotRead { partition: named, .. } if named == partition));
    }
}

#[test]
fn topology_that_reads_what_it_writes_is_said_to_be_endless() {
    let builder = StreamBuilder::new("t");
    builder.stream::<Text, Text>("round").to("round");
    let mut driver = TestDriver::new(&builder.build().unwrap()).unwrap();
    let error = driver.pipe("round", "k", "v", 0).unwrap_err();
    assert!(matches!(error, TestError::Endless), "{error}");
}

#[test]
fn panic_of_user_code_is_an_error_that_names_the_node() {
    let builder = StreamBuilder::new("t");
    let numbers = builder.stream::<Text, Text>("in");
    numbers.map_values(|text| text.parse::<i64>().expect("a number")).named("parse").to("out");
    let mut driver = TestDriver::new(&builder.build().unwrap()).unwrap();
    let error = driver.pipe("in", "k", "seven", 0).unwrap_err().to_string();
    assert!(error.starts_with("node parse: user code panicked: a number"), "{error}");
}

/// Sets a timer at the time that each record names, and writes when one goes off.
struct Alarms;

impl Processor for Alarms {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            ctx.schedule(Timestamp(input.event_time.0 + 10), b"alarm");
        }
        Ok(())
    }

    fn on_timer(&mut self, at: Timestamp, key: &[u8], ctx: &mut Context<'_>) -> ProcessResult {
        let value = Some(Bytes::copy_from_slice(key));
        let record = OutputRecord { value, timestamp: at, ..OutputRecord::default() };
        Ok(ctx.forward("out", record)?)
    }
}

/// Trap 12 of those that the tests of typed streams list.
#[test]
fn timers_go_off_when_the_time_of_records_reaches_them() {
    let topology = TopologyBuilder::new("t")
        .source("in", "in")
        .processor("alarms", ["in"], [], || Alarms)
        .sink("out", "out", ["alarms"]);
    let mut driver = TestDriver::new(&topology.build().unwrap()).unwrap();
    let mut fired = |time: i64| -> Vec<i64> {
        driver.pipe("in", (), (), time).unwrap();
        driver.read::<(), Text>("out").unwrap().iter().map(|record| record.timestamp.0).collect()
    };
    assert_eq!((fired(0), fired(9)), (vec![], vec![]));
    assert_eq!(fired(10), [10]);
    assert_eq!(fired(100), [19, 20]);
}

/// Sets its timer anew each time that it goes off.
struct Ticks;

impl Processor for Ticks {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        Alarms.process(batch, ctx)
    }

    fn on_timer(&mut self, at: Timestamp, key: &[u8], ctx: &mut Context<'_>) -> ProcessResult {
        ctx.schedule(Timestamp(at.0 + 10), key);
        Alarms.on_timer(at, key, ctx)
    }
}

#[test]
fn timer_that_sets_itself_anew_goes_off_once_as_the_input_ends() {
    let topology = TopologyBuilder::new("t")
        .source("in", "in")
        .processor("ticks", ["in"], [], || Ticks)
        .sink("out", "out", ["ticks"]);
    let mut driver = TestDriver::new(&topology.build().unwrap()).unwrap();
    driver.pipe("in", (), (), 0).unwrap();
    driver.finish().unwrap();
    let fired = driver.read::<(), Text>("out").unwrap();
    assert_eq!(fired.iter().map(|record| record.timestamp.0).collect::<Vec<_>>(), [10]);
}

#[test]
fn same_calls_lead_to_the_same_records() {
    let run = || {
        let mut driver = in_partitions(3);
        for number in 0..50 {
            driver.pipe("in", number.to_string(), "v", i64::from(number) * 100 % 3700).unwrap();
        }
        driver.finish().unwrap();
        let results = driver.read::<Windowed<Text>, i64>("seconds").unwrap();
        (results, driver.read::<Text, i64>("count-changes").unwrap())
    };
    assert_eq!(run(), run());
}
