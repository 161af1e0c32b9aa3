//! `mainstem completions`: what a shell has to know to complete a command line.

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Error};

const EXAMPLES: &str = "\
Examples:
  mainstem completions bash > /etc/bash_completion.d/mainstem
  mainstem completions zsh > ~/.zfunc/_mainstem
  mainstem completions fish > ~/.config/fish/completions/mainstem.fish
  source <(mainstem completions bash)                  For this shell alone";

/// Print a script that completes commands and flags
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mainstem", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
