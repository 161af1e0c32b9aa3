//! `mainstem produce`: a record for each line of standard input.

mod input;
mod line;

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use mainstem_client::producer::{Acks, ProduceError, Ticket};
use mainstem_client::{Admin, Producer, ProducerConfig, ProducerRecord, TcpTransport};
use mainstem_protocol::records::{Compression, Headers};
use mainstem_protocol::{ErrorCode, PartitionId};

use super::consume::failure::no_such_partition;
use super::output::{self, Output};
use super::remote::{self, RemoteArgs};
use super::{Error, arguments};
use input::Lines;
use line::{HeaderArg, split_key};

const EXAMPLES: &str = "\
Examples:
  echo hello | mainstem produce greetings
  mainstem produce access-log --compression zstd < access.log
  printf 'k1:v1\\nk2:v2\\n' | mainstem produce pairs --key-separator :
  echo hello | mainstem produce greetings --partition 2 --header lang=en --header lang=de
  echo hello | mainstem produce greetings --header marked      A header without a value (null)
  echo k1: | mainstem produce pairs -K : --null-marker ''     A tombstone: compaction deletes the key

Empty lines are records with empty values, or without one where --null-marker is ''. Exit codes: 0 all are stored, 1 failed, 2 called wrongly.";

/// Records whose fate is not known yet, at most: lines go on being read while acknowledgements are on their way.
const UNACKNOWLEDGED_MAX: usize = 100_000;

/// Standard input is a stream: full batches serve it better than early ones.
const BATCH_BYTES: usize = 128 * 1024;

/// How long to wait for a topic that is not there yet, or for a broker that takes nothing.
const PATIENCE: Duration = Duration::from_secs(15);

