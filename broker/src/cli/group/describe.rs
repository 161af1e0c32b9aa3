//! `mainstem group describe`: its state, its members, and how far it has read.

use std::collections::{BTreeMap, HashMap};
use std::process::ExitCode;

use mainstem_client::admin::{Admin, AdminError, GroupDescription, GroupMember};
use mainstem_client::offsets::OffsetSpec;
use mainstem_client::{ErrorCode, Offset, TopicPartition};
use serde::Serialize;

use super::members::is_away;
use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Error, arguments};

const EXAMPLES: &str = "\
Examples:
  mainstem group describe billing
  mainstem group describe billing --output json | jq '[.partitions[].lag] | add'

A partition's lag is the number of records between what the group has committed and the end; \"-\" stands where it has
committed nothing. A static member that is away has stopped and may come back within its session timeout.";

/// Show a group's state and members, and how far it has read
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The group
    #[arg(value_parser = arguments::group)]
    group: String,
    #[command(flatten)]
    remote: RemoteArgs,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Serialize)]
struct Described {
    group: String,
    state: String,
    /// `classic`, or `consumer` for the newer protocol.
    r#type: String,
    protocol_type: String,
    protocol: String,
    /// How often a group of the newer protocol has changed.
    epoch: Option<i32>,
    /// The epoch that its assignment was made for.
    assignment_epoch: Option<i32>,
    coordinator: i32,
    members: Vec<DescribedMember>,
    partitions: Vec<DescribedPartition>,
}

#[derive(Debug, Serialize)]
struct DescribedMember {
    member: String,
    instance: Option<String>,
    /// Whether it is a static member that has left for a while.
    away: bool,
    client: String,
    host: String,
    subscribed: Vec<String>,
    pattern: Option<String>,
    partitions: usize,
    /// Partitions that it is to have, once others have let go of them.
    target: usize,
    epoch: Option<i32>,
}

