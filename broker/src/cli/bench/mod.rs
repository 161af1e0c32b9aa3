//! `mainstem bench`: how fast a broker is, seen from a client.
//!
//! The load is an open loop: each record has a time at which it is to be sent, and that time does not move when the broker is
//! slow. Latencies count from that time and not from when the record got out, so that a broker that stalls cannot hide the
//! records which should have been sent meanwhile (coordinated omission).
//!
//! - `load`: what is sent, how much of it, and how; `pace`: when; `payload`: the bytes.
//! - `sender`: the loop; `acknowledgements`: what becomes of each record.
//! - `tally`, `report`: what was measured, for people and for programs; `client`: what the client says of itself; `progress`: how far it is.

mod acknowledgements;
mod client;
mod consume;
mod latency;
mod load;
mod pace;
mod payload;
mod produce;
mod progress;
mod report;
mod sender;
mod tally;

use std::future::Future;
use std::process::ExitCode;

use clap::Subcommand;

use super::Error;
use crate::process;

const EXAMPLES: &str = "\
Examples:
  mainstem bench produce                         As fast as it goes, for ten seconds
  mainstem bench consume                         Read back what was produced
  mainstem bench latency --rate 1000             There and back, a thousand records a second";

/// Measure a broker: throughput and latency, seen from a client
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Produce(produce::Args),
    Consume(consume::Args),
    Latency(latency::Args),
}

/// The topic unless another one is named.
const TOPIC: &str = "bench";

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    match &args.command {
        Command::Produce(args) => produce::run(args),
        Command::Consume(args) => consume::run(args),
        Command::Latency(args) => latency::run(args),
    }
}

/// Runs a measurement on as many threads as there are cores.
fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    process::build_runtime(0).map_err(Error::new)?.block_on(future)
}
