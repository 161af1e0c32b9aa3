//! `mainstem group delete`.

use std::process::ExitCode;

use mainstem_client::admin::{Admin, DeleteGroupError};

use super::members;
use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Error, arguments};

const EXAMPLES: &str = "\
Examples:
  mainstem group delete billing
  mainstem group delete billing shipping

A group that has members is not deleted; of several groups, those before it are.";

/// Delete groups with their committed offsets
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The groups
    #[arg(required = true, value_name = "GROUP", value_parser = arguments::group)]
    groups: Vec<String>,
    #[command(flatten)]
    remote: RemoteArgs,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    remote::block_on(delete_all(args))?;
    Ok(ExitCode::SUCCESS)
}

async fn delete_all(args: &Args) -> Result<(), Error> {
    let admin = args.remote.admin().await?;
    for group in &args.groups {
        delete(&admin, group).await?;
        match args.output {
            Output::Json => output::json(&serde_json::json!({ "group": group, "deleted": true }))?,
            Output::Text => output::text(format_args!("deleted {}", output::printable(group)))?,
        }
    }
    Ok(())
}

async fn delete(admin: &Admin, group: &str) -> Result<(), Error> {
    match admin.delete_group(group).await {
        Ok(()) => Ok(()),
        Err(DeleteGroupError::NotFound { .. }) => Err(super::not_found(group)),
        Err(DeleteGroupError::NotEmpty { .. }) => {
            let members = members::of(admin, group).await?.unwrap_or_default();
            Err(members::active(group, &members, "it can be deleted"))
        }
        Err(error) => Err(Error::new(error)),
    }
}
