//! Counting by window and by session, on one core and without any cluster: beside a step that drops everything, which is
//! what it takes to get the records there.
//!
//! `cargo bench -p mainstem-processor --bench windows`

#[path = "support/measure.rs"]
mod measure;

use std::time::Duration;

use bytes::Bytes;
use mainstem_processor::{
    SessionWindows, StreamBuilder, TestDriver, TestRecord, TimeWindows, Topology, Windowed,
};
use measure::{Spread, cpu_seconds};

const ROUNDS: usize = 5;
const BATCHES: usize = 400;
const BATCH_RECORDS: usize = 1000;
const KEYS: u64 = 10_000;
/// Every second record is of one of these keys.
const BUSY_KEYS: u64 = 100;
const RECORDS_OF_A_MILLISECOND: usize = 10;

fn main() {
    println!("records per CPU second, in batches of {BATCH_RECORDS}, each with a commit; {KEYS} keys");
    for value_bytes in [100, 1024] {
        let batches = batches(value_bytes);
        let programs =
            [("dropped", dropped()), ("window count", windowed()), ("session count", by_session())];
        let mut figures = programs.each_ref().map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for ((_, topology), figures) in programs.iter().zip(&mut figures) {
                figures.push(rate(topology, &batches));
            }
        }
        for ((name, _), figures) in programs.iter().zip(figures) {
            println!("{name:>13}, {value_bytes:>4} B, thousands: {}", Spread::of(figures));
        }
    }
}

type Batch = Vec<TestRecord<Bytes, Bytes>>;

/// Batches of records whose keys are drawn by a fixed rule, and whose times rise.
fn batches(value_bytes: usize) -> Vec<Batch> {
    let value = Bytes::from(vec![b'v'; value_bytes]);
    let mut state = 1_u64;
    let mut record = |number: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let keys = if state >> 63 == 0 { BUSY_KEYS } else { KEYS };
        let key = Bytes::copy_from_slice(&((state >> 33) % keys).to_be_bytes());
        TestRecord::new(key, value.clone(), (number / RECORDS_OF_A_MILLISECOND) as i64)
    };
    let mut batch = |batch: usize| (0..BATCH_RECORDS).map(|at| record(batch * BATCH_RECORDS + at)).collect();
    (0..BATCHES).map(&mut batch).collect()
}

/// Thousands of records per second of one core.
fn rate(topology: &Topology, batches: &[Batch]) -> f64 {
    let mut driver = TestDriver::new(topology).expect("one partition fits");
    let before = cpu_seconds();
    for batch in batches {
        driver.pipe_batch("in", batch).expect("counting does not fail");
    }
    let spent = cpu_seconds() - before;
    let results = driver.read::<Windowed<Bytes>, i64>("out").expect("counts come out").len();
    assert!(results < batches.len() * BATCH_RECORDS, "one result for each key and commit at most");
    (batches.len() * BATCH_RECORDS) as f64 / spent / 1000.0
}

fn dropped() -> Topology {
    let builder = StreamBuilder::new("dropped");
    builder.stream::<Bytes, Bytes>("in").filter(|_, _| false).to("out");
    builder.build().expect("a program")
}

fn windowed() -> Topology {
    let builder = StreamBuilder::new("windowed");
    let second = TimeWindows::tumbling(Duration::from_secs(1));
    let grouped = builder.stream::<Bytes, Bytes>("in").group_by_key();
    grouped.windowed_by(second).on_close().count("counts").to("out");
    builder.build().expect("a program")
}

fn by_session() -> Topology {
    let builder = StreamBuilder::new("sessions");
    let sessions = SessionWindows::gap(Duration::from_millis(500));
    let grouped = builder.stream::<Bytes, Bytes>("in").group_by_key();
    grouped.windowed_by(sessions).on_close().count("counts").to("out");
    builder.build().expect("a program")
}
