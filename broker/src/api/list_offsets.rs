//! ListOffsets, key 2: the offset of a time, or one by name (Kafka: `ReplicaManager.fetchOffset`).
//!
//! A reader of what is committed knows of nothing behind the last stable offset, which is its latest one. A time that
//! nothing matches has offset -1 and no error. Names came one by one: the largest timestamp (-3) with version 7, the
//! local log's start (-4) with 8, the tiered log's end (-5) with 9, what is to be tiered next (-6) with 11. Nothing is
//! tiered here, so the last two are as for a time that nothing matches (Kafka: `UnifiedLog.fetchOffsetByTimestamp`).
//! The time that a client gives for an answer (version 10, KIP-1075) is for tiered logs as well.

use std::collections::BTreeSet;

use mainstem_protocol::{
    ErrorCode, LeaderEpoch, Offset, PartitionId, Timestamp, TopicId,
    messages::{
        ListOffsetsRequest, ListOffsetsResponse,
        list_offsets::{
            ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopic, ListOffsetsTopicResponse,
        },
    },
};
use mainstem_storage::{Isolation, Partition, TimeMatch, store::Topic};

use super::{check_leader_epoch, isolation};
use crate::{dispatch::Context, node::Node, partition::read};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// The first version in which a name may be asked for.
const fn since(timestamp: i64) -> i16 {
    match timestamp {
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        LATEST.. | EARLIEST => 1,
        _ => i16::MAX,
    }
}

pub(crate) async fn answer(
    node: &Node,
    context: &Context,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let duplicates = duplicates(&request.topics);
    let isolation = isolation(request.isolation_level);
    let mut topics = Vec::with_capacity(request.topics.len());
    for ListOffsetsTopic { name, partitions: asked } in request.topics {
        let topic = node.topic(&name, TopicId::ZERO);
        let mut partitions = Vec::with_capacity(asked.len());
        for partition in asked {
            let is_duplicate = duplicates.contains(&(name.to_string(), partition.partition_index));
            let found = match () {
                () if is_duplicate => Err(ErrorCode::INVALID_REQUEST),
                () if context.version < since(partition.timestamp.0) => Err(ErrorCode::UNSUPPORTED_VERSION),
                () => find(node, topic.as_deref(), &partition, isolation).await,
            };
            partitions.push(respond(&partition, found));
        }
        topics.push(ListOffsetsTopicResponse { name, partitions });
    }
    ListOffsetsResponse { topics, ..Default::default() }
}

fn duplicates(topics: &[ListOffsetsTopic]) -> BTreeSet<(String, PartitionId)> {
    let mut seen = BTreeSet::new();
    let all = topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| (topic.name.to_string(), partition.partition_index))
    });
    all.filter(|partition| !seen.insert(partition.clone())).collect()
}

/// An offset, with the time and the epoch of what is there.
#[derive(Clone, Copy, Debug)]
struct Found {
    offset: Offset,
    timestamp: Timestamp,
    leader_epoch: LeaderEpoch,
}

const NOTHING: Found =
    Found { offset: Offset::NONE, timestamp: Timestamp::NONE, leader_epoch: LeaderEpoch::NONE };

async fn find(
    node: &Node,
    topic: Option<&Topic>,
    asked: &ListOffsetsPartition,
    isolation: Isolation,
) -> Result<Found, ErrorCode> {
    let partition = topic.and_then(|topic| topic.partition(asked.partition_index));
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    check_leader_epoch(partition, asked.current_leader_epoch)?;
    let visible = node.visible(partition);
    let at = |offset| Found { offset, timestamp: Timestamp::NONE, leader_epoch: partition.leader_epoch() };
    let end = visible.end(isolation);
    match asked.timestamp.0 {
        LATEST => Ok(at(end)),
        EARLIEST | EARLIEST_LOCAL => Ok(at(visible.log_start)),
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => Ok(NOTHING),
        MAX_TIMESTAMP => {
            let found = read::offset_of_largest_timestamp(partition, visible).await?;
            Ok(by_time(partition, found, end))
        }
        _ => {
            let found = read::offset_of_timestamp(partition, visible, asked.timestamp).await?;
            Ok(by_time(partition, found, end))
        }
    }
}

/// What is found is nothing for a reader who does not see it.
fn by_time(partition: &Partition, found: Option<TimeMatch>, end: Offset) -> Found {
    found.filter(|found| found.offset < end).map_or(NOTHING, |TimeMatch { offset, timestamp }| Found {
        offset,
        timestamp,
        leader_epoch: partition.leader_epoch(),
    })
}

fn respond(asked: &ListOffsetsPartition, found: Result<Found, ErrorCode>) -> ListOffsetsPartitionResponse {
    let partition_index = asked.partition_index;
    match found {
        Ok(Found { offset, timestamp, leader_epoch }) => ListOffsetsPartitionResponse {
            partition_index,
            offset,
            timestamp,
            leader_epoch,
            ..Default::default()
        },
        Err(error_code) => ListOffsetsPartitionResponse { partition_index, error_code, ..Default::default() },
    }
}
