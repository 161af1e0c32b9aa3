//! Counts and aggregates by sliding window.
//!
//! Where a test says that its table is Kafka Streams', inputs and results are those of
//! `KStreamSlidingWindowAggregateTest`.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::SlidingWindows;

const fn ms(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}

fn difference(difference_ms: i64) -> SlidingWindows {
    SlidingWindows::difference(ms(difference_ms))
}

/// Puts the texts of each window together.
fn joined(windows: SlidingWindows, is_on_close: bool) -> TestDriver {
    let builder = StreamBuilder::new("t");
    let windowed = builder.stream::<Text, Text>("in").group_by_key().windowed_by(windows).late_to("late");
    let windowed = if is_on_close { windowed.on_close() } else { windowed };
    windowed.aggregate("texts", || "0".to_owned(), |_, text, all| format!("{all}+{text}")).to("out");
    driver(&builder)
}

/// Start, end, value and time.
type Row = (i64, i64, String, i64);

fn rows(driver: &mut TestDriver) -> Vec<Row> {
    let rows = driver.read::<Windowed<String>, String>("out").unwrap().into_iter();
    let row = |row: TestRecord<Windowed<String>, String>| {
        (row.key.window.start.0, row.key.window.end.0, row.value, row.timestamp.0)
    };
    rows.map(row).collect()
}

/// The last value and time of each window, by its start.
fn table(driver: &mut TestDriver) -> BTreeMap<i64, (String, i64)> {
    rows(driver).into_iter().map(|(start, _, value, time)| (start, (value, time))).collect()
}

fn expected(rows: &[(i64, &str, i64)]) -> BTreeMap<i64, (String, i64)> {
    rows.iter().map(|(start, value, time)| (*start, ((*value).to_owned(), *time))).collect()
}

fn pipe(driver: &mut TestDriver, records: &[(&str, i64)]) {
    records.iter().for_each(|(text, time)| driver.pipe("in", "k", *text, *time).unwrap());
}

/// All windows that there are by definition, with how many records lie in each.
fn by_definition(times: &[i64], difference_ms: i64) -> BTreeMap<i64, i64> {
    let starts = times.iter().flat_map(|time| [time - difference_ms, time + 1]);
    let within =
        |start: i64| times.iter().filter(|time| (start..=start + difference_ms).contains(*time)).count();
    let windows = starts.map(|start| (start, within(start) as i64));
    windows.filter(|(_, count)| *count > 0).collect()
}

proptest! {
    /// Trap 1: both ends of a window belong to it; the windows are those that KIP-450 defines.
    #[test]
    fn windows_end_with_each_record_and_begin_behind_each(
        times in prop::collection::vec(-60..60_i64, 1..40), difference_ms in 1..30_i64,
    ) {
        let builder = StreamBuilder::new("t");
        let windows = difference(difference_ms).grace(ms(1000));
        let numbers = builder.stream::<Text, i64>("in").group_by_key().windowed_by(windows);
        numbers.count("counts").to("out");
        let mut driver = driver(&builder);
        times.iter().for_each(|time| driver.pipe("in", "k", 1_i64, *time).unwrap());
        let held = driver.window_store::<String, i64>("counts").unwrap();
        let found: BTreeMap<_, _> = held.iter().map(|(key, count)| (key.window.start.0, *count)).collect();
        prop_assert_eq!(found, by_definition(&times, difference_ms));
    }
}

#[test]
fn both_ends_belong_to_a_window() {
    let mut driver = joined(difference(10), false);
    pipe(&mut driver, &[("a", 100), ("b", 110), ("c", 121)]);
    let windows = [(90, "0+a", 100), (100, "0+a+b", 110), (101, "0+b", 110), (111, "0+c", 121)];
    assert_eq!(table(&mut driver), expected(&windows));
}

#[test]
fn sliding_windows_close_once_when_their_grace_is_over() {
    let mut driver = joined(difference(10).grace(ms(5)), true);
    pipe(&mut driver, &[("a", 100), ("b", 104), ("c", 105)]);
    assert_eq!(rows(&mut driver), []);
    // A window is open while the watermark is at its end and the grace.
    pipe(&mut driver, &[("d", 100), ("e", 106)]);
    assert_eq!(rows(&mut driver), [(90, 100, "0+a+d".to_owned(), 100)]);
    driver.finish().unwrap();
    let later = rows(&mut driver);
    assert!(later.is_sorted_by_key(|(_, end, ..)| *end) && later.iter().all(|(start, ..)| *start > 90));
    assert!(driver.window_store::<String, String>("texts").unwrap().is_empty());
}

