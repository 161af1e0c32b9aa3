//! Records from the command line: produced and consumed.

use std::io::{BufRead, BufReader};

use crate::broker::{Broker, Folder};
use crate::process::{mainstem, piped};

fn broker(folder: &Folder) -> Broker {
    Broker::start(&folder.path("data"), &[])
}

/// Many lines, some of them empty, long, or not UTF-8.
fn lines() -> Vec<Vec<u8>> {
    let line = |n: usize| match n % 1000 {
        0 => Vec::new(),
        1 => vec![b'x'; 50_000],
        2 => vec![0xff, 0xfe, b'a'],
        _ => format!("line {n}").into_bytes(),
    };
    (0..20_000).map(line).collect()
}

#[test]
fn lines_come_out_as_they_went_in_with_every_compression() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let input: Vec<u8> = lines().iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("logs-{compression}");
        let said = broker.run_with(&["produce", &topic, "--compression", compression], &input);
        assert_eq!(said.well(), format!("20000 records are in {topic}\n"));
        let output = mainstem(&["consume", &topic, "--exit", "-b", &broker.kafka]).output().unwrap();
        assert!(output.stdout == input, "{compression}: {} bytes", output.stdout.len());
    }
}

#[test]
fn json_has_every_field() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let produce = ["produce", "pairs", "-K", ":", "-H", "a=1", "-H", "a", "--output", "json"];
    let produced = broker.run_with(&produce, b"k:v\n\xff\n").well();
    assert_eq!(produced, "{\"records\":2,\"topic\":\"pairs\"}\n");
    let consumed = broker.run(&["consume", "pairs", "--exit", "--output", "json"]).well();
    let records: Vec<serde_json::Value> =
        consumed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let headers = serde_json::json!([["a", "1"], ["a", null]]);
    let expected = |offset: i64, key: serde_json::Value, value: serde_json::Value| {
        serde_json::json!({
            "topic": "pairs", "partition": 0, "offset": offset, "key": key, "value": value,
            "timestamp": records[usize::try_from(offset).unwrap()]["timestamp"], "headers": headers,
        })
    };
    assert_eq!(records[0], expected(0, "k".into(), "v".into()));
    assert_eq!(records[1], expected(1, serde_json::Value::Null, serde_json::json!({ "base64": "/w==" })));
    assert!(records[0]["timestamp"].as_i64().unwrap() > 1_600_000_000_000);
}

#[test]
fn formats_are_those_of_kcat() {
    let folder = Folder::new();
    let broker = broker(&folder);
    broker.run(&["topic", "create", "pairs", "--partitions", "2"]).well();
    broker.run_with(&["produce", "pairs", "-K", ":", "-p", "1", "-H", "h=1"], b"k:v\n").well();
    let consume = ["consume", "pairs", "--exit", "-f", "%t %p %o %k=%s %K %S %h\\t%%\\n"];
    assert_eq!(broker.run(&consume).well(), "pairs 1 0 k=v 1 1 h=1\t%\n");
}

#[test]
fn reading_begins_where_it_is_told_to() {
    let folder = Folder::new();
    let broker = broker(&folder);
    broker.run_with(&["produce", "logs"], b"0\n1\n2\n3\n").well();
    let check = |from: &[&str], expected: &str| {
        let args = [&["consume", "logs", "--exit"], from].concat();
        assert_eq!(broker.run(&args).well(), expected, "{from:?}");
    };
    check(&[], "0\n1\n2\n3\n");
    check(&["--from", "earliest", "--count", "2"], "0\n1\n");
    check(&["--from", "2"], "2\n3\n");
    check(&["--from", "99"], "");
    check(&["--from", "latest"], "");
    check(&["--from", "1h"], "0\n1\n2\n3\n");
    check(&["--from", "2001-01-01"], "0\n1\n2\n3\n");
    check(&["--from", "2999-01-01T00:00:00Z"], "");
}

#[test]
fn a_reader_that_follows_says_that_its_broker_is_away_and_that_it_is_back() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    let kafka = broker.kafka.clone();
    broker.run_with(&["produce", "logs"], b"0\n").well();
    let mut reader = piped(mainstem(&["consume", "logs", "-b", &kafka]));
    let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "0");
    drop(broker);
    let mut notes = BufReader::new(reader.stderr.take().unwrap()).lines();
    let away = notes.next().unwrap().unwrap();
    assert!(away.contains(&kafka) && away.ends_with("; waiting for it to come back"), "{away}");
    let broker = Broker::start(&folder.path("data"), &["--listen", &kafka]);
    broker.run_with(&["produce", "logs"], b"1\n").well();
    assert_eq!(lines.next().unwrap().unwrap(), "1");
    assert_eq!(notes.next().unwrap().unwrap(), "mainstem: the broker is back");
    reader.kill().unwrap();
    reader.wait().unwrap();
}

