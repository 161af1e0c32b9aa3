//! A broker and, beside it in the same process, a processor: requests of the one to the other are values, which no
//! socket and no codec sees.
//!
//! ```sh
//! cargo run --release -p mainstem --example beside -- word-count log.dir=/tmp/beside num.partitions=2
//! ```
//!
//! The program is one of `word-count`, `map`, `windows`, `sessions` and `lookup`; arguments behind it are settings. It
//! prints the broker's address; once it reads a line (or the end) on standard input, it begins to work through the topic
//! `in` into the topic `out`, until it is told to stop.

#[path = "../../benches/streams/ours/programs.rs"]
mod programs;

use std::{convert::Infallible, io, process::ExitCode, thread};

use mainstem::{
    broker::Broker,
    config::{Config, flags},
    embed,
    process::Signals,
};
use mainstem_processor::{Settings, Topology};
use tokio::sync::oneshot;

type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "usage: beside PROGRAM [NAME=VALUE ...]";

/// Waits for a line on standard input. Nothing can end such a read, so it has a thread that may stay behind.
async fn told() -> Result<(), oneshot::error::RecvError> {
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        let _ = io::stdin().read_line(&mut String::new());
        let _ = tell.send(());
    });
    told.await
}

async fn work(broker: &Broker, topology: Topology) -> Result<Infallible, Failure> {
    println!("{}", broker.advertised());
    told().await?;
    let handle = embed::run(broker, topology, Settings::default()).await?;
    handle.ended().await?;
    Err("the processor has ended".into())
}

async fn run() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let topology = programs::topology(&arguments.next().ok_or(USAGE)?)?;
    let settings = arguments.map(|text| flags::set(&text)).collect::<Result<Vec<_>, _>>()?;
    let signals = Signals::new()?;
    let broker = Broker::start(Config::from_assignments(settings)?).await?;
    let ended = tokio::select! {
        Err(failure) = work(&broker, topology) => Err(failure),
        failure = broker.failures().first() => Err(failure.to_string().into()),
        () = signals.first(broker.tasks()) => Ok(()),
    };
    broker.shutdown().await?;
    ended
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