#[test]
fn record_is_late_when_no_window_may_take_it_any_more() {
    let mut driver = joined(difference(10).grace(ms(5)), false);
    pipe(&mut driver, &[("a", 100), ("b", 120), ("c", 112), ("d", 105), ("e", 104)]);
    // The 112 lies in the window that ends with the 120. What would have the 105 in it is closed: the window that ends
    // with it and that behind the 100; the 104 is too late for any.
    let late = driver.read::<String, String>("late").unwrap();
    assert_eq!(late.iter().map(|late| &*late.value).collect::<Vec<_>>(), ["d", "e"]);
    let windows = [(90, "0+a", 100), (110, "0+b+c", 120), (113, "0+b", 120)];
    assert_eq!(table(&mut driver), expected(&windows));
}

/// Kafka Streams' table of final results, from `SuppressScenarioTest`: difference 5, grace 15.
#[test]
fn disordered_records_lead_to_the_windows_of_kafka_streams() {
    let builder = StreamBuilder::new("t");
    let windowed =
        || builder.stream::<Text, Text>("in").group_by_key().windowed_by(difference(5).grace(ms(15)));
    windowed().on_close().count("counts").to("out");
    let mut driver = driver(&builder);
    pipe(&mut driver, &[10, 11, 10, 13, 10, 24, 5, 7, 90].map(|time| ("v", time)));
    let results: Vec<_> = read::<Windowed<String>, i64>(&mut driver, "out")
        .into_iter()
        .map(|(key, count)| (key.window.start.0, key.window.end.0, count))
        .collect();
    assert_eq!(results, [(5, 10, 5), (6, 11, 5), (8, 13, 5), (11, 16, 2), (12, 17, 1), (19, 24, 1)]);
}

/// What became of a window, in the order of its changes.
fn changes(driver: &mut TestDriver) -> BTreeMap<i64, Vec<(String, i64)>> {
    let mut changes = BTreeMap::<i64, Vec<_>>::new();
    for (start, _, value, time) in rows(driver) {
        changes.entry(start).or_default().push((value, time));
    }
    changes
}

fn listed(rows: &[(i64, &[(&str, i64)])]) -> BTreeMap<i64, Vec<(String, i64)>> {
    let owned =
        |rows: &[(&str, i64)]| rows.iter().map(|(value, time)| ((*value).to_owned(), *time)).collect();
    rows.iter().map(|(start, rows)| (*start, owned(rows))).collect()
}

/// Kafka Streams' table (`testAggregateSmallInput`).
#[test]
fn windows_of_a_small_input_change_as_those_of_kafka_streams() {
    let records = [("1", 10), ("2", 10), ("3", 14), ("4", 15), ("5", 20), ("6", 22), ("7", 30)];
    let mut driver = joined(difference(10).grace(ms(5)), false);
    // Each by itself, since topics get the last change of a commit.
    pipe(&mut driver, &records);
    let expected = listed(&[
        (0, &[("0+1", 10), ("0+1+2", 10)]),
        (4, &[("0+1+2+3", 14)]),
        (5, &[("0+1+2+3+4", 15)]),
        (10, &[("0+1+2+3+4+5", 20)]),
        (11, &[("0+3", 14), ("0+3+4", 15), ("0+3+4+5", 20)]),
        (12, &[("0+3+4+5+6", 22)]),
        (15, &[("0+4", 15), ("0+4+5", 20), ("0+4+5+6", 22)]),
        (16, &[("0+5", 20), ("0+5+6", 22)]),
        (20, &[("0+5+6+7", 30)]),
        (21, &[("0+6", 22), ("0+6+7", 30)]),
        (23, &[("0+7", 30)]),
    ]);
    assert_eq!(changes(&mut driver), expected);
    let mut driver = joined(difference(10).grace(ms(5)), true);
    pipe(&mut driver, &records);
    let closed: Vec<_> = rows(&mut driver).into_iter().map(|(start, _, value, _)| (start, value)).collect();
    let expected = [
        (0, "0+1+2"),
        (4, "0+1+2+3"),
        (5, "0+1+2+3+4"),
        (10, "0+1+2+3+4+5"),
        (11, "0+3+4+5"),
        (12, "0+3+4+5+6"),
    ];
    assert_eq!(closed, expected.map(|(start, value)| (start, value.to_owned())));
}

