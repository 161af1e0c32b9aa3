//! `mainstem config set`: settings get values, all of them or none.

use std::process::ExitCode;

use mainstem_client::admin::AlterConfigs;

use super::resource::{self, ResourceArgs, Shown};
use crate::cli::output::{self, Output};
use crate::cli::{Error, arguments, remote};

const EXAMPLES: &str = "\
Examples:
  mainstem config set topic orders retention.ms=86400000
  mainstem config set topic orders cleanup.policy=compact,delete min.cleanable.dirty.ratio=0.2
  mainstem config set broker all log.retention.ms=86400000
  mainstem config set group billing consumer.session.timeout.ms=60000 --dry-run
  mainstem config set logger 1 root=WARN mainstem::group=TRACE

What is set holds at once and after every start. A setting of a broker goes before that of all brokers, and both go before
what the broker was started with. Only levels of the log are not kept: the next start has those of logging.filter.";

/// Give settings other values
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    resource: ResourceArgs,
    /// The settings with their values
    #[arg(required = true, value_name = "NAME=VALUE", value_parser = arguments::name_and_value)]
    settings: Vec<(String, String)>,
    /// Check whether it could be, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    arguments::check_once(args.settings.iter().map(|(name, _)| name.as_str()))?;
    let settings = remote::block_on(set(args))?;
    match args.output {
        Output::Json => output::json(&settings)?,
        Output::Text if args.dry_run => output::text("nothing has changed: it could be set so")?,
        Output::Text => resource::show(&settings)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn set(args: &Args) -> Result<Vec<Shown>, Error> {
    let changes = AlterConfigs { validate_only: args.dry_run, ..AlterConfigs::of(args.resource.resource()?) };
    let add =
        |changes: AlterConfigs, (name, value): &(String, String)| changes.set(name.as_str(), value.as_str());
    let changes = args.settings.iter().fold(changes, add);
    let admin = args.resource.admin().await?;
    Ok(resource::alter(&admin, changes).await?.iter().map(Shown::from).collect())
}
