//! What the broker allocates for a request, from the socket down to the disk and back: so many times for a request and
//! for each of its partitions, and never for a record.
//!
//! The broker runs in this process, and all of its threads are counted; the client's thread is not. What is done now
//! and then, and belongs to no request, only adds to a count: a look at the metrics, space made ahead of need, the
//! journal's word that it is idle. So the least over many requests is what a request takes. A few allocations still depend on
//! the disk: on how many writes of the journal a request of several batches is spread over. The limits leave room for those
//! above what was measured. Where a change makes a count fall, lower the limit with it.

#![allow(clippy::unwrap_used, reason = "these are tests, and a panic is their report")]

#[path = "../support/allocations.rs"]
mod allocations;
#[allow(dead_code, reason = "a part of it is needed here")]
#[path = "../integration/harness.rs"]
mod harness;
mod scene;

use allocations::Taken;
use mainstem_protocol::records::Compression;

use scene::{PARTITIONS, Scene, batch};

/// Records of a batch. Both fill a buffer of their own: requests below 16 KiB share one, some 150 of these records.
const FEW: usize = 200;
const MANY: usize = 10 * FEW;

/// Allocations for a Produce request of one batch: 47 measured.
const PRODUCE_MAX: usize = 58;

/// For each further batch of it: 24 measured, 26 on a slow disk.
const PRODUCE_BATCH_MAX: usize = 30;

/// For a Fetch request of one partition: 17 measured.
const FETCH_MAX: usize = 20;

/// For each further partition of it: 4 measured.
const FETCH_PARTITION_MAX: usize = 5;

/// For a Fetch request that goes on with a session of one partition without news: 13 measured.
const TURN_MAX: usize = 16;

/// For each further partition of the session: 1 measured.
const TURN_PARTITION_MAX: usize = 2;

#[test]
fn produce_allocates_nothing_for_a_record() {
    let mut scene = Scene::new();
    let [few, many] = [FEW, MANY].map(|records| scene.of_produce(1, &batch(records, Compression::None)));
    check_same(&format!("requests of {FEW} and of {MANY} records"), few, many);
}

#[test]
fn produce_of_compressed_batches_allocates_nothing_for_a_record() {
    let mut scene = Scene::new();
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let [few, many] = [FEW, MANY].map(|records| scene.of_produce(1, &batch(records, compression)));
        check_same(&format!("requests of {FEW} and of {MANY} records, {compression:?}"), few, many);
    }
}

#[test]
fn fetch_allocates_nothing_for_a_record_or_a_batch() {
    let mut scene = Scene::new();
    for (topic, batches, records) in [("few", 1, FEW), ("many", 1, MANY), ("batches", MANY, 1)] {
        scene.fill(topic, batches, records);
    }
    let [few, many, batches] = ["few", "many", "batches"].map(|topic| scene.of_fetch(topic, 1));
    check_same(&format!("a batch of {FEW} and one of {MANY} records"), few, many);
    check_same(&format!("one batch and {MANY}"), few, batches);
}

/// A copy would need memory to be in.
#[test]
fn produce_keeps_a_batch_where_the_socket_was_read_to() {
    let mut scene = Scene::new();
    let batches = [FEW, MANY].map(|records| batch(records, Compression::None));
    let [few, many] = batches.each_ref().map(|batch| scene.of_produce(1, batch));
    let [received, taken] = [batches[1].len() - batches[0].len(), many.bytes - few.bytes];
    assert!(
        taken.abs_diff(received) < received / 10,
        "{taken} bytes of memory for {received} more that were received"
    );
}

#[test]
fn fetch_takes_no_memory_for_the_records_that_it_sends() {
    let mut scene = Scene::new();
    scene.fill("few", 1, FEW);
    scene.fill("many", 1, MANY);
    let [few, many] = ["few", "many"].map(|topic| scene.of_fetch(topic, 1));
    let more = many.bytes.abs_diff(few.bytes);
    assert!(more < MANY - FEW, "{more} bytes of memory for {} more records", MANY - FEW);
}

#[test]
fn a_produce_request_allocates_as_little_as_it_did() {
    let mut scene = Scene::new();
    let batch = batch(1, Compression::None);
    let (one, all) = (scene.of_produce(1, &batch), scene.of_produce(PARTITIONS, &batch));
    check("a Produce request", one.calls, PRODUCE_MAX);
    check("a further batch", further(one, all), PRODUCE_BATCH_MAX);
}

#[test]
fn a_fetch_request_allocates_as_little_as_it_did() {
    let mut scene = Scene::new();
    scene.fill("filled", 1, 1);
    let (one, all) = (scene.of_fetch("filled", 1), scene.of_fetch("filled", PARTITIONS));
    check("a Fetch request", one.calls, FETCH_MAX);
    check("a further partition", further(one, all), FETCH_PARTITION_MAX);
}

#[test]
fn a_fetch_request_of_a_session_allocates_as_little_as_it_did() {
    let mut scene = Scene::new();
    scene.fill("filled", 1, 1);
    let (one, all) = (scene.of_turn("filled", 1), scene.of_turn("filled", PARTITIONS));
    check("a Fetch request of a session", one.calls, TURN_MAX);
    check("a further partition of a session", further(one, all), TURN_PARTITION_MAX);
}

/// Allocations for each partition but the first, rounded up.
const fn further(one: Taken, all: Taken) -> usize {
    (all.calls - one.calls).div_ceil(PARTITIONS - 1)
}

/// One allocation for every hundred records would already be too many.
fn check_same(what: &str, few: Taken, many: Taken) {
    let (few, many) = (few.calls, many.calls);
    println!("{what}: {few} and {many} allocations");
    assert!(many.abs_diff(few) * 100 < MANY - FEW, "{few} and {many} allocations for {what}");
}

fn check(what: &str, allocations: usize, most: usize) {
    println!("{what}: {allocations} allocations, at most {most}");
    assert!(allocations <= most, "{allocations} allocations for {what}, and it took {most}");
}
