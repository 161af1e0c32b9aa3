//! `mainstem topic offsets`: how far partitions go, or where a time is in them.

use std::collections::BTreeMap;
use std::process::ExitCode;

use mainstem_client::TopicPartition;
use mainstem_client::admin::Admin;
use mainstem_client::offsets::FoundOffset;
use mainstem_protocol::{Offset, Timestamp};
use mainstem_storage::{Clock, SystemClock};
use serde::Serialize;

use super::time::Time;
use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Error, arguments};

const EXAMPLES: &str = "\
Examples:
  mainstem topic offsets orders                             Behind the last record of each partition
  mainstem topic offsets orders clicks --time earliest
  mainstem topic offsets orders --time 2026-03-01T12:00:00Z --partition 0 --partition 2
  mainstem topic offsets orders --time 15m --output json | jq '.[].offset'
  mainstem topic offsets                                    Of all topics, those of the broker itself left out";

/// Show offsets of partitions: the first, the last, or by time
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The topics [default: all but those of the broker itself]
    #[arg(value_name = "TOPIC", value_parser = arguments::topic)]
    topics: Vec<String>,
    #[command(flatten)]
    remote: RemoteArgs,
    /// Of which record: earliest, latest, max-timestamp, or the first one of a time or later
    #[arg(short, long, value_name = "TIME", default_value = "latest", allow_hyphen_values = true)]
    time: Time,
    /// Of this partition alone; may repeat
    #[arg(long, value_name = "N", value_parser = arguments::partition, allow_negative_numbers = true)]
    partition: Vec<i32>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// A partition with its offset.
#[derive(Debug, Serialize)]
struct Shown {
    topic: String,
    partition: i32,
    /// None where no record is of that time or later.
    offset: Option<i64>,
    /// That of the record, in milliseconds since 1970; none where the offset is no record's.
    timestamp: Option<i64>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let shown = remote::block_on(offsets(args))?;
    match args.output {
        Output::Json => output::json(&shown)?,
        Output::Text if shown.is_empty() => {
            output::text("there are no topics yet; `mainstem topic create TOPIC` makes one")?;
        }
        Output::Text => output::table(&["topic", "partition", "offset", "timestamp"], shown.iter().map(row))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn offsets(args: &Args) -> Result<Vec<Shown>, Error> {
    let admin = args.remote.admin().await?;
    let spec = args.time.spec(SystemClock::default().now());
    let partitions = partitions(&admin, args).await?;
    let wanted: Vec<_> = partitions.into_iter().map(|partition| (partition, spec)).collect();
    let found: BTreeMap<_, _> = admin.list_offsets(&wanted).await?.into_iter().collect();
    Ok(found.iter().map(|(partition, found)| shown(partition, found)).collect())
}

async fn partitions(admin: &Admin, args: &Args) -> Result<Vec<TopicPartition>, Error> {
    let mut topics = Vec::new();
    for name in &args.topics {
        topics.push(admin.describe_topic(name).await?);
    }
    if args.topics.is_empty() {
        topics.extend(admin.list_topics().await?.into_iter().filter(|topic| !topic.is_internal));
    }
    let mut all = Vec::new();
    for topic in topics {
        let present: Vec<_> = topic.partitions.iter().map(|partition| partition.id.0).collect();
        if let Some(missing) = args.partition.iter().find(|wanted| !present.contains(wanted)) {
            let what = format!("topic {} has no partition {missing}", topic.name);
            let last = present.len().saturating_sub(1);
            return Err(Error::new(what).advise(format!("its partitions are 0 to {last}")));
        }
        let wanted =
            present.into_iter().filter(|id| args.partition.is_empty() || args.partition.contains(id));
        all.extend(wanted.map(|id| TopicPartition::new(topic.name.clone(), id)));
    }
    Ok(all)
}

fn shown(partition: &TopicPartition, found: &FoundOffset) -> Shown {
    Shown {
        topic: partition.topic.to_string(),
        partition: partition.partition.0,
        offset: (found.offset != Offset::NONE).then_some(found.offset.0),
        timestamp: (found.timestamp != Timestamp::NONE).then_some(found.timestamp.0),
    }
}

fn row(shown: &Shown) -> [String; 4] {
    let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let time = shown.timestamp.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    let time = time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    [shown.topic.clone(), shown.partition.to_string(), number(shown.offset), time]
}
