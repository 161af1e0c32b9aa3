//! Joins with tables.

use proptest::prelude::*;

use super::*;

/// What the joins of streams and tables, and of tables, are tested with: removals, values that come again, and, from
/// the fourteenth on, times that lie behind.
pub(super) const INPUTS: [Input; 23] = [
    (LEFT, None, 1),
    (RIGHT, None, 2),
    (LEFT, Some("A"), 3),
    (RIGHT, Some("a"), 4),
    (LEFT, Some("B"), 5),
    (RIGHT, Some("b"), 6),
    (LEFT, None, 7),
    (RIGHT, None, 8),
    (LEFT, Some("C"), 9),
    (RIGHT, Some("c"), 10),
    (RIGHT, None, 11),
    (LEFT, None, 12),
    (RIGHT, None, 13),
    (RIGHT, Some("d"), 7),
    (LEFT, Some("D"), 6),
    (LEFT, None, 2),
    (RIGHT, None, 3),
    (RIGHT, Some("e"), 14),
    (LEFT, Some("E"), 15),
    (LEFT, None, 10),
    (RIGHT, None, 9),
    (LEFT, Some("F"), 4),
    (RIGHT, Some("f"), 3),
];

/// Results by the number of the input that leads to them.
pub(super) fn expected(results: &[(usize, &str)]) -> Vec<String> {
    let of = |number| results.iter().find(|(at, _)| *at == number).map_or("", |(_, results)| *results);
    (0..INPUTS.len()).map(|number| of(number).to_owned()).collect()
}

type Maybe = Option<Text>;

fn stream_and_table(
    program: impl FnOnce(Stream<Text, Maybe>, Table<Text, Text>) -> Stream<Text, Text>,
) -> TestDriver {
    let builder = StreamBuilder::new("t");
    program(builder.stream(LEFT), builder.table(RIGHT)).to("out");
    driver(&builder)
}

fn two_tables(program: impl FnOnce(Table<Text, Text>, Table<Text, Text>) -> Table<Text, Text>) -> TestDriver {
    let builder = StreamBuilder::new("t");
    program(builder.table(LEFT), builder.table(RIGHT)).to("out");
    driver(&builder)
}

/// Trap 24.
#[test]
fn stream_takes_what_the_table_holds_and_the_table_leads_to_nothing() {
    let mut driver = stream_and_table(|stream, table| {
        stream.join_table(&table, |_, left, right| dashed(left.as_ref(), Some(right)))
    });
    let results = expected(&[(4, "B-a@5"), (14, "D-d@6"), (18, "E-e@15")]);
    assert_eq!(led_to(&mut driver, &INPUTS), results);
}

#[test]
fn left_join_of_a_stream_has_results_without_a_value_of_the_table() {
    let mut driver = stream_and_table(|stream, table| {
        stream.left_join_table(&table, |_, left, right| dashed(left.as_ref(), right))
    });
    let results =
        [(2, "A-null@3"), (4, "B-a@5"), (8, "C-null@9"), (14, "D-d@6"), (18, "E-e@15"), (21, "F-null@4")];
    assert_eq!(led_to(&mut driver, &INPUTS), expected(&results));
}

/// Trap 25.
#[test]
fn join_of_tables_removes_where_there_was_a_result() {
    let mut driver =
        two_tables(|left, right| left.join(&right, |_, left, right| dashed(Some(left), Some(right))));
    let results = [
        (3, "A-a@4"),
        (4, "B-a@5"),
        (5, "B-b@6"),
        (6, "null@7"),
        (9, "C-c@10"),
        (10, "null@11"),
        (14, "D-d@7"),
        (15, "null@7"),
        (18, "E-e@15"),
        (19, "null@14"),
        (22, "F-f@4"),
    ];
    assert_eq!(led_to(&mut driver, &INPUTS), expected(&results));
}

/// Trap 25.
#[test]
fn left_join_of_tables_is_of_all_keys_on_the_left() {
    let mut driver =
        two_tables(|left, right| left.left_join(&right, |_, left, right| dashed(Some(left), right)));
    let results = [
        (2, "A-null@3"),
        (3, "A-a@4"),
        (4, "B-a@5"),
        (5, "B-b@6"),
        (6, "null@7"),
        (8, "C-null@9"),
        (9, "C-c@10"),
        (10, "C-null@11"),
        (11, "null@12"),
        (14, "D-d@7"),
        (15, "null@7"),
        (18, "E-e@15"),
        (19, "null@14"),
        (21, "F-null@4"),
        (22, "F-f@4"),
    ];
    assert_eq!(led_to(&mut driver, &INPUTS), expected(&results));
}

