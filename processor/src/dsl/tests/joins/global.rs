//! Joins with tables that every task has whole, by what Kafka Streams is tested with (`KStreamGlobalKTableJoinTest`,
//! `KStreamGlobalKTableLeftJoinTest`).
//!
//! | number | what must not happen |
//! |---|---|
//! | 22 | that a record which asks for nothing has a result that it cannot have |
//! | 24 | that the table's update leads to a result, or a removed value to a match |
//! | 31 | that topics must be co-partitioned which need not be |

use super::*;

/// What a record asks for stands behind its comma.
fn asks_for<K>(_: &K, value: &Option<Text>) -> Option<Text> {
    let (_, wanted) = value.as_ref()?.split_once(',')?;
    Some(Text::from(wanted))
}

fn joined(builder: &StreamBuilder, is_left: bool) {
    let stream = builder.stream::<Option<i32>, Option<Text>>("stream");
    let table = builder.global_table::<Text, Text>("table");
    let shown = |left: &Option<Text>, right: Option<&Text>| {
        Text::from(format!("{}+{}", left.as_deref().unwrap_or_default(), right.map_or("null", |right| right)))
    };
    let results = if is_left {
        stream.left_join_global(&table, asks_for, move |_, left, right| shown(left, right))
    } else {
        stream.join_global(&table, asks_for, move |_, left, right| shown(left, Some(right)))
    };
    results.named("joined").to("out");
}

fn topology(is_left: bool) -> Topology {
    let builder = StreamBuilder::new("t");
    joined(&builder, is_left);
    builder.build().unwrap()
}

/// More partitions of the table than of the stream.
fn driver_of(is_left: bool) -> TestDriver {
    TestDriver::with_partitions(&topology(is_left), &[("stream", 2), ("table", 5)]).unwrap()
}

fn ask(driver: &mut TestDriver, keys: std::ops::Range<i32>) -> Vec<String> {
    for key in keys {
        driver.pipe("stream", key, format!("X{key},F{key}"), i64::from(key)).unwrap();
    }
    driver.read::<i32, String>("out").unwrap().into_iter().map(|result| result.value).collect()
}

fn tell(driver: &mut TestDriver, keys: std::ops::Range<i32>, value: &str) {
    for key in keys {
        driver.pipe("table", format!("F{key}"), format!("{value}{key}"), 1000).unwrap();
    }
}

/// Traps 24 and 31.
#[test]
fn stream_finds_what_the_table_holds_and_the_table_leads_to_nothing() {
    let mut driver = driver_of(false);
    assert_eq!(ask(&mut driver, 0..2), Vec::<String>::new());
    tell(&mut driver, 0..2, "Y");
    assert_eq!(ask(&mut driver, 0..4), ["X0,F0+Y0", "X1,F1+Y1"]);
    tell(&mut driver, 0..4, "YY");
    assert_eq!(ask(&mut driver, 0..4), ["X0,F0+YY0", "X1,F1+YY1", "X2,F2+YY2", "X3,F3+YY3"]);
    for key in 0..2 {
        driver.pipe("table", format!("F{key}"), (), 0).unwrap();
    }
    assert_eq!(ask(&mut driver, 0..4), ["X2,F2+YY2", "X3,F3+YY3"]);
    assert_eq!(driver.counts("joined").errors, 0);
}

#[test]
fn left_join_has_results_where_the_table_holds_nothing() {
    let mut driver = driver_of(true);
    tell(&mut driver, 0..1, "Y");
    assert_eq!(ask(&mut driver, 0..2), ["X0,F0+Y0", "X1,F1+null"]);
}

