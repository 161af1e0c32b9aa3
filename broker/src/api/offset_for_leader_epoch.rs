//! OffsetForLeaderEpoch, key 23: where a leader epoch ends, so that a client finds out what was truncated (KIP-320).

use mainstem_protocol::{
    ErrorCode, TopicId,
    messages::{
        OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
        offset_for_leader_epoch::{
            EpochEndOffset, OffsetForLeaderPartition, OffsetForLeaderTopic, OffsetForLeaderTopicResult,
        },
    },
};
use mainstem_storage::store::Topic;

use super::check_leader_epoch;
use crate::node::Node;

pub(crate) fn answer(node: &Node, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| describe(node, topic)).collect();
    OffsetForLeaderEpochResponse { topics, ..Default::default() }
}

fn describe(node: &Node, asked: OffsetForLeaderTopic) -> OffsetForLeaderTopicResult {
    let topic = node.topic(&asked.topic, TopicId::ZERO);
    let partitions = asked.partitions.iter().map(|partition| find(topic.as_deref(), partition)).collect();
    OffsetForLeaderTopicResult { topic: asked.topic, partitions }
}

fn find(topic: Option<&Topic>, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let partition = asked.partition;
    match epoch_end(topic, asked) {
        Ok(end) => EpochEndOffset { partition, ..end },
        Err(error_code) => EpochEndOffset { partition, error_code, ..Default::default() },
    }
}

fn epoch_end(topic: Option<&Topic>, asked: &OffsetForLeaderPartition) -> Result<EpochEndOffset, ErrorCode> {
    let partition = topic.and_then(|topic| topic.partition(asked.partition));
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    check_leader_epoch(partition, asked.current_leader_epoch)?;
    let (leader_epoch, end_offset) = partition.end_offset_for_epoch(asked.leader_epoch);
    Ok(EpochEndOffset { leader_epoch, end_offset, ..Default::default() })
}
