//! `mainstem config unset`: settings are what they would be if nobody had set them.

use std::process::ExitCode;

use mainstem_client::admin::AlterConfigs;

use super::resource::{self, ResourceArgs, Shown};
use crate::cli::output::{self, Output};
use crate::cli::{Error, arguments, remote};

const EXAMPLES: &str = "\
Examples:
  mainstem config unset topic orders retention.ms
  mainstem config unset broker all log.retention.ms --dry-run";

/// Let settings follow their defaults again
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    resource: ResourceArgs,
    /// The settings
    #[arg(required = true, value_name = "NAME")]
    settings: Vec<String>,
    /// Check whether it could be, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    arguments::check_once(args.settings.iter().map(String::as_str))?;
    let settings = remote::block_on(unset(args))?;
    match args.output {
        Output::Json => output::json(&settings)?,
        Output::Text if args.dry_run => output::text("nothing has changed: it could be unset")?,
        Output::Text => resource::show(&settings)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn unset(args: &Args) -> Result<Vec<Shown>, Error> {
    let changes = AlterConfigs { validate_only: args.dry_run, ..AlterConfigs::of(args.resource.resource()?) };
    let changes = args.settings.iter().fold(changes, |changes, name| changes.delete(name.as_str()));
    let admin = args.resource.admin().await?;
    Ok(resource::alter(&admin, changes).await?.iter().map(Shown::from).collect())
}
