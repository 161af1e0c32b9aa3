//! Counts, reductions and aggregates by window and key.

use super::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Counts by key and window.
fn counted(
    windows: impl Windows<Stream<Text, Text> = WindowedStream<Text, Text>>,
    is_on_close: bool,
) -> TestDriver {
    let builder = StreamBuilder::new("t");
    let windowed = builder.stream::<Text, Text>("in").group_by_key().windowed_by(windows);
    let windowed = if is_on_close { windowed.on_close() } else { windowed };
    windowed.count("counts").to("out");
    driver(&builder)
}

fn at(driver: &mut TestDriver, times: &[i64]) {
    times.iter().for_each(|time| driver.pipe("in", "k", "v", *time).unwrap());
}

/// Start, end, count.
type Result = (i64, i64, i64);

fn result<K>((key, count): (Windowed<K>, i64)) -> Result {
    (key.window.start.0, key.window.end.0, count)
}

fn results(driver: &mut TestDriver) -> Vec<Result> {
    read::<Windowed<String>, i64>(driver, "out").into_iter().map(result).collect()
}

fn open(driver: &TestDriver) -> Vec<Result> {
    let held = driver.window_store::<String, i64>("counts").unwrap();
    held.into_iter().map(result).collect()
}

#[test]
fn tumbling_window_takes_its_start_and_not_its_end() {
    let mut driver = counted(TimeWindows::tumbling(ms(10)), false);
    at(&mut driver, &[-1, 0, 9, 10]);
    assert_eq!(results(&mut driver), [(-10, 0, 1), (0, 10, 1), (0, 10, 2), (10, 20, 1)]);
}

#[test]
fn record_is_in_all_its_hopping_windows() {
    let mut driver = counted(TimeWindows::hopping(ms(10), ms(4)).grace(ms(100)), false);
    at(&mut driver, &[9, 12]);
    let first = [(0, 10, 1), (4, 14, 1), (8, 18, 1)];
    let second = [(4, 14, 2), (8, 18, 2), (12, 22, 1)];
    assert_eq!(results(&mut driver), [first, second].concat());
    assert_eq!(open(&driver), [(0, 10, 1), (4, 14, 2), (8, 18, 2), (12, 22, 1)]);
}

#[test]
fn record_within_the_grace_counts_and_behind_it_is_late() {
    let mut driver = counted(TimeWindows::tumbling(ms(10)).grace(ms(5)), false);
    at(&mut driver, &[3, 14, 9]);
    assert_eq!(results(&mut driver), [(0, 10, 1), (10, 20, 1), (0, 10, 2)]);
    assert_eq!(driver.counts("counts").late, 0);
    at(&mut driver, &[15, 9]);
    assert_eq!(results(&mut driver), [(10, 20, 2)]);
    assert_eq!((driver.counts("counts").late, open(&driver)), (1, vec![(10, 20, 2)]));
}

#[test]
fn late_record_counts_once_for_each_closed_window_and_is_in_those_that_are_open() {
    let mut driver = counted(TimeWindows::hopping(ms(10), ms(5)).grace(ms(2)), false);
    at(&mut driver, &[3, 12, 4]);
    assert_eq!(driver.counts("counts").late, 2);
    at(&mut driver, &[9]);
    assert_eq!(driver.counts("counts").late, 3);
    assert_eq!(open(&driver), [(5, 15, 2), (10, 20, 1)]);
}

#[test]
fn lateness_is_judged_record_by_record_within_a_batch() {
    let mut driver = counted(TimeWindows::tumbling(ms(10)), true);
    let records = [5, 20, 6, 25].map(|time| TestRecord::new("k", "v", time));
    driver.pipe_batch("in", &records).unwrap();
    driver.finish().unwrap();
    assert_eq!(results(&mut driver), [(0, 10, 1), (20, 30, 2)]);
    assert_eq!(driver.counts("counts").late, 1);
}

