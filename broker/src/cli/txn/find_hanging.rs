//! `mainstem txn find-hanging`: what a partition holds open, and no coordinator will end.

use std::process::ExitCode;
use std::time::Duration;

use mainstem_client::admin::{ActiveProducer, Admin};
use mainstem_client::{Offset, TopicPartition};

use super::seconds_since;
use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Error, arguments};

const EXAMPLES: &str = "\
Examples:
  mainstem txn find-hanging
  mainstem txn find-hanging orders --older-than 1m

A transaction hangs where a partition has it open and its coordinator does not: readers of committed
records wait behind it. `mainstem txn abort` ends it.";

/// Find transactions that hang in partitions
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The topic; all topics without it
    #[arg(value_name = "TOPIC", value_parser = arguments::topic)]
    topic: Option<String>,
    /// Transactions in which nothing was written for this long alone; less than the longest timeout of a
    /// transaction finds some that are only slow
    #[arg(long, value_name = "TIME", value_parser = arguments::duration, default_value = "15m")]
    older_than: Duration,
    #[command(flatten)]
    remote: RemoteArgs,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// A transaction that hangs.
struct Hanging {
    partition: TopicPartition,
    producer: ActiveProducer,
    start: Offset,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let hanging = remote::block_on(find(args))?;
    match args.output {
        Output::Json => output::json(&hanging.iter().map(json).collect::<Vec<_>>())?,
        Output::Text if hanging.is_empty() => output::text("no transaction hangs")?,
        Output::Text => {
            let headings = ["topic", "partition", "start offset", "producer", "epoch", "last written"];
            output::table(&headings, hanging.iter().map(row))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(args: &Args) -> Result<Vec<Hanging>, Error> {
    let admin = args.remote.admin().await?;
    let mut hanging = Vec::new();
    for partition in partitions(&admin, args.topic.as_deref()).await? {
        for producer in admin.describe_producers(&partition).await.map_err(Error::new)? {
            let Some(start) = producer.transaction_start else { continue };
            let is_old = seconds_since(producer.last_timestamp) >= args.older_than.as_secs() as i64;
            if is_old && super::owner(&admin, &partition, &producer).await?.is_none() {
                hanging.push(Hanging { partition: partition.clone(), producer, start });
            }
        }
    }
    Ok(hanging)
}

async fn partitions(admin: &Admin, topic: Option<&str>) -> Result<Vec<TopicPartition>, Error> {
    let topics = match topic {
        Some(topic) => vec![admin.describe_topic(topic).await.map_err(Error::new)?],
        None => admin.list_topics().await.map_err(Error::new)?,
    };
    let each = topics.iter().flat_map(|topic| {
        let numbers = topic.partitions.iter().map(|partition| partition.id.0);
        numbers.map(|number| TopicPartition::new(topic.name.clone(), number))
    });
    Ok(each.collect())
}

fn row(Hanging { partition, producer, start }: &Hanging) -> [String; 6] {
    [
        partition.topic.to_string(),
        partition.partition.to_string(),
        start.to_string(),
        producer.producer_id.to_string(),
        producer.producer_epoch.to_string(),
        format!("{} s ago", seconds_since(producer.last_timestamp)),
    ]
}

fn json(Hanging { partition, producer, start }: &Hanging) -> serde_json::Value {
    serde_json::json!({
        "topic": &*partition.topic,
        "partition": partition.partition.0,
        "start_offset": start.0,
        "producer_id": producer.producer_id.0,
        "producer_epoch": producer.producer_epoch.0,
        "coordinator_epoch": producer.coordinator_epoch,
        "last_timestamp_ms": producer.last_timestamp.0,
    })
}
