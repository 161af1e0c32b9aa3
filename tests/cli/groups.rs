//! Consumer groups from the command line.

use std::io::{BufRead, BufReader};

use crate::broker::{Broker, Folder};
use crate::process::{mainstem, piped};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_group_tells_how_far_it_has_read() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    let none = broker.run(&["group", "list"]).well();
    assert_eq!(none, "there are no groups yet; `mainstem consume TOPIC --group NAME` makes one\n");
    broker.run_with(&["produce", "logs"], b"0\n1\n2\n").well();
    broker.run(&["consume", "logs", "--group", "readers", "--count", "2"]).well();
    let listed = json(&broker.run(&["group", "list", "--output", "json"]).well());
    let expected =
        serde_json::json!([{ "group": "readers", "state": "Empty", "type": "consumer", "coordinator": 1 }]);
    assert_eq!(listed, expected);
    let described = json(&broker.run(&["group", "describe", "readers", "--output", "json"]).well());
    assert_eq!((&described["state"], &described["members"]), (&"Empty".into(), &serde_json::json!([])));
    let expected = serde_json::json!([{
        "topic": "logs", "partition": 0, "committed": 2, "end": 3, "lag": 1, "client": null, "member": null,
    }]);
    assert_eq!(described["partitions"], expected);
    let shown = broker.run(&["group", "describe", "readers"]).well();
    let expected = "readers: Empty, coordinated by broker 1\n\n\
                    TOPIC  PARTITION  COMMITTED  END  LAG  CLIENT\n\
                    logs   0          2          3    1    -\n";
    assert_eq!(shown, expected);
}

#[test]
fn a_member_is_shown_with_what_it_reads() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run(&["topic", "create", "logs", "--partitions", "2"]).well();
    broker.run_with(&["produce", "logs", "--partition", "1"], b"0\n").well();
    let mut reader = piped(mainstem(&["consume", "logs", "--group", "readers", "-b", &broker.kafka]));
    let first = BufReader::new(reader.stdout.as_mut().unwrap()).lines().next().unwrap().unwrap();
    assert_eq!(first, "0");
    let described = json(&broker.run(&["group", "describe", "readers", "--output", "json"]).well());
    reader.kill().unwrap();
    reader.wait().unwrap();
    assert_eq!((&described["state"], &described["protocol"]), (&"Stable".into(), &"range".into()));
    assert_eq!(described["members"][0]["partitions"], 2);
    let member = &described["members"][0]["member"];
    let partitions = described["partitions"].as_array().unwrap();
    assert!(partitions.len() == 2 && partitions.iter().all(|partition| partition["member"] == *member));
}

#[test]
fn a_group_that_is_not_there_is_told() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    let err = broker.run(&["group", "describe", "nobody"]).failed(1);
    assert_eq!(err, "mainstem: there is no group nobody\n  `mainstem group list` shows what there is\n");
}
