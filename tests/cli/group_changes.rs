//! Groups reset and deleted from the command line.

use std::io::{BufRead, BufReader, Write};
use std::process::Child;

use crate::broker::{Broker, Folder};
use crate::process::{mainstem, piped};

/// A broker with ten records in one partition of a topic, and a group that has read four of them.
fn broker(folder: &Folder) -> Broker {
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run_with(&["produce", "logs"], b"0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n").well();
    broker.run(&["consume", "logs", "--group", "readers", "--count", "4"]).well();
    broker
}

fn reset(broker: &Broker, args: &[&str]) -> String {
    broker.run(&[&["group", "reset", "readers"], args].concat()).well()
}

/// What the group has committed.
fn committed(broker: &Broker) -> serde_json::Value {
    let described = broker.run(&["group", "describe", "readers", "--output", "json"]).well();
    serde_json::from_str::<serde_json::Value>(&described).unwrap()["partitions"][0]["committed"].clone()
}

/// A member of the group that has read a record.
fn reader(broker: &Broker) -> Child {
    let mut reader = piped(mainstem(&["consume", "logs", "--group", "readers", "-b", &broker.kafka]));
    BufReader::new(reader.stdout.as_mut().unwrap()).lines().next().unwrap().unwrap();
    reader
}

#[test]
fn a_reset_is_shown_before_it_is_made() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let shown = reset(&broker, &["--topic", "logs", "--to-earliest"]);
    let expected = "TOPIC  PARTITION  CURRENT  NEW  DIFFERENCE\n\
                    logs   0          4        0    -4\n\n\
                    nothing has changed: --execute sets these offsets of readers\n";
    assert_eq!(shown, expected);
    assert_eq!(committed(&broker), 4);
    let done = reset(&broker, &["--topic", "logs", "--to-earliest", "--execute"]);
    assert!(done.ends_with("\n\ngroup readers reads on at these offsets\n"), "{done}");
    assert_eq!(committed(&broker), 0);
    let read = broker.run(&["consume", "logs", "--group", "readers", "--count", "1"]).well();
    assert_eq!(read, "0\n");
}

#[test]
fn a_group_is_reset_to_each_kind_of_place() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let check = |args: &[&str], expected: i64| {
        reset(&broker, &[&["--all-topics", "--execute"], args].concat());
        assert_eq!(committed(&broker), expected, "{args:?}");
    };
    check(&["--to-latest"], 10);
    check(&["--shift-by", "-3"], 7);
    check(&["--shift-by", "2"], 9);
    check(&["--to-offset", "5"], 5);
    check(&["--to-current"], 5);
    check(&["--by-duration", "1h"], 0);
    check(&["--to-time", "32503680000000"], 10);
    check(&["--by-duration", "P1DT2H"], 0);
    check(&["--to-time", "2999-01-01T00:00:00Z"], 10);
    check(&["--to-time", "2001-01-01"], 0);
}

#[test]
fn offsets_that_the_log_does_not_have_are_told() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let said =
        broker.run(&["group", "reset", "readers", "--topic", "logs:0", "--to-offset", "99", "--execute"]);
    assert_eq!(said.err, "mainstem: logs-0 ends at offset 10, which is as near to 99 as there is\n");
    said.well();
    assert_eq!(committed(&broker), 10);
}

#[test]
fn offsets_are_exported_and_read_back() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let exported = reset(&broker, &["--all-topics", "--to-current", "--export"]);
    assert_eq!(exported, "logs,0,4\n");
    let file = folder.path("offsets.csv");
    std::fs::File::create(&file).unwrap().write_all(exported.as_bytes()).unwrap();
    reset(&broker, &["--all-topics", "--to-latest", "--execute"]);
    let file = file.to_str().unwrap();
    let json = reset(&broker, &["--from-file", file, "--execute", "--output", "json"]);
    let expected = serde_json::json!({ "group": "readers", "executed": true, "partitions": [{
        "topic": "logs", "partition": 0, "current": 10, "new": 4, "difference": -6, "asked": null,
    }]});
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), expected);
    let stdin = broker.run_with(&["group", "reset", "readers", "--from-file", "-"], b"logs,0,oops\n");
    let expected = "mainstem: -: line 1: expected TOPIC,PARTITION,OFFSET, such as orders,0,1000, and not \"logs,0,oops\"\n";
    assert_eq!(stdin.failed(2), expected);
}

