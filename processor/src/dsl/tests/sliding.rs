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

#[test]
fn sliding_windows_without_a_difference_are_refused() {
    let builder = StreamBuilder::new("t");
    builder.stream::<Text, Text>("in").group_by_key().windowed_by(difference(0)).count("counts").to("out");
    let fault = "sliding windows of no time difference; at least a millisecond is needed".to_owned();
    assert_eq!(builder.build().unwrap_err(), TopologyError::BadWindows { node: "counts".into(), fault });
}
