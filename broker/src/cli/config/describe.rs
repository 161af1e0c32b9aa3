//! `mainstem config describe`: settings with their values, where these come from, and what they do.

use std::process::ExitCode;

use super::resource::{self, ResourceArgs, Shown};
use crate::cli::Error;
use crate::cli::output::{self, Output};
use crate::cli::remote;

const EXAMPLES: &str = "\
Examples:
  mainstem config describe topic orders
  mainstem config describe topic orders retention.ms     With what it does
  mainstem config describe broker 1 --own                What was set while it ran, or for its start
  mainstem config describe broker all --output json";

/// Show settings with their values and where these come from
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    resource: ResourceArgs,
    /// The settings, with what they do; all where none are named
    settings: Vec<String>,
    /// Leave out what nobody has set
    #[arg(long)]
    own: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let settings = remote::block_on(describe(args))?;
    match args.output {
        Output::Json => output::json(&settings)?,
        Output::Text if args.settings.is_empty() => resource::show(&settings)?,
        Output::Text => settings.iter().try_for_each(explain)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn describe(args: &Args) -> Result<Vec<Shown>, Error> {
    let resource = args.resource.resource()?;
    let admin = args.resource.admin().await?;
    let settings = admin.describe_configs(&resource).await?;
    if !args.settings.is_empty() {
        let possible = resource::possible(&admin, &resource).await?;
        resource::check_names(&resource, args.settings.iter().map(String::as_str), &possible)?;
    }
    let is_wanted = |shown: &Shown| {
        let is_named = args.settings.is_empty() || args.settings.contains(&shown.name);
        is_named && !(args.own && shown.from == "default")
    };
    Ok(settings.iter().map(Shown::from).filter(is_wanted).collect())
}

fn explain(setting: &Shown) -> Result<(), Error> {
    let Shown { name, value, from, fixed, documentation } = setting;
    let value = output::printable(value.as_deref().unwrap_or_default());
    let change =
        if *fixed { "stays as it is while the broker runs" } else { "may change while the broker runs" };
    output::text(format_args!("{name}={value}\n  from: {from}; {change}"))?;
    for line in documentation.iter().flat_map(|documentation| documentation.lines()) {
        output::text(format_args!("  {}", output::printable(line)))?;
    }
    Ok(())
}
