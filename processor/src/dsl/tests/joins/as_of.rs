//! Joins with what a table was.
//!
//! | number | what must not happen |
//! |---|---|
//! | 24 | that a record which comes late finds what the table holds by then |
//! | 29 | that a value does not hold from its own moment on, or one that came late not at all |

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