#[test]
fn a_reader_that_follows_ends_when_its_topic_is_deleted() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    for group in [&[][..], &["--group", "readers"]] {
        broker.run_with(&["produce", "logs"], b"0\n").well();
        let consume = [&["consume", "logs", "-b", &broker.kafka], group].concat();
        let mut reader = piped(mainstem(&consume));
        let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "0");
        broker.run(&["topic", "delete", "logs"]).well();
        assert!(lines.next().is_none());
        let output = reader.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        let expected = "mainstem: topic logs has been deleted\n  what was printed is all that came; \
                        `mainstem topic list` shows what there is\n";
        assert_eq!((output.status.code(), err.as_str()), (Some(1), expected));
    }
}

#[test]
fn keys_and_values_may_be_integers() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run_with(&["produce", "logs", "-K", ":"], b"ab:\0\0\0\x07\n").well();
    let printed = broker.run(&[
        "consume",
        "logs",
        "-e",
        "--key-as",
        "integer",
        "--value-as",
        "integer",
        "-f",
        "%k=%s %S",
    ]);
    assert_eq!(printed.well(), "24930=7 4");
    let json = broker.run(&["consume", "logs", "-e", "--value-as", "integer", "--output", "json"]).well();
    assert!(json.contains("\"key\":\"ab\",\"value\":7,"), "{json}");
    broker.run_with(&["produce", "logs"], b"one\n").well();
    let said = broker.run(&["consume", "logs", "-e", "--from", "1", "--value-as", "integer"]);
    assert!(
        said.failed(1).contains("the value of logs-0 at 1 has 3 bytes, and an integer has 1, 2, 4 or 8\n")
    );
}

#[test]
fn without_exit_it_follows() {
    let folder = Folder::new();
    let broker = broker(&folder);
    broker.run_with(&["produce", "logs"], b"before\n").well();
    let mut follower = piped(mainstem(&["consume", "logs", "-b", &broker.kafka]));
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "before");
    broker.run_with(&["produce", "logs"], b"after\n").well();
    assert_eq!(lines.next().unwrap().unwrap(), "after");
    // Its reader goes away, and no record comes that it could fail to write.
    drop(lines);
    let output = follower.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn partitions_that_are_added_are_read_from_their_beginning() {
    let folder = Folder::new();
    let broker = broker(&folder);
    broker.run_with(&["produce", "logs"], b"before\n").well();
    let mut follower = piped(mainstem(&["consume", "logs", "-b", &broker.kafka]));
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "before");
    broker.run(&["topic", "alter", "logs", "--partitions", "2"]).well();
    broker.run_with(&["produce", "logs", "--partition", "1"], b"new\n").well();
    broker.run_with(&["produce", "logs", "--partition", "1"], b"newer\n").well();
    assert_eq!(lines.next().unwrap().unwrap(), "new");
    assert_eq!(lines.next().unwrap().unwrap(), "newer");
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[test]
fn a_group_goes_on_where_it_left_off() {
    let folder = Folder::new();
    let broker = broker(&folder);
    broker.run_with(&["produce", "logs"], b"0\n1\n2\n").well();
    let group = |more: &[&str]| {
        let args = [&["consume", "logs", "--exit", "--group", "readers"], more].concat();
        broker.run(&args).well()
    };
    assert_eq!(group(&["--count", "2"]), "0\n1\n");
    assert_eq!(group(&[]), "2\n");
    assert_eq!(group(&[]), "");
    broker.run_with(&["produce", "logs"], b"3\n").well();
    assert_eq!(group(&[]), "3\n");
}

#[test]
fn partitions_that_are_not_there_are_refused() {
    let folder = Folder::new();
    let broker = broker(&folder);
    broker.run(&["topic", "create", "logs"]).well();
    let expected = "mainstem: logs-1 does not exist: the topic has 1 partition\n  \
                    `mainstem topic describe logs` shows them\n";
    assert_eq!(broker.run(&["consume", "logs", "--partition", "1"]).failed(1), expected);
    assert_eq!(broker.run_with(&["produce", "logs", "--partition", "1"], b"x\n").failed(1), expected);
}

#[test]
fn nothing_is_said_to_be_in_a_topic_that_got_nothing() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let said = broker.run_with(&["produce", "logs"], b"").well();
    assert_eq!(said, "nothing was produced: standard input had no lines\n");
    assert_eq!(broker.run_with(&["produce", "logs"], b"one\n").well(), "1 record is in logs\n");
    assert_eq!(broker.run_with(&["produce", "logs"], b"one\ntwo\n").well(), "2 records are in logs\n");
}

#[test]
fn keys_and_values_that_are_the_null_marker_are_none() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let produce = |marker: &str, lines: &[u8]| {
        broker.run_with(&["produce", "pairs", "-K", ":", "--null-marker", marker], lines).well()
    };
    produce("", b"k:\n:v\nk:NULL\n");
    produce("NULL", b"k:\nk:NULL\n");
    let consumed = broker.run(&["consume", "pairs", "--exit", "--output", "json"]).well();
    let records = consumed.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let pairs: Vec<_> = records.map(|record| [record["key"].clone(), record["value"].clone()]).collect();
    let expected = serde_json::json!([["k", null], [null, "v"], ["k", "NULL"], ["k", ""], ["k", null]]);
    assert_eq!(serde_json::json!(pairs), expected);
}

