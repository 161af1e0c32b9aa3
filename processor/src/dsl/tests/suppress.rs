//! Tables that hold their updates back.
//!
//! Where a test says that its table is Kafka Streams', inputs and results are those of `SuppressScenarioTest`.

use super::*;
use crate::{SessionWindows, SuppressBuffer, Suppressed};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Key, value, and time.
type Row<'a> = (&'a str, i64, i64);

fn rows(driver: &mut TestDriver) -> Vec<(String, i64, i64)> {
    let rows = driver.read::<String, i64>("out").unwrap().into_iter();
    rows.map(|row| (row.key, row.value, row.timestamp.0)).collect()
}

fn expected(rows: &[Row<'_>]) -> Vec<(String, i64, i64)> {
    rows.iter().map(|(key, value, time)| ((*key).to_owned(), *value, *time)).collect()
}

/// Counts keys by their values, and holds the counts back.
fn counted(suppressed: Suppressed<Text>) -> TestDriver {
    let builder = StreamBuilder::new("t");
    let values = builder.table::<Text, Text>("in").group_by(|key, value| (value, key.clone()));
    values.count("counts").suppress("held", suppressed).to("out");
    driver(&builder)
}

fn pipe_at(driver: &mut TestDriver, records: &[(&str, &str, i64)]) {
    records.iter().for_each(|(key, value, time)| driver.pipe("in", *key, *value, *time).unwrap());
}

const FIRST: [(&str, &str, i64); 3] = [("k1", "v1", 0), ("k1", "v2", 1), ("k2", "v1", 2)];

/// Kafka Streams' table.
#[test]
fn updates_with_a_limit_of_nothing_are_passed_on_at_once() {
    let mut driver = counted(Suppressed::until_time_limit(ms(0), SuppressBuffer::unbounded()));
    pipe_at(&mut driver, &FIRST);
    assert_eq!(rows(&mut driver), expected(&[("v1", 1, 0), ("v1", 0, 1), ("v2", 1, 1), ("v1", 1, 2)]));
    pipe_at(&mut driver, &[("x", "x", 3)]);
    assert_eq!(rows(&mut driver), expected(&[("x", 1, 3)]));
    pipe_at(&mut driver, &[("x", "y", 4)]);
    assert_eq!(rows(&mut driver), expected(&[("x", 0, 4), ("y", 1, 4)]));
}

/// Kafka Streams' table.
#[test]
fn updates_wait_for_a_time_limit_counted_from_the_first_of_their_key() {
    let mut driver = counted(Suppressed::until_time_limit(ms(2), SuppressBuffer::unbounded()));
    pipe_at(&mut driver, &FIRST);
    assert_eq!(rows(&mut driver), expected(&[("v1", 1, 2)]));
    pipe_at(&mut driver, &[("tick", "tick", 3)]);
    assert_eq!(rows(&mut driver), expected(&[("v2", 1, 1)]));
    pipe_at(&mut driver, &[("tick", "tock", 4)]);
    assert_eq!(rows(&mut driver), []);
    driver.finish().unwrap();
    assert_eq!(rows(&mut driver), expected(&[("tick", 0, 4), ("tock", 1, 4)]));
}

/// Kafka Streams' table, for a limit of one record, and for one of so many bytes that two entries do not fit.
#[test]
fn updates_that_have_waited_longest_are_passed_on_early_when_the_buffer_is_full() {
    for buffer in [SuppressBuffer::unbounded().records_max(1), SuppressBuffer::unbounded().bytes_max(19)] {
        let forever = Suppressed::until_time_limit(Duration::MAX, buffer.emit_early_when_full());
        let mut driver = counted(forever);
        pipe_at(&mut driver, &FIRST);
        assert_eq!(rows(&mut driver), expected(&[("v1", 0, 1), ("v2", 1, 1)]), "{buffer:?}");
        pipe_at(&mut driver, &[("x", "x", 3)]);
        assert_eq!(rows(&mut driver), expected(&[("v1", 1, 2)]), "{buffer:?}");
    }
}

#[test]
fn task_fails_when_a_buffer_is_full_that_must_not_emit_early() {
    let buffer = SuppressBuffer::unbounded().records_max(1).shut_down_when_full();
    let mut driver = counted(Suppressed::until_time_limit(ms(100), buffer));
    pipe_at(&mut driver, &FIRST[..1]);
    let error = driver.pipe("in", "k1", "v2", 1).unwrap_err().to_string();
    let full = "node held: 2 updates are held back, and there is room for 1; allow more, or let the buffer emit early \
                when full";
    assert_eq!(error, full);
}

/// Counts by key and window, and passes final results on.
fn final_counts(windows: TimeWindows) -> TestDriver {
    let builder = StreamBuilder::new("t");
    let counts = builder.stream::<Text, Text>("in").group_by_key().windowed_by(windows).count("counts");
    let held = counts.suppress("final", Suppressed::until_window_closes(SuppressBuffer::unbounded()));
    held.to_stream().map(|key, count| (window_text(&key), count.unwrap_or(-1))).to("out");
    driver(&builder)
}

fn window_text(key: &Windowed<Text>) -> String {
    format!("{}@{}/{}", key.key, key.window.start.0, key.window.end.0)
}

fn at(driver: &mut TestDriver, times: &[i64]) {
    times.iter().for_each(|time| driver.pipe("in", "k1", "v1", *time).unwrap());
}

/// Kafka Streams' table: size 2, grace 1.
#[test]
fn final_results_of_time_windows_are_those_of_kafka_streams() {
    let mut driver = final_counts(TimeWindows::tumbling(ms(2)).grace(ms(1)));
    at(&mut driver, &[0, 1, 2, 1, 0, 5, 0]);
    assert_eq!(rows(&mut driver), expected(&[("k1@0/2", 4, 1), ("k1@2/4", 1, 2)]));
    assert_eq!(driver.counts("counts").late, 1);
}

/// Kafka Streams' table: size 2, grace 2, and a large jump at the end.
#[test]
fn final_results_behind_a_large_jump_are_those_of_kafka_streams() {
    let mut driver = final_counts(TimeWindows::tumbling(ms(2)).grace(ms(2)));
    at(&mut driver, &[0, 1, 2, 0, 3, 0, 4, 0, 30]);
    assert_eq!(rows(&mut driver), expected(&[("k1@0/2", 4, 1), ("k1@2/4", 2, 3), ("k1@4/6", 1, 4)]));
}

/// Kafka Streams' table: gap 5, no grace.
#[test]
fn final_results_of_sessions_are_those_of_kafka_streams() {
    let builder = StreamBuilder::new("t");
    let sessions = builder.stream::<Text, Text>("in").group_by_key().windowed_by(SessionWindows::gap(ms(5)));
    let held = Suppressed::until_window_closes(SuppressBuffer::unbounded());
    let held = sessions.count("counts").suppress("final", held);
    held.to_stream().map(|key, count| (window_text(&key), count.unwrap_or(-1))).to("out");
    let mut driver = driver(&builder);
    let records = [("k1", 0), ("k1", 5), ("k1", 1), ("k2", 11), ("k1", 5), ("k1", 30)];
    records.iter().for_each(|(key, time)| driver.pipe("in", *key, "v1", *time).unwrap());
    assert_eq!(rows(&mut driver), expected(&[("k1@0/5", 3, 5), ("k2@11/11", 1, 11)]));
    driver.finish().unwrap();
    assert_eq!(rows(&mut driver), expected(&[("k1@30/30", 1, 30)]));
}

/// Kafka Streams' table: what follows a table that holds back gets what it passes on, with what it passed on before.
#[test]
fn held_updates_work_before_a_group() {
    let builder = StreamBuilder::new("t");
    let calm = Suppressed::until_time_limit(ms(10), SuppressBuffer::unbounded());
    let held = builder.table::<Text, Text>("in").suppress("held", calm);
    held.group_by(|key, value| (format!("{key}={value}"), value)).count("counts").to("out");
    let mut driver = driver(&builder);
    pipe_at(&mut driver, &[("A", "a", 0), ("tick", "tick", 10)]);
    assert_eq!(rows(&mut driver), expected(&[("A=a", 1, 0)]));
    pipe_at(&mut driver, &[("A", "b", 11), ("A", "c", 12), ("tock", "tock", 21)]);
    let mut changes = rows(&mut driver);
    changes.sort();
    assert_eq!(changes, expected(&[("A=a", 0, 12), ("A=c", 1, 12), ("tick=tick", 1, 10)]));
}

/// Results at every tenth millisecond: those that have changed since, whether the window is open or not.
#[test]
fn windows_give_early_results_at_a_period() {
    let builder = StreamBuilder::new("t");
    let windows = TimeWindows::tumbling(ms(25)).grace(ms(100));
    let windowed = builder.stream::<Text, Text>("in").group_by_key().windowed_by(windows);
    let counts = windowed.every(ms(10)).count("counts");
    counts.to_stream().map(|key, count| (window_text(&key), count.unwrap_or(-1))).to("out");
    let mut driver = driver(&builder);
    at(&mut driver, &[0, 3, 9]);
    assert_eq!(rows(&mut driver), []);
    // The record that brings time to the tenth is in.
    at(&mut driver, &[10]);
    assert_eq!(rows(&mut driver), expected(&[("k1@0/25", 4, 10)]));
    at(&mut driver, &[12, 26, 2, 41]);
    assert_eq!(rows(&mut driver), expected(&[("k1@0/25", 5, 12), ("k1@0/25", 6, 12), ("k1@25/50", 2, 41)]));
    at(&mut driver, &[42]);
    driver.finish().unwrap();
    assert_eq!(rows(&mut driver), expected(&[("k1@25/50", 3, 42)]));
}

#[test]
fn suppression_that_cannot_be_is_refused_with_its_node() {
    let refusal = |hold: fn(&StreamBuilder)| {
        let builder = StreamBuilder::new("t");
        hold(&builder);
        builder.build().unwrap_err().to_string()
    };
    let unbounded = SuppressBuffer::unbounded;
    let none = refusal(|builder| {
        let table = builder.table::<Windowed<Text>, Text>("in");
        let held = Suppressed::until_window_closes(SuppressBuffer::unbounded());
        table.suppress("held", held).to("out");
    });
    assert_eq!(
        none,
        "node held has no windows in front of it that could close; hold updates back until a time limit instead"
    );
    let early = refusal(|builder| {
        let windows = TimeWindows::tumbling(ms(2));
        let counts = builder.stream::<Text, Text>("in").group_by_key().windowed_by(windows).count("counts");
        let buffer = SuppressBuffer::unbounded().records_max(1).emit_early_when_full();
        counts.suppress("held", Suppressed::until_window_closes(buffer)).to("out");
    });
    assert!(early.starts_with("node held has results of windows to hold back until they close"), "{early}");
    let nothing = refusal(|builder| {
        builder.table::<Text, Text>("in").suppress("held", Suppressed::every(ms(0))).to("out");
    });
    assert_eq!(nothing, "node held has a period of nothing; at least a millisecond is needed");
    assert_eq!(unbounded().records_max(3).shut_down_when_full(), unbounded().records_max(3));
}
