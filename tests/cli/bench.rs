//! `mainstem bench`: that it measures what it says, not how fast anything is.

use crate::broker::{Broker, Folder};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

/// Quantiles rise, and there is something to tell.
#[track_caller]
fn assert_latencies(latencies: &serde_json::Value) {
    let names = ["min", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
    let values: Vec<f64> = names.iter().map(|name| latencies[name].as_f64().unwrap()).collect();
    assert!(values.is_sorted() && values[6] > 0.0, "{latencies}");
}

#[test]
fn what_is_produced_is_what_is_consumed() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    let produce = ["bench", "produce", "load", "--records", "5000", "--size", "200", "--partitions", "3"];
    let more = ["--warm-up", "0s", "--compression", "lz4", "--output", "json"];
    let said = broker.run(&[&produce[..], &more].concat());
    assert_eq!(said.err, "", "a bar is for terminals alone");
    let produced = json(&said.well());
    assert_eq!((&produced["records"], &produced["bytes"]), (&5000.into(), &1_000_000.into()));
    assert_eq!((&produced["partitions"], &produced["rate"]), (&3.into(), &serde_json::Value::Null));
    assert_latencies(&produced["acknowledged_ms"]);
    let consumed = json(&broker.run(&["bench", "consume", "load", "--output", "json"]).well());
    assert_eq!((&consumed["records"], &consumed["bytes"]), (&5000.into(), &1_000_000.into()));
    assert_latencies(&consumed["poll_ms"]);
    let (producer, consumer) = (&produced["client"], &consumed["client"]);
    let number = |of: &serde_json::Value, name: &str| of[name].as_f64().unwrap();
    let records = number(producer, "batches") * number(producer, "records_per_batch");
    assert_eq!(records.round(), 5000.0);
    assert!(number(producer, "request_ms") > 0.0 && number(producer, "requests") >= 1.0);
    assert_eq!((&producer["retries"], &consumer["retries"]), (&0.into(), &0.into()));
    // Names of a log compress, and what comes back is what was sent.
    assert!(number(consumer, "bytes_received") >= number(producer, "bytes_sent") * 0.9);
    assert_eq!((&consumer["api"], &consumer["batches"]), (&"Fetch".into(), &serde_json::Value::Null));
}

#[test]
fn a_warm_up_is_sent_and_not_measured() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    let produce = ["bench", "produce", "--rate", "1000", "--records", "100", "--warm-up", "200ms"];
    let produced = json(&broker.run(&[&produce[..], &["--output", "json"]].concat()).well());
    assert_eq!((&produced["records"], &produced["rate"]), (&100.into(), &1000.into()));
    let described = json(&broker.run(&["topic", "describe", "bench", "--output", "json"]).well());
    assert_eq!(described["partitions"][0]["latest"], 300);
}

#[test]
fn every_measured_record_comes_back_to_the_reader() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    let latency = ["bench", "latency", "--rate", "2000", "--duration", "500ms", "--warm-up", "100ms"];
    let measured = json(&broker.run(&[&latency[..], &["--output", "json"]].concat()).well());
    assert_eq!((&measured["records"], &measured["linger_ms"]), (&1000.into(), &0.into()));
    assert_latencies(&measured["acknowledged_ms"]);
    assert_latencies(&measured["delivered_ms"]);
}

#[test]
fn people_get_tables() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    let produce = ["bench", "produce", "--records", "1000", "--warm-up", "0s"];
    let shown = broker.run(&produce).well();
    let title = "produced to bench, 1 partition: records of 100 bytes, acks all, compression none, as fast as it goes";
    assert_eq!(shown.lines().next(), Some(title));
    assert!(shown.contains("RECORDS  SECONDS") && shown.contains("MILLISECONDS  P50"), "{shown}");
    let client = shown.lines().rev().nth(1).unwrap();
    assert!(client.starts_with("CLIENT") && client.contains("RECORDS/BATCH"), "{shown}");
}

#[test]
fn what_cannot_be_measured_is_told() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run(&["topic", "create", "there"]).well();
    let check = |args: &[&str], code: i32, expected: &str| {
        let err = broker.run(args).failed(code);
        assert!(err.contains(expected), "{err}");
    };
    check(
        &["bench", "consume", "there"],
        1,
        "there are no records in there\n  `mainstem bench produce there`",
    );
    check(&["bench", "produce", "there", "--partitions", "2"], 1, "there exists with 1 partition\n");
    check(&["bench", "produce", "--rate", "0"], 2, "expected records per second, a whole number from 1");
    check(
        &["bench", "produce", "--duration", "10"],
        2,
        "expected a length of time, such as 500ms, 30s or 2m",
    );
    for command in ["produce", "latency", "consume"] {
        check(&["bench", command, "--duration", "-5s"], 2, "expected a length of time, such as 500ms");
        check(&["bench", command, "--duration", "0s"], 2, "expected a length of time above zero, such as");
        check(&["bench", command, "--records", "-1"], 2, "expected a whole number from 1 on");
    }
    check(&["bench", "produce", "--size", "-1"], 2, "-1 is not in 0..=67108864");
    check(&["bench", "produce", "--batch-bytes", "-1"], 2, "-1 is not in 1..=67108864");
    check(&["bench", "produce", "--rate", "-1"], 2, "expected records per second");
    check(&["bench", "produce", "--linger", "-5ms"], 2, "expected a length of time, such as 500ms");
    check(&["bench", "latency", "--warm-up", "-1s"], 2, "expected a length of time, such as 500ms");
    check(&["bench", "latency", "--records", "5", "--duration", "1s"], 2, "cannot be used with");
}

/// Ten minutes are more than any command of these tests is given.
#[test]
fn the_first_record_that_fails_ends_it_whatever_the_duration() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run(&["topic", "create", "small", "--config", "max.message.bytes=1000"]).well();
    for command in ["produce", "latency"] {
        let args = ["bench", command, "small", "--size", "5000", "--rate", "10", "--duration", "10m"];
        let err = broker.run(&args).failed(1);
        assert!(err.contains("MESSAGE_TOO_LARGE"), "{err}");
    }
}
