//! `mainstem serve`: the broker, until it is told to stop.

mod announcement;
mod failure;
mod settings;

use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use tracing::info;

use super::Error;
use super::output::Output;
use crate::broker::Broker;
use crate::config::Config;
use crate::process::{self, Signals};
use crate::task::{Failure, Tasks};

pub(super) use settings::SettingsArgs;

const EXAMPLES: &str = "\
Examples:
  mainstem serve                                           In ./data, for this machine alone
  mainstem serve --data /var/lib/mainstem --listen 0.0.0.0:9092 --http 0.0.0.0:8080
  mainstem serve --listen INSIDE://10.0.0.5:9092 --listen OUTSIDE://0.0.0.0:9093 \\
      --set advertised.listeners=OUTSIDE://broker.example:9093
  mainstem serve --config /etc/mainstem.toml --set num.partitions=6
  mainstem serve --listen 127.0.0.1:0 --http 127.0.0.1:0 --output json    Any free ports

`mainstem settings` lists what --set takes, docs/settings.md explains it.
Exit codes: 0 stopped as asked, 1 failed, 2 called wrongly, 3 the disk failed, 130 told twice to stop.";

/// Run the broker until it is told to stop
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
    /// How to write the first line, which says where the broker listens
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// How long work that blocks may go on once the broker has stopped, or has failed.
const LEFT_OVER_MAX: Duration = Duration::from_secs(1);

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let config = args.settings.config()?;
    process::init_logging(&config.process).map_err(Error::usage)?;
    process::raise_descriptor_limit();
    let runtime = process::build_runtime(config.process.threads).map_err(Error::new)?;
    let ended = runtime.block_on(serve(config, args.output));
    runtime.shutdown_timeout(LEFT_OVER_MAX);
    ended
}

/// A signal ends a recovery as well: the next start begins it anew.
async fn serve(config: Config, output: Output) -> Result<ExitCode, Error> {
    let process = Tasks::root("process");
    let mut told_to_stop = pin!(Signals::new().map_err(Error::new)?.first(&process));
    let broker = tokio::select! {
        broker = Broker::start(config) => broker?,
        () = &mut told_to_stop => return Ok(ExitCode::SUCCESS),
    };
    announcement::announce(&broker, output);
    tokio::select! {
        () = told_to_stop => {}
        failure = broker.failures().first() => return Err(failed(failure)),
    }
    broker.shutdown().await.map_err(Error::disk_failed)?;
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}

fn failed(failure: Failure) -> Error {
    if failure.is_of_disk() { Error::disk_failed(failure.reason) } else { Error::new(failure) }
}