#[derive(Debug, Serialize)]
struct DescribedPartition {
    topic: String,
    partition: i32,
    committed: Option<i64>,
    /// The offset of the next record; nothing where the topic is gone.
    end: Option<i64>,
    lag: Option<i64>,
    /// The client that reads it.
    client: Option<String>,
    member: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let described = remote::block_on(describe(args))?;
    match args.output {
        Output::Json => output::json(&described)?,
        Output::Text => show(&described)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn describe(args: &Args) -> Result<Described, Error> {
    let admin = args.remote.admin().await?;
    let group = admin.describe_group(&args.group).await.map_err(|error| refused(args, error))?;
    let committed = admin.list_group_offsets(&args.group).await?;
    let readers = readers(&group);
    let ends = ends(&admin, committed.keys().chain(readers.keys().copied())).await?;
    let partitions = ends.into_iter().map(|(partition, end)| {
        let reader = readers.get(&partition);
        let committed = committed.get(&partition).map(|committed| committed.offset);
        described_partition(partition, committed, end, reader.copied())
    });
    let partitions = partitions.collect();
    Ok(described(group, partitions))
}

fn refused(args: &Args, error: AdminError) -> Error {
    match error.code() {
        Some(ErrorCode::GROUP_ID_NOT_FOUND) => super::not_found(&args.group),
        _ => error.into(),
    }
}

/// Who reads each partition.
fn readers(group: &GroupDescription) -> HashMap<&TopicPartition, &GroupMember> {
    let all = group.members.iter();
    all.flat_map(|member| member.assignment.iter().map(move |partition| (partition, member))).collect()
}

/// The ends of partitions that are still there.
async fn ends<'a>(
    admin: &Admin,
    partitions: impl Iterator<Item = &'a TopicPartition>,
) -> Result<BTreeMap<TopicPartition, Option<Offset>>, Error> {
    let mut ends: BTreeMap<_, _> = partitions.map(|partition| (partition.clone(), None)).collect();
    let topics = admin.list_topics().await?;
    let exists = |partition: &TopicPartition| {
        let topic = topics.iter().find(|topic| topic.name == partition.topic);
        topic.is_some_and(|topic| topic.partition(partition.partition).is_some())
    };
    let wanted: Vec<_> = ends.keys().filter(|partition| exists(partition)).cloned().collect();
    let wanted: Vec<_> = wanted.into_iter().map(|partition| (partition, OffsetSpec::Latest)).collect();
    let found = admin.list_offsets(&wanted).await?;
    ends.extend(found.into_iter().map(|(partition, found)| (partition, Some(found.offset))));
    Ok(ends)
}

fn described_partition(
    partition: TopicPartition,
    committed: Option<Offset>,
    end: Option<Offset>,
    reader: Option<&GroupMember>,
) -> DescribedPartition {
    let lag = committed.zip(end).map(|(committed, end)| (end.0 - committed.0).max(0));
    DescribedPartition {
        topic: partition.topic.to_string(),
        partition: partition.partition.0,
        committed: committed.map(|offset| offset.0),
        end: end.map(|offset| offset.0),
        lag,
        client: reader.map(|member| member.client_id.to_string()),
        member: reader.map(|member| member.id.to_string()),
    }
}

fn described(group: GroupDescription, partitions: Vec<DescribedPartition>) -> Described {
    let GroupDescription { id, group_type, state, protocol_type, protocol, epochs, coordinator, members } =
        group;
    Described {
        group: id.to_string(),
        state: state.to_string(),
        r#type: group_type.to_string(),
        protocol_type: protocol_type.to_string(),
        protocol: protocol.to_string(),
        epoch: epochs.map(|epochs| epochs.group),
        assignment_epoch: epochs.map(|epochs| epochs.assignment),
        coordinator: coordinator.0,
        members: members.into_iter().map(described_member).collect(),
        partitions,
    }
}

fn described_member(member: GroupMember) -> DescribedMember {
    let away = is_away(&member);
    let GroupMember { id, instance_id, client_id, host, subscribed, pattern, assignment, target, epoch } =
        member;
    DescribedMember {
        member: id.to_string(),
        instance: instance_id.map(|id| id.to_string()),
        away,
        client: client_id.to_string(),
        host: host.to_string(),
        subscribed: subscribed.iter().map(ToString::to_string).collect(),
        pattern: pattern.map(|pattern| pattern.to_string()),
        partitions: assignment.len(),
        target: target.len(),
        epoch,
    }
}

fn show(described: &Described) -> Result<(), Error> {
    let Described { members, partitions, .. } = described;
    output::text(heading(described))?;
    if !partitions.is_empty() {
        output::text("")?;
        let headings = ["topic", "partition", "committed", "end", "lag", "client"];
        output::table(&headings, partitions.iter().map(partition_row))?;
    }
    if !members.is_empty() {
        output::text("")?;
        show_members(members)?;
    }
    Ok(())
}

/// Only where there are static members, a column says which these are.
fn show_members(members: &[DescribedMember]) -> Result<(), Error> {
    let (headings, rows) = (["client", "host", "partitions", "member"], members.iter().map(member_row));
    if members.iter().all(|member| member.instance.is_none()) {
        return Ok(output::table(&headings, rows)?);
    }
    let [client, host, partitions, member] = headings;
    let rows = rows.zip(members).map(|([client, host, partitions, member], described)| {
        [client, host, partitions, instance_cell(described), member]
    });
    Ok(output::table(&[client, host, partitions, "instance", member], rows)?)
}

fn instance_cell(member: &DescribedMember) -> String {
    let DescribedMember { instance, away, .. } = member;
    let instance = instance.as_deref().unwrap_or("-");
    if *away { format!("{instance} (away)") } else { instance.to_owned() }
}

fn heading(described: &Described) -> String {
    let Described { group, state, protocol_type, protocol, epoch, coordinator, .. } = described;
    let [group, protocol] = [group, protocol].map(|text| output::printable(text));
    let assigned = match (&*protocol, &**protocol_type) {
        // Without a protocol type nobody has ever joined: Kafka calls such a group simple.
        ("", "") => " (no members: its readers choose their partitions themselves)".to_owned(),
        ("", _) => String::new(),
        (protocol, _) => format!(", assigned by {protocol}"),
    };
    let epoch = epoch.map_or_else(String::new, |epoch| format!(", epoch {epoch} of the newer protocol"));
    format!("{group}: {state}{assigned}{epoch}, coordinated by broker {coordinator}")
}

fn partition_row(partition: &DescribedPartition) -> [String; 6] {
    let DescribedPartition { topic, partition, committed, end, lag, client, member: _ } = partition;
    let number = |number: &Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let client = client.clone().unwrap_or_else(|| "-".to_owned());
    [topic.clone(), partition.to_string(), number(committed), number(end), number(lag), client]
}

fn member_row(member: &DescribedMember) -> [String; 4] {
    let DescribedMember { member, client, host, partitions, .. } = member;
    [client.clone(), host.clone(), partitions.to_string(), member.clone()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(protocol_type: &str, protocol: &str, expected: &str) {
        let described = Described {
            group: "readers".to_owned(),
            state: "Empty".to_owned(),
            r#type: "classic".to_owned(),
            protocol_type: protocol_type.to_owned(),
            protocol: protocol.to_owned(),
            epoch: None,
            assignment_epoch: None,
            coordinator: 1,
            members: Vec::new(),
            partitions: Vec::new(),
        };
        assert_eq!(heading(&described), expected);
    }

    #[test]
    fn a_group_says_who_assigns_its_partitions() {
        check("consumer", "range", "readers: Empty, assigned by range, coordinated by broker 1");
        check("consumer", "", "readers: Empty, coordinated by broker 1");
        let themselves = "readers: Empty (no members: its readers choose their partitions themselves), coordinated by broker 1";
        check("", "", themselves);
    }
}
