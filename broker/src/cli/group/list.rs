//! `mainstem group list`.

use std::process::ExitCode;

use mainstem_client::admin::{GroupFilter, GroupListing};

use crate::cli::Error;
use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};

const EXAMPLES: &str = "\
Examples:
  mainstem group list
  mainstem group list --state stable
  mainstem group list --type consumer
  mainstem group list --output json | jq -r '.[].group'";

/// What Kafka calls the states of groups (`GroupState`).
const STATES: [&str; 6] =
    ["Empty", "Stable", "PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling"];

/// What Kafka calls the types of groups (`GroupType`); `consumer` is that of KIP-848.
const TYPES: [&str; 2] = ["classic", "consumer"];

/// List consumer groups
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    remote: RemoteArgs,
    /// Those in this state alone; may repeat
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(STATES), ignore_case = true)]
    state: Vec<String>,
    /// Those of this type alone; may repeat
    #[arg(long = "type", value_name = "TYPE", ignore_case = true)]
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TYPES))]
    types: Vec<String>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let filter = filter(args);
    let list = async { Ok(args.remote.admin().await?.list_groups_by(&filter).await?) };
    let groups = remote::block_on(list)?;
    match args.output {
        Output::Json => output::json(&groups.iter().map(json).collect::<Vec<_>>())?,
        Output::Text if groups.is_empty() && filter != GroupFilter::default() => {
            output::text("there are no such groups; `mainstem group list` shows all there are")?;
        }
        Output::Text if groups.is_empty() => {
            output::text("there are no groups yet; `mainstem consume TOPIC --group NAME` makes one")?;
        }
        Output::Text => output::table(&["group", "state", "type", "coordinator"], groups.iter().map(row))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn filter(args: &Args) -> GroupFilter {
    let texts = |words: &[String]| words.iter().map(|word| word.as_str().into()).collect();
    GroupFilter { states: texts(&args.state), types: texts(&args.types) }
}

fn row(group: &GroupListing) -> [String; 4] {
    let GroupListing { id, protocol_type: _, state, group_type, coordinator } = group;
    [id.to_string(), state.to_string(), group_type.to_string(), coordinator.to_string()]
}

fn json(group: &GroupListing) -> serde_json::Value {
    let GroupListing { id, protocol_type, state, group_type, coordinator } = group;
    serde_json::json!({
        "group": &**id,
        "state": &**state,
        "type": &**group_type,
        "protocol_type": &**protocol_type,
        "coordinator": coordinator.0,
    })
}
