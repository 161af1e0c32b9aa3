//! Counts, reductions and aggregates by key.

use super::*;

fn counted() -> Topology {
    let builder = StreamBuilder::new("t");
    builder.stream::<Text, Text>("in").group_by(|_, value| value.clone()).count("counts").to("out");
    builder.build().unwrap()
}

#[test]
fn grouping_by_another_key_brings_its_records_together_from_all_partitions() {
    let mut driver = TestDriver::with_partitions(&counted(), &[("in", 3), ("out", 3)]).unwrap();
    for (partition, value) in [(0, "a"), (1, "a"), (2, "b"), (2, "a")] {
        driver.pipe_record("in", &TestRecord::new("k", value, 0).partition(partition)).unwrap();
    }
    let expected = [("a".to_owned(), 3), ("b".to_owned(), 1)];
    assert_eq!(driver.read_table::<String, i64>("out").unwrap(), BTreeMap::from(expected.clone()));
    assert_eq!(driver.store::<String, i64>("counts").unwrap(), expected);
}

#[test]
fn grouping_by_the_key_as_it_came_needs_no_repartition_topic() {
    let builder = StreamBuilder::new("t");
    builder.stream::<Text, Text>("in").filter(|_, _| true).group_by_key().count("counts").to("out");
    assert_eq!(builder.build().unwrap().parts().len(), 1);
    let rekeyed = StreamBuilder::new("t");
    rekeyed.stream::<Text, Text>("in").map(|key, value| (key, value)).group_by_key().count("c").to("out");
    assert_eq!(rekeyed.build().unwrap().parts().len(), 2);
}

#[test]
fn count_passes_on_the_last_change_of_each_key_in_a_commit_at_the_latest_time() {
    let mut driver = TestDriver::new(&counted()).unwrap();
    let records = [("a", 5), ("b", 1), ("a", 3)].map(|(value, time)| TestRecord::new("k", value, time));
    driver.pipe_batch("in", &records).unwrap();
    let changes = driver.read::<String, i64>("out").unwrap();
    let expected = [("a", 2, 5), ("b", 1, 1)];
    let expected =
        expected.map(|(key, count, time)| TestRecord::new(key.to_owned(), count, time).partition(0));
    assert_eq!(changes, expected);
    driver.pipe("in", "k", "a", 4).unwrap();
    let changes = driver.read::<String, i64>("out").unwrap();
    assert_eq!((changes.len(), changes[0].value, changes[0].timestamp.0), (1, 3, 5));
}

#[test]
fn reduce_begins_with_the_first_value_of_a_key() {
    let mut driver = over_text(|lines| {
        let joined = |before: Text, value: Text| Text::from(format!("{before}{value}"));
        lines.group_by_key().reduce("joined", joined).updates()
    });
    pipe(&mut driver, &[("a", "1"), ("b", "x"), ("a", "2"), ("a", "3")]);
    let expected = owned(&[("a", "1"), ("b", "x"), ("a", "12"), ("a", "123")]);
    assert_eq!(texts(&mut driver, "out"), expected);
}

#[test]
fn aggregate_begins_as_it_is_told_and_sees_key_and_value() {
    let mut driver = over_text(|lines| {
        let init = || 100_i64;
        let add = |key: &Text, value: Text, sum| sum + (key.len() * value.len()) as i64;
        lines.group_by_key().aggregate("sums", init, add).updates()
    });
    pipe(&mut driver, &[("aa", "x"), ("b", ""), ("aa", "xyz")]);
    let expected = [("aa", 102), ("b", 100), ("aa", 108)].map(|(key, sum)| (key.to_owned(), sum));
    assert_eq!(read::<String, i64>(&mut driver, "out"), expected);
}

#[test]
fn aggregate_that_becomes_null_leaves_the_store_and_begins_anew() {
    let mut driver = over_text(|lines| {
        let add = |_: &Text, value: Text, _| (value != "gone").then_some(value);
        lines.group_by_key().aggregate("last", || None, add).to_stream()
    });
    pipe(&mut driver, &[("a", "1"), ("b", "2"), ("a", "gone")]);
    let stored = driver.store::<String, String>("last").unwrap();
    assert_eq!(stored, owned(&[("b", "2")]));
    let last = read::<String, Option<String>>(&mut driver, "out").pop();
    assert_eq!(last, Some(("a".to_owned(), None)));
}

#[test]
fn records_without_a_key_are_dropped_and_counted() {
    let builder = StreamBuilder::new("t");
    let lines = builder.stream::<Option<Text>, Option<Text>>("in");
    lines.group_by_key().count("by-key").to("keys");
    lines.group_by(|_, value| value.clone()).count("by-value").to("values");
    let mut driver = driver(&builder);
    driver.pipe("in", (), "v", 0).unwrap();
    driver.pipe("in", "k", (), 0).unwrap();
    assert_eq!(read::<String, i64>(&mut driver, "keys"), [("k".to_owned(), 1)]);
    assert_eq!(read::<String, i64>(&mut driver, "values"), [("v".to_owned(), 1)]);
    assert_eq!(driver.counts("by-key").errors, 1);
    assert_eq!(driver.counts("by-value-repartition-sink").errors, 1);
}

#[test]
fn keeper_behind_a_keeper_sees_each_change_and_not_the_last_of_a_commit() {
    let builder = StreamBuilder::new("t");
    let counts = builder.stream::<Text, Text>("in").group_by_key().count("counts");
    counts.updates().group_by_key().count("changes").to("out");
    let mut driver = driver(&builder);
    let records = [0, 1, 2].map(|time| TestRecord::new("k", "v", time));
    driver.pipe_batch("in", &records).unwrap();
    assert_eq!(driver.read_table::<String, i64>("out").unwrap()["k"], 3);
}
