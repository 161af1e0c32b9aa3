//! `mainstem group`: list, describe, reset, delete, delete-offsets.

mod delete;
mod delete_offsets;
mod describe;
mod list;
mod members;
mod reset;
mod scope;

use std::process::ExitCode;

use clap::Subcommand;

use super::{Error, output};

const EXAMPLES: &str = "\
Examples:
  mainstem group list
  mainstem group describe billing
  mainstem group reset billing --topic orders --to-earliest
  mainstem group delete billing
  mainstem group delete-offsets billing --topic orders";

/// List, describe, reset and delete consumer groups
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
    Reset(Box<reset::Args>),
    Delete(delete::Args),
    DeleteOffsets(delete_offsets::Args),
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    match &args.command {
        Command::List(args) => list::run(args),
        Command::Describe(args) => describe::run(args),
        Command::Reset(args) => reset::run(args),
        Command::Delete(args) => delete::run(args),
        Command::DeleteOffsets(args) => delete_offsets::run(args),
    }
}

/// What to say of a group that is not there.
fn not_found(group: &str) -> Error {
    Error::new(format_args!("there is no group {}", output::printable(group)))
        .advise("`mainstem group list` shows what there is")
}
