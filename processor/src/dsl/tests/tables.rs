//! Tables: what their updates are, and what is made of them.
//!
//! | number | what must not happen |
//! |---|---|
//! | 33 | that null counts as a value, or the text `null` as none |
//! | 37 | that what is taken back without ever having come is forgotten |
//! | 38 | that sums drift by what was added and taken back |
//! | 39 | that a greatest value stays when it goes |
//! | 40 | that a group is without a value that stays in it |

use proptest::prelude::*;

use super::*;
use crate::graph::table::update::Update;

/// A program over the table of `in`, keys and values as text.
fn over_table<K: Serde, V: Serde>(program: impl FnOnce(Table<Text, Text>) -> Table<K, V>) -> TestDriver {
    let builder = StreamBuilder::new("t");
    program(builder.table("in")).to_stream().to("out");
    driver(&builder)
}

/// A record for a table of texts.
fn record(key: &str, value: Option<&str>, time: i64) -> TestRecord<String, Option<String>> {
    TestRecord::new(key.to_owned(), value.map(str::to_owned), time)
}

fn put(driver: &mut TestDriver, records: &[(&str, Option<&str>)]) {
    let records: Vec<_> = records.iter().map(|(key, value)| record(key, *value, 0)).collect();
    driver.pipe_batch("in", &records).unwrap();
}

fn number(value: &Text) -> i64 {
    value.parse().unwrap_or(0)
}

fn sum(table: &Table<Text, Text>) -> Table<Text, i64> {
    let group = table.group_by(|_, value| (Text::from(&value[..1]), number(&Text::from(&value[1..]))));
    group.reduce("sums", |sum, value| sum + value, |sum, value| Some(sum - value))
}

#[test]
fn stream_of_a_table_is_its_new_values() {
    let builder = StreamBuilder::new("t");
    let counts = builder.stream::<Text, Text>("in").group_by_key().count("counts");
    counts.to_stream().to("stream");
    counts.updates().to("updates");
    let mut driver = driver(&builder);
    pipe(&mut driver, &[("a", "x"), ("b", "x"), ("a", "x")]);
    let expected = [("a", 1), ("b", 1), ("a", 2)].map(|(key, count)| (key.to_owned(), count));
    assert_eq!(read::<String, i64>(&mut driver, "stream"), expected);
    assert_eq!(read::<String, i64>(&mut driver, "updates"), expected);
}

/// Trap 33.
#[test]
fn null_takes_a_key_out_of_a_table_and_the_text_null_does_not() {
    let mut driver = over_table(|table| table);
    for (key, value) in [("a", Some("1")), ("b", Some("null")), ("a", None), ("never", None)] {
        driver.pipe_record("in", &record(key, value, 0)).unwrap();
    }
    let expected = [("a", Some("1")), ("b", Some("null")), ("a", None)];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
    assert_eq!(read::<String, Option<String>>(&mut driver, "out"), expected);
    assert_eq!(driver.store::<String, String>("in-table").unwrap(), owned(&[("b", "null")]));
}

#[test]
fn record_without_a_key_says_nothing_about_a_table_and_is_counted() {
    let mut driver = over_table(|table| table);
    driver.pipe("in", (), "value", 0).unwrap();
    driver.pipe("in", "k", "value", 0).unwrap();
    assert_eq!(texts(&mut driver, "out"), owned(&[("k", "value")]));
    assert_eq!((driver.counts("in").errors, driver.counts("in-table").errors), (0, 1));
}

#[test]
fn last_record_is_the_value_also_where_it_bears_an_earlier_time() {
    let mut driver = over_table(|table| table);
    for (value, time) in [("first", 9), ("second", 5)] {
        driver.pipe("in", "k", value, time).unwrap();
    }
    let updates = driver.read::<String, String>("out").unwrap();
    assert_eq!((&*updates[1].value, updates[1].timestamp.0), ("second", 5));
}

#[test]
fn update_that_a_commit_overtakes_is_written_to_no_topic() {
    let mut driver = over_table(|table| table);
    put(&mut driver, &[("a", Some("1")), ("b", Some("1")), ("a", Some("2")), ("b", None)]);
    assert_eq!(texts(&mut driver, "out"), owned(&[("a", "2")]));
}

#[test]
fn filtered_key_leaves_the_table_once_and_only_if_it_was_there() {
    let mut driver = over_table(|table| table.filter(|_, value| value.len() > 1));
    for (key, value) in [("a", "x"), ("a", "long"), ("a", "longer"), ("a", "y"), ("a", "z")] {
        driver.pipe("in", key, value, 0).unwrap();
    }
    let values: Vec<_> = read::<String, Option<String>>(&mut driver, "out").into_iter().collect();
    let expected = [Some("long"), Some("longer"), None].map(|value| value.map(str::to_owned));
    assert_eq!(values.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), expected);
}

