//! Joins with what a table was.
//!
//! | number | what must not happen |
//! |---|---|
//! | 24 | that a record which comes late finds what the table holds by then |
//! | 29 | that a value does not hold from its own moment on, or one that came late not at all |

use mainstem_client::Headers;
use proptest::prelude::*;

use super::{
    tables_and_streams::{INPUTS, expected},
    *,
};

type Maybe = Option<Text>;

const HISTORY: Duration = Duration::from_secs(300);

/// Trap 24.
#[test]
fn record_finds_what_the_table_held_at_its_time() {
    let builder = StreamBuilder::new("t");
    let (stream, table) =
        (builder.stream::<Text, Maybe>(LEFT), builder.versioned_table::<Text, Text>(RIGHT, HISTORY));
    stream.join_as_of(&table, |_, left, right| dashed(left.as_ref(), Some(right))).to("out");
    let results = [(4, "B-a@5"), (14, "D-b@6"), (18, "E-e@15"), (21, "F-a@4")];
    assert_eq!(led_to(&mut driver(&builder), &INPUTS), expected(&results));
}

#[test]
fn left_join_as_of_a_time_has_results_without_a_value() {
    let builder = StreamBuilder::new("t");
    let (stream, table) =
        (builder.stream::<Text, Maybe>(LEFT), builder.versioned_table::<Text, Text>(RIGHT, HISTORY));
    stream.left_join_as_of(&table, |_, left, right| dashed(left.as_ref(), right)).to("out");
    let results =
        [(2, "A-null@3"), (4, "B-a@5"), (8, "C-null@9"), (14, "D-b@6"), (18, "E-e@15"), (21, "F-a@4")];
    assert_eq!(led_to(&mut driver(&builder), &INPUTS), expected(&results));
}

/// Trap 29.
#[test]
fn value_holds_from_its_moment_on_and_one_that_comes_late_takes_its_place() {
    let builder = StreamBuilder::new("t");
    let (stream, table) =
        (builder.stream::<Text, Text>(LEFT), builder.versioned_table::<Text, Text>(RIGHT, HISTORY));
    stream.join_as_of(&table, |_, left, right| dashed(Some(left), Some(right))).to("out");
    let inputs = [
        (RIGHT, Some("a"), 10),
        (RIGHT, Some("c"), 30),
        (LEFT, Some("A"), 25),
        (RIGHT, Some("b"), 20),
        (LEFT, Some("B"), 19),
        (LEFT, Some("C"), 20),
        (LEFT, Some("D"), 29),
        (RIGHT, Some("d"), 20),
        (LEFT, Some("E"), 20),
    ];
    let results = ["", "", "A-a@25", "", "B-a@19", "C-b@20", "D-b@29", "", "E-d@20"];
    assert_eq!(led_to(&mut driver(&builder), &inputs), results);
}

#[test]
fn what_is_older_than_the_history_is_late_and_what_has_no_key_is_left_out() {
    let builder = StreamBuilder::new("t");
    let table = builder.versioned_table::<Text, Text>(RIGHT, Duration::from_millis(10));
    builder
        .stream::<Text, Text>(LEFT)
        .join_as_of(&table, |_, _, right| right.clone())
        .named("join")
        .to("out");
    let mut driver = driver(&builder);
    driver.pipe(RIGHT, "k", "a", 100).unwrap();
    driver.pipe(RIGHT, "k", "b", 80).unwrap();
    driver.pipe(RIGHT, (), "c", 100).unwrap();
    let counts = driver.counts("right-versions");
    assert_eq!((counts.late, counts.errors), (1, 1));
}

#[test]
fn versioned_table_and_stream_must_have_as_many_partitions() {
    let builder = StreamBuilder::new("t");
    let table = builder.versioned_table::<Text, Text>(RIGHT, HISTORY);
    builder
        .stream::<Text, Text>(LEFT)
        .join_as_of(&table, |_, _, right| right.clone())
        .named("join")
        .to("out");
    let topology = builder.build().unwrap();
    let error = TestDriver::with_partitions(&topology, &[(LEFT, 2), (RIGHT, 3)]).unwrap_err().to_string();
    assert!(error.starts_with("node join needs its topics co-partitioned"), "{error}");
}

const GRACE: Duration = Duration::from_millis(2);

/// What `StreamTableJoinWithGraceIntegrationTest` expects. Results that wait come when both inputs have come so far; of
/// those that do not, as those of D and F, each comes at once. E waits for the end.
#[test]
fn record_waits_for_what_the_table_may_still_learn_of_its_time() {
    let builder = StreamBuilder::new("t");
    let (stream, table) =
        (builder.stream::<Text, Maybe>(LEFT), builder.versioned_table::<Text, Text>(RIGHT, HISTORY));
    let joined = stream
        .join_as_of_with_grace(&table, GRACE, "settled", |_, left, right| dashed(left.as_ref(), Some(right)));
    joined.to("out");
    let mut driver = driver(&builder);
    assert_eq!(led_to(&mut driver, &INPUTS), expected(&[(7, "B-a@5"), (14, "D-b@6"), (21, "F-a@4")]));
    driver.finish().unwrap();
    assert_eq!(driver.read::<String, String>("out").unwrap()[0].value, "E-e");
}

#[test]
fn left_join_that_waits_has_results_without_a_value() {
    let builder = StreamBuilder::new("t");
    let (stream, table) =
        (builder.stream::<Text, Maybe>(LEFT), builder.versioned_table::<Text, Text>(RIGHT, HISTORY));
    let joined = stream
        .left_join_as_of_with_grace(&table, GRACE, "settled", |_, left, right| dashed(left.as_ref(), right));
    joined.to("out");
    let results = [(5, "A-null@3"), (7, "B-a@5"), (11, "C-null@9"), (14, "D-b@6"), (21, "F-a@4")];
    assert_eq!(led_to(&mut driver(&builder), &INPUTS), expected(&results));
}

