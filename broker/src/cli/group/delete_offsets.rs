//! `mainstem group delete-offsets`.

use std::process::ExitCode;

use mainstem_client::admin::{Admin, DeleteGroupOffsetsError};
use mainstem_client::{Offset, TopicPartition};
use serde::Serialize;

use super::members;
use super::scope::{self, TopicScope};
use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Error, arguments};

const EXAMPLES: &str = "\
Examples:
  mainstem group delete-offsets billing --topic orders
  mainstem group delete-offsets billing --topic orders:0,2 --topic refunds

The group stays, and reads these partitions as if it had never read them. No member may read the topic meanwhile.";

/// Delete what a group has committed for some topics
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The group
    #[arg(value_parser = arguments::group)]
    group: String,
    #[command(flatten)]
    remote: RemoteArgs,
    /// A topic, or some of its partitions; may repeat
    #[arg(long, required = true, value_name = "TOPIC[:P,P...]")]
    topic: Vec<TopicScope>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Serialize)]
struct Deleted<'a> {
    group: &'a str,
    deleted: &'a [Gone],
}

/// An offset that is no more.
#[derive(Debug, Serialize)]
struct Gone {
    topic: String,
    partition: i32,
    committed: i64,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let gone = remote::block_on(delete(args))?;
    match args.output {
        Output::Json => output::json(&Deleted { group: &args.group, deleted: &gone })?,
        Output::Text => show(&gone)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn delete(args: &Args) -> Result<Vec<Gone>, Error> {
    let (admin, group) = (args.remote.admin().await?, args.group.as_str());
    let wanted = scope::of_topics(&admin, &args.topic).await?;
    let committed = admin.list_group_offsets(group).await?;
    let committed = committed.into_iter().map(|(partition, committed)| (partition, committed.offset));
    let found: Vec<_> = committed.filter(|(partition, _)| wanted.contains(partition)).collect();
    if found.is_empty() {
        return Err(nothing(&admin, group).await);
    }
    let partitions: Vec<_> = found.iter().map(|(partition, _)| partition.clone()).collect();
    match admin.delete_group_offsets(group, &partitions).await {
        Ok(()) => Ok(found.into_iter().map(gone).collect()),
        Err(DeleteGroupOffsetsError::NotFound { .. }) => Err(super::not_found(group)),
        Err(DeleteGroupOffsetsError::Subscribed { .. }) => {
            let members = members::of(&admin, group).await?.unwrap_or_default();
            Err(members::active(group, &members, "its offsets can be deleted"))
        }
        Err(error) => Err(Error::new(error)),
    }
}

/// What to say where there is nothing to delete, which may be because a name was mistyped.
async fn nothing(admin: &Admin, group: &str) -> Error {
    match members::of(admin, group).await {
        Ok(Some(_)) => {
            let group = output::printable(group);
            Error::new(format_args!("group {group} has committed no offsets there"))
                .advise(format!("`mainstem group describe {group}` shows what it has"))
        }
        Ok(None) => super::not_found(group),
        Err(error) => error,
    }
}

fn gone((partition, Offset(committed)): (TopicPartition, Offset)) -> Gone {
    let TopicPartition { topic, partition } = partition;
    Gone { topic: topic.to_string(), partition: partition.0, committed }
}

fn show(gone: &[Gone]) -> Result<(), Error> {
    let row = |each: &Gone| [each.topic.clone(), each.partition.to_string(), each.committed.to_string()];
    Ok(output::table(&["topic", "partition", "deleted"], gone.iter().map(row))?)
}
