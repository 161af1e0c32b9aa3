//! A small file system of its own, filled up and emptied again. Needs root and loop devices, and says so where there
//! are none.

use std::{fs, path::Path, time::Duration};

use mainstem_protocol::ErrorCode;

use crate::{
    load::{Producer, TOPIC, read_all},
    loop_device::LoopDevice,
    process::{Broker, fresh_directory},
    wire::Connection,
};

/// Of the 192 MiB that the file system has.
const BALLAST_BYTES: u64 = 110 << 20;
const SETTINGS: [&str; 1] = ["journal.bytes=4194304"];
/// How often it is tried again; only a failing test tries so often.
const TRIES_MAX: usize = 500;

#[test]
fn a_full_disk_refuses_appends_and_takes_them_again_when_there_is_room() {
    let device = match LoopDevice::new(&fresh_directory("full-disk")) {
        Ok(device) => device,
        Err(why) => return println!("skipped: no file system on a loop device here: {why}"),
    };
    let (data, ballast) = (device.mount.join("data"), device.mount.join("ballast"));
    occupy(&ballast);
    let broker = Broker::start(&data, &SETTINGS);
    let mut connection = Connection::open(broker.address);
    connection.create_topic(TOPIC, 1, &[("segment.bytes", "8388608")]);
    let mut producer = Producer::new(connection, 500_000);

    let refused =
        std::iter::repeat_with(|| producer.produce().unwrap()).find(|code| !code.is_none()).unwrap();
    assert!(refused.is_retriable(), "{refused:?}");
    let before = producer.acknowledged.clone();
    println!("{} MB fitted, then {refused:?}", before.len() / 2);
    assert!(!before.is_empty());
    assert_eq!(producer.produce().unwrap(), refused, "it stays full");
    assert_eq!(
        read_all(&mut Connection::open(broker.address)),
        producer.acknowledged,
        "what is there can be read"
    );

    remove(&ballast);
    let taken_again = (0..TRIES_MAX).any(|_| {
        // As a client does between two attempts.
        std::thread::sleep(Duration::from_millis(20));
        producer.produce().unwrap() == ErrorCode::NONE
    });
    assert!(taken_again, "the same process takes records again");
    broker.kill();
    let again = Broker::start(&data, &SETTINGS);
    assert_eq!(read_all(&mut Connection::open(again.address)), producer.acknowledged);
    again.stop();
}

#[expect(clippy::disallowed_methods, reason = "the ballast is the test's")]
fn occupy(path: &Path) {
    let file = fs::File::create(path).unwrap();
    let status =
        std::process::Command::new("fallocate").arg("-l").arg(BALLAST_BYTES.to_string()).arg(path).status();
    assert!(status.unwrap().success());
    file.sync_all().unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the ballast is the test's")]
fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}
