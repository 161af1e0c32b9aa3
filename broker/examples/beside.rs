//! A broker and, beside it in the same process, a processor that counts words: requests of the one to the other are
//! values, which no socket and no codec sees.
//!
//! ```sh
//! cargo run --release -p mainstem --example beside -- log.dir=/tmp/beside num.partitions=2
//! ```
//!
//! Arguments are settings. It prints the broker's address; once it reads a line (or the end) on standard input, it
//! begins to count the words of the topic `lines` into the topic `word-counts`, until it is told to stop.

use std::{convert::Infallible, io, process::ExitCode, thread};

use mainstem::{
    broker::Broker,
    config::{Config, flags},
    embed,
    process::Signals,
};
use mainstem_client::Text;
use mainstem_processor::{Settings, StreamBuilder, Topology, TopologyError};
use tokio::sync::oneshot;

type Failure = Box<dyn std::error::Error>;

fn word_count() -> Result<Topology, TopologyError> {
    let builder = StreamBuilder::new("word-count");
    builder
        .stream::<(), Text>("lines")
        .flat_map_values(|line: Text| {
            line.split_whitespace().map(|word| line.slice_ref(word)).collect::<Vec<_>>()
        })
        .group_by(|_, word| word.clone())
        .count("counts")
        .to("word-counts");
    builder.build()
}

/// Waits for a line on standard input. Nothing can end such a read, so it has a thread that may stay behind.
async fn told() -> Result<(), oneshot::error::RecvError> {
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        let _ = io::stdin().read_line(&mut String::new());
        let _ = tell.send(());
    });
    told.await
}

async fn count(broker: &Broker) -> Result<Infallible, Failure> {
    println!("{}", broker.advertised());
    told().await?;
    let handle = embed::run(broker, word_count()?, Settings::default()).await?;
    handle.ended().await?;
    Err("the processor has ended".into())
}

async fn run(config: Config) -> Result<(), Failure> {
    let signals = Signals::new()?;
    let broker = Broker::start(config).await?;
    let ended = tokio::select! {
        Err(failure) = count(&broker) => Err(failure),
        failure = broker.failures().first() => Err(failure.to_string().into()),
        () = signals.first(broker.tasks()) => Ok(()),
    };
    broker.shutdown().await?;
    ended
}

#[tokio::main]
async fn main() -> ExitCode {
    let settings: Result<Vec<_>, _> = std::env::args().skip(1).map(|text| flags::set(&text)).collect();
    let result = match settings.and_then(Config::from_assignments) {
        Ok(config) => run(config).await,
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
