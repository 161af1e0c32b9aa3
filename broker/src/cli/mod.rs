//! Every subcommand of the binary, one file each.
//!
//! Standard output carries results and nothing else; errors go to standard error and say what to do next. Every
//! command takes `--output json`. Exit codes: 0 when it is done; 1 when it failed; 2 when it was called wrongly, which is
//! what can be told from flags, arguments and settings alone, whatever the broker is. `verify` has its own.

mod arguments;
mod bench;
mod completions;
mod config;
mod confirm;
mod consume;
mod demo;
mod downstream;
mod durability;
mod error;
mod group;
mod isolation;
mod man;
mod output;
mod produce;
mod reference;
mod remote;
mod serve;
mod settings;
mod topic;
mod txn;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use durability::Durability;
use error::Error;

const EXAMPLES: &str = "\
Examples:
  mainstem demo                             See what it is about
  mainstem serve                            Run a broker in ./data
  mainstem topic create greetings           Talk to it, or to any other Kafka broker
  echo hello | mainstem produce greetings
  mainstem consume greetings --exit
  mainstem bench latency                    Measure it
  mainstem group describe billing           How far a group has read
  mainstem config set topic greetings retention.ms=86400000
  mainstem verify ./data                    Check a stopped broker's data
  mainstem settings                         What can be set, and what it is

Exit codes: 0 done; 1 failed; 2 called wrongly: a flag, argument or setting that cannot be,
whatever the broker is.";

/// A message log that any Kafka client talks to, with stream processing beside it.
#[derive(Debug, Parser)]
#[command(name = "mainstem", version, about, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(bench::Args),
    Completions(completions::Args),
    Config(config::Args),
    Consume(consume::Args),
    Demo(demo::Args),
    Group(group::Args),
    Man(man::Args),
    Produce(produce::Args),
    Reference(reference::Args),
    Serve(serve::Args),
    Settings(settings::Args),
    Topic(topic::Args),
    Txn(txn::Args),
    Verify(verify::Args),
}

impl Cli {
    /// Runs the command that was asked for.
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Bench(args) => bench::run(&args),
            Command::Completions(args) => completions::run(&args),
            Command::Config(args) => config::run(&args),
            Command::Consume(args) => consume::run(&args),
            Command::Demo(args) => demo::run(&args),
            Command::Group(args) => group::run(&args),
            Command::Man(args) => man::run(&args),
            Command::Produce(args) => produce::run(&args),
            Command::Reference(args) => reference::run(&args),
            Command::Serve(args) => serve::run(&args),
            Command::Settings(args) => settings::run(&args),
            Command::Topic(args) => topic::run(&args),
            Command::Txn(args) => txn::run(&args),
            Command::Verify(args) => verify::run(&args),
        };
        result.unwrap_or_else(|error| error.exit())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_described_consistently() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command) {
            let has_subcommands = command.get_subcommands().next().is_some();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(has_subcommands || help.contains("Example"), "{}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
