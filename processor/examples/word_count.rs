//! Counts the words of a topic of lines, on any Kafka cluster, and says when it has worked through what was there at
//! its start.
//!
//! ```sh
//! cargo run --release -p mainstem-processor --example word_count -- -b 127.0.0.1:9092 lines word-counts
//! ```
//!
//! Each line is split at white space; words go through the repartition topic `NAME-counts-repartition` to the task that
//! counts them; each change of a count goes to the output topic (those of one commit as one), with the word as its key
//! and an integer of eight bytes as its value, as Kafka Streams writes them. `--name NAME` names the program, and with
//! it its group and topics; `--exit` ends it when it has counted everything that was there when it began. The
//! next run goes on from there.

use std::{collections::HashMap, process::ExitCode, sync::Arc};

use mainstem_client::{
    Consumer, ConsumerConfig, Offset, TcpConfig, TcpTransport, Text, TopicPartition, Transport,
};
use mainstem_processor::{InputEnd, Settings, StreamBuilder, Topology, TopologyError, runtime};

type Failure = Box<dyn std::error::Error>;

/// The program.
fn word_count(name: &str, lines: &str, counts: &str) -> Result<Topology, TopologyError> {
    let builder = StreamBuilder::new(name);
    builder
        .stream::<(), Text>(lines)
        .flat_map_values(|line| words(&line))
        .group_by(|_, word| word.clone())
        .count("counts")
        .to(counts);
    builder.build()
}

/// The words of a line; they share its memory.
fn words(line: &Text) -> Vec<Text> {
    line.split_whitespace().map(|word| line.slice_ref(word)).collect()
}

#[derive(Debug)]
struct Options {
    bootstrap: String,
    name: String,
    lines: String,
    counts: String,
    exit: bool,
}

const USAGE: &str = "usage: word_count [-b HOST:PORT] [--name NAME] [--exit] LINES-TOPIC COUNTS-TOPIC";

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let (mut bootstrap, mut name) = ("127.0.0.1:9092".to_owned(), "word-count".to_owned());
    let (mut exit, mut topics) = (false, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-b" => bootstrap = arguments.next().ok_or(USAGE)?,
            "--name" => name = arguments.next().ok_or(USAGE)?,
            "--exit" => exit = true,
            flag if flag.starts_with('-') => return Err(format!("unknown flag {flag}; {USAGE}").into()),
            _ => topics.push(argument),
        }
    }
    let [lines, counts] = <[String; 2]>::try_from(topics).map_err(|_| USAGE)?;
    Ok(Options { bootstrap, name, lines, counts, exit })
}

/// The ends of all partitions of a topic.
async fn ends(transport: &dyn Transport, topic: &str) -> Result<HashMap<TopicPartition, Offset>, Failure> {
    let consumer = Consumer::new(transport, ConsumerConfig::default());
    let partitions = consumer.partitions(topic).await?;
    Ok(consumer.end_offsets(&partitions).await?)
}

async fn run(options: Options) -> Result<(), Failure> {
    let Options { bootstrap, name, lines, counts, exit } = options;
    let transport: Arc<dyn Transport> = Arc::new(TcpTransport::new(TcpConfig::bootstrap(&bootstrap)));
    let ends = ends(transport.as_ref(), &lines).await?;
    let input_end = if exit { InputEnd::At(ends.clone()) } else { InputEnd::Unbounded };
    let topology = word_count(&name, &lines, &counts)?;
    let handle = runtime::run(topology, Settings { input_end, ..Settings::default() }, transport).await?;
    eprintln!("started");
    for (partition, end) in ends {
        handle.committed(&partition, end).await?;
    }
    eprintln!("all lines that were there are read");
    tokio::select! {
        ended = handle.ended() => ended?,
        signal = tokio::signal::ctrl_c() => {
            signal?;
            handle.stop().await?;
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match options(std::env::args().skip(1)) {
        Ok(options) => run(options).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
