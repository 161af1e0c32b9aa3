//! A processor with both kinds of timers: it adds up what a meter has counted, hour by hour of the readings' own time, and
//! every ten minutes by the clock says how many meters it has heard of, though none may send anything.
//!
//! ```sh
//! cargo run -p mainstem-processor --example both_clocks
//! ```
//!
//! It runs within the test driver, whose clock moves when it is told to. Against a cluster, the topology goes to
//! `runtime::run`, as in `word_count.rs`, and the clock is the machine's.

use std::{error::Error, fmt::Write as _, time::Duration};

use bytes::Bytes;
use mainstem_client::Timestamp;
use mainstem_processor::{
    Context, InputBatch, OutputRecord, ProcessResult, Processor, Serde, TestDriver, Topology,
    TopologyBuilder, TopologyError,
};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// How often it says that it is there.
const REPORT: Duration = Duration::from_secs(600);

/// The store holds what each meter has counted in its hour.
struct Meters;

fn say(text: String, at: Timestamp, ctx: &mut Context<'_>) -> ProcessResult {
    let record = OutputRecord { value: Some(text.into()), timestamp: at, ..OutputRecord::default() };
    Ok(ctx.forward("reports", record)?)
}

fn number(bytes: &Bytes) -> i64 {
    bytes.as_ref().try_into().map_or(0, i64::from_be_bytes)
}

impl Processor for Meters {
    /// Timers by the clock are gone after a restart; this sets the first one again.
    fn on_start(&mut self, ctx: &mut Context<'_>) -> ProcessResult {
        Ok(ctx.schedule_wall_clock(REPORT, b"report")?)
    }

    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            let Some(meter) = &input.record.key else { continue };
            let reading = i64::decode(input.record.value.as_ref())?;
            let store = ctx.store("sums")?;
            let sum = store.get(meter).as_ref().map_or(0, number) + reading;
            store.put(meter, Bytes::copy_from_slice(&sum.to_be_bytes()));
            // The end of the hour is one timer, however many readings set it.
            let end = (input.event_time.0.div_euclid(HOUR_MS) + 1) * HOUR_MS;
            ctx.schedule(Timestamp(end), meter);
        }
        Ok(())
    }

    /// By the time of readings: the same readings give the same sums tomorrow.
    fn on_timer(&mut self, at: Timestamp, meter: &[u8], ctx: &mut Context<'_>) -> ProcessResult {
        let store = ctx.store("sums")?;
        let sum = store.get(meter).as_ref().map_or(0, number);
        store.delete(meter);
        let meter = String::from_utf8_lossy(meter);
        say(format!("{meter} has counted {sum} in the hour up to {}:00", at.0 / HOUR_MS), at, ctx)
    }

    /// By the clock: whether or not there are readings.
    fn on_wall_clock(&mut self, now: Timestamp, key: &[u8], ctx: &mut Context<'_>) -> ProcessResult {
        let meters = ctx.store("sums")?.range_from(b"").len();
        ctx.schedule_wall_clock(REPORT, key)?;
        say(format!("{meters} meters in this hour"), now, ctx)
    }
}

/// The program.
fn meters() -> Result<Topology, TopologyError> {
    TopologyBuilder::new("meters")
        .source("in", "readings")
        .processor("meters", ["in"], ["sums"], || Meters)
        .store("sums")
        .sink("reports", "reports", ["meters"])
        .build()
}

/// What it reports of some readings, a line for each report.
pub(crate) fn run() -> Result<String, Box<dyn Error>> {
    let mut driver = TestDriver::new(&meters()?)?;
    driver.pipe("readings", "north", 4_i64, 8 * HOUR_MS)?;
    driver.pipe("readings", "south", 7_i64, 8 * HOUR_MS + 5 * MINUTE_MS)?;
    driver.advance(REPORT)?;
    driver.pipe("readings", "north", 2_i64, 8 * HOUR_MS + 59 * MINUTE_MS)?;
    driver.pipe("readings", "south", 1_i64, 9 * HOUR_MS)?;
    driver.advance(REPORT)?;
    let mut lines = String::new();
    for report in driver.read::<(), String>("reports")? {
        writeln!(lines, "{}", report.value)?;
    }
    Ok(lines)
}

#[allow(dead_code, reason = "a test calls what it calls")]
fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", run()?);
    Ok(())
}