/// KIP-962, where there is nothing to wait for.
#[test]
fn record_without_a_key_does_not_wait_and_one_without_a_value_is_left_out() {
    let builder = StreamBuilder::new("t");
    let table = builder.versioned_table::<Maybe, Text>(RIGHT, HISTORY);
    let stream = builder.stream::<Maybe, Maybe>(LEFT);
    let joined = stream
        .left_join_as_of_with_grace(&table, GRACE, "settled", |_, left, right| dashed(left.as_ref(), right));
    joined.to("out");
    let mut driver = driver(&builder);
    driver.pipe(LEFT, (), "A", 5).unwrap();
    assert_eq!(driver.read::<Maybe, String>("out").unwrap()[0].value, "A-null");
    driver.pipe_record(LEFT, &TestRecord::new("k", None::<String>, 5)).unwrap();
    let counts = driver.counts("settled");
    assert_eq!((counts.errors, counts.keyless(), counts.valueless), (1, 0, 1));
    driver.finish().unwrap();
    assert!(driver.read::<Maybe, String>("out").unwrap().is_empty());
}

#[test]
fn record_that_waits_keeps_its_headers() {
    let builder = StreamBuilder::new("t");
    let table = builder.versioned_table::<Text, Text>(RIGHT, HISTORY);
    let stream = builder.stream::<Text, Text>(LEFT);
    stream.join_as_of_with_grace(&table, GRACE, "settled", |_, _, right| right.clone()).to("out");
    let mut driver = driver(&builder);
    driver.pipe(RIGHT, "k", "a", 4).unwrap();
    let headers = Headers::new([(&b"trace"[..], Some(&b"7"[..]))]).unwrap();
    driver.pipe_record(LEFT, &TestRecord { headers, ..TestRecord::new("k", "A", 5) }).unwrap();
    assert!(driver.read::<String, String>("out").unwrap().is_empty());
    driver.finish().unwrap();
    assert_eq!(driver.read::<String, String>("out").unwrap()[0].header("trace").as_deref(), Some("7"));
}

#[test]
fn grace_that_the_history_does_not_cover_is_refused() {
    let builder = StreamBuilder::new("t");
    let table = builder.versioned_table::<Text, Text>(RIGHT, Duration::from_secs(1));
    let stream = builder.stream::<Text, Text>(LEFT);
    let grace = Duration::from_secs(2);
    stream.join_as_of_with_grace(&table, grace, "settled", |_, _, right| right.clone()).to("out");
    assert_eq!(
        builder.build().unwrap_err().to_string(),
        "node settled has a grace of 2s, and a table whose history goes back 1s; as far as the grace is needed"
    );
}

/// A record of one key: whether it is the table's, and its time. Its number is its value.
type Event = (bool, i64);

fn events() -> impl Strategy<Value = Vec<Event>> {
    let steps = prop::collection::vec((any::<bool>(), 0..4_i64, -6..2_i64), 0..60);
    steps.prop_map(|steps| {
        let mut now = 0;
        let event = |(is_table, step, back)| {
            now += step;
            (is_table, now + back)
        };
        steps.into_iter().map(event).collect()
    })
}

/// Of each record in the order of its result: its number, and that of the table's value.
fn modelled(events: &[Event], grace: i64) -> Vec<(usize, Option<usize>)> {
    let (mut table, mut waiting, mut reached, mut results) =
        (Vec::new(), Vec::new(), [i64::MIN; 2], Vec::new());
    let end = (events.len(), None, i64::MAX);
    let events = events.iter().enumerate().map(|(number, (is_table, time))| (number, Some(*is_table), *time));
    for (number, is_table, time) in events.chain([end]) {
        match is_table {
            Some(true) => table.push((time, number)),
            Some(false) => waiting.push((time, number)),
            None => {}
        }
        match is_table {
            Some(is_table) => reached[usize::from(is_table)] = reached[usize::from(is_table)].max(time),
            None => reached = [i64::MAX; 2],
        }
        let settled = reached[0].min(reached[1]).saturating_sub(grace);
        waiting.sort_unstable();
        let due = waiting.extract_if(.., |(time, _)| *time <= settled);
        let held = |at: i64| table.iter().filter(|(time, _)| *time <= at).max().map(|(_, number)| *number);
        results.extend(due.map(|(time, number)| (number, held(time))));
    }
    results
}

proptest! {
    #[test]
    fn records_that_wait_find_what_a_model_says((events, grace) in (events(), 0..8_i64)) {
        let builder = StreamBuilder::new("t");
        let (stream, table) =
            (builder.stream::<Text, Text>(LEFT), builder.versioned_table::<Text, Text>(RIGHT, HISTORY));
        let grace_as_time = Duration::from_millis(grace as u64);
        let joined = stream.left_join_as_of_with_grace(&table, grace_as_time, "settled", |_, left, right| {
            dashed(Some(left), right)
        });
        joined.to("out");
        let mut driver = driver(&builder);
        for (number, (is_table, time)) in events.iter().enumerate() {
            driver.pipe(if *is_table { RIGHT } else { LEFT }, "k", number.to_string(), *time).unwrap();
        }
        driver.finish().unwrap();
        let found: Vec<_> =
            driver.read::<String, String>("out").unwrap().into_iter().map(|record| record.value).collect();
        let shown = |(number, of_table): (usize, Option<usize>)| {
            format!("{number}-{}", of_table.map_or_else(|| "null".to_owned(), |number| number.to_string()))
        };
        prop_assert_eq!(found, modelled(&events, grace).into_iter().map(shown).collect::<Vec<_>>());
    }
}
