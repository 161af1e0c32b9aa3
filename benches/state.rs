//! State of processors on disk: ten million keys within a limit of memory, and the same store in memory with fewer.
//!
//! `cargo bench -p mainstem-processor --bench state`; `-- --keys N --memory MIB` for others.

#[path = "support/measure.rs"]
mod measure;

use std::{fs, path::Path, time::Duration};

use bytes::Bytes;
use mainstem_processor::{StateDirectory, state::Store};
use measure::time;

const KEYS: u64 = 10_000_000;
const MEMORY_MIB: u64 = 256;
/// Keys of the store in memory that the one on disk is compared with.
const KEYS_IN_MEMORY: u64 = 1_000_000;
const VALUE_BYTES: usize = 100;
/// Changes of a commit.
const COMMIT: u64 = 5_000;
/// Changes of a batch that is restored, as a task reads them.
const BATCH: u64 = 1_000;
const READS: u64 = 200_000;
const SCANS: u64 = 2_000;
const SCAN_KEYS: usize = 100;

fn main() {
    let (keys, memory) = (argument("--keys").unwrap_or(KEYS), argument("--memory").unwrap_or(MEMORY_MIB));
    let base = status("VmRSS:");
    println!("before: resident {base} MiB");
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("state");
    clear(&scratch);
    let directory = StateDirectory::open(&scratch, memory * 1024 * 1024).expect("the directory opens");
    println!("on disk, {keys} keys of 17 bytes and values of {VALUE_BYTES}, {memory} MiB:");
    let mut store = directory.store_alone("filled").expect("the store opens");
    measured(&mut store, keys);
    println!("    on disk {} MiB", directory.disk_bytes().expect("it says so") >> 20);
    drop(store);
    restored(&mut directory.store_alone("restored").expect("the store opens"), keys / 4);
    println!("    resident {} MiB, at most {} MiB", status("VmRSS:"), status("VmHWM:"));
    drop(directory);
    let (opening, directory) = time(|| StateDirectory::open(&scratch, memory * 1024 * 1024));
    let found = directory.expect("the directory opens again").store_alone("filled").expect("the store opens");
    assert_eq!(found.get(&key(keys - 1)), Some(value(keys - 1)), "what was committed is there");
    println!("    opened again in {:.0} ms", millis(opening));
    drop(found);
    clear(&scratch);
    println!("in memory, {KEYS_IN_MEMORY} keys:");
    measured(&mut Store::default(), KEYS_IN_MEMORY);
}

#[expect(clippy::disallowed_methods, reason = "a benchmark clears away what it has made")]
fn clear(scratch: &Path) {
    let _ = fs::remove_dir_all(scratch);
}

fn measured(store: &mut Store, keys: u64) {
    report("put, new keys", keys, || fill(store, keys));
    report("get, there", READS, || read(store, keys, 1));
    report("get, not there", READS, || read(store, keys, 3));
    report("get and put", READS, || update(store, keys));
    let scanned = SCANS * SCAN_KEYS as u64;
    report("entries of scans of 100", scanned, || scan(store, keys));
}

fn report(what: &str, count: u64, work: impl FnOnce()) {
    let (took, ()) = time(work);
    println!(
        "    {what}: {:.0} a second; resident {} MiB, at most {} MiB",
        count as f64 / took.as_secs_f64(),
        status("VmRSS:"),
        status("VmHWM:")
    );
}

fn fill(store: &mut Store, keys: u64) {
    for first in (0..keys).step_by(COMMIT as usize) {
        for number in first..keys.min(first + COMMIT) {
            store.put(&key(number), value(number));
        }
        store.commit_alone().expect("the commit is written");
    }
}

/// Keys that a stride finds; those beyond the last are not there.
fn read(store: &Store, keys: u64, factor: u64) {
    for number in picks(keys) {
        let found = store.get(&key(number + keys * (factor - 1)));
        assert_eq!(found.is_some(), factor == 1, "{number}");
    }
}

fn update(store: &mut Store, keys: u64) {
    for (at, number) in picks(keys).enumerate() {
        let found = store.get(&key(number)).expect("it is there");
        store.put(&key(number), found.slice(1..));
        if (at as u64 + 1).is_multiple_of(COMMIT) {
            store.commit_alone().expect("the commit is written");
        }
    }
    store.commit_alone().expect("the commit is written");
}

fn scan(store: &Store, keys: u64) {
    for number in picks(keys).take(SCANS as usize) {
        // The last keys have fewer behind them.
        assert!(store.entries_from(&key(number)).take(SCAN_KEYS).count() <= SCAN_KEYS);
    }
}

fn restored(store: &mut Store, keys: u64) {
    report("restored, changes", keys, || {
        for first in (0..keys).step_by(BATCH as usize) {
            let change = |number| (key(number), Some(value(number)));
            let changes = (first..keys.min(first + BATCH)).map(change);
            store.restore_alone(changes).expect("the changes are written");
        }
    });
}

/// Numbers all over the keys, always the same.
fn picks(keys: u64) -> impl Iterator<Item = u64> {
    (0..READS).map(move |at| mixed(at ^ 0x5eed) % keys)
}

/// Keys in no order, so that each commit writes all over the store.
fn key(number: u64) -> Bytes {
    Bytes::from(format!("{:016x}", mixed(number)))
}

fn value(number: u64) -> Bytes {
    let mut value = vec![0; VALUE_BYTES];
    let mut word = mixed(number.wrapping_add(1));
    for chunk in value.chunks_mut(8) {
        word = mixed(word);
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
    }
    value.into()
}

/// A bijection (the finalizer of `SplitMix64`), so that no two numbers meet.
const fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn argument(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next().map(|value| value.parse().expect("it is a number"))
}

/// A line of the process's status, in MiB.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it says that");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number") / 1024
}
