//! `mainstem topic create`.

use std::process::ExitCode;

use mainstem_client::admin::{CreatedTopic, NewTopic};

use super::failure::{self, FLUSH};
use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Durability, Error, arguments};

const EXAMPLES: &str = "\
Examples:
  mainstem topic create orders
  mainstem topic create orders --partitions 6 --config retention.ms=86400000
  mainstem topic create clicks --durability os --config compression.type=zstd";

/// Create a topic
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The topic
    #[arg(value_parser = arguments::topic)]
    topic: String,
    #[command(flatten)]
    remote: RemoteArgs,
    /// How many partitions [default: the broker's num.partitions]
    #[arg(short, long, value_name = "N", value_parser = arguments::partitions, allow_negative_numbers = true)]
    partitions: Option<i32>,
    /// What an acknowledgement means [default: the broker's]
    #[arg(long, value_enum)]
    durability: Option<Durability>,
    /// A setting of the topic; may repeat
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = arguments::name_and_value)]
    config: Vec<(String, String)>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    if args.durability.is_some() && args.config.iter().any(|(name, _)| name == FLUSH) {
        return Err(Error::usage("--durability is flush.messages: leave one of the two out"));
    }
    arguments::check_once(args.config.iter().map(|(name, _)| name.as_str()))?;
    let CreatedTopic { id, partitions } = remote::block_on(create(args))?;
    let name = &args.topic;
    match args.output {
        Output::Json => output::json(&serde_json::json!({
            "topic": name, "id": id.to_string(), "partitions": partitions,
        }))?,
        Output::Text if partitions == 1 => output::text(format_args!("created {name} with 1 partition"))?,
        Output::Text => output::text(format_args!("created {name} with {partitions} partitions"))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(args: &Args) -> Result<CreatedTopic, Error> {
    let admin = args.remote.admin().await?;
    let topic = NewTopic::new(args.topic.as_str(), args.partitions.unwrap_or(-1));
    let flush = args.durability.map(|durability| (FLUSH, durability.flush_messages()));
    let topic = flush.into_iter().fold(topic, |topic, (name, value)| topic.config(name, value));
    let configs = args.config.iter();
    let topic = configs.fold(topic, |topic, (name, value)| topic.config(name.as_str(), value.as_str()));
    let names = || args.config.iter().map(|(name, _)| name.as_str());
    admin.create_topic(topic).await.map_err(|error| failure::with_names(names(), error))
}
