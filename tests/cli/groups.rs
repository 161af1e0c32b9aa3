//! Consumer groups from the command line.

use std::io::{BufRead, BufReader};

use mainstem_protocol::messages::{LeaveGroupRequest, ResponseBody};

use crate::broker::{Broker, Folder};
use crate::process::{mainstem, piped};
use crate::wire::Connection;

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
    let expected = serde_json::json!([{
        "group": "readers", "state": "Empty", "type": "classic", "protocol_type": "consumer", "coordinator": 1,
    }]);
    assert_eq!(listed, expected);
    let stable = broker.run(&["group", "list", "--state", "stable"]).well();
    assert_eq!(stable, "there are no such groups; `mainstem group list` shows all there are\n");
    let empty = broker.run(&["group", "list", "--state", "empty", "--type", "classic"]).well();
    assert_eq!(empty, "GROUP    STATE  TYPE     COORDINATOR\nreaders  Empty  classic  1\n");
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

/// Whether the reader hears of it from a commit or from a heartbeat is a matter of time; it goes on either way.
#[test]
fn a_reader_that_its_group_has_put_out_comes_back() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run_with(&["produce", "logs"], b"0\n").well();
    let mut reader = piped(mainstem(&["consume", "logs", "--group", "readers", "-b", &broker.kafka]));
    let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "0");
    let described = json(&broker.run(&["group", "describe", "readers", "--output", "json"]).well());
    let member_id = described["members"][0]["member"].as_str().unwrap().into();
    let leave = LeaveGroupRequest { group_id: "readers".into(), member_id, ..Default::default() };
    let ResponseBody::LeaveGroup(left) = Connection::open(broker.kafka.parse().unwrap()).call(leave) else {
        panic!("the broker answers something else");
    };
    assert!(left.error_code.is_none());
    broker.run_with(&["produce", "logs"], b"1\n").well();
    assert!(lines.by_ref().map(Result::unwrap).any(|line| line == "1"), "the reader ended");
    // It is a member again once it has committed: nobody else could.
    let committed = || json(&broker.run(&["group", "describe", "readers", "--output", "json"]).well());
    while committed()["partitions"][0]["committed"] != 2 {
        assert_eq!(reader.try_wait().unwrap(), None, "the reader ended");
    }
    reader.kill().unwrap();
    reader.wait().unwrap();
}

#[test]
fn control_characters_of_a_name_do_not_reach_the_terminal() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run_with(&["produce", "logs"], b"0\n").well();
    broker.run(&["consume", "logs", "--group", "evil\u{1b}[2J", "--count", "1"]).well();
    for args in [&["group", "list"][..], &["group", "describe", "evil\u{1b}[2J"]] {
        let shown = broker.run(args).well();
        assert!(shown.contains("evil\\u{1b}[2J") && !shown.contains('\u{1b}'), "{shown}");
    }
}

#[test]
fn a_group_that_is_not_there_is_told() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    let err = broker.run(&["group", "describe", "nobody"]).failed(1);
    assert_eq!(err, "mainstem: there is no group nobody\n  `mainstem group list` shows what there is\n");
}

/// The settings of a broker that soon gives up members of the newer protocol.
const IMPATIENT: [&str; 8] = [
    "--set",
    "group.consumer.min.heartbeat.interval.ms=100",
    "--set",
    "group.consumer.heartbeat.interval.ms=100",
    "--set",
    "group.consumer.min.session.timeout.ms=3000",
    "--set",
    "group.consumer.session.timeout.ms=3000",
];

#[test]
fn a_reader_to_the_end_waits_for_what_a_dead_member_still_has() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &IMPATIENT);
    broker.run_with(&["produce", "logs"], b"0\n1\n2\n").well();
    let modern = ["consume", "logs", "--group", "readers", "--group-protocol", "consumer"];
    let mut dead = piped(mainstem(&[&modern[..], &["--from", "latest", "-b", &broker.kafka]].concat()));
    let described = || broker.run(&["group", "describe", "readers", "--output", "json"]);
    let has_partition =
        |said: crate::process::Said| said.code == Some(0) && json(&said.out)["members"][0]["partitions"] == 1;
    while !has_partition(described()) {
        assert_eq!(dead.try_wait().unwrap(), None, "the reader ended");
    }
    dead.kill().unwrap();
    dead.wait().unwrap();
    let to_the_end = [&modern[..], &["--exit"]].concat();
    assert_eq!(broker.run(&to_the_end).well(), "0\n1\n2\n");
    assert_eq!(broker.run(&to_the_end).well(), "");
}

#[test]
fn a_group_that_does_not_take_the_reader_says_why() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &["--set", "group.consumer.migration.policy=disabled"]);
    broker.run_with(&["produce", "logs"], b"0\n").well();
    let mut classic = piped(mainstem(&["consume", "logs", "--group", "readers", "-b", &broker.kafka]));
    let first = BufReader::new(classic.stdout.as_mut().unwrap()).lines().next().unwrap().unwrap();
    assert_eq!(first, "0");
    let modern = ["consume", "logs", "--group-protocol", "consumer", "--exit", "--group"];
    let refused = broker.run(&[&modern[..], &["readers"]].concat()).failed(1);
    classic.kill().unwrap();
    classic.wait().unwrap();
    let expected = "mainstem: group readers does not take the member: GROUP_ID_NOT_FOUND (Cannot upgrade classic group \
                    readers to consumer group because online upgrade is disabled.)\n  its members have another protocol: \
                    join without --group-protocol, or choose another --group\n";
    assert_eq!(refused, expected);
    let refused = broker.run(&[&modern[..], &["others", "--assignor", "dice"]].concat()).failed(1);
    assert!(refused.contains("UNSUPPORTED_ASSIGNOR (") && refused.contains("uniform"), "{refused}");
    assert!(refused.ends_with("choose another --assignor, or leave it to the broker\n"), "{refused}");
}

#[test]
fn a_verbose_member_says_which_partitions_it_has() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    broker.run(&["topic", "create", "logs", "--partitions", "2"]).well();
    broker.run_with(&["produce", "logs"], b"0\n").well();
    for protocol in ["classic", "consumer"] {
        let reader = ["consume", "logs", "--group-protocol", protocol, "--count", "1", "--group", protocol];
        let said = broker.run(&[&reader[..], &["--verbose"]].concat());
        assert_eq!(
            (said.out.as_str(), said.err.as_str()),
            ("0\n", "mainstem: this member has partitions 0, 1 now\n")
        );
        let quiet = broker.run(&["consume", "logs", "--exit", "--group", protocol]);
        assert_eq!(quiet.err, "");
    }
}