/// Trap 25.
#[test]
fn outer_join_of_tables_is_of_all_keys() {
    let mut driver = two_tables(|left, right| left.outer_join(&right, |_, left, right| dashed(left, right)));
    let results = [
        (2, "A-null@3"),
        (3, "A-a@4"),
        (4, "B-a@5"),
        (5, "B-b@6"),
        (6, "null-b@7"),
        (7, "null@8"),
        (8, "C-null@9"),
        (9, "C-c@10"),
        (10, "C-null@11"),
        (11, "null@12"),
        (13, "null-d@7"),
        (14, "D-d@7"),
        (15, "null-d@7"),
        (16, "null@3"),
        (17, "null-e@14"),
        (18, "E-e@15"),
        (19, "null-e@14"),
        (20, "null@9"),
        (21, "F-null@4"),
        (22, "F-f@4"),
    ];
    assert_eq!(led_to(&mut driver, &INPUTS), expected(&results));
}

#[derive(Clone, Copy, Debug)]
enum How {
    Inner,
    Left,
    Outer,
}

fn by(how: How, left: &Table<Text, Text>, right: &Table<Text, Text>) -> Table<Text, Text> {
    match how {
        How::Inner => left.join(right, |_, left, right| dashed(Some(left), Some(right))),
        How::Left => left.left_join(right, |_, left, right| dashed(Some(left), right)),
        How::Outer => left.outer_join(right, |_, left, right| dashed(left, right)),
    }
}

/// Kafka Streams: `checkQueryableStore` of all of `TableTableJoinIntegrationTest`. Where it has the time of the last input, this
/// is the later one of the two values.
#[test]
fn table_that_keeps_a_join_holds_its_last_result_with_its_time() {
    for how in [How::Inner, How::Left, How::Outer] {
        let builder = StreamBuilder::new("t");
        let joined = by(how, &builder.table(LEFT), &builder.table(RIGHT));
        joined.to_stream().to_table_with_removals("kept").to("out");
        let mut driver = driver(&builder);
        led_to(&mut driver, &INPUTS);
        let last = (Bytes::from("k"), Bytes::from_static(b"\0\0\0\0\0\0\0\x04F-f"));
        assert_eq!(driver.raw_store("kept").unwrap(), [last], "{how:?}");
    }
}

/// The fifteen inputs in the order of their times, by which table joined with table joined with table is tested.
fn in_order() -> Vec<Input> {
    INPUTS[..13].iter().copied().chain([(RIGHT, Some("d"), 14), (LEFT, Some("D"), 15)]).collect()
}

/// Kafka Streams: `testInnerInner` to `testOuterOuter`. Two joins with the same table hear of its updates one behind the
/// other: what stands here is where that ends, and what Kafka Streams tells twice may be told twice. Where it tells of no
/// end of `C-c-c` (it notes so itself) and of `null-b-b`, there is one here.
#[test]
fn table_is_joined_with_another_one_twice() {
    use How::{Inner, Left, Outer};
    let golden = [
        (Inner, Inner, ["", "", "", "null@7", "", "", "C-c-c@10", "null@11", "", ""]),
        (Inner, Left, ["", "", "", "null@7", "", "", "C-c-c@10", "null@11", "", ""]),
        (Inner, Outer, ["", "", "", "null-b@7", "null@8", "", "C-c-c@10", "null@11", "", "null-d@14"]),
        (Left, Inner, ["", "", "", "null@7", "", "", "C-c-c@10", "null@11", "", ""]),
        (
            Left,
            Left,
            [
                "",
                "",
                "A-null-null@3",
                "null@7",
                "",
                "C-null-null@9",
                "C-c-c@10",
                "C-null-null@11",
                "null@12",
                "",
            ],
        ),
        (
            Left,
            Outer,
            [
                "",
                "",
                "A-null-null@3",
                "null-b@7",
                "null@8",
                "C-null-null@9",
                "C-c-c@10",
                "C-null-null@11",
                "null@12",
                "null-d@14",
            ],
        ),
        (Outer, Inner, ["", "", "", "null-b-b@7", "null@8", "", "C-c-c@10", "null@11", "", "null-d-d@14"]),
        (
            Outer,
            Left,
            [
                "",
                "",
                "A-null-null@3",
                "null-b-b@7",
                "null@8",
                "C-null-null@9",
                "C-c-c@10",
                "C-null-null@11",
                "null@12",
                "null-d-d@14",
            ],
        ),
        (
            Outer,
            Outer,
            [
                "",
                "",
                "A-null-null@3",
                "null-b-b@7",
                "null@8",
                "C-null-null@9",
                "C-c-c@10",
                "C-null-null@11",
                "null@12",
                "null-d-d@14",
            ],
        ),
    ];
    for (first, second, [one, two, three, seven, eight, nine, ten, eleven, twelve, fourteen]) in golden {
        let mut driver = two_tables(|left, right| by(second, &by(first, &left, &right), &right));
        let led = led_to(&mut driver, &in_order());
        let last: Vec<_> =
            led.iter().map(|results| results.split(' ').next_back().unwrap_or_default()).collect();
        let expected = [
            one, two, three, "A-a-a@4", "B-a-a@5", "B-b-b@6", seven, eight, nine, ten, eleven, twelve, "",
            fourteen, "D-d-d@15",
        ];
        assert_eq!(last, expected, "{first:?} {second:?}");
    }
}

