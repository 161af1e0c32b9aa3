//! A map, counts by window and by session, and a join with a table, on one core and without any cluster: beside a step
//! that drops everything, which is what it takes to get the records there.
//!
//! `cargo bench -p mainstem-processor --bench programs`

#[path = "support/measure.rs"]
mod measure;

use std::{ops::RangeInclusive, time::Duration};

use bytes::Bytes;
use mainstem_processor::{
    SessionWindows, Stream, StreamBuilder, TestDriver, TestRecord, TimeWindows, Topology,
};
use measure::{Spread, cpu_seconds};

const ROUNDS: usize = 5;
const BATCHES: usize = 400;
const BATCH_RECORDS: usize = 1000;
const RECORDS: usize = BATCHES * BATCH_RECORDS;
const KEYS: u64 = 10_000;
/// Every second record is of one of these keys.
const BUSY_KEYS: u64 = 100;
const RECORDS_OF_A_MILLISECOND: usize = 10;

/// What is measured.
struct Program {
    name: &'static str,
    topology: Topology,
    /// How many results it has.
    results: RangeInclusive<usize>,
}

fn main() {
    println!("records per CPU second, in batches of {BATCH_RECORDS}, each with a commit; {KEYS} keys");
    let programs = programs();
    for value_bytes in [100, 1024] {
        let batches = batches(value_bytes);
        let mut figures = programs.each_ref().map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for (program, figures) in programs.iter().zip(&mut figures) {
                figures.push(program.rate(&batches));
            }
        }
        for (program, figures) in programs.iter().zip(figures) {
            println!("{:>17}, {value_bytes:>4} B, thousands: {}", program.name, Spread::of(figures));
        }
    }
}

fn programs() -> [Program; 5] {
    // One result for each key and commit at most.
    let counts = 1..=RECORDS - 1;
    [
        Program::new("dropped", 0..=0, |records, _| records.filter(|_, _| false).to("out")),
        Program::new("map", RECORDS..=RECORDS, |records, _| {
            records.map_values(|value| value.slice(1..)).to("out");
        }),
        Program::new("window count", counts.clone(), |records, _| {
            let second = TimeWindows::tumbling(Duration::from_secs(1));
            records.group_by_key().windowed_by(second).on_close().count("counts").to("out");
        }),
        Program::new("session count", counts, |records, _| {
            let sessions = SessionWindows::gap(Duration::from_millis(500));
            records.group_by_key().windowed_by(sessions).on_close().count("counts").to("out");
        }),
        Program::new("stream-table join", RECORDS..=RECORDS, |records, builder| {
            let table = builder.table::<Bytes, Bytes>("table");
            records.join_table(&table, |_, _, found| found.clone()).to("out");
        }),
    ]
}

impl Program {
    fn new(
        name: &'static str,
        results: RangeInclusive<usize>,
        steps: impl Fn(Stream<Bytes, Bytes>, &StreamBuilder),
    ) -> Self {
        let builder = StreamBuilder::new("program");
        steps(builder.stream("in"), &builder);
        Self { name, topology: builder.build().expect("a program"), results }
    }

    /// Thousands of records per second of one core.
    fn rate(&self, batches: &[Batch]) -> f64 {
        let mut driver = TestDriver::new(&self.topology).expect("one partition fits");
        if self.topology.input_topics().iter().any(|topic| topic == "table") {
            driver.pipe_batch("table", &table()).expect("a table takes what it gets");
        }
        let before = cpu_seconds();
        for batch in batches {
            driver.pipe_batch("in", batch).expect("no step fails");
        }
        let spent = cpu_seconds() - before;
        let results = driver.read::<Bytes, Bytes>("out").expect("results come out").len();
        assert!(self.results.contains(&results), "{} has {results} results", self.name);
        RECORDS as f64 / spent / 1000.0
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
        TestRecord::new(key((state >> 33) % keys), value.clone(), (number / RECORDS_OF_A_MILLISECOND) as i64)
    };
    let mut batch = |batch: usize| (0..BATCH_RECORDS).map(|at| record(batch * BATCH_RECORDS + at)).collect();
    (0..BATCHES).map(&mut batch).collect()
}

/// A value for each key, before all records.
fn table() -> Batch {
    (0..KEYS).map(|number| TestRecord::new(key(number), key(number), 0)).collect()
}

fn key(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}
