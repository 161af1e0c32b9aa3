//! Topics from the command line.

use crate::broker::{Broker, Folder};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_topic_is_created_listed_described_and_deleted() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    let empty = broker.run(&["topic", "list"]).well();
    assert_eq!(empty, "there are no topics yet; `mainstem topic create TOPIC` makes one\n");
    let create = ["topic", "create", "logs", "--partitions", "3", "--config", "retention.ms=1000"];
    assert_eq!(broker.run(&create).well(), "created logs with 3 partitions\n");
    assert_eq!(broker.run(&["topic", "list"]).well(), "TOPIC  PARTITIONS\nlogs   3\n");
    let described = json(&broker.run(&["topic", "describe", "logs", "--output", "json"]).well());
    assert_eq!(described["partitions"].as_array().unwrap().len(), 3);
    broker.run_with(&["produce", "logs", "--partition", "1"], b"one\ntwo\n").well();
    let grown = json(&broker.run(&["topic", "describe", "logs", "--output", "json"]).well());
    let partition = &grown["partitions"][1];
    assert_eq!((&partition["earliest"], &partition["latest"]), (&0.into(), &2.into()));
    assert!(
        partition["bytes"].as_u64().unwrap() > grown["partitions"][0]["bytes"].as_u64().unwrap(),
        "{grown}"
    );
    let own = serde_json::json!({ "value": "1000", "own": true, "fixed": false });
    assert_eq!(described["settings"]["retention.ms"], own);
    let shown = broker.run(&["topic", "describe", "logs"]).well();
    let flush = shown.lines().find(|line| line.starts_with("flush.messages")).unwrap();
    assert!(flush.ends_with("  topic"), "{shown}");
    assert_eq!(broker.run(&["topic", "delete", "logs"]).well(), "deleted logs\n");
    assert_eq!(json(&broker.run(&["topic", "list", "--output", "json"]).well()), serde_json::json!([]));
}

#[test]
fn durability_is_the_topics_own_setting() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &["--durability", "os"]);
    let flush = |topic: &str| {
        let described = json(&broker.run(&["topic", "describe", topic, "--output", "json"]).well());
        described["settings"]["flush.messages"]["value"].as_str().unwrap().to_owned()
    };
    broker.run(&["topic", "create", "plain"]).well();
    broker.run(&["topic", "create", "safe", "--durability", "fsync"]).well();
    assert_eq!(flush("plain"), "9223372036854775807");
    assert_eq!(flush("safe"), "1");
}

#[test]
fn what_a_broker_refuses_is_told_with_what_to_do() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run(&["topic", "create", "logs"]).well();
    let check = |args: &[&str], code: &str, advice: &str| {
        let err = broker.run(args).failed(1);
        assert!(err.contains(code) && err.contains(advice), "{err}");
    };
    check(&["topic", "create", "logs"], "TOPIC_ALREADY_EXISTS", "`mainstem topic describe TOPIC`");
    check(&["topic", "create", "a b"], "INVALID_TOPIC_EXCEPTION", "letters, digits, dots");
    check(&["topic", "create", "x", "--config", "no.such=1"], "INVALID_CONFIG", "docs/settings.md");
    check(
        &["topic", "create", "x", "--config", "retention.m=1"],
        "INVALID_CONFIG",
        "did you mean retention.ms?",
    );
    check(
        &["topic", "create", "x", "--partitions", "1000000"],
        "INVALID_PARTITIONS",
        "at most 100000 partitions",
    );
    check(&["topic", "delete", "__consumer_offsets"], "internal topics", "offsets.retention.minutes");
    check(&["topic", "describe", "none"], "UNKNOWN_TOPIC_OR_PARTITION", "`mainstem topic list`");
    check(&["topic", "delete", "none"], "UNKNOWN_TOPIC_OR_PARTITION", "`mainstem topic list`");
}