/// Trap 22 (KIP-962).
#[test]
fn record_without_a_key_finds_nothing_in_a_table() {
    let builder = StreamBuilder::new("t");
    let (stream, table) = (builder.stream::<Maybe, Maybe>(LEFT), builder.table::<Maybe, Text>(RIGHT));
    stream.join_table(&table, |_, left, right| dashed(left.as_ref(), Some(right))).named("inner").to("inner");
    let left = stream.left_join_table(&table, |_, left, right| dashed(left.as_ref(), right));
    left.named("outer").to("outer");
    let mut driver = driver(&builder);
    driver.pipe(LEFT, (), "A", 0).unwrap();
    driver.pipe(LEFT, "k", (), 0).unwrap();
    assert_eq!(read::<Option<String>, String>(&mut driver, "inner"), []);
    let expected = [(None, "A-null".to_owned())];
    assert_eq!(read::<Option<String>, String>(&mut driver, "outer"), expected);
    for (join, keyless) in [("inner", 1), ("outer", 0)] {
        let counts = driver.counts(join);
        assert_eq!((counts.errors, counts.keyless(), counts.valueless), (keyless + 1, keyless, 1));
    }
}

#[test]
fn stream_without_values_is_joined_all_the_same() {
    let builder = StreamBuilder::new("t");
    let table = builder.table::<Text, Text>(RIGHT);
    builder.stream::<Text, ()>(LEFT).join_table(&table, |_, (), right| right.clone()).to("out");
    let mut driver = driver(&builder);
    driver.pipe(RIGHT, "k", "a", 0).unwrap();
    driver.pipe(LEFT, "k", "whatever", 0).unwrap();
    assert_eq!(texts(&mut driver, "out"), owned(&[("k", "a")]));
}

/// Trap 24: the table changes with the records that ask for it.
#[test]
fn stream_sees_the_table_that_it_makes_as_each_record_leaves_it() {
    let run = |cut: usize| {
        let mut driver = over_text(|lines| {
            let counts = lines.group_by_key().count("counts");
            lines.join_table(&counts, |_, line, count| Text::from(format!("{line}{count}")))
        });
        let records: Vec<_> =
            "abcdef".chars().map(|line| TestRecord::new("k", line.to_string(), 0)).collect();
        records.chunks(cut).for_each(|records| driver.pipe_batch("in", records).unwrap());
        driver.read::<String, String>("out").unwrap()
    };
    let values: Vec<_> = run(1).into_iter().map(|record| record.value).collect();
    assert_eq!(values, ["a1", "b2", "c3", "d4", "e5", "f6"]);
    assert_eq!(run(1), run(4));
}

/// What is made of a join takes back each result before it adds the next, also where one record changes both sides.
#[test]
fn sum_over_a_table_joined_with_itself_is_that_of_its_values() {
    let builder = StreamBuilder::new("t");
    let numbers = builder.table::<Text, i64>("in");
    let squares = numbers.join(&numbers.map_values(|number| number), |_, left, right| left * right);
    let grouped = squares.group_by(|_, square| ("all".to_owned(), square));
    grouped.reduce("sum", |sum, square| sum + square, |sum, square| Some(sum - square)).to("out");
    let mut driver = driver(&builder);
    let records =
        [("a", 2_i64), ("b", 3), ("a", 5), ("b", 1)].map(|(key, number)| TestRecord::new(key, number, 0));
    driver.pipe_batch("in", &records[..3]).unwrap();
    driver.pipe_batch("in", &records[3..]).unwrap();
    assert_eq!(driver.store::<String, i64>("sum").unwrap(), [("all".to_owned(), 26)]);
}

/// Trap 30.
#[test]
fn numbers_of_different_widths_are_different_keys() {
    let builder = StreamBuilder::new("t");
    let table = builder.table::<Bytes, Text>(RIGHT);
    builder.stream::<Bytes, Text>(LEFT).join_table(&table, |_, _, right| right.clone()).to("out");
    let mut driver = driver(&builder);
    driver.pipe(RIGHT, 5_i64, "eight", 0).unwrap();
    driver.pipe(LEFT, 5_i32, "A", 0).unwrap();
    driver.pipe(LEFT, 5_i64, "B", 0).unwrap();
    assert_eq!(driver.read::<i64, String>("out").unwrap().len(), 1);
}

