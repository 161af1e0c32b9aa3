//! Runs one of the programs on any Kafka cluster, in a process of its own, until it is killed.
//!
//! `cargo run --release -p mainstem-processor --example streams -- PROGRAM HOST:PORT`

mod programs;

use std::{error::Error, process::ExitCode, sync::Arc};

use mainstem_client::{TcpConfig, TcpTransport};
use mainstem_processor::{Settings, runtime};

async fn run() -> Result<(), Box<dyn Error>> {
    let [name, bootstrap] = <[String; 2]>::try_from(std::env::args().skip(1).collect::<Vec<_>>())
        .map_err(|_| "usage: streams PROGRAM HOST:PORT")?;
    let transport = Arc::new(TcpTransport::new(TcpConfig::bootstrap(&bootstrap)));
    let handle = runtime::run(programs::topology(&name)?, Settings::default(), transport).await?;
    Ok(handle.ended().await?)
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
