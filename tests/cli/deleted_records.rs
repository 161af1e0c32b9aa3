//! Records deleted from the command line.

use serde_json::json;

use crate::broker::{Broker, Folder};
use crate::process::{Said, run};

/// A broker with a topic of two partitions, four records in the first and two in the second.
fn broker() -> (Folder, Broker) {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run(&["topic", "create", "orders", "--partitions", "2"]).well();
    broker.run_with(&["produce", "orders", "--partition", "0"], b"a\nb\nc\nd\n").well();
    broker.run_with(&["produce", "orders", "--partition", "1"], b"e\nf\n").well();
    (folder, broker)
}

fn delete(broker: &Broker, args: &[&str]) -> Said {
    broker.run(&[&["topic", "delete-records"], args].concat())
}

/// The first offset of each partition.
fn first(broker: &Broker) -> Vec<i64> {
    let args = ["topic", "offsets", "orders", "--time", "earliest", "--output", "json"];
    let rows: serde_json::Value = serde_json::from_str(&broker.run(&args).well()).unwrap();
    rows.as_array().unwrap().iter().map(|row| row["offset"].as_i64().unwrap()).collect()
}

#[test]
fn records_before_an_offset_are_gone_and_those_behind_it_stay() {
    let (_folder, broker) = broker();
    let said = delete(&broker, &["orders", "0:3", "1:1", "--yes"]).well();
    assert_eq!(said, "orders-0 begins at offset 3\norders-1 begins at offset 1\n");
    assert_eq!(first(&broker), [3, 1]);
    assert_eq!(broker.run(&["consume", "orders", "--exit", "--partition", "0"]).well(), "d\n");
    let said = delete(&broker, &["orders", "0:2", "--yes", "--output", "json"]).well();
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told, json!({ "topic": "orders", "partition": 0, "first_before": 3, "first": 3 }));
}

#[test]
fn all_that_readers_see_is_gone_from_a_partition_or_from_all() {
    let (_folder, broker) = broker();
    delete(&broker, &["orders", "--to-high-watermark", "--partition", "1", "--yes"]).well();
    assert_eq!(first(&broker), [0, 2]);
    delete(&broker, &["orders", "--to-high-watermark", "--yes"]).well();
    assert_eq!(first(&broker), [4, 2]);
}

#[test]
fn a_file_of_kafkas_tool_says_what_goes() {
    let (folder, broker) = broker();
    let text = r#"{"version":1,"partitions":[{"topic":"orders","partition":0,"offset":2},
        {"topic":"orders","partition":1,"offset":-1}]}"#;
    let path = folder.path("delete.json");
    std::fs::write(&path, text).unwrap();
    delete(&broker, &["--from-file", path.to_str().unwrap(), "--yes"]).well();
    assert_eq!(first(&broker), [2, 2]);
    let more = br#"{"partitions":[{"topic":"orders","partition":0,"offset":3}]}"#;
    broker.run_with(&["topic", "delete-records", "--from-file", "-", "--yes"], more).well();
    assert_eq!(first(&broker), [3, 2]);
}

#[test]
fn nothing_goes_without_a_yes() {
    let (_folder, broker) = broker();
    let err = delete(&broker, &["orders", "0:3"]).failed(2);
    assert!(err.contains("nothing was done") && err.contains("--yes"), "{err}");
    assert_eq!(first(&broker), [0, 0]);
}

#[test]
fn nothing_goes_where_one_of_the_offsets_cannot_be() {
    let (_folder, broker) = broker();
    let check = |args: &[&str], what: &str, advice: &str| {
        let err = delete(&broker, &[args, &["--yes"]].concat()).failed(1);
        assert!(err.contains(what) && err.contains(advice), "{err}");
    };
    check(&["orders", "0:2", "1:3"], "orders-1 ends at offset 2, before 3", "--to-high-watermark");
    check(&["orders", "0:2", "7:1"], "orders-7 does not exist", "has 2 partitions");
    check(&["none", "0:2"], "UNKNOWN_TOPIC_OR_PARTITION", "`mainstem topic list`");
    assert_eq!(first(&broker), [0, 0]);
}

#[test]
fn deletions_that_make_no_sense_are_refused_whatever_the_broker_is() {
    let folder = Folder::new();
    let path = folder.path("delete.json");
    std::fs::write(&path, r#"{"partitions":[]}"#).unwrap();
    let check = |args: &[&str], expected: &str| {
        let all = [&["topic", "delete-records", "-b", "127.0.0.1:1", "--yes"], args].concat();
        let err = run(&all).failed(2);
        assert!(err.contains(expected), "{err}");
    };
    check(&["orders"], "PARTITION:OFFSET|--to-high-watermark|--from-file");
    check(&["orders", "5"], "expected PARTITION:OFFSET");
    check(&["orders", "0:-1"], "expected PARTITION:OFFSET");
    check(&["orders", "0:1", "--to-high-watermark"], "cannot be used with");
    check(&["orders", "0:1", "--partition", "1"], "cannot be used with");
    check(&["orders", "--from-file", path.to_str().unwrap()], "cannot be used with");
    check(&["--to-high-watermark"], "<TOPIC>");
    check(&["--from-file", path.to_str().unwrap()], "there are no partitions in it");
    check(&["--from-file", "/no/such/file"], "cannot be read");
}
