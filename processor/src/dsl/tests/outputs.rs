//! Where streams end: topics that records choose, partitions that programs choose, and things done with records.

use std::{
    io,
    sync::{Arc, Mutex},
};

use mainstem_client::PartitionId;

use super::*;

#[test]
fn each_record_goes_to_the_topic_that_it_chooses() {
    let builder = StreamBuilder::new("t");
    let records = builder.stream::<Text, Text>("in");
    records.to_topics("chosen", |key, value, headers| {
        let is_traced = headers.iter().any(|(name, _)| name == "trace");
        Text::from(format!("{key}-{value}-{is_traced}"))
    });
    let mut driver = driver(&builder);
    let headers = Headers::new([(&b"trace"[..], None)]).unwrap();
    driver.pipe_record("in", &TestRecord { headers, ..TestRecord::new("a", "x", 7) }).unwrap();
    driver.pipe("in", "b", "y", 8).unwrap();
    assert_eq!(texts(&mut driver, "a-x-true"), owned(&[("a", "x")]));
    assert_eq!(driver.read::<Text, Text>("b-y-false").unwrap()[0].timestamp.0, 8);
    assert_eq!(driver.counts("chosen").records_out, 2);
}

#[test]
fn sink_of_chosen_topics_is_described_as_one() {
    let builder = StreamBuilder::new("t");
    builder.stream::<Text, Text>("in").to_topics("chosen", |key, _, _| key.clone());
    let topology = builder.build().unwrap();
    let text = topology.to_string();
    assert!(text.contains("    Sink: chosen (topics: chosen by each record)\n      <-- in\n"), "{text}");
    assert!(topology.to_json().contains(r#"{"name":"chosen","kind":"sink","stores":[]"#));
    assert!(topology.to_dot().contains(r#""in" -> "chosen""#));
}

#[test]
fn partition_is_the_one_that_the_output_chooses() {
    let builder = StreamBuilder::new("t");
    let by_length =
        Output::new().named("by-length").partition_by(|_, value: &Text| PartitionId(value.len() as i32));
    builder.stream::<Text, Text>("in").to_with("out", by_length);
    let topology = builder.build().unwrap();
    assert!(topology.nodes().iter().any(|node| node.name == "by-length"));
    let mut driver = TestDriver::with_partitions(&topology, &[("out", 4)]).unwrap();
    pipe(&mut driver, &[("k", "abc"), ("k", "")]);
    let partitions = driver.read::<Text, Text>("out").unwrap().into_iter().map(|record| record.partition);
    assert_eq!(partitions.collect::<Vec<_>>(), [Some(3), Some(0)]);
}

#[test]
fn output_without_more_is_as_to() {
    let builder = StreamBuilder::new("t");
    builder.stream::<Text, Text>("in").to_with("out", Output::new());
    let mut driver = driver(&builder);
    pipe(&mut driver, &[("a", "1")]);
    assert_eq!(texts(&mut driver, "out"), owned(&[("a", "1")]));
}

#[test]
fn for_each_sees_each_record_where_the_stream_ends() {
    let (sender, seen) = std::sync::mpsc::sync_channel(2);
    let builder = StreamBuilder::new("t");
    let records = builder.stream::<Text, Text>("in");
    records.for_each(move |key, value| sender.try_send(format!("{key}={value}")).unwrap());
    let mut driver = driver(&builder);
    pipe(&mut driver, &[("a", "1"), ("b", "2")]);
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
}

/// What is written to it can be looked at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn printed_records_have_a_label() {
    let (builder, lines) = (StreamBuilder::new("t"), Shared::default());
    builder.stream::<String, i64>("in").print_to(lines.clone(), "numbers");
    let mut driver = driver(&builder);
    driver.pipe("in", "a", 1_i64, 0).unwrap();
    assert_eq!(lines.0.lock().unwrap().as_slice(), b"[numbers]: \"a\", 1\n");
}
