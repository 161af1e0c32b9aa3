//! `mainstem group reset`: shows where a group would read on, and sets it with `--execute`.

mod file;
mod plan;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;

use mainstem_client::admin::GroupMember;
use serde::Serialize;

use super::members;
use super::scope::{self, TopicScope};
use crate::cli::error::note;
use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Error, arguments};
use plan::{Plan, Step};
use target::Target;

const EXAMPLES: &str = "\
Examples:
  mainstem group reset billing --topic orders --to-earliest              What it would do
  mainstem group reset billing --topic orders --to-earliest --execute    Do it
  mainstem group reset billing --topic orders:0,2 --to-offset 1000 --execute
  mainstem group reset billing --all-topics --to-time 2026-03-01T12:00:00Z --execute
  mainstem group reset billing --all-topics --by-duration 15m --execute
  mainstem group reset billing --all-topics --shift-by -10 --execute
  mainstem group reset billing --all-topics --to-current --export > offsets.csv
  mainstem group reset billing --from-file offsets.csv --execute

Without --execute nothing changes. With it, the group must have no members. Offsets that the log does not have become its
first or its last one, which is told. A file has lines of TOPIC,PARTITION,OFFSET, as --export prints them and
kafka-consumer-groups.sh has them.
Exit codes: 0 done, 1 failed, 2 called wrongly.";

/// Set where a group reads on; without --execute, show it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("target").required(true))]
#[command(group = clap::ArgGroup::new("scope"))]
pub(super) struct Args {
    /// The group
    #[arg(value_parser = arguments::group)]
    group: String,
    #[command(flatten)]
    remote: RemoteArgs,
    /// A topic, or some of its partitions; may repeat
    #[arg(long, value_name = "TOPIC[:P,P...]", group = "scope")]
    topic: Vec<TopicScope>,
    /// Every topic that the group has committed offsets of
    #[arg(long, group = "scope")]
    all_topics: bool,
    /// To the first record there is
    #[arg(long, group = "target", requires = "scope")]
    to_earliest: bool,
    /// Behind the last record
    #[arg(long, group = "target", requires = "scope")]
    to_latest: bool,
    /// To where it is, to export it; to the end where it has committed nothing
    #[arg(long, group = "target", requires = "scope")]
    to_current: bool,
    /// To the first record of that time or later, such as 2026-03-01T12:00:00Z, 2026-03-01 or milliseconds since 1970
    #[arg(long, value_name = "TIME", group = "target", requires = "scope", value_parser = target::time)]
    to_time: Option<i64>,
    /// To the first record that is no older, such as 15m, 2h or P1D
    #[arg(long, value_name = "DURATION", group = "target", requires = "scope", value_parser = arguments::duration, allow_hyphen_values = true)]
    by_duration: Option<std::time::Duration>,
    /// So many records on, or back where it is negative
    #[arg(long, value_name = "N", group = "target", requires = "scope", allow_negative_numbers = true)]
    shift_by: Option<i64>,
    /// To this offset of each partition
    #[arg(long, value_name = "N", group = "target", requires = "scope", value_parser = target::offset)]
    #[arg(allow_negative_numbers = true)]
    to_offset: Option<i64>,
    /// To the offsets in a file; - for standard input
    #[arg(long, value_name = "FILE", group = "target", conflicts_with = "scope")]
    from_file: Option<PathBuf>,
    /// Set the offsets
    #[arg(long)]
    execute: bool,
    /// Print the new offsets as lines of TOPIC,PARTITION,OFFSET
    #[arg(long, conflicts_with = "output")]
    export: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Serialize)]
struct Reset<'a> {
    group: &'a str,
    executed: bool,
    partitions: &'a [Step],
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let target = target(args)?;
    let plan = remote::block_on(reset(args, &target))?;
    plan.notes(&target).for_each(note);
    match args.output {
        _ if args.export => plan.steps.iter().try_for_each(|step| output::text(file::line(step)))?,
        Output::Json => {
            output::json(&Reset { group: &args.group, executed: args.execute, partitions: &plan.steps })?
        }
        Output::Text => show(args, &plan)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// One of the flags is there, which clap sees to.
fn target(args: &Args) -> Result<Target, Error> {
    let Args { to_earliest, to_latest, to_current, to_time, by_duration, shift_by, to_offset, .. } = args;
    let fixed = [(to_earliest, Target::Earliest), (to_latest, Target::Latest), (to_current, Target::Current)];
    let fixed = fixed.into_iter().find(|(given, _)| **given).map(|(_, target)| target);
    let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let ago = by_duration.map(|duration| Target::Ago(millis(duration)));
    let numbers =
        [to_time.map(Target::Time), shift_by.map(Target::Shift), to_offset.map(Target::Offset), ago];
    let file = args.from_file.as_deref().map(|path| file::read(path).map(Target::Each)).transpose()?;
    let target = [fixed, file].into_iter().chain(numbers).flatten().next();
    target.ok_or_else(|| Error::usage("nowhere to reset the group to was given"))
}

async fn reset(args: &Args, target: &Target) -> Result<Plan, Error> {
    let admin = args.remote.admin().await?;
    let committed = admin.list_group_offsets(&args.group).await?;
    let committed =
        committed.into_iter().map(|(partition, committed)| (partition, committed.offset)).collect();
    let partitions = match target {
        Target::Each(offsets) => scope::of_file(&admin, offsets).await?,
        _ => scope::partitions(&admin, &args.group, &args.topic, &committed).await?,
    };
    let members = members::of(&admin, &args.group).await?;
    if let Some(active) = members.as_ref().filter(|members| args.execute && !members.is_empty()) {
        return Err(members::active(&args.group, active, "its offsets can be set"));
    }
    let plan = plan::plan(&admin, target, partitions, &committed).await?;
    if args.execute {
        let altered = admin.alter_group_offsets(&args.group, &plan.offsets()).await;
        altered.map_err(Error::new)?;
    }
    note_members(&args.group, members.as_deref());
    Ok(plan)
}

/// That somebody reads, or that there is no such group, which may be a name that was mistyped.
fn note_members(group: &str, members: Option<&[GroupMember]>) {
    let group = output::printable(group);
    match members {
        None => note(format_args!("there is no group {group} yet: this creates it")),
        Some([]) => {}
        Some(active) => note(format_args!(
            "group {group} has members, which have to leave before --execute: {}",
            members::listed(active)
        )),
    }
}

fn show(args: &Args, plan: &Plan) -> Result<(), Error> {
    let headings = ["topic", "partition", "current", "new", "difference"];
    output::table(&headings, plan.steps.iter().map(row))?;
    let group = output::printable(&args.group);
    output::text("")?;
    match args.execute {
        true => output::text(format_args!("group {group} reads on at these offsets"))?,
        false => output::text(format_args!("nothing has changed: --execute sets these offsets of {group}"))?,
    }
    Ok(())
}

fn row(step: &Step) -> [String; 5] {
    let Step { topic, partition, current, new, difference, .. } = step;
    let current = current.map_or_else(|| "-".to_owned(), |current| current.to_string());
    let difference = difference.map_or_else(|| "-".to_owned(), |difference| format!("{difference:+}"));
    [topic.clone(), partition.to_string(), current, new.to_string(), difference]
}
