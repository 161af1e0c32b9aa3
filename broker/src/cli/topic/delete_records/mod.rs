//! `mainstem topic delete-records`: shows what would go, asks, and has it deleted.

mod file;
mod plan;

use std::path::PathBuf;
use std::process::ExitCode;

use mainstem_client::admin::Admin;
use mainstem_client::{Offset, TopicPartition};
use serde::Serialize;

use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Error, arguments, confirm};
use plan::{Before, Step};

const EXAMPLES: &str = "\
Examples:
  mainstem topic delete-records orders 0:1500 2:900         What lies before these offsets of two partitions
  mainstem topic delete-records orders --to-high-watermark  All that readers see
  mainstem topic delete-records orders --to-high-watermark --partition 3 --yes
  mainstem topic delete-records --from-file delete.json --yes --output json

It shows what would go and asks; --yes answers. Nothing is deleted where one of the offsets cannot be. A file is as
kafka-delete-records.sh has it, where offset -1 is the high watermark:
  {\"version\": 1, \"partitions\": [{\"topic\": \"orders\", \"partition\": 0, \"offset\": 1500}]}";

/// Delete the oldest records of partitions, up to an offset
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(super) struct Args {
    /// The topic
    #[arg(value_parser = arguments::topic, required_unless_present = "from_file", conflicts_with = "from_file")]
    topic: Option<String>,
    /// A partition, and the offset of the first record of it that stays
    #[arg(value_name = "PARTITION:OFFSET", group = "what", value_parser = plan::before)]
    before: Vec<(i32, Before)>,
    /// Everything that readers see now
    #[arg(long, group = "what")]
    to_high_watermark: bool,
    /// Of this partition alone; may repeat
    #[arg(long, value_name = "N", value_parser = arguments::partition, conflicts_with_all = ["before", "from_file"])]
    partition: Vec<i32>,
    /// The offsets in a file of JSON; - for standard input
    #[arg(long, value_name = "FILE", group = "what")]
    from_file: Option<PathBuf>,
    /// Delete without asking
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    remote: RemoteArgs,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What became of a partition.
#[derive(Debug, Serialize)]
struct Deleted {
    topic: String,
    partition: i32,
    /// The first offset before.
    first_before: i64,
    /// The first offset now.
    first: i64,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let file = args.from_file.as_deref().map(file::read).transpose()?;
    remote::block_on(async {
        let admin = args.remote.admin().await?;
        let wanted = match file {
            Some(wanted) => wanted,
            None => wanted(&admin, args).await?,
        };
        let plan = plan::plan(&admin, wanted).await?;
        if !args.yes {
            confirm::ask(&question(&plan))?;
        }
        delete_all(&admin, &plan, args.output).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The partitions that the command line names, each with what is to go.
async fn wanted(admin: &Admin, args: &Args) -> Result<Vec<(TopicPartition, Before)>, Error> {
    let name = args.topic.as_deref().unwrap_or_default();
    let on = |partition: i32, before| (TopicPartition::new(name, partition), before);
    if !args.before.is_empty() {
        return Ok(args.before.iter().map(|(partition, before)| on(*partition, *before)).collect());
    }
    if !args.partition.is_empty() {
        return Ok(args.partition.iter().map(|partition| on(*partition, Before::HighWatermark)).collect());
    }
    let topic = admin.describe_topic(name).await?;
    Ok(topic.partitions.iter().map(|partition| on(partition.id.0, Before::HighWatermark)).collect())
}

/// What would go, a line for each partition, and the question.
fn question(plan: &[Step]) -> String {
    let line = |step: &Step| {
        let Step { partition, first, before } = step;
        match before > first {
            true => format!("{partition}: what lies from offset {first} to {before} goes\n"),
            false => format!("{partition} begins at offset {first}: nothing goes\n"),
        }
    };
    plan.iter().map(line).chain(["delete these records?".to_owned()]).collect()
}

/// Each partition is told as soon as it is done: where a later one fails, what is gone is known.
async fn delete_all(admin: &Admin, plan: &[Step], output: Output) -> Result<(), Error> {
    for Step { partition, first: Offset(first_before), before } in plan {
        let Offset(first) = admin.delete_records(partition, *before).await?;
        let (topic, id) = (partition.topic.to_string(), partition.partition.0);
        match output {
            Output::Json => {
                output::json(&Deleted { topic, partition: id, first_before: *first_before, first })?
            }
            Output::Text => output::text(format_args!("{partition} begins at offset {first}"))?,
        }
    }
    Ok(())
}
