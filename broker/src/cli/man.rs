//! `mainstem man`: manual pages, made of the help of the commands.

use std::io::Write;
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::{Cli, Error};

const EXAMPLES: &str = "\
Examples:
  mainstem man | man -l -                              Read it
  mainstem man topic create | man -l -                 That of a command
  mainstem man > /usr/local/share/man/man1/mainstem.1";

/// Print a manual page
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The command that it is about, such as topic create [default: all]
    command: Vec<String>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let mut page = Vec::new();
    Man::new(find(&args.command)?).render(&mut page)?;
    std::io::stdout().write_all(&page)?;
    Ok(ExitCode::SUCCESS)
}

/// The command of that name; once built, it knows its whole name.
fn find(names: &[String]) -> Result<Command, Error> {
    let mut command = Cli::command();
    command.build();
    for name in names {
        let found = command.find_subcommand(name).filter(|found| !found.is_hide_set()).cloned();
        let unknown = || Error::usage(format_args!("there is no command {}", names.join(" ")));
        let advise = |error: Error| error.advise("`mainstem --help` lists them");
        command = found.ok_or_else(|| advise(unknown()))?;
    }
    Ok(command)
}
