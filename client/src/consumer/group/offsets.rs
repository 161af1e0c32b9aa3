//! Commits offsets of a group, and looks up what was committed.

use std::{collections::HashMap, time::Duration};

use mainstem_protocol::{
    ErrorCode, Offset, Text,
    messages::{
        OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, Request,
        offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics},
    },
};

use super::{
    super::{CommitError, CommittedError},
    MemberIdentity,
};
use crate::{
    TopicPartition,
    cluster::{Cluster, CoordinatorError, retry::Retry},
    topic_partition::by_topic,
    transport::{Lane, Node, TransportError},
};

/// Commits offsets; tried again until `limit` is over.
pub(in crate::consumer) async fn commit(
    cluster: &Cluster,
    group: &Text,
    member: &MemberIdentity,
    offsets: &[(TopicPartition, Offset)],
    limit: Duration,
) -> Result<(), CommitError> {
    let mut retry = Retry::within(limit);
    loop {
        match commit_once(cluster, group, member, offsets, limit).await {
            Err(error) if error.is_retriable() && retry.pause().await => {}
            result => return result,
        }
    }
}

async fn commit_once(
    cluster: &Cluster,
    group: &Text,
    member: &MemberIdentity,
    offsets: &[(TopicPartition, Offset)],
    limit: Duration,
) -> Result<(), CommitError> {
    let request = commit_request(group, member, offsets);
    let answer = ask(cluster, group, |_| request, limit).await?;
    let answer = answer.map_err(|source| CommitError::Transport { group: group.clone(), source })?;
    check_commit(group, answer)
}

/// The broker says for each partition whether it was committed; the first that was not speaks for all.
fn check_commit(group: &Text, answer: OffsetCommitResponse) -> Result<(), CommitError> {
    for topic in answer.topics {
        for partition in topic.partitions {
            let code = partition.error_code;
            let partition =
                TopicPartition { topic: topic.name.clone(), partition: partition.partition_index };
            match code {
                ErrorCode::NONE => {}
                ErrorCode::ILLEGAL_GENERATION
                | ErrorCode::UNKNOWN_MEMBER_ID
                | ErrorCode::REBALANCE_IN_PROGRESS
                | ErrorCode::FENCED_INSTANCE_ID => {
                    return Err(CommitError::NotMember { group: group.clone(), code });
                }
                code => return Err(CommitError::Refused { partition, code }),
            }
        }
    }
    Ok(())
}

fn commit_request(
    group: &Text,
    member: &MemberIdentity,
    offsets: &[(TopicPartition, Offset)],
) -> OffsetCommitRequest {
    let partitions = offsets.iter().map(|(TopicPartition { topic, partition }, offset)| {
        let partition = OffsetCommitRequestPartition {
            partition_index: *partition,
            committed_offset: *offset,
            ..OffsetCommitRequestPartition::default()
        };
        (topic, partition)
    });
    let topics = by_topic(partitions).into_iter();
    OffsetCommitRequest {
        group_id: group.clone(),
        generation_id_or_member_epoch: member.generation,
        member_id: member.id.clone(),
        topics: topics
            .map(|(name, partitions)| OffsetCommitRequestTopic { name, partitions, ..Default::default() })
            .collect(),
        ..OffsetCommitRequest::default()
    }
}

/// What a group has committed; partitions for which it has nothing are left out. Tried again until `limit` is over.
pub(in crate::consumer) async fn committed(
    cluster: &Cluster,
    group: &Text,
    partitions: &[TopicPartition],
    limit: Duration,
) -> Result<HashMap<TopicPartition, Offset>, CommittedError> {
    let mut retry = Retry::within(limit);
    loop {
        match committed_once(cluster, group, partitions, limit).await {
            Err(error) if error.is_retriable() && retry.pause().await => {}
            result => return result,
        }
    }
}

async fn committed_once(
    cluster: &Cluster,
    group: &Text,
    partitions: &[TopicPartition],
    limit: Duration,
) -> Result<HashMap<TopicPartition, Offset>, CommittedError> {
    let asked = |version| request(group, Some(partitions), version);
    let answer = ask(cluster, group, asked, limit).await?;
    let found = answer.map_err(|source| CommittedError::Transport { group: group.clone(), source })?;
    let (code, offsets) = self::answer(found);
    let mut committed = HashMap::new();
    let failed = offsets.iter().map(|(_, _, code)| *code).chain([code]).find(|code| !code.is_none());
    if let Some(code) = failed {
        return Err(CommittedError::Refused { group: group.clone(), code });
    }
    let found = offsets.into_iter().filter(|(_, offset, _)| offset.0 >= 0);
    committed.extend(found.map(|(partition, offset, _)| (partition, offset)));
    Ok(committed)
}

/// What asks how far a group has read; with no partitions given, everywhere. From version 8 on, several groups may be
/// asked about at once.
pub(crate) fn request(
    group: &Text,
    partitions: Option<&[TopicPartition]>,
    version: i16,
) -> OffsetFetchRequest {
    let topics = partitions.map(|partitions| {
        by_topic(partitions.iter().map(|TopicPartition { topic, partition }| (topic, *partition)))
    });
    if version < 8 {
        let topic = |(name, partition_indexes)| OffsetFetchRequestTopic { name, partition_indexes };
        let topics = topics.map(|topics| topics.into_iter().map(topic).collect());
        return OffsetFetchRequest {
            group_id: group.clone(),
            topics,
            require_stable: true,
            ..Default::default()
        };
    }
    let topic = |(name, partition_indexes)| OffsetFetchRequestTopics {
        name,
        partition_indexes,
        ..Default::default()
    };
    let topics = topics.map(|topics| topics.into_iter().map(topic).collect());
    let wanted = OffsetFetchRequestGroup { group_id: group.clone(), topics, ..Default::default() };
    OffsetFetchRequest { groups: vec![wanted], require_stable: true, ..OffsetFetchRequest::default() }
}

/// The answer, in whichever of the two places it stands.
fn answer(answer: OffsetFetchResponse) -> (ErrorCode, Vec<(TopicPartition, Offset, ErrorCode)>) {
    let place = |topic: &Text, partition| TopicPartition { topic: topic.clone(), partition };
    let Some(group) = answer.groups.into_iter().next() else {
        let offsets = answer.topics.into_iter().flat_map(|topic| {
            let partitions = topic.partitions.into_iter();
            let name = topic.name;
            partitions.map(move |p| (place(&name, p.partition_index), p.committed_offset, p.error_code))
        });
        return (answer.error_code, offsets.collect());
    };
    let offsets = group.topics.into_iter().flat_map(|topic| {
        let partitions = topic.partitions.into_iter();
        let name = topic.name;
        partitions.map(move |p| (place(&name, p.partition_index), p.committed_offset, p.error_code))
    });
    (group.error_code, offsets.collect())
}

async fn ask<R: Request>(
    cluster: &Cluster,
    group: &Text,
    request: impl FnOnce(i16) -> R,
    limit: Duration,
) -> Result<Result<R::Response, TransportError>, CoordinatorError> {
    let coordinator = cluster.coordinator(group, limit).await?;
    // Not on the group's lane: a join that waits for others must not hold up a commit.
    let node = Node::Id(coordinator);
    Ok(cluster.call_in_version(node, Lane::General, request, cluster.request_timeout()).await)
}
