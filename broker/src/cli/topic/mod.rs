//! `mainstem topic`: create, list, describe, alter, offsets, delete-records, delete.

mod alter;
mod create;
mod delete;
mod delete_records;
mod describe;
mod failure;
mod list;
mod offsets;
mod time;

use std::process::ExitCode;

use clap::Subcommand;

use super::Error;

const EXAMPLES: &str = "\
Examples:
  mainstem topic create orders --partitions 6
  mainstem topic list
  mainstem topic describe orders
  mainstem topic alter orders --config retention.ms=86400000
  mainstem topic offsets orders --time earliest
  mainstem topic delete-records orders 0:1500
  mainstem topic delete orders";

/// Create, list, describe, alter and delete topics
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(create::Args),
    List(list::Args),
    Describe(describe::Args),
    Alter(alter::Args),
    Offsets(offsets::Args),
    DeleteRecords(delete_records::Args),
    Delete(delete::Args),
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    match &args.command {
        Command::Create(args) => create::run(args),
        Command::List(args) => list::run(args),
        Command::Describe(args) => describe::run(args),
        Command::Alter(args) => alter::run(args),
        Command::Offsets(args) => offsets::run(args),
        Command::DeleteRecords(args) => delete_records::run(args),
        Command::Delete(args) => delete::run(args),
    }
}
