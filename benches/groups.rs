//! What connections and consumer groups cost in memory, two thousand and five thousand of them, and how a group of a
//! hundred members settles when one more joins: how many requests of each, how long, beside one round trip of all and a
//! sync in the same run.
//!
//! `cargo bench -p mainstem --bench groups`
//!
//! Needs 4,096 file descriptors in this process and in the broker (`ulimit -Hn`; both raise the soft limit themselves).

#[path = "support/measure.rs"]
mod measure;
#[path = "support/members.rs"]
mod members;
#[path = "../tests/support/process.rs"]
mod process;
#[path = "../tests/support/wire.rs"]
mod wire;

use std::slice;

use mainstem_protocol::{
    ErrorCode, Offset, PartitionId, Text,
    messages::{
        ApiVersionsRequest, ConsumerGroupHeartbeatRequest, OffsetCommitRequest,
        offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    },
};
use measure::{Spread, sync_millis, time};
use members::{Group, TOPIC, ask_all, join, sync};
use process::Broker;
use wire::Connection;

const CONNECTIONS: usize = 2000;
const GROUPS: usize = 5000;
/// Partitions of the topic, to each of which every group commits an offset.
const PARTITIONS: i32 = 4;
/// Connections over which the groups are made: a connection's requests are answered one behind the other, and most
/// wait for a sync.
const LANES: usize = 64;
const MEMBERS: usize = 100;
const ROUNDS: usize = 15;

fn main() {
    mainstem::process::raise_descriptor_limit();
    println!("{:<60} {:>12} {:>12}", "resident memory of the broker", "per one", "total");
    connections();
    groups("group of one member, classic", "classic", classic);
    groups("group of one member, KIP-848", "modern", modern);
    rebalance();
}

fn connections() {
    let broker = Broker::start(&process::fresh_directory("bench-connections"), &[]);
    greet(&mut open(&broker, 1));
    let idle = broker.resident_kib();
    println!("{:<60} {:>12} {:>8.1} MiB", "idle", "", idle as f64 / 1024.0);
    let mut lanes = open(&broker, CONNECTIONS);
    greet(&mut lanes);
    row("connection that has asked for the versions", CONNECTIONS, idle, &broker);
    broker.stop();
}

fn open(broker: &Broker, count: usize) -> Vec<Connection> {
    (0..count).map(|_| Connection::open(broker.address)).collect()
}

fn greet(lanes: &mut [Connection]) {
    let requests = vec![ApiVersionsRequest::default(); lanes.len()];
    assert!(ask_all(lanes, requests).iter().all(|answer| answer.error_code.is_none()));
}

/// What has been added since `before`, in all and for each of `count`.
fn row(what: &str, count: usize, before: u64, broker: &Broker) {
    let added = broker.resident_kib().saturating_sub(before) as f64;
    let what = format!("{count} x {what}");
    println!("{what:<60} {:>8.2} KiB {:>8.1} MiB", added / count as f64, added / 1024.0);
}

/// The groups alone: the topics, the connections and a first group are there before.
fn groups(what: &str, directory: &str, make: fn(&mut [Connection], &[Text])) {
    let data = process::fresh_directory(&format!("bench-groups-{directory}"));
    let broker = Broker::start(&data, &["group.consumer.session.timeout.ms=60000"]);
    let mut lanes = open(&broker, LANES);
    lanes[0].create_topic(TOPIC, PARTITIONS, &[]);
    make(&mut lanes, &names("first", LANES));
    let before = broker.resident_kib();
    make(&mut lanes, &names("group", GROUPS));
    row(&format!("{what}, {PARTITIONS} offsets"), GROUPS, before, &broker);
    broker.stop();
}

fn names(prefix: &str, count: usize) -> Vec<Text> {
    (0..count).map(|number| format!("{prefix}-of-readers-{number:05}").into()).collect()
}

