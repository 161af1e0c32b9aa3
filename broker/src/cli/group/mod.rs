//! `mainstem group`: list, describe.

mod describe;
mod list;

use std::process::ExitCode;

use clap::Subcommand;

use super::Error;

const EXAMPLES: &str = "\
Examples:
  mainstem group list
  mainstem group describe billing";

/// List and describe consumer groups
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Describe(describe::Args),
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    match &args.command {
        Command::List(args) => list::run(args),
        Command::Describe(args) => describe::run(args),
    }
}
