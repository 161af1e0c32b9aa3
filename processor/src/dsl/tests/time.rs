//! How time goes on where inputs rest, come back, or are out of order.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use mainstem_client::Timestamp;

use super::*;
use crate::BadTimes;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Counts by key and ten milliseconds over two topics, as they close.
fn over_two_topics(left: Input<Text, Text>) -> TestDriver {
    let builder = StreamBuilder::new("t");
    let (left, right) = (builder.stream_with("left", left), builder.stream::<Text, Text>("right"));
    let windowed = left.merge(&right).group_by_key().windowed_by(TimeWindows::tumbling(ms(10)));
    windowed.on_close().count("counts").to("out");
    driver(&builder)
}

fn put(driver: &mut TestDriver, topic: &str, times: &[i64]) {
    times.iter().for_each(|time| driver.pipe(topic, "k", "v", *time).unwrap());
}

/// Starts and counts of the windows that have closed.
fn closed(driver: &mut TestDriver) -> Vec<(i64, i64)> {
    let results = driver.read::<Windowed<String>, i64>("out").unwrap().into_iter();
    results.map(|result| (result.key.window.start.0, result.value)).collect()
}

/// Trap 2, where somebody wants what Kafka Streams does.
#[test]
fn times_before_a_limit_go_where_bad_records_go_and_do_not_move_time() {
    let dead = BadRecords::DeadLetter("early".into());
    let mut driver = over_two_topics(Input::new().not_before(Timestamp(0)).on_bad_record(dead));
    put(&mut driver, "left", &[-1, 0, -20]);
    put(&mut driver, "right", &[-5, 10]);
    driver.finish().unwrap();
    assert_eq!(closed(&mut driver), [(-10, 1), (0, 1), (10, 1)]);
    let early = driver.read::<Text, Text>("early").unwrap();
    assert_eq!(early.iter().map(|record| record.timestamp.0).collect::<Vec<_>>(), [-1, -20]);
    let why = "event time does not parse: it is -1, and nothing before 0 is taken";
    assert_eq!(early[0].header("__streams.errors.message").as_deref(), Some(why));
}

/// Trap 51.
#[test]
fn input_that_comes_back_with_old_records_is_late_and_then_waited_for_again() {
    let mut driver = over_two_topics(Input::new());
    put(&mut driver, "left", &[1, 50]);
    assert_eq!(closed(&mut driver), []);
    driver.advance(Duration::from_secs(10)).unwrap();
    assert_eq!(closed(&mut driver), [(0, 1)]);
    put(&mut driver, "right", &[2, 3, 51]);
    assert_eq!((closed(&mut driver), driver.counts("counts").late), (vec![], 2));
    // Left is ahead now, and right is waited for.
    put(&mut driver, "left", &[90]);
    assert_eq!(closed(&mut driver), []);
    put(&mut driver, "right", &[60]);
    assert_eq!((closed(&mut driver), driver.counts("counts").late), (vec![(50, 2)], 2));
}

/// Trap 52: time is that of the foremost, and no clock moves it on from there.
#[test]
fn windows_stay_open_where_all_inputs_rest() {
    let mut driver = over_two_topics(Input::new());
    put(&mut driver, "left", &[1, 50]);
    put(&mut driver, "right", &[20]);
    assert_eq!(closed(&mut driver), [(0, 1)]);
    for _ in 0..3 {
        driver.advance(Duration::from_secs(3600)).unwrap();
    }
    assert_eq!(closed(&mut driver), [(20, 1)]);
    put(&mut driver, "left", &[59]);
    assert_eq!((closed(&mut driver), driver.counts("counts").late), (vec![], 0));
    put(&mut driver, "left", &[60]);
    assert_eq!(closed(&mut driver), [(50, 2)]);
}

