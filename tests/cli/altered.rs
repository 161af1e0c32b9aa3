//! Topics altered from the command line, and their offsets.

use crate::broker::{Broker, Folder};
use crate::process::run;

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

fn rows(text: &str) -> Vec<Vec<String>> {
    let table = text.lines().skip(1).take_while(|line| !line.is_empty());
    table
        .map(|line| {
            line.split("  ").filter(|cell| !cell.is_empty()).map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

#[test]
fn what_would_change_is_shown_before_and_what_changed_after() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run(&["topic", "create", "logs", "--partitions", "2", "--config", "segment.ms=5000"]).well();
    let alter = ["topic", "alter", "logs", "-p", "3", "-c", "retention.ms=1000", "-d", "segment.ms"];
    let preview = broker.run(&[&alter[..], &["--dry-run"]].concat()).well();
    assert_eq!(
        rows(&preview),
        [
            ["partitions", "2", "3"],
            ["retention.ms", "604800000 (default)", "1000"],
            ["segment.ms", "5000", "the default"],
        ]
    );
    assert!(preview.ends_with("\nnothing has changed: without --dry-run this alters logs\n"), "{preview}");
    let described = || json(&broker.run(&["topic", "describe", "logs", "--output", "json"]).well());
    assert_eq!(described()["partitions"].as_array().unwrap().len(), 2);
    assert_eq!(described()["settings"]["segment.ms"]["value"], "5000");

    let done = broker.run(&alter).well();
    assert_eq!(rows(&done)[2], ["segment.ms", "5000", "604800000 (default)"]);
    assert!(done.ends_with("\naltered logs\n"), "{done}");
    assert_eq!(described()["partitions"].as_array().unwrap().len(), 3);
    assert_eq!(described()["settings"]["retention.ms"]["value"], "1000");
    broker.run_with(&["produce", "logs", "--partition", "2"], b"one\n").well();

    let durable = ["topic", "alter", "logs", "--durability", "os", "--output", "json"];
    let altered = json(&broker.run(&durable).well());
    let expected = serde_json::json!({
        "topic": "logs", "altered": true, "partitions": null,
        "settings": { "flush.messages": {
            "before": { "value": "1", "own": true },
            "after": { "value": "9223372036854775807", "own": true },
        } },
    });
    assert_eq!(altered, expected);
}

#[test]
fn alterations_that_cannot_be_are_told_with_what_to_do_and_change_nothing() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run(&["topic", "create", "logs", "--partitions", "2"]).well();
    let check = |args: &[&str], code: &str, advice: &str| {
        let err = broker.run(&[&["topic", "alter"], args].concat()).failed(1);
        assert!(err.contains(code) && err.contains(advice), "{err}");
    };
    check(&["logs", "-p", "2"], "INVALID_PARTITIONS", "`mainstem topic describe logs`");
    check(&["logs", "-c", "retention.m=1"], "INVALID_CONFIG", "did you mean retention.ms?");
    check(&["logs", "-c", "retention.ms=soon"], "cannot be soon: -1, or a whole number", "docs/settings.md");
    check(&["none", "-p", "2"], "UNKNOWN_TOPIC_OR_PARTITION", "`mainstem topic list`");
    check(
        &["__consumer_offsets", "-p", "400"],
        "INVALID_TOPIC_EXCEPTION",
        "keep the partitions that they have",
    );
    let unknown = "mainstem: topic logs has no setting";
    check(
        &["logs", "-d", "retention.mss"],
        &format!("{unknown} retention.mss"),
        "did you mean retention.ms?",
    );
    check(
        &["logs", "-d", "nosuch", "-c", "retention.ms=1"],
        &format!("{unknown} nosuch"),
        "docs/settings.md",
    );
    // The one that could be is not done without the one that cannot.
    check(&["logs", "-p", "2", "-c", "retention.ms=1"], "INVALID_PARTITIONS", "only become more");
    let described = json(&broker.run(&["topic", "describe", "logs", "--output", "json"]).well());
    assert_eq!(described["settings"]["retention.ms"]["own"], false);
}

#[test]
fn what_an_alteration_brings_about_is_told() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run(&["topic", "create", "logs"]).well();
    let alter = |topic: &str, setting: &str| {
        let said = broker.run(&["topic", "alter", topic, "-c", setting]);
        let err = said.err.clone();
        said.well();
        err
    };
    let keyless = "records without keys are refused from then on";
    assert!(alter("logs", "cleanup.policy=compact").contains(keyless));
    assert_eq!(alter("logs", "cleanup.policy=compact,delete"), "");
    broker.run_with(&["produce", "logs"], b"without\n").failed(1);
    broker.run_with(&["produce", "logs", "--key-separator", ":"], b"with:one\n").well();
    broker.run(&["consume", "logs", "--group", "readers", "--count", "1"]).well();
    let own = alter("__consumer_offsets", "segment.bytes=1048576");
    assert!(own.starts_with("mainstem: __consumer_offsets is the broker's own topic"), "{own}");
}