#[test]
fn a_file_that_names_what_is_not_there_is_refused_at_once() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let check = |line: &[u8], expected: &str| {
        let err = broker.run_with(&["group", "reset", "readers", "--from-file", "-"], line).failed(1);
        assert!(err.contains(expected), "{err}");
    };
    check(b"logs,0,1\nnosuch,0,1\n", "UNKNOWN_TOPIC_OR_PARTITION");
    check(b"logs,7,1\n", "logs-7 does not exist: the topic has 1 partition");
}

#[test]
fn a_group_that_is_not_there_yet_is_told_to_become() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let args = ["group", "reset", "raeders", "--topic", "logs", "--to-current"];
    let expected = "mainstem: there is no group raeders yet: this creates it\n\
                    mainstem: the group has committed no offset for logs-0: its end is taken, 10\n";
    let preview = broker.run(&args);
    assert_eq!(preview.err, expected);
    assert!(preview.well().contains("logs   0          -        10   -"));
    let executed = broker.run(&[&args[..], &["--execute"]].concat());
    assert_eq!(executed.err, expected);
    executed.well();
    assert_eq!(broker.run(&args).err, "");
}

#[test]
fn a_static_member_that_is_away_is_told_from_one_that_reads() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let modern = ["consume", "logs", "--group", "readers", "--group-protocol", "consumer", "--count", "1"];
    broker.run(&[&modern[..], &["--instance-id", "i1"]].concat()).well();
    let described = broker.run(&["group", "describe", "readers"]).well();
    assert!(described.contains("PARTITIONS  INSTANCE   MEMBER\n"), "{described}");
    assert!(described.contains("  i1 (away)  "), "{described}");
    let json = broker.run(&["group", "describe", "readers", "--output", "json"]).well();
    assert!(json.contains("\"instance\":\"i1\",\"away\":true"), "{json}");
    let away = "\n  static member i1 is away and leaves within its session timeout: ";
    let err = broker.run(&["group", "delete", "readers"]).failed(1);
    assert!(err.ends_with(&format!("{away}it can be deleted after that\n")), "{err}");
    let err =
        broker.run(&["group", "reset", "readers", "--all-topics", "--to-latest", "--execute"]).failed(1);
    assert!(err.ends_with(&format!("{away}its offsets can be set after that\n")), "{err}");
}

#[test]
fn a_group_with_members_is_not_reset() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let mut reader = reader(&broker);
    let preview = broker.run(&["group", "reset", "readers", "--topic", "logs", "--to-earliest"]);
    assert!(
        preview.err.contains("has members, which have to leave before --execute: mainstem at "),
        "{preview:?}"
    );
    preview.well();
    let err =
        broker.run(&["group", "reset", "readers", "--topic", "logs", "--to-earliest", "--execute"]).failed(1);
    assert!(
        err.starts_with("mainstem: group readers has members: mainstem at 127.0.0.1 (mainstem-"),
        "{err}"
    );
    assert!(err.ends_with("\n  stop them first: its offsets can be set when they have left\n"), "{err}");
    reader.kill().unwrap();
    reader.wait().unwrap();
}

#[test]
fn groups_are_deleted_once_their_members_have_left() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let mut reader = reader(&broker);
    let err = broker.run(&["group", "delete", "readers"]).failed(1);
    assert!(
        err.starts_with("mainstem: group readers has members: mainstem at 127.0.0.1 (mainstem-"),
        "{err}"
    );
    assert!(err.ends_with("\n  stop them first: it can be deleted when they have left\n"), "{err}");
    let interrupted =
        std::process::Command::new("kill").args(["-s", "INT", &reader.id().to_string()]).status();
    assert!(interrupted.unwrap().success() && reader.wait().unwrap().success());
    assert_eq!(broker.run(&["group", "delete", "readers"]).well(), "deleted readers\n");
    let err = broker.run(&["group", "delete", "readers"]).failed(1);
    assert_eq!(err, "mainstem: there is no group readers\n  `mainstem group list` shows what there is\n");
}

