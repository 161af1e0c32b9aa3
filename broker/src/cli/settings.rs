//! `mainstem settings`: what can be set.

use std::io::Write;
use std::process::ExitCode;

use clap::ValueEnum;

use super::{Error, output};
use crate::config::{self, Config, Listed};

const EXAMPLES: &str = "\
Examples:
  mainstem settings                                         Names and defaults
  mainstem settings log.retention.ms                        One setting, explained
  mainstem settings --output json | jq '.[].name'           For programs
  mainstem settings --output markdown > docs/settings.md    The reference manual";

/// List the broker's settings with their defaults
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Explain this setting alone
    name: Option<String>,
    /// How to write them
    #[arg(long, value_enum, default_value_t)]
    output: Form,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// The reference manual
    Markdown,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let listed = asked_for(args)?;
    match args.output {
        Form::Json => output::json(&listed.iter().map(json).collect::<Vec<_>>())?,
        Form::Markdown => std::io::stdout().write_all(config::markdown().as_bytes())?,
        Form::Text if args.name.is_some() => listed.iter().try_for_each(explain)?,
        Form::Text => output::table(&["setting", "default"], listed.into_iter().map(row))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn asked_for(args: &Args) -> Result<Vec<Listed>, Error> {
    let all = Config::default().list();
    let Some(name) = &args.name else { return Ok(all) };
    let found: Vec<_> = all.into_iter().filter(|listed| listed.name == name).collect();
    if found.is_empty() {
        let error = Error::usage(format_args!("there is no setting {name}"));
        return Err(error.advise("`mainstem settings` lists them"));
    }
    Ok(found)
}

fn row(listed: Listed) -> [String; 2] {
    [listed.name.to_owned(), listed.value]
}

fn explain(listed: &Listed) -> std::io::Result<()> {
    let Listed { name, value, doc, .. } = listed;
    output::text(format_args!("{name} = {value}\n{doc}"))
}

fn json(listed: &Listed) -> serde_json::Value {
    serde_json::json!({ "name": listed.name, "default": listed.value, "doc": listed.doc })
}