#[test]
fn disorder_of_one_input_holds_up_time_and_that_of_the_other_is_late() {
    let mut driver = over_two_topics(Input::new().disorder_max(ms(5)));
    put(&mut driver, "right", &[30]);
    put(&mut driver, "left", &[9, 14, 9]);
    assert_eq!(closed(&mut driver), []);
    put(&mut driver, "left", &[15, 9, 11, 35]);
    put(&mut driver, "right", &[29, 41]);
    let results = closed(&mut driver);
    assert_eq!((results, driver.counts("counts").late), (vec![(0, 2), (10, 3)], 2));
}

/// Passes on what has a time at the beginning of its text.
fn timed(input: impl FnOnce(Input<(), Text>) -> Input<(), Text>) -> TestDriver {
    let builder = StreamBuilder::new("t");
    let of = |_: &(), text: &Text, _| text.split_once(' ')?.0.parse().ok().map(Timestamp);
    builder.stream_with("in", input(Input::new().try_event_time(of))).to("out");
    driver(&builder)
}

fn pipe_texts(driver: &mut TestDriver, texts: &[&str]) -> Result<(), TestError> {
    texts.iter().try_for_each(|text| driver.pipe("in", (), *text, 0))
}

fn times(driver: &mut TestDriver) -> Vec<i64> {
    driver.read::<(), Text>("out").unwrap().iter().map(|record| record.timestamp.0).collect()
}