#[test]
fn filter_not_keeps_what_filter_drops() {
    let mut driver = over_table(|table| table.filter_not(|_, value| value.len() > 1));
    for value in ["x", "long"] {
        driver.pipe("in", "a", value, 0).unwrap();
    }
    let expected = [("a".to_owned(), Some("x".to_owned())), ("a".to_owned(), None)];
    assert_eq!(read::<String, Option<String>>(&mut driver, "out"), expected);
}

#[test]
fn steps_over_a_table_see_removals_as_such() {
    let mut driver = over_table(|table| {
        let lengths = table.map_values(|value| value.len() as i64);
        lengths.transform(|key, length| (length > 1).then(|| Text::from(format!("{key}{length}"))))
    });
    for value in [Some("long"), Some("x"), None, Some("two"), None] {
        driver.pipe_record("in", &record("k", value, 0)).unwrap();
    }
    let expected = [Some("k4"), None, Some("k3"), None].map(|value| value.map(str::to_owned));
    let values = read::<String, Option<String>>(&mut driver, "out").into_iter();
    assert_eq!(values.map(|(_, value)| value).collect::<Vec<_>>(), expected);
}

#[test]
fn stream_becomes_a_table_behind_a_repartition_topic_where_its_key_has_changed() {
    let mut driver = over_text(|lines| {
        let table = lines.select_key(|_, value| Text::from(&value[..1])).to_table("by-letter");
        table.to_stream()
    });
    pipe(&mut driver, &[("1", "ab"), ("2", "b"), ("3", "ac")]);
    assert_eq!(texts(&mut driver, "out"), owned(&[("a", "ab"), ("b", "b"), ("a", "ac")]));
    assert_eq!(driver.store::<String, String>("by-letter").unwrap(), owned(&[("a", "ac"), ("b", "b")]));
}

#[test]
fn stream_with_removals_takes_keys_out() {
    let mut driver = over_text(|lines| {
        let kept = lines.map_values(|value| (value != "gone").then_some(value));
        kept.to_table_with_removals("kept").to_stream()
    });
    for value in ["1", "gone", "gone"] {
        driver.pipe("in", "a", value, 0).unwrap();
    }
    let expected = [("a".to_owned(), Some("1".to_owned())), ("a".to_owned(), None)];
    assert_eq!(read::<String, Option<String>>(&mut driver, "out"), expected);
}

#[test]
fn groups_follow_the_values_of_the_table() {
    let mut driver = over_table(|table| sum(&table));
    put(&mut driver, &[("1", Some("a5")), ("2", Some("a7")), ("3", Some("b1"))]);
    put(&mut driver, &[("1", Some("b5")), ("2", None)]);
    let sums = driver.store::<String, i64>("sums").unwrap();
    assert_eq!(sums, [("a".to_owned(), 0), ("b".to_owned(), 6)]);
}

/// Also within one commit: times do not hang on how input is cut (trap 8).
#[test]
fn group_that_was_empty_bears_the_time_of_what_comes_next() {
    for is_one_batch in [false, true] {
        let mut driver = over_table(|table| {
            table.group_by(|_, value| (value.clone(), value)).reduce("last", |_, new| new, |_, _| None)
        });
        let records = [("1", Some("a"), 500), ("1", None, 600), ("2", Some("a"), 100)];
        let records = records.map(|(key, value, time)| record(key, value, time));
        records
            .chunks(if is_one_batch { 3 } else { 1 })
            .for_each(|batch| driver.pipe_batch("in", batch).unwrap());
        let results = driver.read::<String, Option<String>>("out").unwrap();
        assert_eq!(results.last().unwrap().timestamp.0, 100);
    }
}

/// Trap 40 (KIP-904).
#[test]
fn value_that_stays_in_its_group_is_one_update_of_it() {
    let mut driver = over_table(|table| sum(&table));
    for value in ["a5", "a7", "b7"] {
        driver.pipe("in", "1", value, 0).unwrap();
    }
    let expected = [("a", 5), ("a", 7), ("a", 0), ("b", 7)].map(|(key, sum)| (key.to_owned(), sum));
    assert_eq!(read::<String, i64>(&mut driver, "out"), expected);
    assert_eq!(driver.counts("sums").records_in, 4);
}