fn classic(lanes: &mut [Connection], groups: &[Text]) {
    let requests = groups.iter().map(|group| join(group, Text::new())).collect();
    let ids: Vec<Text> = ask_all(lanes, requests).into_iter().map(|answer| answer.member_id).collect();
    let each = || groups.iter().zip(&ids);
    let joined = ask_all(lanes, each().map(|(group, id)| join(group, id.clone())).collect());
    assert!(joined.iter().all(|answer| (answer.error_code, answer.generation_id) == (ErrorCode::NONE, 1)));
    let synced = ask_all(lanes, each().map(|(group, id)| sync(group, id, 1, slice::from_ref(id))).collect());
    assert!(synced.iter().all(|answer| answer.error_code.is_none()));
    commit_all(lanes, each().map(|(group, id)| commit(group, id, 1)).collect());
}

fn modern(lanes: &mut [Connection], groups: &[Text]) {
    // As long as the ids that clients draw.
    let id = |group: &Text| Text::from(format!("{group:->22}"));
    let first = |group: &Text| ConsumerGroupHeartbeatRequest {
        group_id: group.clone(),
        member_id: id(group),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec![TOPIC.into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    let given = ask_all(lanes, groups.iter().map(first).collect());
    let owning = groups.iter().zip(given).map(|(group, answer)| ConsumerGroupHeartbeatRequest {
        group_id: group.clone(),
        member_id: id(group),
        member_epoch: answer.member_epoch,
        topic_partitions: Some(answer.assignment.expect("the only member gets all").topic_partitions),
        ..Default::default()
    });
    let owned = ask_all(lanes, owning.collect());
    assert!(owned.iter().all(|answer| answer.error_code.is_none()));
    let commits =
        groups.iter().zip(owned).map(|(group, answer)| commit(group, &id(group), answer.member_epoch));
    commit_all(lanes, commits.collect());
}

fn commit(group: &Text, member: &Text, generation: i32) -> OffsetCommitRequest {
    let partition = |number| OffsetCommitRequestPartition {
        partition_index: PartitionId(number),
        committed_offset: Offset(i64::from(number)),
        ..Default::default()
    };
    let partitions = (0..PARTITIONS).map(partition).collect();
    OffsetCommitRequest {
        group_id: group.clone(),
        generation_id_or_member_epoch: generation,
        member_id: member.clone(),
        topics: vec![OffsetCommitRequestTopic { name: TOPIC.into(), partitions, ..Default::default() }],
        ..Default::default()
    }
}

fn commit_all(lanes: &mut [Connection], requests: Vec<OffsetCommitRequest>) {
    for answer in ask_all(lanes, requests) {
        assert!(answer.topics[0].partitions.iter().all(|partition| partition.error_code.is_none()));
    }
}

/// Begins to count where everybody has been told to join again, for when a heartbeat tells is the client's affair.
fn rebalance() {
    let data = process::fresh_directory("bench-rebalance");
    // All come into the first generation.
    let broker = Broker::start(&data, &["group.initial.rebalance.delay.ms=1000"]);
    Connection::open(broker.address).create_topic(TOPIC, PARTITIONS, &[]);
    let mut group = Group::of(open(&broker, MEMBERS));
    let (mut requests, mut settled, mut one, mut all) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        group.begin_join(Connection::open(broker.address));
        let (elapsed, sent) = time(|| group.settle());
        requests.push(f64::from(sent));
        settled.push(elapsed.as_secs_f64() * 1000.0);
        all.push(time(|| group.beat(MEMBERS + 1)).0.as_secs_f64() * 1000.0);
        one.push(time(|| group.beat(1)).0.as_secs_f64() * 1000.0);
        group.last_leaves();
    }
    println!();
    println!("{MEMBERS} members, one more joins: median (smallest to largest) of {ROUNDS}");
    println!("  requests of each member:             {}", Spread::of(requests));
    println!("  until all have their assignment, ms: {}", Spread::of(settled));
    println!("  a heartbeat of all at once, ms:      {}", Spread::of(all));
    println!("  a heartbeat of one, ms:              {}", Spread::of(one));
    println!("  a write of 4 KiB and its sync, ms:   {}", sync_millis(&data));
    broker.stop();
}
