//! Committed offsets of groups without members, and what is told of groups.

use mainstem_protocol::{
    ApiKey, LeaderEpoch, Offset, PartitionId, Text,
    messages::{
        DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, ListGroupsRequest,
        OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
        offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
        offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics},
    },
};

use super::topics;
use crate::{plan::Plan, side::Name};

/// Groups of a sequence, and names that no group can have.
const GROUPS: &[Name] = &[Name::Own("g"), Name::Own("h")];
const ODD_GROUPS: &[Name] = &[Name::Plain(""), Name::Own("never-met")];

pub(crate) fn scene(plan: &mut Plan) {
    topics::make(plan, Name::Own("a"), 2, &[]);
    topics::make(plan, Name::Own("b"), 1, &[]);
    find_coordinator(plan);
    for _ in 0..plan.chance.between(10, 20) {
        any(plan);
    }
    if plan.chance.once_in(3) {
        without_topics(plan);
    }
}

/// A group that has read from one topic, which is deleted then.
fn without_topics(plan: &mut Plan) {
    const TOPIC: Name = Name::Own("gone");
    const GROUP: Name = Name::Own("left");
    topics::make(plan, TOPIC, 1, &[]);
    let version = plan.version(ApiKey::OffsetCommit);
    plan.add(version, |side| OffsetCommitRequest {
        group_id: side.name(GROUP),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: side.name(TOPIC),
            topic_id: side.topic_id(TOPIC),
            partitions: vec![OffsetCommitRequestPartition {
                committed_offset: Offset(1),
                ..Default::default()
            }],
        }],
        ..Default::default()
    });
    topics::delete_named(plan, TOPIC);
    let version = plan.version(ApiKey::DescribeGroups);
    plan.add(version, |side| DescribeGroupsRequest {
        groups: vec![side.name(GROUP)],
        include_authorized_operations: false,
    });
    list(plan);
}

/// Any of these requests.
pub(crate) fn any(plan: &mut Plan) {
    match plan.chance.below(16) {
        0..=4 => commit(plan),
        5..=8 => fetch(plan),
        9 => delete(plan),
        10 => delete_groups(plan),
        11 => find_coordinator(plan),
        12 | 13 => list(plan),
        _ => describe(plan),
    }
}

fn group(plan: &mut Plan) -> Name {
    plan.chance.mostly(GROUPS, 10, ODD_GROUPS)
}

fn commit(plan: &mut Plan) {
    let version = plan.version(ApiKey::OffsetCommit);
    let group = group(plan);
    let generation = plan.chance.mostly(&[-1], 8, &[0, 1, -2]);
    let member = plan.chance.mostly(&[""], 8, &["stranger"]);
    let instance = plan.chance.mostly(&[None], 12, &[Some("static"), Some("")]);
    let count = plan.chance.mostly(&[1, 1, 2], 10, &[0]);
    let metadata = &[Some("note"), None, Some("")];
    let mut places: Vec<_> = (0..count)
        .map(|_| {
            let offset = plan.chance.mostly(&[0, 5, 1_000_000], 10, &[-1, -2, i64::MAX]);
            let epoch = plan.chance.mostly(&[-1, 0], 10, &[3, -2]);
            let is_long = plan.chance.once_in(15);
            (plan.topic(), plan.partition(), offset, epoch, plan.chance.one_of(metadata), is_long)
        })
        .collect();
    // A commit of which nothing is taken makes a group in Kafka.
    if places.iter().any(|(.., is_long)| *is_long) {
        places.retain(|(topic, partition, ..)| (*topic, *partition) != (Name::Own("a"), 0));
        places.push((Name::Own("a"), 0, 1, -1, None, false));
    }
    plan.add(version, move |side| {
        let topic = |(name, partition, offset, epoch, note, is_long): &(
            Name,
            i32,
            i64,
            i32,
            Option<&'static str>,
            bool,
        )| {
            let long = || Text::from("m".repeat(5000));
            let committed_metadata = if *is_long { Some(long()) } else { note.map(Text::from_static) };
            OffsetCommitRequestTopic {
                name: side.name(*name),
                topic_id: side.topic_id(*name),
                partitions: vec![OffsetCommitRequestPartition {
                    partition_index: PartitionId(*partition),
                    committed_offset: Offset(*offset),
                    committed_leader_epoch: LeaderEpoch(*epoch),
                    committed_metadata,
                }],
            }
        };
        OffsetCommitRequest {
            group_id: side.name(group),
            generation_id_or_member_epoch: generation,
            member_id: Text::from_static(member),
            group_instance_id: instance.map(Text::from_static).filter(|_| version >= 7),
            topics: places.iter().map(topic).collect(),
            ..Default::default()
        }
    });
}