#[test]
fn members_may_be_static_and_choose_who_shares_out_the_partitions() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let consume = |more: &[&str]| {
        let args = [&["consume", "logs", "--group", "others", "--exit", "--count", "2"], more].concat();
        broker.run(&args)
    };
    assert_eq!(consume(&["--instance-id", "one", "--assignor", "cooperative-sticky"]).well(), "0\n1\n");
    assert_eq!(consume(&["--instance-id", "one", "--assignor", "cooperative-sticky"]).well(), "2\n3\n");
    let err = consume(&["--assignor", "uniform"]).failed(2);
    assert!(err.starts_with("mainstem: there is no assignor uniform\n"), "{err}");
    let err = broker.run(&["consume", "logs", "--assignor", "range"]).failed(2);
    assert!(err.contains("--group"), "{err}");
    let modern = ["consume", "logs", "--group", "modern", "--group-protocol", "consumer", "--count", "2"];
    assert_eq!(broker.run(&modern).well(), "0\n1\n");
    let described = broker.run(&["group", "describe", "modern", "--output", "json"]).well();
    assert!(described.contains("\"type\":\"consumer\""), "{described}");
}

#[test]
fn what_cannot_be_reset_is_named() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let check = |args: &[&str], code: i32, expected: &str| {
        let err = broker.run(&[&["group", "reset"], args].concat()).failed(code);
        assert!(err.contains(expected), "{args:?}: {err}");
    };
    check(&["nobody", "--all-topics", "--to-earliest"], 1, "group nobody has committed no offsets");
    check(
        &["readers", "--topic", "logs:0,7", "--to-earliest"],
        1,
        "logs-7 does not exist: the topic has 1 partition",
    );
    check(&["readers", "--topic", "nowhere", "--to-earliest"], 1, "nowhere");
    check(&["nobody", "--topic", "logs", "--shift-by", "1"], 1, "has committed no offset for logs-0");
    check(&["readers", "--to-earliest"], 2, "--all-topics");
    check(&["readers", "--all-topics"], 2, "--to-earliest");
    check(&["readers", "--all-topics", "--to-earliest", "--to-latest"], 2, "cannot be used with");
    check(&["readers", "--all-topics", "--from-file", "x"], 2, "cannot be used with");
    check(&["readers", "--from-file", "/no/such/file"], 2, "/no/such/file cannot be read");
    check(&["readers", "--all-topics", "--to-offset", "-1"], 2, "a whole number from 0 on");
    check(&["readers", "--all-topics", "--to-time", "soon"], 2, "expected a time, such as");
    check(&["readers", "--topic", "logs:x", "--to-earliest"], 2, "such as orders:0,2");
}

#[test]
fn offsets_of_a_topic_are_deleted_and_the_group_stays() {
    let folder = Folder::new();
    let broker = broker(&folder);
    broker.run(&["topic", "create", "others", "--partitions", "2"]).well();
    broker.run(&["group", "reset", "readers", "--topic", "others", "--to-earliest", "--execute"]).well();
    let deleted =
        broker.run(&["group", "delete-offsets", "readers", "--topic", "logs", "--topic", "others:1"]).well();
    assert_eq!(deleted, "TOPIC   PARTITION  DELETED\nlogs    0          4\nothers  1          0\n");
    let described = broker.run(&["group", "describe", "readers", "--output", "json"]).well();
    let described: serde_json::Value = serde_json::from_str(&described).unwrap();
    assert_eq!(described["partitions"].as_array().unwrap().len(), 1, "{described}");
    let json =
        broker.run(&["group", "delete-offsets", "readers", "--topic", "others", "--output", "json"]).well();
    let expected = serde_json::json!({ "group": "readers", "deleted": [
        { "topic": "others", "partition": 0, "committed": 0 },
    ]});
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), expected);
    let read = broker.run(&["consume", "logs", "--group", "readers", "--count", "1"]).well();
    assert_eq!(read, "0\n", "from where it would begin");
}

#[test]
fn offsets_that_cannot_be_deleted_are_named() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let check = |args: &[&str], code: i32, expected: &str| {
        let err = broker.run(&[&["group", "delete-offsets"], args].concat()).failed(code);
        assert!(err.contains(expected), "{args:?}: {err}");
    };
    check(&["nobody", "--topic", "logs"], 1, "there is no group nobody");
    check(&["readers", "--topic", "logs:7"], 1, "logs-7 does not exist: the topic has 1 partition");
    check(&["readers", "--topic", "nowhere"], 1, "nowhere");
    check(&["readers"], 2, "--topic");
    broker.run(&["topic", "create", "others"]).well();
    check(&["readers", "--topic", "others"], 1, "group readers has committed no offsets there");
    let mut reader = reader(&broker);
    check(&["readers", "--topic", "logs"], 1, "group readers has members: mainstem at 127.0.0.1 (mainstem-");
    check(&["readers", "--topic", "logs"], 1, "its offsets can be deleted when they have left");
    reader.kill().unwrap();
    reader.wait().unwrap();
}
