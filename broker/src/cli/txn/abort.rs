//! `mainstem txn abort`.

use std::process::ExitCode;

use mainstem_client::admin::{ActiveProducer, Admin, TransactionDescription};
use mainstem_client::{Offset, TopicPartition};

use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Error, arguments, confirm};

const EXAMPLES: &str = "\
Example:
  mainstem txn abort orders --partition 3 --start-offset 4711

Ends a transaction in one partition, past its coordinator: meant for one that hangs
(`mainstem txn find-hanging`). Of one that its coordinator has open it loses records, though the
producer may hear that they are committed: it asks before, and --yes answers.";

/// Abort a transaction that hangs in a partition
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The topic
    #[arg(value_name = "TOPIC", value_parser = arguments::topic)]
    topic: String,
    /// The partition
    #[arg(long, value_name = "NUMBER", value_parser = arguments::partition)]
    partition: i32,
    /// Where the transaction begins there
    #[arg(long, value_name = "OFFSET", allow_negative_numbers = true)]
    start_offset: i64,
    /// Do not ask, though the coordinator has the transaction open
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    remote: RemoteArgs,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let partition = TopicPartition::new(args.topic.as_str(), args.partition);
    let producer = remote::block_on(async {
        let admin = args.remote.admin().await?;
        let producer = find(&admin, &partition, Offset(args.start_offset)).await?;
        if let Some(owner) = super::owner(&admin, &partition, &producer).await?.filter(|_| !args.yes) {
            confirm::ask(&question(&owner, &partition))?;
        }
        admin.abort_transaction(&partition, &producer).await.map_err(Error::new)?;
        Ok(producer)
    })?;
    let id = producer.producer_id;
    match args.output {
        Output::Json => output::json(&serde_json::json!({
            "topic": args.topic, "partition": args.partition, "producer_id": id.0, "aborted": true,
        }))?,
        Output::Text => {
            output::text(format_args!("aborted the transaction of producer {id} in {partition}"))?
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn question(owner: &TransactionDescription, partition: &TopicPartition) -> String {
    let TransactionDescription { id, state, .. } = owner;
    format!("{id} is {state}, and does not hang: its records in {partition} are lost. Abort it?")
}

async fn find(admin: &Admin, partition: &TopicPartition, start: Offset) -> Result<ActiveProducer, Error> {
    let producers = admin.describe_producers(partition).await.map_err(Error::new)?;
    let found = producers.into_iter().find(|producer| producer.transaction_start == Some(start));
    found.ok_or_else(|| {
        Error::new(format_args!("no transaction begins at offset {start} in {partition}"))
            .advise("`mainstem txn find-hanging` shows where those begin that hang")
    })
}