/// Kafka Streams' records of `testAggregateLargeInput`: key, value and time.
const LARGE: [(&str, &str, i64); 19] = [
    ("A", "1", 10),
    ("A", "2", 20),
    ("A", "3", 22),
    ("A", "4", 15),
    ("B", "1", 12),
    ("B", "2", 13),
    ("B", "3", 18),
    ("B", "4", 19),
    ("B", "5", 25),
    ("B", "6", 14),
    ("C", "1", 11),
    ("C", "2", 15),
    ("C", "3", 16),
    ("C", "4", 21),
    ("C", "5", 23),
    ("D", "4", 11),
    ("D", "2", 12),
    ("D", "3", 29),
    ("D", "5", 16),
];

/// Key, start, value and time of the results, in the order of keys and starts; of each window the last.
fn large(grace_ms: i64, is_on_close: bool) -> Vec<(String, i64, String, i64)> {
    let mut driver = joined(difference(10).grace(ms(grace_ms)), is_on_close);
    LARGE.iter().for_each(|(key, value, time)| driver.pipe("in", *key, *value, *time).unwrap());
    let rows = driver.read::<Windowed<String>, String>("out").unwrap().into_iter();
    let last: BTreeMap<_, _> =
        rows.map(|row| ((row.key.key, row.key.window.start.0), (row.value, row.timestamp.0))).collect();
    last.into_iter().map(|((key, start), (value, time))| (key, start, value, time)).collect()
}

/// Kafka Streams' table (`testAggregateLargeInput`, the final row of each window).
#[test]
fn windows_of_a_large_input_hold_what_those_of_kafka_streams_do() {
    let expected = [
        ("A", 0, "0+1", 10),
        ("A", 5, "0+1+4", 15),
        ("A", 10, "0+1+2+4", 20),
        ("A", 11, "0+2+4", 20),
        ("A", 12, "0+2+3+4", 22),
        ("A", 16, "0+2+3", 22),
        ("A", 21, "0+3", 22),
        ("B", 2, "0+1", 12),
        ("B", 3, "0+1+2", 13),
        ("B", 4, "0+1+2+6", 14),
        ("B", 8, "0+1+2+3+6", 18),
        ("B", 9, "0+1+2+3+4+6", 19),
        ("B", 13, "0+2+3+4+6", 19),
        ("B", 14, "0+3+4+6", 19),
        ("B", 15, "0+3+4+5", 25),
        ("B", 19, "0+4+5", 25),
        ("B", 20, "0+5", 25),
        ("C", 1, "0+1", 11),
        ("C", 5, "0+1+2", 15),
        ("C", 6, "0+1+2+3", 16),
        ("C", 11, "0+1+2+3+4", 21),
        ("C", 12, "0+2+3+4", 21),
        ("C", 13, "0+2+3+4+5", 23),
        ("C", 16, "0+3+4+5", 23),
        ("C", 17, "0+4+5", 23),
        ("C", 22, "0+5", 23),
        ("D", 1, "0+4", 11),
        ("D", 2, "0+4+2", 12),
        ("D", 6, "0+4+2+5", 16),
        ("D", 12, "0+2+5", 16),
        ("D", 13, "0+5", 16),
        ("D", 19, "0+3", 29),
    ];
    assert_eq!(
        large(50, false),
        expected.map(|(key, start, value, time)| (key.to_owned(), start, value.to_owned(), time))
    );
}

/// Kafka Streams' table (`testAggregateLargeInput`, on close, with a grace of 10).
#[test]
fn windows_of_a_large_input_close_as_those_of_kafka_streams() {
    let expected = [
        ("A", 0, "0+1"),
        ("A", 5, "0+1+4"),
        ("B", 2, "0+1"),
        ("B", 3, "0+1+2"),
        ("B", 8, "0+1+2+3+6"),
        ("C", 5, "0+2"),
        ("C", 6, "0+2+3"),
    ];
    let closed: Vec<_> =
        large(10, true).into_iter().map(|(key, start, value, _)| (key, start, value)).collect();
    assert_eq!(closed, expected.map(|(key, start, value)| (key.to_owned(), start, value.to_owned())));
}

#[test]
fn sliding_windows_without_a_difference_are_refused() {
    let builder = StreamBuilder::new("t");
    builder.stream::<Text, Text>("in").group_by_key().windowed_by(difference(0)).count("counts").to("out");
    let fault = "sliding windows of no time difference; at least a millisecond is needed".to_owned();
    assert_eq!(builder.build().unwrap_err(), TopologyError::BadWindows { node: "counts".into(), fault });
}
