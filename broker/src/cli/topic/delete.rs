//! `mainstem topic delete`.

use std::process::ExitCode;

use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Error, arguments};

const EXAMPLES: &str = "\
Example:
  mainstem topic delete orders";

/// Delete a topic with all its records
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The topic
    #[arg(value_parser = arguments::topic)]
    topic: String,
    #[command(flatten)]
    remote: RemoteArgs,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    remote::block_on(async { Ok(args.remote.admin().await?.delete_topic(&args.topic).await?) })?;
    match args.output {
        Output::Json => output::json(&serde_json::json!({ "topic": args.topic, "deleted": true }))?,
        Output::Text => output::text(format_args!("deleted {}", args.topic))?,
    }
    Ok(ExitCode::SUCCESS)
}