/// Trap 31.
#[test]
fn topics_that_differ_in_partitions_are_refused_with_the_name_of_the_join() {
    let builder = StreamBuilder::new("t");
    let table = builder.table::<Text, Text>(RIGHT).filter(|_, _| true);
    builder
        .stream::<Text, Text>(LEFT)
        .join_table(&table, |_, _, right| right.clone())
        .named("towns")
        .to("out");
    let topology = builder.build().unwrap();
    let error = TestDriver::with_partitions(&topology, &[(LEFT, 2), (RIGHT, 3)]).unwrap_err().to_string();
    assert!(error.starts_with("node towns needs its topics co-partitioned, but "), "{error}");
    assert!(error.contains("right has 3") && error.contains("left has 2"), "{error}");
}

/// Trap 32.
#[test]
fn stream_with_another_key_is_moved_to_where_the_table_has_it() {
    let builder = StreamBuilder::new("t");
    let table = builder.table::<Text, Text>(RIGHT);
    let moved = builder.stream::<Text, Text>(LEFT).map(|key, value| (value, key));
    moved.join_table(&table, |_, left, right| dashed(Some(left), Some(right))).to("out");
    let mut driver =
        TestDriver::with_partitions(&builder.build().unwrap(), &[(LEFT, 2), (RIGHT, 5)]).unwrap();
    for key in ["a", "b", "c", "d", "e", "f"] {
        driver.pipe(RIGHT, key, key, 0).unwrap();
        driver.pipe(LEFT, "key", key, 1).unwrap();
    }
    let results = driver.read_table::<String, String>("out").unwrap();
    assert_eq!(results.len(), 6);
    assert!(results.iter().all(|(key, value)| *value == format!("key-{key}")), "{results:?}");
}

/// Trap 32.
#[test]
fn stream_whose_key_is_as_it_was_stays_where_it_is() {
    let builder = StreamBuilder::new("t");
    let table = builder.table::<Text, Text>(RIGHT);
    let stream = builder.stream::<Text, Text>(LEFT).map_values(|value| value).filter(|_, _| true);
    stream.join_table(&table, |_, _, right| right.clone()).to("out");
    assert_eq!(builder.build().unwrap().parts().len(), 1);
}

#[test]
fn table_of_open_windows_is_nothing_to_look_into() {
    let builder = StreamBuilder::new("t");
    let windows = TimeWindows::tumbling(Duration::from_secs(1));
    let counts = builder.stream::<Text, Text>("in").group_by_key().windowed_by(windows).count("counts");
    counts.join(&counts, |_, left, right| left + right).to("out");
    assert_eq!(
        builder.build().unwrap_err().to_string(),
        "node counts.join looks into the table counts, of which only open windows are kept; make a table of its \
         stream first: to_stream().to_table_with_removals(store)"
    );
}

proptest! {
    /// Trap 8, for joins with tables.
    #[test]
    fn joins_of_tables_do_not_hang_on_how_input_is_cut(
        records in prop::collection::vec((any::<bool>(), 0..3_u8, prop::option::of(0..5_i64), 0..9_i64), 1..60),
        cut in 2..9_usize,
    ) {
        let run = |cut: usize| {
            let builder = StreamBuilder::new("t");
            let (left, right) = (builder.table::<Text, i64>(LEFT), builder.table::<Text, i64>(RIGHT));
            let joined = left.outer_join(&right, |_, left, right| left.unwrap_or(&0) * 10 + right.unwrap_or(&0));
            let again = joined.left_join(&left.filter(|_, left| *left > 1), |_, joined, left| joined * 10 + left.unwrap_or(&9));
            let sums = again.group_by(|_, value| ((value % 3).to_string(), value));
            sums.reduce("sums", |sum, value| sum + value, |sum, value| Some(sum - value)).to("sums");
            // What keeps something gets each update, so that all of them are to be seen.
            let log = again.to_stream().map_values(|value| Text::from(format!("{value:?}")));
            log.group_by_key().reduce("log", |log, value| Text::from(format!("{log} {value}"))).to("out");
            let mut driver = driver(&builder);
            // Runs of one topic are cut: which topic's records come first is part of the input.
            for run in records.chunk_by(|one, next| one.0 == next.0) {
                for batch in run.chunks(cut) {
                    let topic = if batch[0].0 { LEFT } else { RIGHT };
                    let of = |(_, key, value, time): &(bool, u8, Option<i64>, i64)| TestRecord::new(key.to_string(), *value, *time);
                    driver.pipe_batch(topic, &batch.iter().map(of).collect::<Vec<_>>()).unwrap();
                }
            }
            (driver.raw_store("log").unwrap(), driver.raw_store("sums").unwrap())
        };
        prop_assert_eq!(run(cut), run(1));
    }
}
