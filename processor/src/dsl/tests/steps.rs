//! Steps that keep nothing.

use super::*;

#[test]
fn records_go_to_a_topic_as_they_came() {
    let mut driver = over_text(|lines| lines);
    let headers = Headers::new([(&b"trace"[..], Some(&b"7"[..])), (b"none", None)]).unwrap();
    let record = TestRecord { headers, ..TestRecord::new(Text::from("k"), Text::from("v"), 42) };
    driver.pipe_record("in", &record).unwrap();
    assert_eq!(driver.read::<Text, Text>("out").unwrap(), [record.partition(0)]);
}

#[test]
fn filter_keeps_what_it_says_yes_to_by_key_and_value() {
    let mut driver = over_text(|lines| lines.filter(|key, value| key == "a" && value.len() > 1));
    pipe(&mut driver, &[("a", "1"), ("a", "22"), ("b", "22"), ("a", "333")]);
    assert_eq!(texts(&mut driver, "out"), owned(&[("a", "22"), ("a", "333")]));
}

#[test]
fn map_makes_another_key_and_value_at_the_same_time_with_the_same_headers() {
    let mut driver = over_text(|lines| lines.map(|key, value| (value.len() as i32, key)));
    let headers = Headers::new([(&b"h"[..], Some(&b"1"[..]))]).unwrap();
    let record = TestRecord { headers: headers.clone(), ..TestRecord::new("k", "four", 42) };
    driver.pipe_record("in", &record).unwrap();
    let expected = TestRecord { headers, ..TestRecord::new(4, Text::from("k"), 42).partition(0) };
    assert_eq!(driver.read::<i32, Text>("out").unwrap(), [expected]);
}

#[test]
fn map_values_leaves_the_key() {
    let mut driver = over_text(|lines| lines.map_values(|value| value.len() as i64));
    pipe(&mut driver, &[("a", "one"), ("b", "three")]);
    let expected = [("a".to_owned(), 3), ("b".to_owned(), 5)];
    assert_eq!(read::<String, i64>(&mut driver, "out"), expected);
}

#[test]
fn flat_map_makes_any_number_of_records_in_order() {
    let words = |key: Text, value: Text| -> Vec<(String, String)> {
        value.split_whitespace().map(|word| (word.to_owned(), key.to_string())).collect()
    };
    let mut driver = over_text(|lines| lines.flat_map(words));
    pipe(&mut driver, &[("1", "to be"), ("2", " "), ("3", "or")]);
    let expected = TestRecord::new("or".to_owned(), "3".to_owned(), 2).partition(0);
    let found = driver.read::<String, String>("out").unwrap();
    assert_eq!(found[2..], [expected]);
    assert_eq!((&*found[0].key, &*found[1].key, &*found[1].value), ("to", "be", "1"));
}

#[test]
fn flat_map_values_leaves_the_key_and_the_partition() {
    let builder = StreamBuilder::new("t");
    let letters = |word: Text| word.chars().map(|letter| letter.to_string()).collect::<Vec<_>>();
    builder.stream::<Text, Text>("in").flat_map_values(letters).group_by_key().count("counts").to("out");
    assert!(!builder.build().unwrap().to_string().contains("repartition"));
    let mut driver = driver(&builder);
    pipe(&mut driver, &[("a", "xyz"), ("b", "z")]);
    let expected = BTreeMap::from([("a".to_owned(), 3), ("b".to_owned(), 1)]);
    assert_eq!(driver.read_table::<String, i64>("out").unwrap(), expected);
}

#[test]
fn select_key_chooses_the_partition_anew() {
    let builder = StreamBuilder::new("t");
    builder.stream::<Text, Text>("in").select_key(|_, value| value.clone()).to("out");
    let topology = builder.build().unwrap();
    let mut driver = TestDriver::with_partitions(&topology, &[("in", 2), ("out", 8)]).unwrap();
    for partition in [0, 1] {
        let record = TestRecord::new("key", "value", 0).partition(partition);
        driver.pipe_record("in", &record).unwrap();
    }
    let found = driver.read::<Text, Text>("out").unwrap();
    assert!(found.iter().all(|record| record.key == "value"), "{found:?}");
    let expected = mainstem_client::producer::partition_of_key(b"value", 8).0;
    assert_eq!([found[0].partition, found[1].partition], [Some(expected), Some(expected)]);
}