#[test]
fn changes_of_one_commit_are_passed_on_as_one_for_each_window() {
    let mut driver = counted(TimeWindows::tumbling(ms(10)).grace(ms(100)), false);
    let records = [5, 12, 6, 7].map(|time| TestRecord::new("k", "v", time));
    driver.pipe_batch("in", &records).unwrap();
    assert_eq!(results(&mut driver), [(0, 10, 3), (10, 20, 1)]);
}

#[test]
fn closed_windows_are_passed_on_once_in_the_order_of_windows_and_keys() {
    let mut driver = counted(TimeWindows::tumbling(ms(10)).grace(ms(5)), true);
    for (key, time) in [("b", 12), ("b", 3), ("a", 4), ("a", 11), ("b", 13)] {
        driver.pipe("in", key, "v", time).unwrap();
    }
    at(&mut driver, &[14]);
    assert_eq!(results(&mut driver), []);
    at(&mut driver, &[25]);
    let closed = driver.read::<Windowed<String>, i64>("out").unwrap();
    let seen = |record: &TestRecord<Windowed<String>, i64>| {
        (record.key.window.start.0, record.key.key.clone(), record.value, record.timestamp.0)
    };
    let expected = [(0, "a", 1, 9), (0, "b", 1, 9), (10, "a", 1, 19), (10, "b", 2, 19), (10, "k", 1, 19)];
    let expected = expected.map(|(start, key, count, time)| (start, key.to_owned(), count, time));
    assert_eq!(closed.iter().map(seen).collect::<Vec<_>>(), expected);
    driver.finish().unwrap();
    assert_eq!(results(&mut driver), [(20, 30, 1)]);
    assert_eq!(open(&driver), []);
}

#[test]
fn hopping_windows_close_one_after_another() {
    let mut driver = counted(TimeWindows::hopping(ms(10), ms(5)), true);
    at(&mut driver, &[7, 10]);
    assert_eq!(results(&mut driver), [(0, 10, 1)]);
    at(&mut driver, &[15]);
    assert_eq!(results(&mut driver), [(5, 15, 2)]);
    at(&mut driver, &[1000]);
    assert_eq!(results(&mut driver), [(10, 20, 2), (15, 25, 1)]);
}

#[test]
fn reduce_and_aggregate_begin_anew_in_each_window() {
    let builder = StreamBuilder::new("t");
    let numbers = builder.stream::<Text, i64>("in");
    let windowed = || numbers.group_by_key().windowed_by(TimeWindows::tumbling(ms(10))).on_close();
    windowed().reduce("largest", i64::max).to("largest");
    windowed().aggregate("sums", || 1000, |_, number, sum: i64| sum + number).to("sums");
    let mut driver = driver(&builder);
    for (number, time) in [(3_i64, 0), (9, 1), (5, 2), (4, 10)] {
        driver.pipe("in", "k", number, time).unwrap();
    }
    driver.finish().unwrap();
    let values = |driver: &mut TestDriver, topic| {
        read::<Windowed<String>, i64>(driver, topic).into_iter().map(result).collect::<Vec<_>>()
    };
    assert_eq!(values(&mut driver, "largest"), [(0, 10, 9), (10, 20, 4)]);
    assert_eq!(values(&mut driver, "sums"), [(0, 10, 1017), (10, 20, 1004)]);
}

#[test]
fn time_of_a_record_is_what_the_input_says() {
    let builder = StreamBuilder::new("t");
    let input = Input::<Text, i64>::new()
        .named("numbers")
        .event_time(|_, value, recorded| (recorded.0 + *value).into());
    let counts = builder.stream_with("in", input).group_by_key();
    counts.windowed_by(TimeWindows::tumbling(ms(10))).on_close().count("counts").to("out");
    let mut driver = driver(&builder);
    driver.pipe("in", "k", 5_i64, 100).unwrap();
    driver.pipe("in", "k", 10_i64, 100).unwrap();
    assert_eq!(results(&mut driver), [(100, 110, 1)]);
    assert_eq!(driver.counts("numbers").records_in, 2);
}

