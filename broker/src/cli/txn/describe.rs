//! `mainstem txn describe`.

use std::process::ExitCode;

use mainstem_client::ErrorCode;
use mainstem_client::admin::{AdminError, TransactionDescription};

use super::seconds_since;
use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Error, arguments};

const EXAMPLES: &str = "\
Examples:
  mainstem txn describe billing-1
  mainstem txn describe billing-1 --output json | jq .state";

/// Show how the transaction of a transactional id stands
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The transactional id
    #[arg(value_name = "ID", value_parser = id)]
    id: String,
    #[command(flatten)]
    remote: RemoteArgs,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

fn id(text: &str) -> Result<String, String> {
    arguments::some(text, "a transactional id, such as billing-1")
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let transaction = remote::block_on(async {
        let admin = args.remote.admin().await?;
        admin.describe_transaction(args.id.as_str()).await.map_err(|error| failure(&args.id, &error))
    })?;
    match args.output {
        Output::Json => output::json(&json(&transaction))?,
        Output::Text => text(&transaction)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn failure(id: &str, error: &AdminError) -> Error {
    match error.code() {
        Some(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND) => {
            Error::new(format_args!("there is no transactional id {}", output::printable(id)))
                .advise("`mainstem txn list` shows what there is")
        }
        _ => Error::new(error),
    }
}

fn text(transaction: &TransactionDescription) -> Result<(), Error> {
    let TransactionDescription {
        id,
        state,
        producer_id,
        producer_epoch,
        timeout,
        started,
        partitions,
        coordinator,
    } = transaction;
    // Kafka tells of the last one's time too, when none is open.
    let is_open = matches!(&**state, "Ongoing" | "PrepareCommit" | "PrepareAbort" | "PrepareEpochFence");
    let open = started
        .filter(|_| is_open)
        .map(|started| format!(", open for {} s of {} s", seconds_since(started), timeout.as_secs()));
    output::text(format_args!(
        "{}: {}{}; producer {producer_id} in epoch {producer_epoch}, kept by broker {coordinator}",
        output::printable(id),
        output::printable(state),
        open.unwrap_or_default(),
    ))?;
    if !partitions.is_empty() {
        let rows = partitions.iter().map(|each| [each.topic.to_string(), each.partition.to_string()]);
        output::table(&["topic", "partition"], rows)?;
    }
    Ok(())
}

fn json(transaction: &TransactionDescription) -> serde_json::Value {
    let partition = |each: &mainstem_client::TopicPartition| serde_json::json!({ "topic": &*each.topic, "partition": each.partition.0 });
    serde_json::json!({
        "id": &*transaction.id,
        "state": &*transaction.state,
        "producer_id": transaction.producer_id.0,
        "producer_epoch": transaction.producer_epoch.0,
        "timeout_ms": transaction.timeout.as_millis(),
        "started_ms": transaction.started.map(|started| started.0),
        "coordinator": transaction.coordinator.0,
        "partitions": transaction.partitions.iter().map(partition).collect::<Vec<_>>(),
    })
}
