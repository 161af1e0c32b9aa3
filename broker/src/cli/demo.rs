//! `mainstem demo`: a broker, a real access log, and a processor beside it.

use std::process::ExitCode;

use super::Error;
use super::output::Output;
use super::serve::SettingsArgs;
use crate::config::flags;
use crate::embed::demo::{self, DemoError, Options};
use crate::process;

const EXAMPLES: &str = "\
Examples:
  mainstem demo                      Watch, then look closer with kcat and the commands that it names
  mainstem demo --exit               End after the last window
  mainstem demo --data /tmp/demo --listen 127.0.0.1:0 --http 127.0.0.1:0

A second run over the same directory goes on where the first one ended.
Exit codes: 0 done, 1 failed, 2 called wrongly, 130 told twice to stop.";

/// Count a real access log by the minute, in a processor beside the broker
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
    /// End after the last window, instead of staying up until Ctrl-C
    #[arg(long)]
    exit: bool,
    /// How to write the results; for json, an object a line, the first with the broker's addresses
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    // Log lines would stand between the results; warnings still do.
    let quiet = flags::flag("demo", "logging.filter", "warn");
    let config = args.settings.config_over(quiet)?;
    process::init_logging(&config.process).map_err(Error::usage)?;
    process::raise_descriptor_limit();
    let runtime = process::build_runtime(config.process.threads).map_err(Error::new)?;
    let options = Options { config, exit: args.exit };
    match args.output {
        Output::Text => runtime.block_on(demo::run(options))?,
        Output::Json => runtime.block_on(demo::run_json(options))?,
    }
    Ok(ExitCode::SUCCESS)
}

impl From<DemoError> for Error {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Broker(error) => error.into(),
            DemoError::Io(error) => error.into(),
            error => Self::new(format_args!("the demo ended early: {error}")),
        }
    }
}