#[test]
fn cumulating_windows_count_what_there_was_so_far() {
    let mut driver = counted(CumulatingWindows::new(ms(30), ms(10)), true);
    at(&mut driver, &[0, 10, 9, 29, 12, 30, 100]);
    let first = [(0, 10, 1), (0, 20, 3), (0, 30, 5)];
    assert_eq!(results(&mut driver), [&first[..], &[(30, 40, 1), (30, 50, 1), (30, 60, 1)]].concat());
    // The 9 behind the 10 came too late for the first window alone, the 12 behind the 29 for the second.
    assert_eq!(driver.counts("counts").late, 2);
}

#[test]
fn windows_begin_later_by_their_offset() {
    let mut driver = counted(TimeWindows::tumbling(ms(10)).offset(ms(3)), false);
    at(&mut driver, &[2, 3, 12, 13]);
    assert_eq!(results(&mut driver), [(-7, 3, 1), (3, 13, 1), (3, 13, 2), (13, 23, 1)]);
}

#[test]
fn record_that_no_window_takes_goes_to_the_topic_for_late_ones_as_it_came() {
    let builder = StreamBuilder::new("t");
    let windows = TimeWindows::hopping(ms(10), ms(5));
    let windowed = builder.stream::<Text, Text>("in").group_by_key().windowed_by(windows).late_to("late");
    windowed.count("counts").to("out");
    let mut driver = driver(&builder);
    let headers = Headers::new([(b"h".as_slice(), Some(b"1".as_slice()))]).unwrap();
    for (value, time) in [("a", 3), ("b", 12), ("c", 4), ("d", 9)] {
        let record = TestRecord { headers: headers.clone(), ..TestRecord::new("k", value, time) };
        driver.pipe_record("in", &record).unwrap();
    }
    // The 4 lay in [-5, 5) and [0, 10), both closed; the 9 lies in [5, 15) too.
    let late = driver.read::<String, String>("late").unwrap();
    let seen: Vec<_> = late.iter().map(|late| (&*late.key, &*late.value, late.timestamp.0)).collect();
    assert_eq!((seen, late[0].header("h")), (vec![("k", "c", 4)], Some("1".to_owned())));
    assert_eq!(driver.counts("counts").late, 3);
}

#[test]
fn windows_that_cannot_be_are_refused_with_their_node() {
    fn refusal(windows: impl Windows<Stream<Text, Text> = WindowedStream<Text, Text>>) -> TopologyError {
        let builder = StreamBuilder::new("t");
        let grouped = builder.stream::<Text, Text>("in").group_by_key();
        grouped.windowed_by(windows).count("counts").to("out");
        builder.build().unwrap_err()
    }
    let of = |fault: &str| TopologyError::BadWindows { node: "counts".into(), fault: fault.to_owned() };
    let none = "windows of no length; at least a millisecond is needed";
    assert_eq!(refusal(TimeWindows::tumbling(Duration::ZERO)), of(none));
    assert_eq!(refusal(CumulatingWindows::new(Duration::ZERO, ms(1))), of(none));
    let gaps = "an advance of 11 ms; it must be from 1 to 10 ms, the size";
    assert_eq!(refusal(TimeWindows::hopping(ms(10), ms(11))), of(gaps));
    let many = "more than 10000 windows for each record; a larger advance is needed";
    assert_eq!(refusal(TimeWindows::hopping(ms(10_001), ms(1))), of(many));
    let many = "more than 10000 windows for each record; a larger step is needed";
    assert_eq!(refusal(CumulatingWindows::new(ms(10_001), ms(1))), of(many));
    for step in [0, 4, 11] {
        let uneven = format!("a step of {step} ms; it must divide 10 ms, the size");
        assert_eq!(refusal(CumulatingWindows::new(ms(10), ms(step))), of(&uneven));
    }
    let far = "an offset of 5 ms; it must be less than 5 ms, the advance";
    assert_eq!(refusal(TimeWindows::hopping(ms(10), ms(5)).offset(ms(5))), of(far));
    let far = "an offset of 10 ms; it must be less than 10 ms, the size";
    assert_eq!(refusal(CumulatingWindows::new(ms(10), ms(5)).offset(ms(10))), of(far));
}
