//! `mainstem bench latency`: from when a record was to be sent until it has been acknowledged, and until a reader has it.

use std::num::NonZeroU64;
use std::process::ExitCode;
use std::time::Duration;

use hdrhistogram::Histogram;
use mainstem_client::consumer::{Consumer, ConsumerConfig, Polled};
use mainstem_client::{Admin, OffsetSpec, Producer, TcpTransport, TopicPartition};
use mainstem_storage::{Clock, SystemClock};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::load::{self, LoadArgs};
use super::pace::Pace;
use super::payload::{Payloads, STAMP_BYTES, Stamp};
use super::report::Report;
use super::sender::Run;
use super::tally::Tally;
use crate::cli::output::Output;
use crate::cli::{Error, remote};

const EXAMPLES: &str = "\
Examples:
  mainstem bench latency
  mainstem bench latency --rate 10000 --duration 1m
  mainstem bench latency slow --linger 5ms --durability os
  mainstem bench latency --output json | jq '.delivered_ms[\"p99\"]'

Both latencies count from the time at which the record was to be sent, whatever became of those before it: to its
acknowledgement, and to a reader that waits at the end of the topic. Batches do not wait for more records unless --linger
says so. A record is at least 16 bytes, since it carries that time.";

/// How long a poll waits.
const POLL: Duration = Duration::from_millis(100);

/// How long the reader is given for what was acknowledged.
const PATIENCE: Duration = Duration::from_secs(10);

/// Measure how long a record takes, there and back
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    load: LoadArgs,
    /// Records in a second
    #[arg(short, long, value_name = "N", default_value = "1000", value_parser = load::rate)]
    #[arg(allow_negative_numbers = true)]
    rate: NonZeroU64,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let report = super::block_on(measure(args))?;
    report.show(args.output)?;
    report.note_overload(Some(args.rate));
    Ok(ExitCode::SUCCESS)
}

async fn measure(args: &Args) -> Result<Report, Error> {
    let Args { load, rate, output: _ } = args;
    let transport = load.remote.connect().await?;
    let admin = Admin::new(&transport, remote::PATIENCE);
    let partitions = load.topic(&admin).await?;
    let consumer = at_the_end(load, &transport, &admin, partitions).await?;
    let stamp = SystemClock::default().now().0.unsigned_abs();
    let payloads = Payloads::new(load.record_bytes());
    let run = Run { load, rate: Some(*rate), stamp: Some(stamp), payloads };
    let pace = Pace::begin(run.rate)?;
    let (sent, wanted) = watch::channel(None);
    let mut reader = JoinSet::new();
    reader.spawn(
        Reader {
            consumer,
            run: run.stamp.unwrap_or_default(),
            start: pace.start(),
            warm_up: load.warm_up,
            wanted,
        }
        .read(),
    );
    // A batch that waits for more records would be most of the latency.
    let linger = load.linger_or(Duration::ZERO);
    let outcome = run.send(Producer::new(&transport, load.producer(linger)), pace).await?;
    sent.send_replace(Some(outcome.tally.records));
    let delivered = match reader.join_next().await {
        Some(read) => read.map_err(Error::new)??,
        None => return Err(Error::new("the reader has ended early")),
    };
    let circumstances = json!({
        "bench": "latency",
        "topic": load.topic,
        "partitions": partitions,
        "record_bytes": load.record_bytes().max(STAMP_BYTES),
        "rate": rate,
        "acks": load.acks.name(),
        "compression": load.compression.name(),
        "linger_ms": linger.as_millis() as u64,
        "batch_bytes": load.batch_bytes(),
        "warm_up_seconds": load.warm_up.as_secs_f64(),
    });
    let title = format!(
        "there and back through {}: {rate} records of {} bytes a second",
        load.topic,
        load.record_bytes().max(STAMP_BYTES)
    );
    let latencies = vec![("acknowledged", outcome.tally.latencies.clone()), ("delivered", delivered)];
    Ok(Report { title, circumstances, outcome, latencies })
}

/// A reader of the whole topic that waits for what is to come.
async fn at_the_end(
    load: &LoadArgs,
    transport: &TcpTransport,
    admin: &Admin,
    partitions: usize,
) -> Result<Consumer, Error> {
    let all: Vec<_> = (0..).take(partitions).map(|id| TopicPartition::new(load.topic.as_str(), id)).collect();
    let wanted: Vec<_> = all.iter().map(|partition| (partition.clone(), OffsetSpec::Latest)).collect();
    let ends = admin.list_offsets(&wanted).await?;
    let mut consumer = Consumer::new(transport, ConsumerConfig::default());
    consumer.assign(all);
    ends.iter().for_each(|(partition, end)| {
        consumer.seek(partition, end.offset);
    });
    Ok(consumer)
}

struct Reader {
    consumer: Consumer,
    run: u64,
    start: Instant,
    warm_up: Duration,
    /// How many measured records were sent, once that is known.
    wanted: watch::Receiver<Option<u64>>,
}

impl Reader {
    /// Reads until everything that was measured has come back.
    async fn read(mut self) -> Result<Histogram<u64>, Error> {
        let (mut tally, mut last) = (Tally::new()?, Instant::now());
        loop {
            let wanted = *self.wanted.borrow_and_update();
            if wanted.is_some_and(|wanted| tally.records >= wanted) {
                return Ok(tally.latencies);
            }
            if wanted.is_some() && last.elapsed() > PATIENCE {
                let missing = wanted.unwrap_or_default() - tally.records;
                return Err(Error::new(format_args!("{missing} acknowledged records did not come back")));
            }
            let before = tally.records;
            self.poll(&mut tally).await?;
            if tally.records > before || wanted.is_none() {
                last = Instant::now();
            }
        }
    }

    async fn poll(&mut self, tally: &mut Tally) -> Result<(), Error> {
        let Polled::Records(partitions) = self.consumer.poll(POLL).await? else { return Ok(()) };
        let now = Instant::now();
        let values = partitions
            .iter()
            .flat_map(|partition| &partition.records)
            .filter_map(|record| record.value.as_ref());
        for value in values {
            let stamp = Stamp::read(value, self.run).filter(|stamp| stamp.due >= self.warm_up);
            if let Some(stamp) = stamp {
                tally.add(value.len(), self.start + stamp.due, now);
            }
        }
        Ok(())
    }
}
