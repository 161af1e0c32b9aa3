//! `mainstem txn`: list, describe, find-hanging, abort.

mod abort;
mod describe;
mod find_hanging;
mod list;

use std::process::ExitCode;

use clap::Subcommand;
use mainstem_client::admin::{ActiveProducer, Admin, TransactionDescription, TransactionFilter};
use mainstem_client::{Timestamp, TopicPartition};
use mainstem_storage::{Clock, SystemClock};

use super::Error;

const EXAMPLES: &str = "\
Examples:
  mainstem txn list
  mainstem txn describe billing-1
  mainstem txn find-hanging orders
  mainstem txn abort orders --partition 3 --start-offset 4711";

/// List and describe transactions, find and abort those that hang
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Describe(describe::Args),
    FindHanging(find_hanging::Args),
    Abort(abort::Args),
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    match &args.command {
        Command::List(args) => list::run(args),
        Command::Describe(args) => describe::run(args),
        Command::FindHanging(args) => find_hanging::run(args),
        Command::Abort(args) => abort::run(args),
    }
}

/// What Kafka calls the state of a transaction that is open.
const ONGOING: &str = "Ongoing";

/// The transaction that a coordinator has open in the partition for the producer, so that it will end it.
async fn owner(
    admin: &Admin,
    partition: &TopicPartition,
    producer: &ActiveProducer,
) -> Result<Option<TransactionDescription>, Error> {
    let filter =
        TransactionFilter { producer_ids: vec![producer.producer_id], ..TransactionFilter::default() };
    for listed in admin.list_transactions(&filter).await.map_err(Error::new)? {
        let transaction = admin.describe_transaction(listed.id).await.map_err(Error::new)?;
        let is_ending = transaction.state.starts_with("Prepare");
        if (transaction.state == ONGOING || is_ending) && transaction.partitions.contains(partition) {
            return Ok(Some(transaction));
        }
    }
    Ok(None)
}

/// How many seconds ago a time was.
fn seconds_since(time: Timestamp) -> i64 {
    (SystemClock::default().now().0 - time.0).max(0) / 1000
}
