//! `mainstem config`: get, set, unset and describe the settings of topics, brokers and groups while they run.

mod describe;
mod get;
mod resource;
mod set;
mod unset;

use std::process::ExitCode;

use clap::Subcommand;

use super::Error;

const EXAMPLES: &str = "\
Examples:
  mainstem config describe topic orders
  mainstem config get topic orders retention.ms
  mainstem config set topic orders retention.ms=86400000 segment.ms=3600000
  mainstem config unset topic orders retention.ms
  mainstem config set broker 1 max.connections=2000
  mainstem config set broker all log.retention.ms=86400000
  mainstem config describe group billing
  mainstem config set logger 1 mainstem::net=DEBUG

`mainstem settings` lists what a broker may be started with.";

/// Get, set, unset and describe settings of topics, brokers and groups
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Get(get::Args),
    Set(set::Args),
    Unset(unset::Args),
    Describe(describe::Args),
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    match &args.command {
        Command::Get(args) => get::run(args),
        Command::Set(args) => set::run(args),
        Command::Unset(args) => unset::run(args),
        Command::Describe(args) => describe::run(args),
    }
}
