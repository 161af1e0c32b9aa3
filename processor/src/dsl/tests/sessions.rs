//! Counts, reductions and aggregates by session.
//!
//! Where a test says that its table is Kafka Streams', inputs and results are those of
//! `KStreamSessionWindowAggregateProcessorTest`.

use super::*;
use crate::SessionWindows;

const GAP: i64 = 5 * 60 * 1000;

const fn ms(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}

fn gap(gap_ms: i64) -> SessionWindows {
    SessionWindows::gap(ms(gap_ms))
}

/// Counts by session; `eager` is where a node wants each change.
fn counted(windows: SessionWindows, is_on_close: bool) -> TestDriver {
    let builder = StreamBuilder::new("t");
    let sessions = builder.stream::<Text, Text>("in").group_by_key().windowed_by(windows).late_to("late");
    let sessions = if is_on_close { sessions.on_close() } else { sessions };
    sessions.count("counts").to("out");
    driver(&builder)
}

/// Key, first, last and count; none where the row is taken back.
type Row = (&'static str, i64, i64, Option<i64>);

fn rows(driver: &mut TestDriver) -> Vec<(String, i64, i64, Option<i64>)> {
    let rows = driver.read::<Windowed<String>, Option<i64>>("out").unwrap().into_iter();
    let row = |row: TestRecord<Windowed<String>, Option<i64>>| {
        let Windowed { key, window } = row.key;
        assert_eq!(row.timestamp, window.end, "a session's row bears the time of its last record");
        (key, window.start.0, window.end.0, row.value)
    };
    rows.map(row).collect()
}

fn expected(rows: &[Row]) -> Vec<(String, i64, i64, Option<i64>)> {
    rows.iter().map(|(key, first, last, count)| ((*key).to_owned(), *first, *last, *count)).collect()
}

fn at(driver: &mut TestDriver, times: &[i64]) {
    times.iter().for_each(|time| driver.pipe("in", "k", "v", *time).unwrap());
}

fn batch(driver: &mut TestDriver, records: &[(&'static str, i64)]) {
    let records: Vec<_> = records.iter().map(|(key, time)| TestRecord::new(*key, "v", *time)).collect();
    driver.pipe_batch("in", &records).unwrap();
}

fn open(driver: &TestDriver) -> Vec<(String, i64, i64, Option<i64>)> {
    let held = driver.window_store::<String, i64>("counts").unwrap().into_iter();
    held.map(|(key, count)| (key.key, key.window.start.0, key.window.end.0, Some(count))).collect()
}

/// Kafka Streams' table: records of four keys, what a commit passes on, and what passes on as sessions close.
#[test]
fn sessions_of_several_keys_are_those_of_kafka_streams() {
    let half = GAP / 2;
    let records = [
        ("a", 0),
        ("b", 0),
        ("c", 0),
        ("d", 0),
        ("d", half),
        ("a", GAP + 1),
        ("b", GAP + 1),
        ("a", GAP + 1 + half),
        ("c", GAP + 1 + half),
    ];
    let closed = [("a", 0, 0, Some(1)), ("b", 0, 0, Some(1)), ("c", 0, 0, Some(1)), ("d", 0, half, Some(2))];
    let later = [
        ("a", GAP + 1, GAP + 1 + half, Some(2)),
        ("b", GAP + 1, GAP + 1, Some(1)),
        ("c", GAP + 1 + half, GAP + 1 + half, Some(1)),
    ];
    let mut driver = counted(gap(GAP), true);
    batch(&mut driver, &records);
    // There the last record's time does not close the session of "d", which ends exactly a gap and a millisecond before.
    assert_eq!(rows(&mut driver), expected(&closed));
    let mut driver = counted(gap(GAP), false);
    batch(&mut driver, &records);
    let mut found = rows(&mut driver);
    found.sort();
    let mut all = expected(&[&closed[..], &later[..]].concat());
    all.sort();
    assert_eq!(found, all);
}

/// Kafka Streams' table: one key, with a gap and a millisecond between its sessions.
#[test]
fn sessions_further_apart_than_the_gap_stay_apart() {
    let records = [
        ("mel", 0),
        ("mel", GAP + 1),
        ("mel", GAP + 1),
        ("mel", 2 * GAP + 2),
        ("mel", 2 * GAP + 2),
        ("mel", 2 * GAP + 2),
    ];
    let all = [
        ("mel", 0, 0, Some(1)),
        ("mel", GAP + 1, GAP + 1, Some(2)),
        ("mel", 2 * GAP + 2, 2 * GAP + 2, Some(3)),
    ];
    let mut driver = counted(gap(GAP), false);
    batch(&mut driver, &records);
    assert_eq!(rows(&mut driver), expected(&all));
    let mut driver = counted(gap(GAP), true);
    batch(&mut driver, &records);
    assert_eq!(rows(&mut driver), expected(&all[..2]));
}

/// Kafka Streams' table: sessions at 0 and a gap and a millisecond later are joined by a record in the middle.
#[test]
fn record_between_two_sessions_joins_them() {
    let mut driver = counted(gap(GAP).grace(ms(GAP)), false);
    at(&mut driver, &[0, GAP + 1]);
    assert_eq!(open(&driver), expected(&[("k", 0, 0, Some(1)), ("k", GAP + 1, GAP + 1, Some(1))]));
    at(&mut driver, &[GAP / 2]);
    assert_eq!(open(&driver), expected(&[("k", 0, GAP + 1, Some(3))]));
}

/// Trap 16: exactly the gap away is still in the session; a millisecond more is not.
#[test]
fn record_exactly_the_gap_away_belongs_to_the_session_whatever_the_batch() {
    for batched in [false, true] {
        let mut driver = counted(gap(5), true);
        let times = [("k", 0), ("k", 5), ("k", 11)];
        if batched {
            batch(&mut driver, &times)
        } else {
            at(&mut driver, &[0, 5, 11])
        }
        driver.finish().unwrap();
        assert_eq!(rows(&mut driver), expected(&[("k", 0, 5, Some(2)), ("k", 11, 11, Some(1))]));
    }
}

/// Trap 17: both rows are taken back before there is the one that takes their place.
#[test]
fn joining_sessions_takes_their_rows_back_first() {
    let mut driver = counted(gap(5).grace(ms(100)), false);
    at(&mut driver, &[0, 10, 5]);
    let first = [("k", 0, 0, Some(1)), ("k", 10, 10, Some(1))];
    let joined = [("k", 0, 0, None), ("k", 10, 10, None), ("k", 0, 10, Some(3))];
    assert_eq!(rows(&mut driver), expected(&[&first[..], &joined[..]].concat()));
}

/// Trap 17, where each change is wanted: a node that keeps something stands behind.
#[test]
fn joining_sessions_takes_their_rows_back_first_where_each_change_is_passed_on() {
    let builder = StreamBuilder::new("t");
    let sessions =
        builder.stream::<Text, Text>("in").group_by_key().windowed_by(gap(5).grace(ms(100))).count("counts");
    sessions.to("out");
    let texts = sessions.to_stream().map(|key, count| (key.key, count.unwrap_or(-1)));
    texts.group_by_key().aggregate("seen", Json::<Vec<i64>>::default, |_, count, mut seen| {
        seen.push(count);
        seen
    });
    let mut driver = driver(&builder);
    batch(&mut driver, &[("k", 0), ("k", 10), ("k", 5), ("k", 4)]);
    // The last record changes no bounds, so that its row takes the place of the one before.
    let changes = [
        ("k", 0, 0, Some(1)),
        ("k", 10, 10, Some(1)),
        ("k", 0, 0, None),
        ("k", 10, 10, None),
        ("k", 0, 10, Some(3)),
        ("k", 0, 10, Some(4)),
    ];
    assert_eq!(rows(&mut driver), expected(&changes));
    let seen = driver.store::<String, Json<Vec<i64>>>("seen").unwrap();
    assert_eq!(*seen[0].1, [1, 1, -1, -1, 3, 4]);
}

/// Trap 18: the 9 would be late alone, but joins a session that goes on; the 2 joins nothing that is left.
#[test]
fn late_record_is_taken_where_it_joins_a_session_that_is_open() {
    let mut driver = counted(gap(5), false);
    at(&mut driver, &[0, 14, 16, 9]);
    assert_eq!(driver.counts("counts").late, 0);
    assert_eq!(open(&driver), expected(&[("k", 9, 16, Some(3))]));
    at(&mut driver, &[2]);
    assert_eq!(driver.counts("counts").late, 1);
    let late = driver.read::<String, String>("late").unwrap();
    assert_eq!(late.iter().map(|late| late.timestamp.0).collect::<Vec<_>>(), [2]);
}

/// Traps 9 and 18: a session is open while the watermark is at its end, the gap and the grace.
#[test]
fn session_closes_when_its_gap_and_grace_are_over() {
    let mut driver = counted(gap(5).grace(ms(3)), true);
    at(&mut driver, &[0, 8]);
    assert_eq!(rows(&mut driver), []);
    at(&mut driver, &[0]);
    assert_eq!((driver.counts("counts").late, rows(&mut driver)), (0, vec![]));
    at(&mut driver, &[9]);
    assert_eq!(rows(&mut driver), expected(&[("k", 0, 0, Some(2))]));
    at(&mut driver, &[0]);
    assert_eq!((driver.counts("counts").late, rows(&mut driver)), (1, vec![]));
}

/// Trap 19: a session of one record begins and ends with it.
#[test]
fn session_of_one_record_begins_and_ends_with_it() {
    let mut driver = counted(gap(5), true);
    at(&mut driver, &[-7, -7]);
    driver.finish().unwrap();
    assert_eq!(rows(&mut driver), expected(&[("k", -7, -7, Some(2))]));
}

/// Trap 20: what cannot be merged is no aggregate of sessions: `aggregate` asks for the merger. Here it shows what it
/// is given: the values of the earlier session and of the later one, and never a fresh one.
#[test]
fn values_of_joined_sessions_are_merged_in_the_order_of_their_times() {
    let builder = StreamBuilder::new("t");
    let sessions = builder.stream::<Text, Text>("in").group_by_key().windowed_by(gap(5).grace(ms(100)));
    let merge = |_: &Text, one: String, other: String| format!("({one} {other})");
    sessions.aggregate("texts", || "-".to_owned(), |_, text, all| all + &text, merge).to("out");
    sessions.reduce("longest", |one, other| if other.len() > one.len() { other } else { one }).to("longest");
    let mut driver = driver(&builder);
    for (text, time) in [("c", 20), ("a", 0), ("b", 10), ("xx", 5), ("y", 15)] {
        driver.pipe("in", "k", text, time).unwrap();
    }
    let texts = driver.window_store::<String, String>("texts").unwrap();
    assert_eq!(texts.iter().map(|(_, text)| &**text).collect::<Vec<_>>(), ["((-a -b)xx -c)y"]);
    assert_eq!(driver.window_store::<String, String>("longest").unwrap()[0].1, "xx");
}

#[test]
fn sessions_close_in_the_order_of_their_ends_and_keys_once() {
    let mut driver = counted(gap(5), true);
    batch(&mut driver, &[("b", 3), ("c", 1), ("a", 3), ("c", 2), ("k", 100)]);
    let closed = [("c", 1, 2, Some(2)), ("a", 3, 3, Some(1)), ("b", 3, 3, Some(1))];
    assert_eq!(rows(&mut driver), expected(&closed));
    driver.finish().unwrap();
    assert_eq!(rows(&mut driver), expected(&[("k", 100, 100, Some(1))]));
    assert_eq!(open(&driver), []);
}

/// Trap 4.
#[test]
fn sessions_at_the_ends_of_time_do_not_leave_it() {
    let mut driver = counted(gap(5), true);
    at(&mut driver, &[i64::MIN, i64::MIN + 5, i64::MAX - 1, i64::MAX]);
    assert_eq!(rows(&mut driver), expected(&[("k", i64::MIN, i64::MIN + 5, Some(2))]));
    driver.finish().unwrap();
    assert_eq!(rows(&mut driver), expected(&[("k", i64::MAX - 1, i64::MAX, Some(2))]));
}

#[test]
fn sessions_without_a_gap_are_refused() {
    let builder = StreamBuilder::new("t");
    builder.stream::<Text, Text>("in").group_by_key().windowed_by(gap(0)).count("counts").to("out");
    let fault = "sessions with a gap of nothing; at least a millisecond is needed".to_owned();
    assert_eq!(builder.build().unwrap_err(), TopologyError::BadWindows { node: "counts".into(), fault });
}
