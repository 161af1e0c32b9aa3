//! `mainstem man`: manual pages, made of the help of the commands.

use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

use clap::builder::{Resettable, StyledStr};
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::{Cli, Error};
use crate::config::nearest;

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
    let page = page(find(&args.command)?)?;
    std::io::stdout().write_all(&page)?;
    Ok(ExitCode::SUCCESS)
}

/// What follows the help is kept as it is set, with a section of its own, where clap would fill its lines.
fn page(command: Command) -> std::io::Result<Vec<u8>> {
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut page = Vec::new();
    Man::new(command.after_help(Resettable::<StyledStr>::Reset)).render(&mut page)?;
    page.extend(examples(&after).into_bytes());
    Ok(page)
}

/// The examples as they stand, and the paragraphs behind them filled.
fn examples(after: &str) -> String {
    let (heading, rest) = after.split_once('\n').unwrap_or((after, ""));
    let (examples, notes) = rest.split_once("\n\n").unwrap_or((rest, ""));
    let mut page = format!(".SH {}\n.nf\n", heading.trim_end_matches(':').to_uppercase());
    // Writing into a string cannot fail.
    let _ = write!(page, "{}.fi\n.PP\n{}", escaped(examples), escaped(notes));
    page
}

/// Lines that mean nothing to roff but themselves.
fn escaped(text: &str) -> String {
    text.lines().map(|line| format!("\\&{}\n", line.replace('\\', "\\e").replace('-', "\\-"))).collect()
}

/// The command of that name; once built, it knows its whole name.
fn find(names: &[String]) -> Result<Command, Error> {
    let mut command = Cli::command();
    command.build();
    for name in names {
        let found = command.find_subcommand(name).filter(|found| !found.is_hide_set()).cloned();
        command = found.ok_or_else(|| unknown(names, name, &command))?;
    }
    Ok(command)
}

fn unknown(names: &[String], name: &str, command: &Command) -> Error {
    let known = command.get_subcommands().filter(|known| !known.is_hide_set()).map(Command::get_name);
    let advice = match nearest::among(name, known) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "`mainstem --help` lists them".to_owned(),
    };
    Error::usage(format_args!("there is no command {}", names.join(" "))).advise(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_keep_their_lines_and_notes_are_filled() {
        let after = "Examples:\n  a --b '%k\\n'\n  c\n\nOne\n.two";
        let expected = ".SH EXAMPLES\n.nf\n\\&  a \\-\\-b '%k\\en'\n\\&  c\n.fi\n.PP\n\\&One\n\\&.two\n";
        assert_eq!(examples(after), expected);
    }
}
