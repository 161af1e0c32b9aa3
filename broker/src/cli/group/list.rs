//! `mainstem group list`.

use std::process::ExitCode;

use mainstem_client::admin::GroupListing;

use crate::cli::Error;
use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};

const EXAMPLES: &str = "\
Examples:
  mainstem group list
  mainstem group list --output json | jq -r '.[].group'";

/// List consumer groups
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    remote: RemoteArgs,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let groups = remote::block_on(async { Ok(args.remote.admin().await?.list_groups().await?) })?;
    match args.output {
        Output::Json => output::json(&groups.iter().map(json).collect::<Vec<_>>())?,
        Output::Text if groups.is_empty() => {
            output::text("there are no groups yet; `mainstem consume TOPIC --group NAME` makes one")?;
        }
        Output::Text => output::table(&["group", "state", "type", "coordinator"], groups.iter().map(row))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn row(group: &GroupListing) -> [String; 4] {
    let GroupListing { id, protocol_type, state, coordinator } = group;
    [id.to_string(), state.to_string(), protocol_type.to_string(), coordinator.to_string()]
}

fn json(group: &GroupListing) -> serde_json::Value {
    let GroupListing { id, protocol_type, state, coordinator } = group;
    serde_json::json!({ "group": &**id, "state": &**state, "type": &**protocol_type, "coordinator": coordinator.0 })
}