#[test]
fn a_record_that_is_refused_is_told_why() {
    let folder = Folder::new();
    let broker = broker(&folder);
    broker.run(&["topic", "create", "latest", "--config", "cleanup.policy=compact"]).well();
    let refused = broker.run_with(&["produce", "latest"], b"x\n").failed(1);
    assert!(refused.contains("a compacted topic cannot accept a record without a key"), "{refused}");
}

#[test]
fn the_line_is_named_that_the_broker_refuses() {
    let folder = Folder::new();
    let broker = broker(&folder);
    broker.run(&["topic", "create", "latest", "--config", "cleanup.policy=compact"]).well();
    let lines = b"a:1\nb:2\nwithout a key\nc:3\n";
    let err =
        broker.run_with(&["produce", "latest", "--key-separator", ":", "--partition", "0"], lines).failed(1);
    assert!(err.contains("line 3: latest-0 refused the batch: INVALID_RECORD"), "{err}");
    assert!(err.contains("its batch, which begins with line 1;"), "{err}");
}

#[test]
fn an_offset_behind_the_end_is_told() {
    let folder = Folder::new();
    let broker = broker(&folder);
    broker.run_with(&["produce", "logs"], b"0\n1\n").well();
    let said = broker.run(&["consume", "logs", "--exit", "--from", "99"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""));
    let note = "mainstem: logs-0 ends at offset 2: reading begins there, as near to 99 as there is\n";
    assert_eq!(said.err, note);
}

#[test]
fn a_line_that_is_too_large_is_told_with_the_setting() {
    let folder = Folder::new();
    let broker = broker(&folder);
    broker.run(&["topic", "create", "logs", "--config", "max.message.bytes=1000"]).well();
    let err = broker.run_with(&["produce", "logs"], &[b'x'; 2000]).failed(1);
    assert!(err.contains("line 1: logs-0 refused the batch: MESSAGE_TOO_LARGE"), "{err}");
    assert!(err.contains("the topic's max.message.bytes is below it"), "{err}");
}

#[test]
fn topics_whose_names_match_are_read() {
    let folder = Folder::new();
    let broker = broker(&folder);
    for topic in ["orders", "orders-eu", "refunds", "logs"] {
        broker.run_with(&["produce", topic], format!("of {topic}\n").as_bytes()).well();
    }
    let read = |include: &str, more: &[&str]| {
        let args = [&["consume", "--include", include, "--exit", "--format", "%t: %s\\n"], more].concat();
        let mut lines: Vec<_> = broker.run(&args).well().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(read("orders.*", &[]), ["orders-eu: of orders-eu", "orders: of orders"]);
    assert_eq!(read("orders|refunds", &[]), ["orders: of orders", "refunds: of refunds"]);
    assert_eq!(read(".*", &[]).len(), 4, "the broker's own topics are left out");
    assert_eq!(read("orders|refunds", &["--group", "readers"]), ["orders: of orders", "refunds: of refunds"]);
    assert_eq!(read("orders|refunds", &["--group", "readers"]), [""; 0], "it has been read");
    let modern = ["--group", "modern", "--group-protocol", "consumer"];
    assert_eq!(read("orders.*", &modern), ["orders-eu: of orders-eu", "orders: of orders"]);
}

#[test]
fn a_topic_that_comes_later_is_read_where_it_matches() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let mut follower = piped(mainstem(&["consume", "--include", "orders.*", "-b", &broker.kafka]));
    let mut said = BufReader::new(follower.stderr.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "mainstem: no topic matches orders.*; waiting for one");
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    broker.run_with(&["produce", "logs"], b"not asked for\n").well();
    for topic in ["orders-eu", "orders-us"] {
        broker.run_with(&["produce", topic], format!("of {topic}\n").as_bytes()).well();
        assert_eq!(lines.next().unwrap().unwrap(), format!("of {topic}"));
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[test]
fn what_matches_nothing_or_is_no_pattern_is_told() {
    let folder = Folder::new();
    let broker = broker(&folder);
    let none = broker.run(&["consume", "--include", "orders.*", "--exit"]).failed(1);
    let expected = "mainstem: no topic matches orders.*\n  `mainstem topic list` shows what there is\n";
    assert_eq!(none, expected);
    let check = |args: &[&str], expected: &str| {
        let err = broker.run(&[&["consume"], args].concat()).failed(2);
        assert!(err.contains(expected), "{args:?}: {err}");
    };
    check(&["--include", "("], "expected a regular expression");
    check(&["logs", "--include", "logs"], "cannot be used with");
    check(&["--include", "logs", "--partition", "0"], "cannot be used with");
    check(&[], "<TOPIC|--include <REGEX>>");
}
