//! `mainstem txn list`.

use std::process::ExitCode;
use std::time::Duration;

use mainstem_client::ProducerId;
use mainstem_client::admin::{TransactionFilter, TransactionListing};

use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Error, arguments};

const EXAMPLES: &str = "\
Examples:
  mainstem txn list
  mainstem txn list --state ongoing --open-for 5m
  mainstem txn list --output json | jq -r '.[].id'";

/// What Kafka calls the states of transactions (`TransactionState`).
const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "PrepareEpochFence",
    "Dead",
];

/// List transactions
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    remote: RemoteArgs,
    /// Those in this state alone; may repeat
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(STATES), ignore_case = true)]
    state: Vec<String>,
    /// Those of this producer alone; may repeat
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    producer_id: Vec<i64>,
    /// Those that have been open for longer than this (Kafka 3.8 or newer)
    #[arg(long, value_name = "TIME", value_parser = arguments::duration)]
    open_for: Option<Duration>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let filter = filter(args);
    let list = async { args.remote.admin().await?.list_transactions(&filter).await.map_err(Error::new) };
    let transactions = remote::block_on(list)?;
    match args.output {
        Output::Json => output::json(&transactions.iter().map(json).collect::<Vec<_>>())?,
        Output::Text if transactions.is_empty() && filter != TransactionFilter::default() => {
            output::text("there are no such transactions; `mainstem txn list` shows all there are")?;
        }
        Output::Text if transactions.is_empty() => output::text("there are no transactions yet")?,
        Output::Text => {
            output::table(
                &["transactional id", "producer", "state", "coordinator"],
                transactions.iter().map(row),
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// States by Kafka's own spelling, whatever was typed: brokers take no other.
fn filter(args: &Args) -> TransactionFilter {
    let known = |typed: &String| STATES.iter().find(|state| state.eq_ignore_ascii_case(typed));
    TransactionFilter {
        states: args.state.iter().filter_map(known).map(|state| (*state).into()).collect(),
        producer_ids: args.producer_id.iter().copied().map(ProducerId).collect(),
        open_for: args.open_for,
    }
}

fn row(transaction: &TransactionListing) -> [String; 4] {
    let TransactionListing { id, producer_id, state, coordinator } = transaction;
    [id.to_string(), producer_id.to_string(), state.to_string(), coordinator.to_string()]
}

fn json(transaction: &TransactionListing) -> serde_json::Value {
    let TransactionListing { id, producer_id, state, coordinator } = transaction;
    serde_json::json!({
        "id": &**id,
        "producer_id": producer_id.0,
        "state": &**state,
        "coordinator": coordinator.0,
    })
}
