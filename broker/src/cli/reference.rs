//! The reference of the command line, made of the help of its commands.

use std::fmt::{self, Write};
use std::process::ExitCode;

use clap::{Command, CommandFactory};

use mainstem_storage::SystemClock;

use super::{Cli, Error, output};
use crate::metrics::Metrics;

const HEAD: &str = "\
# The command line

Results go to standard output, everything else to standard error. Every command takes `--output json`; commands that talk to a
broker take `--bootstrap-server HOST:PORT` (`-b`, `MAINSTEM_BOOTSTRAP_SERVER`), and it may be any Kafka broker. A reader of
standard output that goes away (`| head`) ends a command quietly.

Exit codes, unless a command says otherwise: 0 when it is done; 1 when it failed; 2 when it was called wrongly, that is, with a
flag, argument or setting that cannot be, whatever the broker is. A partition or a topic that a broker does not have is a
failure.

<!-- Made by `mainstem reference`; change the help in broker/src/cli. -->
";

/// Columns at which help is wrapped.
const COLUMNS: usize = 100;

/// Print a page of the reference: docs/cli.md or docs/metrics.md
#[derive(Debug, clap::Args)]
#[command(hide = true, after_help = "Example:\n  mainstem reference cli > docs/cli.md")]
pub(super) struct Args {
    /// Which page
    #[arg(value_enum, default_value = "cli")]
    page: Page,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Page {
    Cli,
    Metrics,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let page = match args.page {
        Page::Cli => markdown(),
        Page::Metrics => Metrics::new(&SystemClock::default()).reference(),
    };
    output::text(page.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn markdown() -> String {
    let mut command = Cli::command().term_width(COLUMNS);
    command.build();
    let mut text = HEAD.to_owned();
    // Writing into a string cannot fail.
    let _ = write_all(&mut text, &mut command, "mainstem");
    text
}

fn write_all(text: &mut String, command: &mut Command, name: &str) -> fmt::Result {
    let help = command.render_long_help().to_string();
    let lines: Vec<_> = help.lines().map(str::trim_end).collect();
    write!(text, "\n## `{name}`\n\n```text\n{}\n```\n", lines.join("\n").trim_end())?;
    let shown = |command: &&mut Command| !command.is_hide_set() && command.get_name() != "help";
    command.get_subcommands_mut().filter(shown).try_for_each(|subcommand| {
        let name = format!("{name} {}", subcommand.get_name());
        write_all(text, subcommand, &name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_reference_is_fresh() {
        let committed = include_str!("../../../docs/cli.md");
        assert!(committed == markdown(), "run: cargo run -- reference > docs/cli.md");
    }
}
