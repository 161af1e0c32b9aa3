//! `mainstem config`: settings of topics, brokers and groups.

use serde_json::json;

use crate::broker::{Broker, Folder};

fn broker() -> (Folder, Broker) {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &["--set", "max.connections=500"]);
    broker.run(&["topic", "create", "orders"]).well();
    (folder, broker)
}

#[test]
fn settings_of_a_topic_are_set_got_and_unset() {
    let (_folder, broker) = broker();
    let set = broker.run(&["config", "set", "topic", "orders", "retention.ms=1000", "segment.ms=5"]).well();
    assert_eq!(set, "SETTING       VALUE  FROM\nretention.ms  1000   topic\nsegment.ms    5      topic\n");
    let get = ["config", "get", "topic", "orders", "retention.ms"];
    assert_eq!(broker.run(&get).well(), "1000\n");
    let unset = broker.run(&["config", "unset", "topic", "orders", "retention.ms"]).well();
    assert!(unset.contains("retention.ms  604800000  default"), "{unset}");
    assert_eq!(broker.run(&get).well(), "604800000\n");
    let tried = ["config", "set", "topic", "orders", "retention.ms=7", "--dry-run"];
    assert_eq!(broker.run(&tried).well(), "nothing has changed: it could be set so\n");
    assert_eq!(broker.run(&get).well(), "604800000\n");
}

#[test]
fn settings_of_brokers_say_where_they_come_from() {
    let (_folder, broker) = broker();
    let get = |of: &str, name: &str| {
        let args = ["config", "get", "broker", of, name, "--output", "json"];
        let found: serde_json::Value = serde_json::from_str(&broker.run(&args).well()).unwrap();
        (found["value"].as_str().unwrap().to_owned(), found["from"].as_str().unwrap().to_owned())
    };
    let pair = |value: &str, from: &str| (value.to_owned(), from.to_owned());
    assert_eq!(get("1", "max.connections"), pair("500", "start"));
    assert_eq!(get("1", "log.retention.ms"), pair("604800000", "default"));
    broker.run(&["config", "set", "broker", "all", "log.retention.ms=1000"]).well();
    assert_eq!(get("1", "log.retention.ms"), pair("1000", "all brokers"));
    broker.run(&["config", "set", "broker", "1", "log.retention.ms=2000", "max.connections=600"]).well();
    assert_eq!(get("1", "log.retention.ms"), pair("2000", "broker"));
    assert_eq!(get("all", "log.retention.ms"), pair("1000", "all brokers"));
    assert_eq!(get("1", "max.connections"), pair("600", "broker"));
    assert_eq!(broker.run(&["config", "get", "topic", "orders", "retention.ms"]).well(), "2000\n");
    let own = broker.run(&["config", "describe", "broker", "1", "--own"]).well();
    assert!(own.contains("max.connections") && !own.contains("num.partitions"), "{own}");
}

#[test]
fn settings_say_what_they_do() {
    let (_folder, broker) = broker();
    let told = broker.run(&["config", "describe", "topic", "orders", "retention.ms"]).well();
    let expected = "retention.ms=604800000\n  from: default; may change while the broker runs\n  \
                    age at which segments are deleted; -1 for never\n";
    assert_eq!(told, expected);
    broker.run(&["config", "set", "group", "billing", "consumer.session.timeout.ms=50000"]).well();
    let args = ["config", "describe", "group", "billing", "--own", "--output", "json"];
    let told: serde_json::Value = serde_json::from_str(&broker.run(&args).well()).unwrap();
    assert_eq!(told.as_array().unwrap().len(), 1);
    assert_eq!((&told[0]["value"], &told[0]["from"]), (&json!("50000"), &json!("group")));
}

#[test]
fn what_cannot_be_set_is_told_with_what_would_be_right() {
    let (_folder, broker) = broker();
    let check = |args: &[&str], words: &[&str]| {
        let args: Vec<_> = [&["config"], args].concat();
        let err = broker.run(&args).failed(1);
        assert!(words.iter().all(|word| err.contains(word)), "{err}");
    };
    check(
        &["set", "topic", "orders", "retention.m=1"],
        &["no setting retention.m", "did you mean retention.ms?"],
    );
    check(&["unset", "topic", "orders", "no.such"], &["no setting no.such", "`mainstem config describe`"]);
    check(&["get", "broker", "1", "max.conections"], &["did you mean max.connections?"]);
    check(&["get", "broker", "all", "max.connections"], &["is not set for all brokers"]);
    check(&["set", "topic", "orders", "retention.ms=soon"], &["INVALID_CONFIG", "-1, or a whole number"]);
    check(&["set", "broker", "1", "num.partitions=3"], &["INVALID_REQUEST", "while the broker runs"]);
    check(&["set", "broker", "7", "max.connections=3"], &["7"]);
    check(&["set", "group", "g", "consumer.session.timeout.ms=1"], &["at least", "45000"]);
    let twice = ["config", "set", "topic", "orders", "retention.ms=1", "retention.ms=2"];
    assert!(broker.run(&twice).failed(2).contains("retention.ms is named twice"));
    assert!(broker.run(&["config", "set", "broker", "one", "a=b"]).failed(2).contains("number of a broker"));
}

#[test]
fn levels_of_the_log_change_at_once_and_are_not_kept() {
    let folder = Folder::new();
    let data = folder.path("data");
    let broker = Broker::start(&data, &["--set", "logging.filter=info,mainstem::net=warn"]);
    let get = |broker: &Broker, logger: &str| broker.run(&["config", "get", "logger", "1", logger]).well();
    assert_eq!(get(&broker, "root"), "INFO\n");
    assert_eq!(get(&broker, "mainstem::net"), "WARN\n");
    let set = broker.run(&["config", "set", "logger", "1", "root=ERROR", "mainstem::group=TRACE"]).well();
    assert_eq!(
        set,
        "SETTING          VALUE  FROM\nmainstem::group  TRACE  the log\nroot             ERROR  the log\n"
    );
    assert_eq!(get(&broker, "mainstem_storage"), "ERROR\n");
    broker.run(&["config", "unset", "logger", "1", "mainstem::net"]).well();
    assert_eq!(get(&broker, "mainstem::net"), "ERROR\n");
    let tried = ["config", "set", "logger", "1", "root=TRACE", "--dry-run"];
    assert_eq!(broker.run(&tried).well(), "nothing has changed: it could be set so\n");
    assert_eq!(get(&broker, "root"), "ERROR\n");
    drop(broker);
    let broker = Broker::start(&data, &[]);
    assert_eq!((get(&broker, "root"), get(&broker, "mainstem::group")), ("INFO\n".into(), "INFO\n".into()));
}

#[test]
fn levels_that_cannot_be_are_told_with_what_would_be_right() {
    let (_folder, broker) = broker();
    let check = |args: &[&str], words: &[&str]| {
        let err = broker.run(&[&["config"], args].concat()).failed(1);
        assert!(words.iter().all(|word| err.contains(word)), "{err}");
    };
    check(
        &["set", "logger", "1", "root=LOUD"],
        &["INVALID_CONFIG", "DEBUG, ERROR, FATAL, INFO, TRACE, WARN"],
    );
    check(&["set", "logger", "1", "kafka.server=INFO"], &["INVALID_CONFIG", "kafka.server does not exist"]);
    check(&["unset", "logger", "1", "root"], &["INVALID_REQUEST", "root"]);
    check(&["set", "logger", "7", "root=INFO"], &["7"]);
    assert!(broker.run(&["config", "get", "logger", "all", "root"]).failed(2).contains("number of a broker"));
}
