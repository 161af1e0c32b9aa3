//! `mainstem bench produce`.

use std::num::NonZeroU64;
use std::process::ExitCode;

use mainstem_client::{Admin, Producer, ProducerConfig};
use serde_json::json;

use super::load::{self, LoadArgs};
use super::pace::Pace;
use super::payload::Payloads;
use super::report::Report;
use super::sender::Run;
use crate::cli::output::Output;
use crate::cli::{Error, remote};

const EXAMPLES: &str = "\
Examples:
  mainstem bench produce
  mainstem bench produce --rate 50000 --duration 30s          How late are acknowledgements at this rate?
  mainstem bench produce big --size 10000 --compression zstd --partitions 6
  mainstem bench produce fast --durability os --records 10000000
  mainstem bench produce --output json | jq .records_per_second

With --rate, a latency is the time from when a record was to be sent (whatever became of those before it) to its
acknowledgement. Without, records are sent as fast as the buffer takes them, and latencies are mostly the wait in it.";

/// Measure how fast records are stored
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    load: LoadArgs,
    /// Records in a second [default: as fast as it goes]
    #[arg(short, long, value_name = "N", value_parser = load::rate, allow_negative_numbers = true)]
    rate: Option<NonZeroU64>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let report = super::block_on(measure(args))?;
    report.show(args.output)?;
    report.note_overload(args.rate);
    Ok(ExitCode::SUCCESS)
}

async fn measure(args: &Args) -> Result<Report, Error> {
    let Args { load, rate, output: _ } = args;
    let transport = load.remote.connect().await?;
    let partitions = load.topic(&Admin::new(&transport, remote::PATIENCE)).await?;
    let linger = load.linger_or(ProducerConfig::default().linger);
    let producer = Producer::new(&transport, load.producer(linger));
    let run = Run { load, rate: *rate, stamp: None, payloads: Payloads::new(load.record_bytes()) };
    let outcome = run.send(producer, Pace::begin(run.rate)?).await?;
    let latencies = vec![("acknowledged", outcome.tally.latencies.clone())];
    let circumstances = json!({
        "bench": "produce",
        "topic": load.topic,
        "partitions": partitions,
        "record_bytes": load.record_bytes(),
        "rate": rate,
        "acks": load.acks.name(),
        "compression": load.compression.name(),
        "linger_ms": linger.as_millis() as u64,
        "batch_bytes": load.batch_bytes(),
        "warm_up_seconds": load.warm_up.as_secs_f64(),
    });
    Ok(Report { title: title(args, partitions), circumstances, outcome, latencies })
}

fn title(args: &Args, partitions: usize) -> String {
    let Args { load, rate, output: _ } = args;
    let partitions = load::counted(partitions, "partition");
    let rate =
        rate.map_or_else(|| "as fast as it goes".to_owned(), |rate| format!("{rate} records a second"));
    format!(
        "produced to {}, {partitions}: records of {} bytes, acks {}, compression {}, {rate}",
        load.topic,
        load.record_bytes(),
        load.acks.name(),
        load.compression.name()
    )
}
