//! `mainstem bench consume`.

use std::process::ExitCode;
use std::time::Duration;

use mainstem_client::consumer::{Consumer, ConsumerConfig, Polled};
use mainstem_client::{Admin, Offset, OffsetSpec, TcpTransport, TopicPartition};
use serde_json::json;
use tokio::time::Instant;

use super::TOPIC;
use super::client::Client;
use super::load::{self, Amount};
use super::progress::Progress;
use super::report::Report;
use super::sender::Outcome;
use super::tally::Tally;
use crate::cli::isolation::Isolation;
use crate::cli::output::Output;
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Error, arguments};

const EXAMPLES: &str = "\
Examples:
  mainstem bench consume
  mainstem bench consume access-log --records 1000000
  mainstem bench consume --duration 30s --output json | jq .bytes_per_second

It reads each partition from its first record to its end as it is now, once. A latency is the time that one poll took,
which brings many records; records are counted whole, keys, values and headers.";

/// Records that one poll brings at most.
const POLL_RECORDS: usize = 10_000;

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(500);

/// Measure how fast records are read
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The topic
    #[arg(default_value = TOPIC, value_parser = arguments::topic)]
    topic: String,
    #[command(flatten)]
    remote: RemoteArgs,
    /// Stop at the end of the poll that brings so many records [default: at the end]
    #[arg(short = 'n', long, value_name = "N", value_parser = arguments::count, allow_negative_numbers = true)]
    records: Option<u64>,
    /// Stop after so long, such as 30s or 2m [default: at the end]
    #[arg(short, long, value_name = "TIME", value_parser = arguments::some_duration, allow_hyphen_values = true)]
    duration: Option<Duration>,
    /// Which records are read; those of aborted transactions are records too, by default
    #[arg(long, value_enum, value_name = "LEVEL", visible_alias = "isolation-level", default_value_t)]
    isolation: Isolation,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let report = super::block_on(measure(args))?;
    report.show(args.output)?;
    Ok(ExitCode::SUCCESS)
}

async fn measure(args: &Args) -> Result<Report, Error> {
    let transport = args.remote.connect().await?;
    let ends = ends(args, &transport).await?;
    let outcome = read(args, &transport, &ends).await?;
    let latencies = vec![("poll", outcome.tally.latencies.clone())];
    let circumstances = json!({ "bench": "consume", "topic": args.topic, "partitions": ends.len() });
    let partitions = load::counted(ends.len(), "partition");
    let title = format!("consumed from {}, {partitions}", args.topic);
    Ok(Report { title, circumstances, outcome, latencies })
}

impl Args {
    fn consumer(&self) -> ConsumerConfig {
        ConsumerConfig { isolation: self.isolation.into(), ..ConsumerConfig::default() }
    }
}

/// Where to begin and to stop in each partition.
struct Ends {
    partitions: Vec<TopicPartition>,
    starts: Vec<Offset>,
    ends: Vec<Offset>,
}

impl Ends {
    fn len(&self) -> usize {
        self.partitions.len()
    }

    fn records(&self) -> u64 {
        let counts = self.starts.iter().zip(&self.ends).map(|(start, end)| (end.0 - start.0).unsigned_abs());
        counts.sum()
    }

    fn are_reached(&self, consumer: &Consumer) -> bool {
        let position = |partition| consumer.position(partition).unwrap_or(Offset::ZERO);
        self.partitions.iter().zip(&self.ends).all(|(partition, end)| position(partition) >= *end)
    }
}

async fn ends(args: &Args, transport: &TcpTransport) -> Result<Ends, Error> {
    let admin = Admin::new(transport, remote::PATIENCE);
    let topic = admin.describe_topic(&args.topic).await?;
    let ids =
        topic.partitions.iter().map(|partition| TopicPartition::new(topic.name.clone(), partition.id.0));
    let partitions: Vec<_> = ids.collect();
    let starts = listed(&admin, &partitions).await?;
    let ends = readable(args, transport, &partitions).await?;
    let found = Ends { partitions, starts, ends };
    if found.records() == 0 {
        let error = Error::new(format_args!("there are no records in {}", args.topic));
        return Err(error.advise(format!("`mainstem bench produce {}` makes some", args.topic)));
    }
    Ok(found)
}

async fn listed(admin: &Admin, partitions: &[TopicPartition]) -> Result<Vec<Offset>, Error> {
    let wanted: Vec<_> =
        partitions.iter().map(|partition| (partition.clone(), OffsetSpec::Earliest)).collect();
    let found = admin.list_offsets(&wanted).await?;
    Ok(partitions.iter().map(|partition| found.get(partition).map_or(Offset::ZERO, |at| at.offset)).collect())
}

/// Up to where this isolation lets anybody read now.
async fn readable(
    args: &Args,
    transport: &TcpTransport,
    partitions: &[TopicPartition],
) -> Result<Vec<Offset>, Error> {
    let found = Consumer::new(transport, args.consumer()).end_offsets(partitions).await?;
    Ok(partitions.iter().map(|partition| found.get(partition).copied().unwrap_or(Offset::ZERO)).collect())
}

async fn read(args: &Args, transport: &TcpTransport, ends: &Ends) -> Result<Outcome, Error> {
    let wanted = args.records.map_or_else(|| ends.records(), |records| records.min(ends.records()));
    let poll_records = usize::try_from(wanted).map_or(POLL_RECORDS, |wanted| wanted.min(POLL_RECORDS));
    let config = ConsumerConfig { poll_records, ..args.consumer() };
    let mut consumer = Consumer::new(transport, config);
    consumer.assign(ends.partitions.clone());
    ends.partitions.iter().zip(&ends.starts).for_each(|(partition, start)| {
        consumer.seek(partition, *start);
    });
    let progress = Progress::new(Amount::Records(wanted));
    let (start, mut tally) = (Instant::now(), Tally::new()?);
    let reading = async {
        let is_late = || args.duration.is_some_and(|duration| start.elapsed() >= duration);
        while tally.records < wanted && !ends.are_reached(&consumer) && !is_late() {
            poll(&mut consumer, &mut tally).await?;
            progress.at(tally.records, start.elapsed());
        }
        Ok(())
    };
    let read = tokio::select! {
        read = reading => read,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    let client = Client::consumer(&consumer.metrics());
    consumer.close().await;
    read.map(|()| Outcome { took: tally.ended.map_or(Duration::ZERO, |ended| ended - start), tally, client })
}

async fn poll(consumer: &mut Consumer, tally: &mut Tally) -> Result<(), Error> {
    let begun = Instant::now();
    if let Polled::Records(partitions) = consumer.poll(POLL).await? {
        let records = || partitions.iter().flat_map(|partition| &partition.records);
        let bytes: usize = records().map(size).sum();
        let done = Instant::now();
        tally.add_all(records().count() as u64, bytes as u64, done - begun, done);
    }
    Ok(())
}

fn size(record: &mainstem_client::Record) -> usize {
    let part = |part: &Option<bytes::Bytes>| part.as_ref().map_or(0, bytes::Bytes::len);
    let headers =
        record.headers.as_ref().iter().map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len));
    part(&record.key) + part(&record.value) + headers.sum::<usize>()
}
