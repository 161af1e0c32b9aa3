//! A processor of the low-level interface, with a store and timers: it says when a machine has not been heard of for a
//! minute, and when it is back.
//!
//! ```sh
//! cargo run -p mainstem-processor --example low_level
//! ```
//!
//! It runs within the test driver, which needs no broker. Against a cluster, the topology goes to `runtime::run`, as in
//! `word_count.rs`.

use std::{error::Error, fmt::Write as _};

use bytes::Bytes;
use mainstem_client::Timestamp;
use mainstem_processor::{
    Context, InputBatch, OutputRecord, ProcessResult, Processor, TestDriver, Topology, TopologyBuilder,
    TopologyError,
};

const MINUTE_MS: i64 = 60_000;

/// What the store holds of a machine that is silent.
const SILENT: &[u8] = b"silent";

/// The store holds for each machine when it was last heard of, or that it is silent. All that a task must not forget is in
/// its stores and timers, so that a restart goes on where the last commit was.
struct Watch;

impl Watch {
    fn heard(machine: &Bytes, at: Timestamp, ctx: &mut Context<'_>) -> ProcessResult {
        let store = ctx.store("last-heard")?;
        let before = store.get(machine);
        store.put(machine, Bytes::copy_from_slice(&at.0.to_be_bytes()));
        match before {
            Some(before) if before == SILENT => say(machine, "is back", at, ctx)?,
            Some(before) => {
                let before = before.as_ref().try_into().map_or(0, i64::from_be_bytes);
                ctx.cancel(Timestamp(before + MINUTE_MS), machine);
            }
            None => {}
        }
        ctx.schedule(Timestamp(at.0 + MINUTE_MS), machine);
        Ok(())
    }
}

fn say(machine: &Bytes, what: &'static str, at: Timestamp, ctx: &mut Context<'_>) -> ProcessResult {
    let (key, value) = (Some(machine.clone()), Some(Bytes::from_static(what.as_bytes())));
    Ok(ctx.forward("alarms", OutputRecord { key, value, timestamp: at, ..OutputRecord::default() })?)
}

impl Processor for Watch {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            if let Some(machine) = &input.record.key {
                Self::heard(machine, input.event_time, ctx)?;
            }
        }
        Ok(())
    }

    fn on_timer(&mut self, at: Timestamp, machine: &[u8], ctx: &mut Context<'_>) -> ProcessResult {
        let machine = Bytes::copy_from_slice(machine);
        ctx.store("last-heard")?.put(&machine, Bytes::from_static(SILENT));
        say(&machine, "is silent", at, ctx)
    }
}

/// The program: nodes with names, each of which says what is in front of it.
fn watch() -> Result<Topology, TopologyError> {
    TopologyBuilder::new("watch")
        .source("in", "heartbeats")
        .processor("watch", ["in"], ["last-heard"], || Watch)
        .store("last-heard")
        .sink("alarms", "alarms", ["watch"])
        .build()
}

/// What it says of some heartbeats, a line for each alarm.
pub(crate) fn run() -> Result<String, Box<dyn Error>> {
    let mut driver = TestDriver::new(&watch()?)?;
    for (second, machine) in [(0, "mill"), (10, "oven"), (40, "mill"), (75, "mill"), (90, "oven")] {
        driver.pipe("heartbeats", machine, (), second * 1000)?;
    }
    let mut lines = String::new();
    for alarm in driver.read::<String, String>("alarms")? {
        writeln!(lines, "second {}: {} {}", alarm.timestamp.0 / 1000, alarm.key, alarm.value)?;
    }
    Ok(lines)
}

#[allow(dead_code, reason = "a test calls what it calls")]
fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", run()?);
    Ok(())
}
