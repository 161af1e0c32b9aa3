//! Steps that look at keys, times and headers.

use super::*;

#[test]
fn filter_not_leaves_out_what_it_says_yes_to() {
    let mut driver = over_text(|lines| lines.filter_not(|key, value| key == "a" && value.len() > 1));
    pipe(&mut driver, &[("a", "1"), ("a", "22"), ("b", "22")]);
    assert_eq!(texts(&mut driver, "out"), owned(&[("a", "1"), ("b", "22")]));
}

#[test]
fn values_may_be_made_with_a_look_at_the_key() {
    let mut driver = over_text(|lines| {
        lines
            .map_values_with_key(|key, value| format!("{key}{value}"))
            .flat_map_values_with_key(|key, value| [key.to_string(), value])
    });
    pipe(&mut driver, &[("a", "1")]);
    assert_eq!(texts(&mut driver, "out"), owned(&[("a", "a"), ("a", "a1")]));
}

/// Trap 32.
#[test]
fn steps_that_leave_the_key_alone_need_no_repartition_and_others_do() {
    let counted = |step: fn(Stream<Text, Text>) -> Stream<Text, Text>| {
        let builder = StreamBuilder::new("t");
        step(builder.stream("in")).group_by_key().count("counts").to("out");
        builder.build().unwrap().to_string().contains("repartition")
    };
    assert!(!counted(|records| records.filter_not(|_, _| false)));
    assert!(!counted(|records| records.map_values_with_key(|_, value| value)));
    assert!(!counted(|records| records.flat_map_values_with_key(|_, value| [value])));
    assert!(!counted(|records| records.map_record_values(|record| record.value.clone())));
    assert!(counted(|records| records.map_records(|record| record)));
    assert!(counted(|records| records.flat_map_records(|record| [record])));
}

fn record(time: i64) -> TestRecord<Text, Text> {
    let headers = Headers::new([(&b"h"[..], Some(&b"1"[..]))]).unwrap();
    TestRecord { headers, ..TestRecord::new("k".into(), "v".into(), time) }
}

#[test]
fn time_and_headers_can_be_seen_and_changed() {
    let mut driver = over_text(|lines| {
        lines.map_records(|record| {
            let time = (record.time.0 + 1).into();
            StreamRecord { time, headers: Headers::default(), ..record }
        })
    });
    driver.pipe_record("in", &record(41)).unwrap();
    assert_eq!(
        driver.read::<Text, Text>("out").unwrap(),
        [TestRecord::new("k".into(), "v".into(), 42).partition(0)]
    );
}

#[test]
fn value_of_a_record_leaves_time_and_headers_as_they_are() {
    let mut driver = over_text(|lines| lines.map_record_values(|record| format!("{}", record.time.0)));
    driver.pipe_record("in", &record(42)).unwrap();
    let found = driver.read::<Text, Text>("out").unwrap();
    assert_eq!(found, [TestRecord { value: "42".into(), ..record(42) }.partition(0)]);
}

#[test]
fn records_are_made_of_records_in_order() {
    let mut driver = over_text(|lines| {
        lines.flat_map_records(|record| [record.clone().with_value("1".into()), record.with_key("2".into())])
    });
    driver.pipe_record("in", &record(7)).unwrap();
    let found = driver.read::<Text, Text>("out").unwrap();
    let expected =
        [TestRecord { value: "1".into(), ..record(7) }, TestRecord { key: "2".into(), ..record(7) }];
    assert_eq!(found, expected.map(|record| record.partition(0)));
}

/// Time is what records of a topic say, not what a step makes of them: what is moved back is late.
#[test]
fn record_that_is_moved_back_behind_a_closed_window_is_late() {
    let builder = StreamBuilder::new("t");
    let moved = builder.stream::<Text, Text>("in").map_records(|record| {
        let time = if record.value == "back" { 0.into() } else { record.time };
        StreamRecord { time, ..record }
    });
    let windows = TimeWindows::tumbling(Duration::from_millis(10));
    moved.repartition("again").group_by_key().windowed_by(windows).on_close().count("counts").to("out");
    let mut driver = driver(&builder);
    for (value, time) in [("one", 1), ("two", 10), ("back", 11)] {
        driver.pipe("in", "k", value, time).unwrap();
    }
    assert_eq!(driver.counts("counts").late, 1);
    assert_eq!(read::<Windowed<Text>, i64>(&mut driver, "out")[0].1, 1);
}
