//! A sync that fails, as the kernel would tell it: `strace` answers the broker's `fdatasync` with EIO. Needs strace and
//! the right to trace, and says so where there is none.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{
    load::{Producer, TOPIC, read_all},
    process::{Broker, fresh_directory},
    wire::Connection,
};

/// The exit code that says so.
const DISK_FAILED: i32 = 3;

#[test]
fn a_failed_sync_ends_the_process_and_loses_no_acknowledged_record() {
    let directory = fresh_directory("failing-disk");
    let (data, log) = (directory.join("data"), directory.join("log"));
    let broker = Broker::start_telling(&data, &[], created(&log).into());
    let mut connection = Connection::open(broker.address);
    connection.create_topic(TOPIC, 1, &[]);
    let mut producer = Producer::new(connection, 100);
    for _ in 0..20 {
        assert!(producer.produce().unwrap().is_none());
    }
    let mut strace = match failing_syncs(&broker.pid()) {
        Ok(strace) => strace,
        Err(why) => return println!("skipped: no system call can be made to fail here: {why}"),
    };
    // Each answer is an error or a lost connection: none is an acknowledgement.
    let acknowledged = producer.acknowledged.len();
    while producer.produce().is_ok() {}
    assert_eq!(producer.acknowledged.len(), acknowledged, "acknowledged without a sync");
    assert_eq!(broker.ended().code(), Some(DISK_FAILED));
    strace.wait().unwrap();
    says_why(&log);

    let again = Broker::start(&data, &[]);
    let found = read_all(&mut Connection::open(again.address));
    assert_eq!(found[..acknowledged], producer.acknowledged, "what was acknowledged is there, in order");
    again.stop();
}

#[expect(clippy::disallowed_methods, reason = "the log lines of the broker are the test's")]
fn created(log: &Path) -> fs::File {
    fs::File::create(log).unwrap()
}

fn says_why(log: &Path) {
    let lines = fs::read_to_string(log).unwrap();
    let last: Vec<_> = lines.lines().rev().take(2).collect();
    assert!(last[1].starts_with("mainstem: the disk failed: "), "{lines}");
    assert!(last[1].contains("Input/output error"), "{lines}");
    assert!(last[0].contains("what was acknowledged is in the log"), "{lines}");
}

/// From now on every sync of the process fails.
fn failing_syncs(pid: &str) -> Result<Child, String> {
    let mut strace = Command::new("strace")
        .args([
            "-f",
            "-e",
            "trace=fdatasync",
            "-e",
            "inject=fdatasync:error=EIO",
            "-o",
            "/dev/null",
            "-p",
            pid,
        ])
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("strace: {error}"))?;
    let mut lines = BufReader::new(strace.stderr.take().unwrap()).lines();
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    if first.contains("attached") {
        // It tells of each thread that comes and goes.
        std::thread::spawn(move || lines.for_each(drop));
        return Ok(strace);
    }
    let _ = strace.kill();
    let _ = strace.wait();
    Err(first)
}
