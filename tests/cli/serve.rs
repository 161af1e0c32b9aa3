//! How a broker starts, what it says, and how it stops.

use std::net::TcpListener;

use crate::broker::{Broker, Folder};
use crate::process::{mainstem, run};

#[test]
fn the_first_line_names_every_listener_and_all_accept() {
    let folder = Folder::new();
    let two = ["--listen", "INSIDE://127.0.0.1:0", "--listen", "OUTSIDE://127.0.0.1:0"];
    let broker = Broker::start(&folder.path("data"), &two);
    let listeners = broker.first_line["listeners"].as_object().unwrap();
    assert_eq!(listeners.keys().collect::<Vec<_>>(), ["INSIDE", "OUTSIDE"]);
    assert_eq!(listeners["INSIDE"].as_str().unwrap(), broker.kafka);
    for address in listeners.values() {
        run(&["topic", "list", "-b", address.as_str().unwrap()]).well();
    }
    assert!(broker.get("/health/ready").starts_with("HTTP/1.1 200"));
}

#[test]
fn the_first_line_for_people_names_both_addresses() {
    let folder = Folder::new();
    let data = folder.path("data");
    let mut command = mainstem(&["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"]);
    let mut process = command.arg(data).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(process.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(line.starts_with("mainstem listens on 127.0.0.1:"), "{line}");
    assert!(line.ends_with(" for HTTP\n"), "{line}");
}

#[test]
fn each_signal_ends_it_in_order() {
    for signal in ["TERM", "INT"] {
        let folder = Folder::new();
        let broker = Broker::start(&folder.path("data"), &[]);
        broker.run_with(&["produce", "logs"], b"one\ntwo\n").well();
        broker.signal(signal);
        let (code, log) = broker.wait();
        assert_eq!(code, Some(0), "{log}");
        let again = Broker::start(&folder.path("data"), &[]);
        assert_eq!(again.run(&["consume", "logs", "--exit"]).well(), "one\ntwo\n");
    }
}

#[test]
fn a_signal_that_comes_twice_at_once_is_one() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    let pid = broker.id().to_string();
    // One shell sends both, so that nothing comes between; two of the same kind might become one on their way.
    let script = "kill -s TERM $0; kill -s INT $0";
    let sent = std::process::Command::new("sh").args(["-c", script, &pid]).status().unwrap();
    assert!(sent.success());
    let (code, log) = broker.wait();
    assert!(code == Some(0) && !log.contains("stopping at once"), "{log}");
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run_with(&["produce", "logs"], b"one\ntwo\n").well();
    broker.signal("KILL");
    drop(broker);
    let again = Broker::start(&folder.path("data"), &[]);
    assert_eq!(again.run(&["consume", "logs", "--exit"]).well(), "one\ntwo\n");
}

#[test]
fn a_second_broker_in_the_same_directory_is_refused() {
    let folder = Folder::new();
    let data = folder.path("data");
    let first = Broker::start(&data, &[]);
    let args =
        ["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let said = run(&args);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{}", said.err);
    assert!(said.err.contains("mainstem: the broker did not start: "), "{}", said.err);
    assert!(said.err.contains(&format!("is locked by process {}", first.id())), "{}", said.err);
    assert!(said.err.contains("one broker at a time"), "{}", said.err);
}

#[test]
fn a_taken_port_is_told_with_what_to_do() {
    let folder = Folder::new();
    let data = folder.path("data");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (flag, free) in [("--listen", "--http"), ("--http", "--listen")] {
        let args = ["serve", "--data", data.to_str().unwrap(), flag, &address, free, "127.0.0.1:0"];
        let said = run(&args);
        assert_eq!(said.code, Some(1));
        assert!(said.err.contains(&address), "{}", said.err);
        assert!(said.err.contains(&format!("choose another address with {flag} (setting ")), "{}", said.err);
        assert!(!data.exists(), "{flag}: the data directory was touched");
    }
}

#[test]
fn a_start_says_in_words_what_it_found() {
    let folder = Folder::new();
    let log = |signal: &str| {
        let broker = Broker::start(&folder.path("data"), &[]);
        broker.run_with(&["produce", "logs"], b"one\n").well();
        broker.signal(signal);
        broker.wait().1
    };
    let check = |log: String, expected: &str| {
        assert!(log.contains(expected) && !log.contains("Recovery"), "{log}");
    };
    check(log("TERM"), "new data directory");
    check(log("KILL"), "data directory opened; its broker was stopped in order");
    check(log("TERM"), "data directory recovered; its broker was not stopped in order");
}

#[test]
fn a_setting_beyond_its_range_is_told_with_the_range() {
    let check = |assignment: &str, expected: &str| {
        let err = run(&["serve", "--set", assignment]).failed(2);
        assert!(err.contains(expected), "{err}");
    };
    check("journal.bytes=9223372036854775807", "expected a whole number from 1048576 to 1099511627776");
    check(
        "listeners=A://127.0.0.1:9092,B://127.0.0.1:9092",
        "two listeners have the address B://127.0.0.1:9092",
    );
}

#[test]
fn flags_win_over_environment_over_file() {
    let folder = Folder::new();
    let file = folder.path("mainstem.toml");
    std::fs::write(&file, "num.partitions = 2\nnode.id = 5\n[log.retention]\nms = 1000\n").unwrap();
    let mut command = mainstem(&["serve", "--output", "json", "--http", "127.0.0.1:0"]);
    command.args(["--listen", "127.0.0.1:0", "--set", "num.partitions=4", "--data"]).arg(folder.path("data"));
    command.env("MAINSTEM_CONFIG", &file).env("MAINSTEM_NUM_PARTITIONS", "3");
    command.env("MAINSTEM_LOG_RETENTION_MS", "2000").env("MAINSTEM_BOOTSTRAP_SERVER", "nobody:1");
    let broker = Broker::of(command);
    let created = broker.run(&["topic", "create", "logs"]).well();
    assert_eq!(created, "created logs with 4 partitions\n");
    let described = broker.run(&["topic", "describe", "logs", "--output", "json"]).well();
    let described: serde_json::Value = serde_json::from_str(&described).unwrap();
    assert_eq!(described["settings"]["retention.ms"]["value"], "2000");
    assert_eq!(described["partitions"][0]["leader"], 5);
}

#[test]
fn a_wrong_setting_is_told_with_its_place() {
    let folder = Folder::new();
    let file = folder.path("mainstem.toml");
    std::fs::write(&file, "\n[num]\npartitions = 'many'\n").unwrap();
    let err = run(&["serve", "--config", file.to_str().unwrap()]).failed(2);
    let expected = format!(
        "mainstem: setting num.partitions cannot be many ({}:3): expected a whole number from 1 to 100000\n",
        file.display()
    );
    assert_eq!(err, expected);
    let err = run(&["serve", "--set", "log.dirr=/data"]).failed(2);
    assert_eq!(err, "mainstem: there is no setting log.dirr (flag --set): did you mean log.dir?\n");
}

#[test]
fn metrics_count_what_was_done() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run_with(&["produce", "logs"], b"one\ntwo\n").well();
    broker.run(&["consume", "logs", "--exit"]).well();
    let metrics = broker.get("/metrics");
    for line in [
        "mainstem_topic_records_in_total{topic=\"logs\"} 2",
        "mainstem_request_seconds_count{api=\"Produce\"} 1",
        "mainstem_topic_records_out_total{topic=\"logs\"} 2",
    ] {
        assert!(metrics.contains(line), "no {line} in:\n{metrics}");
    }
}