pub(crate) fn fetch(plan: &mut Plan) {
    let version = plan.version(ApiKey::OffsetFetch);
    let groups: Vec<_> = (0..plan.chance.mostly(&[1], 4, &[0, 2])).map(|_| group(plan)).collect();
    let one = groups.first().copied().unwrap_or(GROUPS[0]);
    let is_all = plan.chance.once_in(4) && version > 1;
    let count = plan.chance.mostly(&[1, 2], 10, &[0]);
    let places: Vec<_> = (0..count).map(|_| (plan.topic(), plan.partition())).collect();
    let member = plan.chance.mostly(&[None], 8, &[Some("stranger"), Some("")]);
    let epoch = plan.chance.mostly(&[-1], 8, &[0, 1]);
    let require_stable = plan.chance.once_in(2);
    plan.add(version, move |side| {
        let old = |(name, partition): &(Name, i32)| OffsetFetchRequestTopic {
            name: side.name(*name),
            partition_indexes: vec![PartitionId(*partition)],
        };
        let new = |(name, partition): &(Name, i32)| OffsetFetchRequestTopics {
            name: side.name(*name),
            topic_id: side.topic_id(*name),
            partition_indexes: vec![PartitionId(*partition)],
        };
        let group = |group: &Name| OffsetFetchRequestGroup {
            group_id: side.name(*group),
            member_id: member.map(Text::from_static),
            member_epoch: epoch,
            topics: if is_all { None } else { Some(places.iter().map(new).collect()) },
        };
        OffsetFetchRequest {
            group_id: side.name(one),
            topics: if is_all { None } else { Some(places.iter().map(old).collect()) },
            groups: groups.iter().map(group).collect(),
            require_stable,
        }
    });
}

fn delete(plan: &mut Plan) {
    let group = group(plan);
    let count = plan.chance.mostly(&[1, 2], 10, &[0]);
    let places: Vec<_> = (0..count).map(|_| (plan.topic(), plan.partition())).collect();
    plan.add(0, move |side| {
        let topic = |(name, partition): &(Name, i32)| OffsetDeleteRequestTopic {
            name: side.name(*name),
            partitions: vec![OffsetDeleteRequestPartition { partition_index: PartitionId(*partition) }],
        };
        OffsetDeleteRequest { group_id: side.name(group), topics: places.iter().map(topic).collect() }
    });
}

fn delete_groups(plan: &mut Plan) {
    let version = plan.version(ApiKey::DeleteGroups);
    let groups: Vec<_> = (0..plan.chance.mostly(&[1, 1, 2], 8, &[0])).map(|_| group(plan)).collect();
    plan.add(version, move |side| DeleteGroupsRequest {
        groups_names: groups.iter().map(|group| side.name(*group)).collect(),
    });
}

fn find_coordinator(plan: &mut Plan) {
    let version = plan.version(ApiKey::FindCoordinator);
    let key_type = plan.chance.mostly(&[0], 5, &[1, 3, -1]);
    let groups: Vec<_> = (0..plan.chance.mostly(&[1], 5, &[0, 2])).map(|_| group(plan)).collect();
    let one = groups.first().copied().unwrap_or(GROUPS[0]);
    plan.add(version, move |side| FindCoordinatorRequest {
        key: side.name(one),
        key_type,
        coordinator_keys: groups.iter().map(|group| side.name(*group)).collect(),
    });
}

fn list(plan: &mut Plan) {
    let version = plan.version(ApiKey::ListGroups);
    let states =
        plan.chance.mostly(&[&[][..]], 3, &[&["Empty"][..], &["stable", "EMPTY"], &["nonsense"], &["Dead"]]);
    let types =
        plan.chance.mostly(&[&[][..]], 3, &[&["classic"][..], &["Consumer"], &["nonsense"], &["share"]]);
    plan.add(version, move |_| ListGroupsRequest {
        states_filter: states.iter().copied().map(Text::from_static).collect(),
        types_filter: types.iter().copied().map(Text::from_static).collect(),
    });
}

pub(crate) fn describe(plan: &mut Plan) {
    let version = plan.version(ApiKey::DescribeGroups);
    let groups: Vec<_> = (0..plan.chance.mostly(&[1, 1, 2], 8, &[0])).map(|_| group(plan)).collect();
    let include_authorized_operations = plan.chance.once_in(2);
    plan.add(version, move |side| DescribeGroupsRequest {
        groups: groups.iter().map(|group| side.name(*group)).collect(),
        include_authorized_operations,
    });
}