#[test]
fn record_that_tells_no_time_fails_the_task_unless_said_otherwise() {
    for bad_times in [None, Some(BadTimes::Fail)] {
        let mut driver = timed(|input| match bad_times {
            Some(bad_times) => input.on_bad_time(bad_times).on_bad_record(BadRecords::Skip),
            None => input,
        });
        let error = pipe_texts(&mut driver, &["7 a", "b"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "node in: event time in topic in partition 0 at offset 1 does not parse: the record does not tell it"
        );
    }
}

#[test]
fn bad_times_that_are_skipped_are_counted_apart_from_records_that_do_not_parse() {
    let mut driver = timed(|input| input.not_before(Timestamp(0)).on_bad_time(BadTimes::Skip));
    pipe_texts(&mut driver, &["7 a", "b", "-1 c", "5 d"]).unwrap();
    assert_eq!(times(&mut driver), [7, 5]);
    let counts = driver.counts("in");
    assert_eq!((counts.errors, counts.bad_times, counts.skipped, counts.keyless()), (2, 2, 0, 0));
    let error = driver.pipe("in", (), Bytes::from_static(b"\xff"), 0).unwrap_err().to_string();
    assert!(error.contains("value in topic in partition 0 at offset 4 does not parse"), "{error}");
}

#[test]
fn bad_times_may_go_to_a_topic_of_their_own() {
    let dead = BadTimes::DeadLetter("timeless".into());
    let mut driver = timed(|input| input.ahead_max(ms(100)).on_bad_time(dead));
    pipe_texts(&mut driver, &["7 a", "b", "101 c"]).unwrap();
    assert_eq!(times(&mut driver), [7]);
    let dead = driver.read::<(), Text>("timeless").unwrap();
    assert_eq!(dead.iter().map(|record| &*record.value).collect::<Vec<_>>(), ["b", "101 c"]);
    assert_eq!((driver.counts("in").dead_lettered, driver.counts("in").bad_times), (2, 0));
}

/// As `UsePartitionTimeOnInvalidTimestamp` of Kafka Streams.
#[test]
fn bad_time_may_be_that_of_the_partition() {
    let mut driver = timed(|input| input.not_before(Timestamp(0)).on_bad_time(BadTimes::PartitionTime));
    pipe_texts(&mut driver, &["7 a", "b", "5 c", "-3 d", "9 e", "f"]).unwrap();
    assert_eq!(times(&mut driver), [7, 7, 5, 7, 9, 9]);
    assert_eq!(driver.counts("in").errors, 0);
}

#[test]
fn task_fails_where_a_partition_has_no_time_yet() {
    let mut driver =
        timed(|input| input.on_bad_time(BadTimes::PartitionTime).on_bad_record(BadRecords::Skip));
    let error = pipe_texts(&mut driver, &["a"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "node in: event time in topic in partition 0 at offset 0 does not parse: the record does not tell it; \
         no record of its partition had a time before it"
    );
}

#[test]
fn disorder_of_a_versioned_table_is_waited_for() {
    let builder = StreamBuilder::new("t");
    let input = Input::new().disorder_max(ms(30));
    let table = builder.versioned_table_with::<Text, Text>("table", ms(1000), input.named("prices"));
    let stream = builder.stream::<Text, Text>("stream");
    let joined = stream.join_as_of_with_grace(&table, ms(0), "settled", |_, _, of_table| of_table.clone());
    joined.to("out");
    let mut driver = driver(&builder);
    driver.pipe("table", "k", "first", 10).unwrap();
    driver.pipe("stream", "k", "v", 80).unwrap();
    driver.pipe("stream", "k", "v", 200).unwrap();
    driver.pipe("table", "k", "second", 109).unwrap();
    assert_eq!(read::<Text, Text>(&mut driver, "out"), []);
    driver.pipe("table", "k", "late", 79).unwrap();
    driver.pipe("table", "k", "third", 111).unwrap();
    assert_eq!(read::<Text, Text>(&mut driver, "out"), [("k".into(), "late".into())]);
}

/// Both topics in the order in which they are taken, with their times.
fn by_clock() -> TestDriver {
    let builder = StreamBuilder::new("t");
    let left = builder.stream_with::<Text, Text>("left", Input::new().processing_time());
    left.merge(&builder.stream("right")).to("out");
    driver(&builder)
}

fn taken(driver: &mut TestDriver) -> Vec<(String, i64)> {
    let records = driver.read::<Text, String>("out").unwrap().into_iter();
    records.map(|record| (record.value, record.timestamp.0)).collect()
}

#[test]
fn records_by_the_clock_come_behind_what_was_and_before_what_will_be() {
    let mut driver = by_clock();
    driver.advance(ms(5)).unwrap();
    for (topic, value, time) in
        [("left", "now", 999), ("right", "will be", 6), ("left", "now too", -7), ("right", "was", 5)]
    {
        driver.put_only(topic, &TestRecord::new("k", value, time)).unwrap();
    }
    driver.run().unwrap();
    let order = [("now", 5), ("now too", 5), ("will be", 6), ("was", 5)];
    assert_eq!(taken(&mut driver), order.map(|(value, time)| (value.to_owned(), time)));
}

#[test]
fn windows_by_the_clock_hold_what_was_taken_in_their_time() {
    let mut driver = over_two_topics(Input::new().processing_time());
    let mut now = 0;
    for at in [3, 4, 12, 33] {
        driver.advance(ms(at - now)).unwrap();
        now = at;
        driver.pipe("left", "k", "v", 1_000_000).unwrap();
        // The other input is never behind the clock here.
        driver.pipe("right", "k", "v", at.cast_signed()).unwrap();
    }
    assert_eq!((closed(&mut driver), driver.counts("counts").late), (vec![(0, 4), (10, 2)], 0));
}

#[test]
fn quiet_input_by_the_clock_holds_nobody_up() {
    let mut driver = over_two_topics(Input::new().processing_time());
    driver.advance(ms(100)).unwrap();
    put(&mut driver, "right", &[1, 50]);
    assert_eq!(closed(&mut driver), [(0, 1)]);
}

#[test]
fn table_by_the_clock_is_read_also_where_keys_are_missing() {
    let builder = StreamBuilder::new("t");
    let input = Input::<Text, Option<Text>>::new().processing_time().not_before(Timestamp(0));
    builder.table_with("table", input).to_stream().to("out");
    let mut driver = driver(&builder);
    driver.advance(ms(7)).unwrap();
    driver.pipe("table", (), "v", -1).unwrap();
    driver.pipe("table", "k", "v", -1).unwrap();
    let times: Vec<_> =
        driver.read::<Text, Option<Text>>("out").unwrap().iter().map(|record| record.timestamp.0).collect();
    assert_eq!((times, driver.counts("table-table").errors), (vec![7], 1));
}

#[test]
fn global_table_keeps_no_dead_letters_of_bad_times() {
    let builder = StreamBuilder::new("t");
    let input = Input::<Text, Option<Text>>::new().on_bad_time(BadTimes::DeadLetter("dead".into()));
    let table = builder.global_table_with("table", input);
    let left = builder.stream::<Text, Text>("left");
    left.join_global(&table, |key, _| Some(key.clone()), |_, _, found| found.clone()).to("out");
    let error = builder.build().unwrap_err();
    assert!(matches!(error, TopologyError::GlobalDeadLetters { .. }), "{error}");
}

/// Trap 52, where windows are to close by idleness.
#[test]
fn windows_close_by_the_clock_where_all_inputs_rest_and_it_is_wanted() {
    let mut driver = over_two_topics(Input::new());
    driver.clock_when_idle(ms(20));
    // The clock takes on what has begun, and nothing has.
    driver.advance(Duration::from_secs(10)).unwrap();
    put(&mut driver, "right", &[1]);
    put(&mut driver, "left", &[2, 20_000]);
    put(&mut driver, "right", &[9995]);
    assert_eq!(closed(&mut driver), [(0, 2)]);
    driver.advance(ms(9999)).unwrap();
    assert_eq!(closed(&mut driver), []);
    driver.advance(ms(1)).unwrap();
    assert_eq!(closed(&mut driver), [(9990, 1)]);
    driver.advance(ms(29)).unwrap();
    assert_eq!(closed(&mut driver), []);
    driver.advance(ms(1)).unwrap();
    assert_eq!(closed(&mut driver), [(20_000, 1)]);
    // One that wakes up moves nothing back: what is older is late, what is not is in time.
    put(&mut driver, "right", &[20_009, 20_010]);
    assert_eq!(driver.counts("counts").late, 1);
    driver.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(closed(&mut driver), []);
    driver.advance(Duration::from_secs(9)).unwrap();
    assert_eq!(closed(&mut driver), [(20_010, 1)]);
}

#[test]
fn tasks_behind_a_repartition_topic_are_told_how_far_the_clock_has_taken_time() {
    let builder = StreamBuilder::new("t");
    let windows = TimeWindows::tumbling(ms(10)).grace(ms(5));
    let firsts = builder.stream::<Text, Text>("in").group_by_key().windowed_by(windows).on_close();
    let firsts = firsts.count("counts").updates().select_key(|_, count| *count);
    firsts.group_by_key().windowed_by(windows).on_close().count("of-counts").to("out");
    let mut driver = TestDriver::with_partitions(&builder.build().unwrap(), &[("in", 2)]).unwrap();
    driver.clock_when_idle(ms(0));
    for (key, partition) in [("a", 0), ("b", 1)] {
        driver.pipe_record("in", &TestRecord::new(key, "v", 7).partition(partition)).unwrap();
    }
    driver.advance(Duration::from_secs(10)).unwrap();
    let results = driver.read::<Windowed<i64>, i64>("out").unwrap().into_iter();
    let results: Vec<_> = results.map(|result| (result.key.window.start.0, result.value)).collect();
    assert_eq!((results, driver.counts("of-counts").late), (vec![(0, 2)], 0));
}

#[test]
fn records_that_are_merged_by_their_own_times_are_read_once() {
    let read = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&read);
    let input = Input::<Text, Text>::new().event_time(move |_, value, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        value.parse::<i64>().unwrap().into()
    });
    let mut driver = over_two_topics(input);
    driver.pipe("right", "k", "v", 5).unwrap();
    for time in ["7", "3", "12"] {
        driver.pipe("left", "k", time, 0).unwrap();
    }
    driver.finish().unwrap();
    assert_eq!(closed(&mut driver), [(0, 3), (10, 1)]);
    assert_eq!(read.load(Ordering::Relaxed), 3);
}