/// Trap 22.
#[test]
fn record_that_asks_for_nothing_is_left_out_unless_it_has_no_key_and_the_join_is_left() {
    for (is_left, expected) in [(false, vec![]), (true, vec!["Z+null"])] {
        let mut driver = driver_of(is_left);
        driver.pipe("stream", 1_i32, "X", 0).unwrap();
        driver.pipe("stream", 1_i32, (), 0).unwrap();
        driver.pipe("stream", (), "Z", 0).unwrap();
        let results = driver.read::<Option<i32>, String>("out").unwrap();
        let results: Vec<_> = results.iter().map(|result| &*result.value).collect();
        assert_eq!(results, expected);
        let counts = driver.counts("joined");
        assert_eq!((counts.keyless(), counts.valueless), (if is_left { 1 } else { 2 }, 1));
    }
}

/// Trap 22.
#[test]
fn record_without_a_key_that_asks_for_one_finds_it() {
    for is_left in [false, true] {
        let mut driver = driver_of(is_left);
        tell(&mut driver, 0..1, "Y");
        driver.pipe("stream", (), "X,F0", 7).unwrap();
        let results = driver.read::<Option<i32>, String>("out").unwrap();
        assert_eq!((results[0].key, &*results[0].value, results[0].timestamp.0), (None, "X,F0+Y0", 7));
    }
}

#[test]
fn record_of_the_table_without_a_key_is_left_out_and_counted() {
    let mut driver = driver_of(false);
    driver.pipe("table", (), "Y", 0).unwrap();
    tell(&mut driver, 3..4, "Y");
    assert_eq!(driver.counts("table-global").errors, 1);
    let table = driver.store::<String, String>("table-global").unwrap();
    assert_eq!(table, owned(&[("F3", "Y3")]));
}

/// The time of the table is nobody's: it holds nothing up, and makes nothing late.
#[test]
fn time_goes_on_without_the_table() {
    let builder = StreamBuilder::new("t");
    let table = builder.global_table::<Text, Text>("table");
    let stream = builder.stream::<Text, Text>("in").join_global(
        &table,
        |key, _| Some(key.clone()),
        |_, _, right| right.clone(),
    );
    let windows = TimeWindows::tumbling(Duration::from_millis(10));
    stream.group_by_key().windowed_by(windows).on_close().count("counts").to("out");
    let mut driver = driver(&builder);
    driver.pipe("table", "k", "v", 1_000_000).unwrap();
    for time in [1, 2, 10] {
        driver.pipe("in", "k", "x", time).unwrap();
    }
    let counts = driver.read::<Windowed<String>, i64>("out").unwrap();
    assert_eq!(counts.iter().map(|count| count.value).collect::<Vec<_>>(), [2]);
}

#[test]
fn table_is_printed_as_a_part_of_its_own_and_drawn_with_those_who_look_into_it() {
    let topology = topology(false);
    let expected = "\
Topology: t
   Sub-topology: 0
    Source: stream (topics: [stream])
      --> joined
    Processor: joined (stores: [table-global])
      --> out.sink
      <-- stream
    Sink: out.sink (topic: out)
      <-- joined

   Sub-topology: 1 for global store (will not generate tasks)
    Source: table (topics: [table])
      --> table-global
    Processor: table-global (stores: [table-global])
      --> none
      <-- table

";
    assert_eq!(topology.to_string(), expected);
    let dot = topology.to_dot();
    assert!(dot.contains(r#""joined" -> "store table-global" [dir=both, style=dashed];"#), "{dot}");
    assert!(topology.to_mermaid().contains(r#"[("store table-global")]"#));
    let json: serde_json::Value = serde_json::from_str(&topology.to_json()).unwrap();
    assert_eq!(json["sub_topologies"][0]["nodes"][1]["stores"][0], "table-global");
}

#[test]
fn dead_letters_of_a_global_table_are_refused_with_the_name_of_the_source() {
    let builder = StreamBuilder::new("t");
    let input = crate::Input::<Text, Option<i64>>::new().on_bad_record(BadRecords::DeadLetter("bad".into()));
    let table = builder.global_table_with("table", input);
    let stream = builder.stream::<Text, Text>("in");
    stream.join_global(&table, |key, _| Some(key.clone()), |_, _, number| *number).to("out");
    let error = builder.build().unwrap_err();
    assert_eq!(error, TopologyError::GlobalDeadLetters { node: "table".into() });
}
