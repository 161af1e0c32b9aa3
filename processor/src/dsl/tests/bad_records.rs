//! What becomes of records that do not parse.

use super::*;

/// Adds one to numbers; the topic has two partitions.
fn adding(bad_records: Option<BadRecords>) -> TestDriver {
    let builder = StreamBuilder::new("t");
    let input = bad_records.map_or_else(Input::new, |bad| Input::new().on_bad_record(bad));
    let numbers = builder.stream_with::<Text, i64>("numbers", input.named("reader"));
    numbers.map_values(|number| number + 1).to("out");
    TestDriver::with_partitions(&builder.build().unwrap(), &[("numbers", 2)]).unwrap()
}

fn number(driver: &mut TestDriver, number: i64) {
    let record = TestRecord::new("k", number, 0).partition(1);
    driver.pipe_record("numbers", &record).unwrap();
}

/// Two good records, and then one whose value is four bytes.
fn pipe_bad(driver: &mut TestDriver) -> Result<(), TestError> {
    number(driver, 1);
    number(driver, 2);
    let headers = Headers::new([(&b"trace"[..], Some(&b"7"[..]))]).unwrap();
    let record = TestRecord { headers, ..TestRecord::new("key", "four", 42).partition(1) };
    driver.pipe_record("numbers", &record)
}

fn numbers(driver: &mut TestDriver) -> Vec<i64> {
    read::<Text, i64>(driver, "out").into_iter().map(|(_, number)| number).collect()
}

#[test]
fn task_fails_unless_said_otherwise_and_names_topic_partition_and_offset() {
    for bad_records in [None, Some(BadRecords::Fail)] {
        let error = pipe_bad(&mut adding(bad_records)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "node reader: value in topic numbers partition 1 at offset 2 does not parse: \
             4 bytes are not an integer of 64 bits, which has 8"
        );
        let TestError::Node { error: NodeError::Malformed(record), .. } = error else { panic!("{error:?}") };
        assert_eq!((&*record.partition.topic, record.partition.partition.0), ("numbers", 1));
        assert_eq!((record.offset.0, record.part), (2, "value"));
    }
}

#[test]
fn key_that_does_not_parse_is_named_as_the_key() {
    let mut driver = adding(None);
    let record = TestRecord::new(Bytes::from_static(b"\xff"), 1_i64, 0).partition(0);
    let error = driver.pipe_record("numbers", &record).unwrap_err();
    assert_eq!(
        error.to_string(),
        "node reader: key in topic numbers partition 0 at offset 0 does not parse: \
         text is not UTF-8 from byte 0 on"
    );
}

#[test]
fn null_where_something_is_needed_does_not_parse() {
    let error = adding(None).pipe("numbers", "k", (), 0).unwrap_err().to_string();
    assert!(error.ends_with("null is not an integer of 64 bits; read it as an Option"), "{error}");
}

#[test]
fn skipped_records_are_counted_and_those_around_them_go_on() {
    let mut driver = adding(Some(BadRecords::Skip));
    pipe_bad(&mut driver).unwrap();
    number(&mut driver, 3);
    assert_eq!(numbers(&mut driver), [2, 3, 4]);
    let counts = driver.counts("reader");
    assert_eq!((counts.records_in, counts.records_out, counts.errors), (4, 3, 1));
    assert_eq!((counts.skipped, counts.dead_lettered, counts.keyless()), (1, 0, 0));
}

#[test]
fn dead_letter_is_the_record_as_it_came_with_six_headers_behind_its_own() {
    let mut driver = adding(Some(BadRecords::DeadLetter("dead".into())));
    pipe_bad(&mut driver).unwrap();
    number(&mut driver, 3);
    assert_eq!(numbers(&mut driver), [2, 3, 4]);
    let dead = driver.read::<Raw, Raw>("dead").unwrap();
    let [record] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!((record.key.as_deref(), record.value.as_deref()), (Some(&b"key"[..]), Some(&b"four"[..])));
    assert_eq!(record.timestamp.0, 42);
    let message = "value does not parse: 4 bytes are not an integer of 64 bits, which has 8";
    let expected: [(&str, &str); 7] = [
        ("trace", "7"),
        ("__streams.errors.exception", "DeserializationException"),
        ("__streams.errors.message", message),
        ("__streams.errors.topic", "numbers"),
        ("__streams.errors.partition", "1"),
        ("__streams.errors.offset", "2"),
        ("__streams.errors.node", "reader"),
    ];
    let expected = expected.map(|(name, value)| (name.as_bytes(), Some(value.as_bytes())));
    assert_eq!(record.headers, Headers::new(expected).unwrap());
    let counts = driver.counts("reader");
    assert_eq!((counts.errors, counts.skipped, counts.dead_lettered), (1, 0, 1));
}

#[test]
fn dead_letter_with_neither_key_nor_value_comes_as_null() {
    let mut driver = adding(Some(BadRecords::DeadLetter("dead".into())));
    driver.pipe("numbers", (), (), 7).unwrap();
    let dead = driver.read::<Raw, Raw>("dead").unwrap();
    assert_eq!((dead.len(), &dead[0].key, &dead[0].value), (1, &None, &None));
    let message = dead[0].header("__streams.errors.message").unwrap();
    assert_eq!(message, "key does not parse: null is not text; read it as an Option");
}

#[test]
fn bad_record_does_not_move_time() {
    let builder = StreamBuilder::new("t");
    let input = Input::<Text, i64>::new().on_bad_record(BadRecords::Skip);
    let grouped = builder.stream_with("in", input).group_by_key();
    let windowed = grouped.windowed_by(TimeWindows::tumbling(Duration::from_millis(10))).on_close();
    windowed.count("counts").to("out");
    let mut driver = driver(&builder);
    driver.pipe("in", "k", 1_i64, 5).unwrap();
    driver.pipe("in", "k", "bad", 1000).unwrap();
    driver.pipe("in", "k", 1_i64, 6).unwrap();
    assert_eq!(driver.counts("counts").late, 0);
    assert_eq!(read::<Windowed<Text>, i64>(&mut driver, "out"), []);
    driver.finish().unwrap();
    assert_eq!(read::<Windowed<Text>, i64>(&mut driver, "out")[0].1, 2);
}
