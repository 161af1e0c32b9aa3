//! `mainstem topic create`.

use std::process::ExitCode;

use mainstem_client::admin::{CreatedTopic, NewTopic};

use super::admin;
use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Durability, Error};

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
    topic: String,
    #[command(flatten)]
    remote: RemoteArgs,
    /// How many partitions [default: the broker's num.partitions]
    #[arg(short, long, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// What an acknowledgement means [default: the broker's]
    #[arg(long, value_enum)]
    durability: Option<Durability>,
    /// A setting of the topic; may repeat
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    config: Vec<(String, String)>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
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
    let admin = admin(&args.remote).await?;
    let topic = NewTopic::new(args.topic.as_str(), args.partitions.unwrap_or(-1));
    let flush = args.durability.map(|durability| ("flush.messages", durability.flush_messages()));
    let topic = flush.into_iter().fold(topic, |topic, (name, value)| topic.config(name, value));
    let configs = args.config.iter();
    let topic = configs.fold(topic, |topic, (name, value)| topic.config(name.as_str(), value.as_str()));
    Ok(admin.create_topic(topic).await?)
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, such as retention.ms=86400000")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}
