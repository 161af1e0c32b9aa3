//! `mainstem consume`: records of a topic, or of several, to standard output.

mod ends;
pub(super) mod failure;
mod format;
mod from;
mod growth;
mod json;
mod membership;
mod part;
mod presence;
mod reader;
mod share;
mod sharing;
mod shown;
mod sink;
pub(super) mod start;
mod subject;

use std::process::ExitCode;

use super::downstream;
use super::isolation::Isolation;
use super::output::Output;
use super::remote::{self, RemoteArgs};
use super::{Error, arguments};
use format::Format;
pub(super) use from::Begin;
use membership::MembershipArgs;
use part::Kind;
use reader::Reader;
use sink::Sink;
use subject::{Pattern, Subject};

const EXAMPLES: &str = "\
Examples:
  mainstem consume access-log                              From the first record on, and go on
  mainstem consume access-log --exit                       To the end as it is now
  mainstem consume access-log --from latest                Only what comes from now on
  mainstem consume access-log --from 15m --exit            The last quarter of an hour
  mainstem consume access-log --from 1000 --count 10 --partition 0
  mainstem consume payments --isolation read_committed     No record of a transaction that is open or was aborted
  mainstem consume --include 'orders|refunds' --format '%t %s\\n'
  mainstem consume orders --group billing                  Where the group has left off
  mainstem consume orders --group billing --instance-id billing-1 --assignor cooperative-sticky
  mainstem consume orders --group billing --group-protocol consumer
  mainstem consume orders --format '%p %o %T %k=%s\\n'
  mainstem consume orders --exit --output json | jq .value
  mainstem consume word-counts --format '%k %s\\n' --value-as integer

Formats: %t topic, %p partition, %o offset, %k key, %s value, %h headers, %T timestamp in
milliseconds, %K and %S lengths of key and value (-1 for null), %R length of the value as four
bytes, %% a per cent sign; \\n \\r \\t \\0 \\\\ \\xHH.
Exit codes: 0 done, 1 failed, 2 called wrongly.";

/// Print the records of a topic
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("subject").required(true).args(["topic", "include"]))]
pub(super) struct Args {
    /// The topic
    #[arg(value_parser = arguments::topic)]
    topic: Option<String>,
    /// Instead of one topic, all whose whole names match, also those that come later
    #[arg(long, value_name = "REGEX", value_parser = subject::pattern, conflicts_with = "partition")]
    include: Option<Pattern>,
    #[command(flatten)]
    remote: RemoteArgs,
    /// Where to begin: earliest, latest, an offset, a time, or how long ago; in a group, where it has committed nothing
    #[arg(long, value_name = "WHERE", default_value = "earliest", allow_hyphen_values = true)]
    from: Begin,
    /// Stop at the end as it is now, instead of waiting for more
    #[arg(short, long)]
    exit: bool,
    /// Stop after so many records
    #[arg(short, long, value_name = "N", value_parser = arguments::count, allow_negative_numbers = true)]
    count: Option<u64>,
    /// Read these partitions alone; may repeat
    #[arg(short, long, value_name = "N", conflicts_with = "group")]
    #[arg(value_parser = arguments::partition, allow_negative_numbers = true)]
    partition: Vec<i32>,
    /// Which records of transactions to print
    #[arg(long, value_enum, value_name = "LEVEL", visible_alias = "isolation-level", default_value_t)]
    isolation: Isolation,
    #[command(flatten)]
    membership: MembershipArgs,
    /// How to print a record, as kcat's -f has it
    #[arg(short, long, default_value = "%s\\n", conflicts_with = "output")]
    format: Format,
    /// What keys are
    #[arg(long, value_enum, value_name = "KIND", default_value_t)]
    key_as: Kind,
    /// What values are
    #[arg(long, value_enum, value_name = "KIND", default_value_t)]
    value_as: Kind,
    /// For json: an object a line; bytes that are not UTF-8 are {"base64": "..."}
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    remote::block_on(consume(args))?;
    Ok(ExitCode::SUCCESS)
}

async fn consume(args: &Args) -> Result<(), Error> {
    let transport = args.remote.connect().await?;
    let mut reader = Reader::start(args, &transport).await?;
    let interrupted = tokio::signal::ctrl_c();
    let read = tokio::select! {
        read = reader.read() => read,
        _ = interrupted => Ok(()),
        () = downstream::gone() => Ok(()),
    };
    // What was printed is committed whatever ended it.
    let finished = reader.finish().await;
    read.and(finished)
}

impl Args {
    /// One of the two is there, which clap sees to.
    fn subject(&self) -> Result<Subject, Error> {
        let topic = self.topic.clone().map(Subject::Topic);
        let subject = topic.or_else(|| self.include.clone().map(Subject::Matching));
        subject.ok_or_else(|| Error::usage("no topic to read was given"))
    }

    fn sink(&self) -> Sink {
        match self.output {
            Output::Json => Sink::json(),
            Output::Text => Sink::formatted(self.format.clone()),
        }
    }
}
