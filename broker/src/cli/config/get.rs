//! `mainstem config get`: the value of a setting, and nothing else.

use std::process::ExitCode;

use super::resource::{self, ResourceArgs, Shown};
use crate::cli::Error;
use crate::cli::output::{self, Output};
use crate::cli::remote;

const EXAMPLES: &str = "\
Examples:
  mainstem config get topic orders retention.ms
  mainstem config get broker 1 max.connections
  mainstem config get topic orders cleanup.policy --output json | jq -r .from";

/// Show the value of one setting
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    resource: ResourceArgs,
    /// The setting
    setting: String,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let found = remote::block_on(find(args))?;
    match args.output {
        Output::Json => output::json(&found)?,
        Output::Text => output::text(output::printable(found.value.as_deref().unwrap_or_default()))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(args: &Args) -> Result<Shown, Error> {
    let resource = args.resource.resource()?;
    let admin = args.resource.admin().await?;
    let settings = resource::possible(&admin, &resource).await?;
    resource::check_names(&resource, [args.setting.as_str()], &settings)?;
    // Of all brokers nothing but what was set for them is known.
    let set = admin.describe_configs(&resource).await?;
    let entry = set.iter().find(|entry| entry.name == args.setting);
    let unset = || Error::new(format_args!("{} is not set for {resource}", args.setting));
    entry.map(Shown::from).ok_or_else(unset)
}