#[test]
fn alterations_that_make_no_sense_are_refused_whatever_the_broker_is() {
    let check = |args: &[&str], expected: &str| {
        let err = run(&[&["topic", "alter", "logs", "-b", "127.0.0.1:1"], args].concat()).failed(2);
        assert!(err.contains(expected), "{err}");
    };
    check(&[], "--partitions <N>|--durability <DURABILITY>|--config <NAME=VALUE>|--delete-config <NAME>");
    check(&["--dry-run"], "required");
    check(&["-p", "0"], "expected a whole number from 1");
    check(&["-c", "retention.ms"], "expected NAME=VALUE");
    check(&["-d", "retention.ms=5"], "--config sets one");
    check(&["-c", "retention.ms=5", "-d", "retention.ms"], "retention.ms is to be changed twice");
    check(
        &["-c", "flush.messages=5", "--durability", "os"],
        "flush.messages is to be changed twice; --durability",
    );
}

#[test]
fn offsets_are_the_first_the_last_or_those_of_a_time() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run(&["topic", "create", "logs", "--partitions", "2"]).well();
    broker.run(&["topic", "create", "other"]).well();
    broker.run_with(&["produce", "logs", "--partition", "1"], b"one\ntwo\n").well();
    let offsets = |args: &[&str]| {
        let shown = broker.run(&[&["topic", "offsets"], args, &["--output", "json"]].concat()).well();
        let rows = json(&shown);
        let offset = |row: &serde_json::Value| {
            (
                row["topic"].as_str().unwrap().to_owned(),
                row["partition"].as_i64().unwrap(),
                row["offset"].as_i64(),
            )
        };
        rows.as_array().unwrap().iter().map(offset).collect::<Vec<_>>()
    };
    let logs = |partition: i64, offset| ("logs".to_owned(), partition, offset);
    assert_eq!(offsets(&["logs"]), [logs(0, Some(0)), logs(1, Some(2))]);
    assert_eq!(offsets(&["logs", "--time", "-2"]), [logs(0, Some(0)), logs(1, Some(0))]);
    assert_eq!(offsets(&["logs", "--time", "15m"]), [logs(0, None), logs(1, Some(0))]);
    assert_eq!(offsets(&["logs", "--time", "max-timestamp", "--partition", "0"]), [logs(0, None)]);
    assert_eq!(offsets(&["logs", "--time", "2100-01-01"]), [logs(0, None), logs(1, None)]);
    assert_eq!(offsets(&["logs", "--time", "1000"])[1], logs(1, Some(0)));
    assert_eq!(offsets(&[]).len(), 3);
    assert_eq!(offsets(&["other", "logs"]).len(), 3);
    let shown = broker.run(&["topic", "offsets", "logs", "--time", "max-timestamp"]).well();
    assert_eq!(rows(&shown)[0], ["logs", "0", "-", "-"]);
    assert!(rows(&shown)[1][3].ends_with('Z'), "{shown}");
    let err = broker.run(&["topic", "offsets", "logs", "--partition", "7"]).failed(1);
    assert!(err.contains("topic logs has no partition 7") && err.contains("0 to 1"), "{err}");
    assert!(broker.run(&["topic", "offsets", "none"]).failed(1).contains("`mainstem topic list`"));
    let err = run(&["topic", "offsets", "logs", "--time", "yesterday"]).failed(2);
    assert!(err.contains("expected earliest, latest, max-timestamp, a time such as"), "{err}");
}
