//! `mainstem settings`: what can be set.

use std::io::Write;
use std::iter;
use std::process::ExitCode;

use clap::ValueEnum;

use super::{Error, output};
use crate::config::{self, Config, Listed, nearest};

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
        Form::Text => output::table(&["setting", "default"], listed.iter().flat_map(rows))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn asked_for(args: &Args) -> Result<Vec<Listed>, Error> {
    let all = Config::default().list();
    let Some(name) = &args.name else { return Ok(all) };
    let is_it =
        |listed: &Listed| listed.name == name || listed.aliases.iter().any(|alias| alias.name == name);
    let found: Vec<_> = all.into_iter().filter(is_it).collect();
    if found.is_empty() {
        let meant = nearest::name(name).map(|nearest| format!("did you mean {nearest}?"));
        let advice = meant.unwrap_or_else(|| "`mainstem settings` lists them".to_owned());
        return Err(Error::usage(format_args!("there is no setting {name}")).advise(advice));
    }
    Ok(found)
}

/// A setting, and a line for each of its other names.
fn rows(listed: &Listed) -> impl Iterator<Item = [String; 2]> {
    let aliases = listed.aliases.iter();
    let aliases =
        aliases.map(|alias| [alias.name.to_owned(), format!("({} in {})", listed.name, alias.unit)]);
    iter::once([listed.name.to_owned(), listed.value.clone()]).chain(aliases)
}

fn explain(listed: &Listed) -> std::io::Result<()> {
    let Listed { name, value, doc, expected, aliases, .. } = listed;
    output::text(format_args!("{name} = {value}\n{doc}\nValues: {expected}"))?;
    aliases.iter().try_for_each(|alias| output::text(format_args!("Also: {}, in {}", alias.name, alias.unit)))
}

fn json(listed: &Listed) -> serde_json::Value {
    let Listed { name, value, doc, expected, aliases, .. } = listed;
    let aliases: Vec<_> = aliases.iter().map(|alias| alias.name).collect();
    serde_json::json!({ "name": name, "default": value, "doc": doc, "values": expected, "aliases": aliases })
}
