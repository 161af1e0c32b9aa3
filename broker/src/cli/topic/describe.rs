//! `mainstem topic describe`: its partitions with their offsets and sizes, and its settings.

use std::collections::{BTreeMap, HashMap};
use std::process::ExitCode;
use std::sync::Arc;

use mainstem_client::TopicPartition;
use mainstem_client::admin::{Admin, ConfigEntry, ConfigSource};
use mainstem_client::cluster::TopicMetadata;
use mainstem_client::offsets::{FoundOffset, OffsetSpec};
use serde::Serialize;

use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Error, arguments};

const EXAMPLES: &str = "\
Examples:
  mainstem topic describe orders
  mainstem topic describe orders --output json | jq '.settings[\"flush.messages\"].value'";

/// Show a topic's partitions with their offsets and sizes, and its settings
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The topic
    #[arg(value_parser = arguments::topic)]
    topic: String,
    #[command(flatten)]
    remote: RemoteArgs,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Serialize)]
struct Described {
    topic: String,
    id: String,
    internal: bool,
    partitions: Vec<DescribedPartition>,
    settings: BTreeMap<String, DescribedSetting>,
}

#[derive(Debug, Serialize)]
struct DescribedPartition {
    partition: i32,
    leader: Option<i32>,
    /// The first offset that there is.
    earliest: i64,
    /// The offset of the next record.
    latest: i64,
    /// On the leader's disk; nothing where the broker does not say.
    bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct DescribedSetting {
    value: Option<String>,
    /// Whether the topic sets it itself.
    own: bool,
    /// Whether it stays as it is.
    fixed: bool,
}

impl DescribedSetting {
    const fn from(&self) -> &'static str {
        if self.own { "topic" } else { "default" }
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let described = remote::block_on(describe(args))?;
    match args.output {
        Output::Json => output::json(&described)?,
        Output::Text => show(described)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn describe(args: &Args) -> Result<Described, Error> {
    let admin = args.remote.admin().await?;
    let topic = admin.describe_topic(&args.topic).await?;
    let earliest = offsets(&admin, &topic, OffsetSpec::Earliest).await?;
    let latest = offsets(&admin, &topic, OffsetSpec::Latest).await?;
    let sizes = sizes(&admin, &topic).await;
    let configs = admin.describe_topic_configs(&args.topic).await?;
    Ok(Described {
        topic: topic.name.to_string(),
        id: topic.id.to_string(),
        internal: topic.is_internal,
        partitions: partitions(&topic, &earliest, &latest, &sizes),
        settings: configs.iter().map(setting).collect(),
    })
}

type Offsets = HashMap<TopicPartition, FoundOffset>;
type Sizes = HashMap<TopicPartition, u64>;

async fn offsets(admin: &Admin, topic: &TopicMetadata, spec: OffsetSpec) -> Result<Offsets, Error> {
    let all = topic.partitions.iter();
    let wanted: Vec<_> =
        all.map(|partition| (TopicPartition::new(topic.name.clone(), partition.id.0), spec)).collect();
    Ok(admin.list_offsets(&wanted).await?)
}

/// What each partition takes of its leader's disk. Not every broker says it to everybody, and it is no more than a figure.
async fn sizes(admin: &Admin, topic: &TopicMetadata) -> Sizes {
    let mut by_leader: HashMap<_, Vec<_>> = HashMap::new();
    for partition in &topic.partitions {
        let leader = partition.leader.into_iter();
        let partition = TopicPartition::new(topic.name.clone(), partition.id.0);
        leader.for_each(|leader| by_leader.entry(leader).or_default().push(partition.clone()));
    }
    let mut sizes = Sizes::new();
    for (leader, partitions) in by_leader {
        let dirs = admin.describe_log_dirs(leader, Some(&partitions)).await.unwrap_or_default();
        sizes.extend(dirs.into_iter().flat_map(|dir| dir.sizes));
    }
    sizes
}

fn partitions(
    topic: &Arc<TopicMetadata>,
    earliest: &Offsets,
    latest: &Offsets,
    sizes: &Sizes,
) -> Vec<DescribedPartition> {
    let described = topic.partitions.iter().map(|partition| {
        let key = TopicPartition::new(topic.name.clone(), partition.id.0);
        let offset = |offsets: &Offsets| offsets.get(&key).map_or(-1, |found| found.offset.0);
        DescribedPartition {
            partition: partition.id.0,
            leader: partition.leader.map(|leader| leader.0),
            earliest: offset(earliest),
            latest: offset(latest),
            bytes: sizes.get(&key).copied(),
        }
    });
    described.collect()
}

fn setting(entry: &ConfigEntry) -> (String, DescribedSetting) {
    let value = entry.value.as_ref().map(ToString::to_string);
    (
        entry.name.to_string(),
        DescribedSetting { value, own: entry.source == ConfigSource::Topic, fixed: entry.is_read_only },
    )
}

fn show(described: Described) -> Result<(), Error> {
    let Described { topic, id, internal: _, partitions, settings } = described;
    output::text(format_args!("{topic} ({id})\n"))?;
    let headings = ["partition", "leader", "earliest", "latest", "offsets", "bytes"];
    output::table(&headings, partitions.iter().map(row))?;
    output::text("")?;
    let settings = settings.into_iter().map(|(name, setting)| {
        let from = setting.from().to_owned();
        [name, setting.value.unwrap_or_default(), from]
    });
    Ok(output::table(&["setting", "value", "from"], settings)?)
}

fn row(partition: &DescribedPartition) -> [String; 6] {
    let DescribedPartition { partition, leader, earliest, latest, bytes } = partition;
    let leader = leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string());
    // Not all of them are records: transactions' markers have offsets, and compaction leaves gaps.
    let offsets = (latest - earliest).to_string();
    let bytes = bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
    [partition.to_string(), leader, earliest.to_string(), latest.to_string(), offsets, bytes]
}