/// Trap 37: as where a task that has lost its state reads its repartition topic again.
#[test]
fn removal_without_a_value_before_it_is_counted_below_zero() {
    let fold = table::counted::<Text, ()>();
    let (key, taken, added) =
        (Text::from("k"), Update { old: Some(()), new: None }, Update { old: None, new: Some(()) });
    assert_eq!(fold(&key, taken, None), Some(-1));
    assert_eq!(fold(&key, added, Some(-1)), Some(0));
}

/// Trap 38: adding up integers.
#[test]
fn sum_is_that_of_the_values_that_are_there_after_any_number_of_changes() {
    let mut driver = over_table(|table| sum(&table));
    for round in 0..1000 {
        let value = format!("a{}", round * 1_000_003 % 9_999_991);
        driver.pipe("in", "1", &*value, 0).unwrap();
    }
    driver.pipe("in", "1", "a1", 0).unwrap();
    assert_eq!(driver.store::<String, i64>("sums").unwrap(), [("a".to_owned(), 1)]);
}

type Counted = Json<BTreeMap<i64, u32>>;

fn one_more(_: &Text, value: i64, mut values: Counted) -> Counted {
    *values.entry(value).or_default() += 1;
    values
}

fn one_less(_: &Text, value: i64, mut values: Counted) -> Option<Counted> {
    let count = values.get(&value).copied().unwrap_or(0);
    match count {
        0 | 1 => values.remove(&value),
        _ => values.insert(value, count - 1),
    };
    (!values.is_empty()).then_some(values)
}

/// Trap 39.
#[test]
fn greatest_value_goes_with_the_last_that_has_it() {
    let mut driver = over_table(|table| {
        let group = table.group_by(|_, value| (Text::from(&value[..1]), number(&Text::from(&value[1..]))));
        let counted = group.aggregate("counted", Counted::default, one_more, one_less);
        counted.transform(|_, values| values.last_key_value().map(|(value, _)| *value))
    });
    for (key, value) in
        [("1", Some("a5")), ("2", Some("a9")), ("3", Some("a9")), ("2", None), ("3", None), ("1", None)]
    {
        driver.pipe_record("in", &record(key, value, 0)).unwrap();
    }
    let values = read::<String, Option<i64>>(&mut driver, "out").into_iter().map(|(_, value)| value);
    assert_eq!(values.collect::<Vec<_>>(), [Some(5), Some(9), Some(9), Some(9), Some(5), None]);
    assert_eq!(driver.store::<String, Counted>("counted").unwrap(), []);
}

#[test]
fn table_of_counts_regroups_by_the_count() {
    let builder = StreamBuilder::new("t");
    let counts = builder.stream::<Text, Text>("in").group_by_key().count("counts");
    counts.group_by(|key, count| (count, key.clone())).count("of-counts").to("out");
    let mut driver = driver(&builder);
    pipe(&mut driver, &[("a", "x"), ("b", "x"), ("a", "x"), ("c", "x")]);
    let of_counts = driver.read_table::<i64, i64>("out").unwrap();
    assert_eq!(of_counts, BTreeMap::from([(1, 2), (2, 1)]));
}

proptest! {
    /// Trap 8, for tables.
    #[test]
    fn groups_of_a_table_do_not_hang_on_how_input_is_cut(
        records in prop::collection::vec((0..4_u8, prop::option::of((0..3_u8, 0..9_u8))), 1..40),
        cut in 1..7_usize,
    ) {
        let text = |(letter, number): (u8, u8)| format!("{}{number}", char::from(b'a' + letter));
        let records: Vec<_> =
            records.into_iter().map(|(key, value)| record(&key.to_string(), value.map(text).as_deref(), 0)).collect();
        let run = |cut: usize| {
            let builder = StreamBuilder::new("t");
            let table = builder.table::<Text, Text>("in");
            sum(&table).to_stream().group_by_key().reduce("log", |_, sum| sum).to("out");
            table.filter(|_, value| value.len() > 1).map_values(|value| Text::from(&value[1..])).to("filtered");
            let mut driver = driver(&builder);
            for records in records.chunks(cut) {
                driver.pipe_batch("in", records).unwrap();
            }
            let tables = (
                driver.read_table::<String, Option<i64>>("out").unwrap(),
                driver.read_table::<String, Option<String>>("filtered").unwrap(),
            );
            let filtered: Vec<_> = tables.1.into_iter().filter(|(_, value)| value.is_some()).collect();
            (tables.0, filtered, driver.store::<String, i64>("sums").unwrap())
        };
        prop_assert_eq!(run(cut), run(1));
    }
}
