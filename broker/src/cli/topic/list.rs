//! `mainstem topic list`.

use std::process::ExitCode;
use std::sync::Arc;

use mainstem_client::cluster::TopicMetadata;

use crate::cli::Error;
use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};

const EXAMPLES: &str = "\
Examples:
  mainstem topic list
  mainstem topic list --internal
  mainstem topic list --output json | jq -r '.[].topic'";

/// List topics
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    remote: RemoteArgs,
    /// Those of the broker itself as well
    #[arg(long)]
    internal: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let topics = remote::block_on(async { Ok(args.remote.admin().await?.list_topics().await?) })?;
    let shown: Vec<_> = topics.into_iter().filter(|topic| args.internal || !topic.is_internal).collect();
    match args.output {
        Output::Json => output::json(&shown.iter().map(json).collect::<Vec<_>>())?,
        Output::Text if shown.is_empty() => {
            output::text("there are no topics yet; `mainstem topic create TOPIC` makes one")?;
        }
        Output::Text => output::table(&["topic", "partitions"], shown.iter().map(row))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn row(topic: &Arc<TopicMetadata>) -> [String; 2] {
    [topic.name.to_string(), topic.partitions.len().to_string()]
}

fn json(topic: &Arc<TopicMetadata>) -> serde_json::Value {
    serde_json::json!({
        "topic": &*topic.name,
        "id": topic.id.to_string(),
        "partitions": topic.partitions.len(),
        "internal": topic.is_internal,
    })
}
