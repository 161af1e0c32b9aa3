//! Several streams put together into one value for each key.

use super::*;
use crate::{SessionWindows, Table};

type All = Json<Vec<String>>;

fn add_text(_: &Text, text: Text, mut all: All) -> All {
    all.push(text.to_string());
    all
}

fn add_number(_: &Text, number: i64, mut all: All) -> All {
    all.push(format!("#{number}"));
    all
}

fn grouped(builder: &StreamBuilder) -> (Grouped<Text, Text>, Grouped<Text, i64>) {
    (
        builder.stream::<Text, Text>("texts").group_by_key(),
        builder.stream::<Text, i64>("numbers").group_by_key(),
    )
}

fn put_all(driver: &mut TestDriver) {
    driver.pipe("texts", "k", "a", 0).unwrap();
    driver.pipe("numbers", "k", 7_i64, 3).unwrap();
    driver.pipe("texts", "k", "b", 12).unwrap();
    driver.pipe("numbers", "other", 8_i64, 40).unwrap();
    driver.pipe("texts", "other", "c", 40).unwrap();
}

fn windows(driver: &mut TestDriver) -> Vec<(i64, i64, String)> {
    driver.finish().unwrap();
    let found = driver.read_table::<Windowed<String>, Option<String>>("out").unwrap().into_iter();
    let rows = found.filter(|(_, value)| value.is_some());
    rows.map(|(key, value)| (key.window.start.0, key.window.end.0, value.unwrap_or_default())).collect()
}

#[test]
fn records_of_all_streams_are_added_in_the_order_in_which_they_came() {
    let builder = StreamBuilder::new("t");
    let (texts, numbers) = grouped(&builder);
    let together = texts.cogroup(add_text).cogroup(numbers, add_number);
    together.aggregate("all", All::default).to("out");
    let mut driver = driver(&builder);
    put_all(&mut driver);
    let found = driver.read_table::<String, String>("out").unwrap();
    assert_eq!(found["k"], r##"["a","#7","b"]"##);
    assert_eq!(found["other"], r##"["#8","c"]"##);
}

#[test]
fn three_streams_are_added_each_in_its_way() {
    let builder = StreamBuilder::new("t");
    let (texts, numbers) = grouped(&builder);
    let floats = builder.stream::<Text, f64>("floats").group_by_key();
    let add_float = |_: &Text, float: f64, mut all: All| {
        all.push(format!("{float:.1}"));
        all
    };
    let together = texts.cogroup(add_text).cogroup(numbers, add_number).cogroup(floats, add_float);
    together.aggregate("all", All::default).to("out");
    let mut driver = driver(&builder);
    driver.pipe("floats", "k", 0.5_f64, 0).unwrap();
    driver.pipe("numbers", "k", 1_i64, 1).unwrap();
    driver.pipe("texts", "k", "t", 2).unwrap();
    assert_eq!(driver.read_table::<String, String>("out").unwrap()["k"], r##"["0.5","#1","t"]"##);
}

#[test]
fn stream_whose_key_has_changed_goes_through_a_repartition_topic_of_its_own() {
    let builder = StreamBuilder::new("t");
    let texts = builder.stream::<Text, Text>("texts").group_by(|_, text| text.clone());
    let numbers = builder.stream::<Text, i64>("numbers").group_by_key();
    texts.cogroup(add_text).cogroup(numbers, add_number).aggregate("all", All::default).to("out");
    let topology = builder.build().unwrap();
    assert!(topology.to_string().contains("(topic: t-texts.group_by-cogroup-repartition)"), "{topology}");
    assert_eq!(topology.to_string().matches("Sink: ").count(), 2);
    let mut driver = TestDriver::with_partitions(&topology, &[("texts", 2), ("numbers", 2)]).unwrap();
    driver.pipe("texts", "any", "k", 0).unwrap();
    driver.pipe("numbers", "k", 7_i64, 1).unwrap();
    assert_eq!(driver.read_table::<String, String>("out").unwrap()["k"], r##"["k","#7"]"##);
}

#[test]
fn windows_and_sessions_keep_what_all_streams_add() {
    let ten = Duration::from_millis(10);
    let builder = StreamBuilder::new("t");
    let (texts, numbers) = grouped(&builder);
    let together = texts.cogroup(add_text).cogroup(numbers, add_number);
    let windowed: Table<_, All> =
        together.windowed_by(TimeWindows::tumbling(ten)).on_close().aggregate("all", All::default);
    windowed.to("out");
    let mut in_windows = driver(&builder);
    put_all(&mut in_windows);
    let expected = [(0, 10, r##"["a","#7"]"##), (10, 20, r#"["b"]"#), (40, 50, r##"["#8","c"]"##)];
    assert_eq!(windows(&mut in_windows), expected.map(|(start, end, all)| (start, end, all.to_owned())));

    let builder = StreamBuilder::new("t");
    let (texts, numbers) = grouped(&builder);
    let together = texts.cogroup(add_text).cogroup(numbers, add_number);
    let merge = |_: &Text, Json(mut one): All, Json(two): All| {
        one.extend(two);
        Json(one)
    };
    together.windowed_by(SessionWindows::gap(ten)).aggregate("all", All::default, merge).to("out");
    let mut in_sessions = driver(&builder);
    put_all(&mut in_sessions);
    let expected = [(0, 12, r##"["a","#7","b"]"##), (40, 40, r##"["#8","c"]"##)];
    assert_eq!(windows(&mut in_sessions), expected.map(|(start, end, all)| (start, end, all.to_owned())));
}
