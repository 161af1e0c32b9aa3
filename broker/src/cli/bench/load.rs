//! What is sent, how much of it, and how.

use std::num::NonZeroU64;
use std::time::Duration;

use mainstem_client::admin::{Admin, NewTopic};
use mainstem_client::{ErrorCode, ProducerConfig};

use super::TOPIC;
use crate::cli::produce::{AcksArg, CompressionArg};
use crate::cli::remote::RemoteArgs;
use crate::cli::{Durability, Error, arguments};

/// Where two commands differ in what they take by default, this is throughput's.
const DURATION: Duration = Duration::from_secs(10);

/// Bytes that records may take until they are acknowledged.
const BUFFER_BYTES: usize = 64 * 1024 * 1024;

/// What `produce` and `latency` send.
#[derive(Debug, clap::Args)]
pub(super) struct LoadArgs {
    /// The topic; it is created where it does not exist
    #[arg(default_value = TOPIC, value_parser = arguments::topic)]
    pub(super) topic: String,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
    /// Stop after so many records [default: by time]
    #[arg(short = 'n', long, value_name = "N", value_parser = arguments::count, conflicts_with = "duration")]
    #[arg(allow_negative_numbers = true)]
    records: Option<u64>,
    /// Stop after so long, such as 30s or 2m [default: 10s]
    #[arg(short, long, value_name = "TIME", value_parser = arguments::some_duration, allow_hyphen_values = true)]
    duration: Option<Duration>,
    /// What is sent before anything is measured, for so long
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = arguments::duration)]
    #[arg(allow_hyphen_values = true)]
    pub(super) warm_up: Duration,
    /// Bytes of a record's value
    #[arg(short, long, value_name = "BYTES", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=67_108_864), allow_negative_numbers = true)]
    size: u32,
    /// Partitions of the topic, where it is created [default: 1]
    #[arg(short, long, value_name = "N", value_parser = arguments::partitions, allow_negative_numbers = true)]
    partitions: Option<i32>,
    /// What an acknowledgement means, where the topic is created [default: the broker's]
    #[arg(long, value_enum)]
    durability: Option<Durability>,
    /// When a record counts as stored
    #[arg(long, value_enum, default_value_t, allow_negative_numbers = true)]
    pub(super) acks: AcksArg,
    /// How batches are compressed
    #[arg(short = 'z', long, value_enum, default_value_t)]
    pub(super) compression: CompressionArg,
    /// How long a batch waits for more records [default: 5ms; latency does not wait]
    #[arg(long, value_name = "TIME", value_parser = arguments::duration, allow_hyphen_values = true)]
    linger: Option<Duration>,
    /// Bytes from which on a batch is full
    #[arg(long, value_name = "BYTES", default_value_t = 64 * 1024)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=67_108_864), allow_negative_numbers = true)]
    batch_bytes: u32,
}

/// How long a measurement goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    Records(u64),
    Time(Duration),
}

impl LoadArgs {
    pub(super) fn amount(&self) -> Amount {
        match self.records {
            Some(records) => Amount::Records(records),
            None => Amount::Time(self.duration.unwrap_or(DURATION)),
        }
    }

    /// Bytes of a record's value.
    pub(super) const fn record_bytes(&self) -> usize {
        self.size as usize
    }

    /// What was asked for, or else `default`.
    pub(super) fn linger_or(&self, default: Duration) -> Duration {
        self.linger.unwrap_or(default)
    }

    pub(super) const fn batch_bytes(&self) -> usize {
        self.batch_bytes as usize
    }

    pub(super) fn producer(&self, linger: Duration) -> ProducerConfig {
        ProducerConfig {
            acks: self.acks.into(),
            compression: self.compression.into(),
            linger,
            batch_bytes: self.batch_bytes(),
            buffer_bytes: BUFFER_BYTES.max(2 * self.record_bytes()),
            request_bytes_max: (2 * self.batch_bytes()).max(2 * self.record_bytes()).max(1024 * 1024),
            ..ProducerConfig::default()
        }
    }

    /// Sees to it that the topic is there, and says how many partitions it has.
    pub(super) async fn topic(&self, admin: &Admin) -> Result<usize, Error> {
        match admin.describe_topic(&self.topic).await {
            Ok(topic) => self.existing(topic.partitions.len()),
            Err(error) if error.code() == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => {
                let partitions = self.partitions.unwrap_or(1);
                admin.create_topic(self.new_topic(partitions)).await?;
                Ok(usize::try_from(partitions).unwrap_or(1))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A topic that is there stays as it is.
    fn existing(&self, count: usize) -> Result<usize, Error> {
        let topic = &self.topic;
        let is_other = self.partitions.is_some_and(|asked| usize::try_from(asked) != Ok(count));
        let what = match (is_other, self.durability) {
            (true, _) => format!("{topic} exists with {}", counted(count, "partition")),
            (false, Some(_)) => format!("{topic} exists and keeps its durability"),
            (false, None) => return Ok(count),
        };
        Err(Error::new(what).advise(format!(
            "leave the flag out, name a topic that does not exist yet, or `mainstem topic delete {topic}` first"
        )))
    }

    fn new_topic(&self, partitions: i32) -> NewTopic {
        let topic = NewTopic::new(self.topic.as_str(), partitions);
        match self.durability {
            Some(durability) => topic.config("flush.messages", durability.flush_messages()),
            None => topic,
        }
    }
}

/// So many of them, in words.
pub(super) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Records in a second.
pub(super) fn rate(text: &str) -> Result<NonZeroU64, String> {
    let rate = arguments::count(text).ok().and_then(NonZeroU64::new).filter(|rate| rate.get() <= RATE_MAX);
    rate.ok_or_else(|| format!("expected records per second, a whole number from 1 to {RATE_MAX}"))
}

/// No client gets anywhere near it.
const RATE_MAX: u64 = 1_000_000_000;