#[test]
fn peek_sees_each_record_and_changes_none() {
    let (sender, seen) = std::sync::mpsc::sync_channel(2);
    let mut driver =
        over_text(|lines| lines.peek(move |key, value| sender.try_send(format!("{key}={value}")).unwrap()));
    pipe(&mut driver, &[("a", "1"), ("b", "2")]);
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert_eq!(texts(&mut driver, "out"), owned(&[("a", "1"), ("b", "2")]));
}

#[test]
fn branches_take_what_no_branch_before_them_took_and_the_rest_is_dropped() {
    let builder = StreamBuilder::new("t");
    let split = builder.stream::<Text, Text>("in").split("by");
    split.branch("a", |key, _| key == "a").to("only-a");
    split.branch("long", |_, value| value.len() > 1).to("long");
    let mut driver = driver(&builder);
    pipe(&mut driver, &[("a", "1"), ("a", "22"), ("b", "22"), ("b", "1")]);
    assert_eq!(texts(&mut driver, "only-a"), owned(&[("a", "1"), ("a", "22")]));
    assert_eq!(texts(&mut driver, "long"), owned(&[("b", "22")]));
}

#[test]
fn rest_takes_what_no_branch_took() {
    let builder = StreamBuilder::new("t");
    let split = builder.stream::<Text, Text>("in").split("by");
    split.branch("a", |key, _| key == "a").to("only-a");
    split.rest("others").to("others");
    let mut driver = driver(&builder);
    pipe(&mut driver, &[("a", "1"), ("b", "2"), ("c", "3")]);
    assert_eq!(texts(&mut driver, "others"), owned(&[("b", "2"), ("c", "3")]));
    assert_eq!(texts(&mut driver, "only-a").len(), 1);
}

#[test]
fn stream_that_is_used_twice_gives_all_its_records_to_both() {
    let builder = StreamBuilder::new("t");
    let lines = builder.stream::<Text, Text>("in");
    lines.filter(|_, value| value == "1").to("ones");
    lines.to("all");
    let mut driver = driver(&builder);
    pipe(&mut driver, &[("a", "1"), ("b", "2")]);
    assert_eq!(texts(&mut driver, "ones"), owned(&[("a", "1")]));
    assert_eq!(texts(&mut driver, "all"), owned(&[("a", "1"), ("b", "2")]));
}

#[test]
fn merged_branches_have_the_order_of_the_input_also_within_a_batch() {
    let mut driver = over_text(|lines| {
        let split = lines.split("by");
        let odd = split.branch("odd", |key, _| key == "odd").map_values(|value| value.to_uppercase());
        split.rest("even").map_values(|value| value.to_string()).merge(&odd)
    });
    let records = [("odd", "a"), ("even", "b"), ("odd", "c"), ("even", "d")];
    let records = records.map(|(key, value)| TestRecord::new(key, value, 0));
    driver.pipe_batch("in", &records).unwrap();
    let expected = [("odd", "A"), ("even", "b"), ("odd", "C"), ("even", "d")];
    assert_eq!(texts(&mut driver, "out"), owned(&expected));
}

#[test]
fn merged_topics_give_the_records_of_both() {
    let builder = StreamBuilder::new("t");
    builder.stream::<Text, Text>("left").merge(&builder.stream("right")).to("out");
    let mut driver = driver(&builder);
    for (topic, value) in [("right", "1"), ("left", "2"), ("right", "3")] {
        driver.pipe(topic, "k", value, 0).unwrap();
    }
    assert_eq!(texts(&mut driver, "out"), owned(&[("k", "1"), ("k", "2"), ("k", "3")]));
}

#[test]
fn stream_merged_with_itself_gives_each_record_twice() {
    let mut driver = over_text(|lines| lines.merge(&lines));
    pipe(&mut driver, &[("a", "1"), ("b", "2")]);
    assert_eq!(texts(&mut driver, "out"), owned(&[("a", "1"), ("a", "1"), ("b", "2"), ("b", "2")]));
    assert_eq!(driver.counts("in").records_out, 4);
}

#[test]
fn steps_are_named_after_the_step_in_front_unless_they_are_named() {
    let builder = StreamBuilder::new("t");
    let first = builder.stream::<Text, Text>("in").filter(|_, _| true);
    first.filter(|_, _| true).named("second").peek(|_, _| ()).to("out");
    first.filter(|_, _| true).to("out");
    let topology = builder.build().unwrap();
    let names: Vec<_> = topology.nodes().iter().map(|node| &*node.name).collect();
    let expected = ["in", "in.filter", "second", "second.peek", "out.sink", "in.filter.filter", "out.sink-2"];
    assert_eq!(names, expected);
}