/// Write a record for each line of standard input
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The topic; the broker may create it
    #[arg(value_parser = arguments::topic)]
    topic: String,
    #[command(flatten)]
    remote: RemoteArgs,
    /// What stands between key and value of a line; a line without it has no key
    #[arg(short = 'K', long, value_name = "TEXT", conflicts_with = "key", value_parser = separator)]
    key_separator: Option<String>,
    /// One key for all records
    #[arg(short, long)]
    key: Option<String>,
    /// A key or value of a line that is this text is none (null); '' takes empty ones for none
    #[arg(short = 'Z', long, value_name = "TEXT")]
    null_marker: Option<String>,
    /// A header of all records; may repeat; NAME alone is a header without a value (null), NAME= one with an empty value
    #[arg(short = 'H', long, value_name = "NAME=VALUE")]
    header: Vec<HeaderArg>,
    /// The partition [default: by the key, else in turns]
    #[arg(short, long, value_name = "N", value_parser = arguments::partition, allow_negative_numbers = true)]
    partition: Option<i32>,
    /// How batches are compressed
    #[arg(short = 'z', long, value_enum, default_value_t)]
    compression: CompressionArg,
    /// When a record counts as stored
    #[arg(long, value_enum, default_value_t, allow_negative_numbers = true)]
    acks: AcksArg,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum CompressionArg {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum AcksArg {
    /// When it is as safe as the topic wants it
    #[default]
    #[value(alias = "-1")]
    All,
    /// When the broker has it
    #[value(alias = "1")]
    Leader,
    /// At once
    #[value(alias = "0")]
    None,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let count = remote::block_on(produce(args))?;
    match args.output {
        Output::Json => output::json(&serde_json::json!({ "topic": args.topic, "records": count }))?,
        Output::Text => output::text(outcome(count, &args.topic))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What there is to say of a topic that got nothing is said without it: it may not even exist.
fn outcome(count: u64, topic: &str) -> String {
    match count {
        0 => "nothing was produced: standard input had no lines".to_owned(),
        1 => format!("1 record is in {topic}"),
        count => format!("{count} records are in {topic}"),
    }
}

fn separator(text: &str) -> Result<String, String> {
    arguments::some(text, "some text, such as :")
}

async fn produce(args: &Args) -> Result<u64, Error> {
    let transport = args.remote.connect().await?;
    check_partition(args, &transport).await?;
    let producer = Producer::new(&transport, args.producer());
    let headers = args.headers()?;
    let (mut lines, mut tickets) = (Lines::of_stdin()?, Tickets::default());
    let ended = loop {
        let line = match lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.to_string()),
        };
        match producer.send(args.record(&headers, line)).await {
            Ok(ticket) => tickets.keep(ticket).await?,
            Err(error) => break Err(error.to_string()),
        }
    };
    producer.flush().await;
    // Those before it first: it may not be the first that fails.
    let tickets = tickets.all().await?;
    ended.map_err(|error| tickets.failed(&error))?;
    Ok(tickets.stored)
}

/// A partition that is not there is told before anything is read. A topic that is not there may come to be.
async fn check_partition(args: &Args, transport: &TcpTransport) -> Result<(), Error> {
    let Some(partition) = args.partition else { return Ok(()) };
    let admin = Admin::new(transport, remote::PATIENCE);
    match admin.describe_topic(&args.topic).await {
        Ok(topic) if topic.partition(PartitionId(partition)).is_none() => {
            Err(no_such_partition(&args.topic, topic.partitions.len(), partition))
        }
        Err(error) if error.code() != Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => Err(error.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}

impl Args {
    fn producer(&self) -> ProducerConfig {
        ProducerConfig {
            acks: self.acks.into(),
            compression: self.compression.into(),
            batch_bytes: BATCH_BYTES,
            max_block: PATIENCE,
            request_timeout: PATIENCE,
            delivery_timeout: 2 * PATIENCE,
            request_bytes_max: input::LINE_BYTES_MAX,
            buffer_bytes: input::LINE_BYTES_MAX,
            ..ProducerConfig::default()
        }
    }

    fn headers(&self) -> Result<Headers, Error> {
        let headers = self.header.iter().map(HeaderArg::pair);
        Headers::new(headers).ok_or_else(|| Error::usage("the headers are too long"))
    }

    fn record(&self, headers: &Headers, line: Bytes) -> ProducerRecord {
        let (key, value) = match &self.key_separator {
            Some(separator) => split_key(line, separator.as_bytes()),
            None => (self.key.clone().map(Bytes::from), line),
        };
        let is_null = |text: &Bytes| self.null_marker.as_ref().is_some_and(|null| text == null.as_bytes());
        ProducerRecord {
            partition: self.partition.map(PartitionId),
            key: key.filter(|key| !is_null(key)),
            value: Some(value).filter(|value| !is_null(value)),
            headers: headers.clone(),
            ..ProducerRecord::new(self.topic.as_str())
        }
    }
}

/// Tickets of records, in the order of their lines.
#[derive(Default)]
struct Tickets {
    waiting: VecDeque<Ticket>,
    stored: u64,
}

impl Tickets {
    async fn keep(&mut self, ticket: Ticket) -> Result<(), Error> {
        self.waiting.push_back(ticket);
        match self.waiting.len() > UNACKNOWLEDGED_MAX {
            true => self.first().await,
            false => Ok(()),
        }
    }

    /// Waits for all of them.
    async fn all(mut self) -> Result<Self, Error> {
        while !self.waiting.is_empty() {
            self.first().await?;
        }
        Ok(self)
    }

    async fn first(&mut self) -> Result<(), Error> {
        if let Some(ticket) = self.waiting.pop_front() {
            let stored = ticket.receipt().await;
            stored.map_err(|error| self.refused(&ticket, &error))?;
            self.stored += 1;
        }
        Ok(())
    }

    /// How far behind the first record of a refused batch the one is that the broker names.
    fn fault(&self, first: &Ticket, record: u32) -> Option<u64> {
        let same = |ticket: &Ticket| ticket.partition() == first.partition() && ticket.place() == record;
        (0..).zip([first].into_iter().chain(&self.waiting)).find(|(_, ticket)| same(ticket)).map(|(at, _)| at)
    }

    fn refused(&self, first: &Ticket, error: &ProduceError) -> Error {
        match error {
            ProduceError::Refused { record: Some(record), .. } => {
                let line = self.stored + 1 + self.fault(first, *record).unwrap_or(0);
                let batch = self.stored + 1;
                let advice = format!(
                    "the broker took no line of its batch, which begins with line {batch}; those before are stored, and \
                     those behind may be"
                );
                Error::new(format_args!("line {line}: {error}")).advise(advice)
            }
            ProduceError::Refused { code: ErrorCode::MESSAGE_TOO_LARGE, .. } => {
                let stored = self.stored;
                self.failed(error).advise(format!(
                    "the topic's max.message.bytes is below it; {stored} lines before it are stored"
                ))
            }
            error => self.failed(error),
        }
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        let advice = format!("{} lines before it are stored; those behind it may be", self.stored);
        Error::new(format_args!("line {}: {error}", self.stored + 1)).advise(advice)
    }
}

impl CompressionArg {
    /// As it is written.
    pub(super) fn name(self) -> &'static str {
        Compression::from(self).name()
    }
}

impl AcksArg {
    /// As it is written.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Leader => "leader",
            Self::None => "none",
        }
    }
}

impl From<CompressionArg> for Compression {
    fn from(arg: CompressionArg) -> Self {
        match arg {
            CompressionArg::None => Self::None,
            CompressionArg::Gzip => Self::Gzip,
            CompressionArg::Snappy => Self::Snappy,
            CompressionArg::Lz4 => Self::Lz4,
            CompressionArg::Zstd => Self::Zstd,
        }
    }
}

impl From<AcksArg> for Acks {
    fn from(arg: AcksArg) -> Self {
        match arg {
            AcksArg::All => Self::All,
            AcksArg::Leader => Self::Leader,
            AcksArg::None => Self::None,
        }
    }
}
