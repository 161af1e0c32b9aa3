//! DeleteRecords, key 21: logs begin later from now on (Kafka: `ReplicaManager.deleteRecords`,
//! `Partition.deleteRecordsOnLeader`).
//!
//! A partition that is named twice is answered once, for the offset that came last, as in Kafka
//! (`KafkaApis.handleDeleteRecordsRequest` keeps offsets by partition). All of a request are begun before one is waited for, so that one sync serves them. The timeout of the request is for
//! replicas that lag behind; there are none.

use std::collections::BTreeMap;

use mainstem_protocol::{
    ErrorCode, Offset, PartitionId, TopicId,
    messages::{
        DeleteRecordsRequest, DeleteRecordsResponse,
        delete_records::{
            DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsTopic,
            DeleteRecordsTopicResult,
        },
    },
};
use mainstem_storage::{
    Ticket,
    store::{AppendError, Topic},
};

use super::topic_name;
use crate::{node::Node, partition::append};

/// The offset by which clients ask for the high watermark.
const HIGH_WATERMARK: Offset = Offset(-1);

pub(crate) async fn answer(node: &Node, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let mut begun = Vec::new();
    for topic in once(request.topics) {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            partitions.push((partition.partition_index, begin(node, &topic.name, partition).await));
        }
        begun.push((topic.name, partitions));
    }
    let mut topics = Vec::with_capacity(begun.len());
    for (name, begun) in begun {
        let mut partitions = Vec::with_capacity(begun.len());
        for (partition, begun) in begun {
            partitions.push(respond(partition, finish(node, &name, partition, begun).await));
        }
        topics.push(DeleteRecordsTopicResult { name, partitions });
    }
    DeleteRecordsResponse { topics, ..Default::default() }
}

/// Each partition at its first mention, with its last offset; topics of which nothing is asked are left out.
fn once(mut topics: Vec<DeleteRecordsTopic>) -> Vec<DeleteRecordsTopic> {
    let mut offsets = BTreeMap::new();
    for topic in &topics {
        let named = topic.partitions.iter().map(|asked| (asked.partition_index, asked.offset));
        offsets.entry(topic.name.clone()).or_insert_with(BTreeMap::new).extend(named);
    }
    for topic in &mut topics {
        let Some(offsets) = offsets.get_mut(&topic.name) else { continue };
        topic.partitions.retain_mut(|asked| {
            let last = offsets.remove(&asked.partition_index);
            asked.offset = last.unwrap_or(asked.offset);
            last.is_some()
        });
    }
    topics.retain(|topic| !topic.partitions.is_empty());
    topics
}

/// Begins to move the log start; nothing is to be done where it is there or behind it already.
async fn begin(
    node: &Node,
    topic: &str,
    asked: &DeleteRecordsPartition,
) -> Result<Option<Ticket>, ErrorCode> {
    let found = node.topic(topic, TopicId::ZERO).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    check(&found)?;
    let partition = found.partition(asked.partition_index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let offset = if asked.offset == HIGH_WATERMARK { partition.high_watermark() } else { asked.offset };
    if offset.0 < 0 {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    loop {
        if offset <= partition.log_start() {
            return Ok(None);
        }
        match node.store.move_log_start(found.id, asked.partition_index, offset) {
            Ok(ticket) => return Ok(Some(ticket)),
            Err(AppendError::NoRoom) => {
                append::wait_for_room(&node.store).await.map_err(|error| code(&error))?;
            }
            // The log start moved past it meanwhile.
            Err(AppendError::OffsetOutOfRange { log_start, .. }) if offset < log_start => {}
            Err(error) => return Err(code(&error)),
        }
    }
}

fn check(topic: &Topic) -> Result<(), ErrorCode> {
    if topic_name::is_internal(&topic.name) {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    let policy = topic.config.cleanup_policy;
    if policy.compact && !policy.delete {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    Ok(())
}

/// Waits until the move is durable; yields where the log begins then.
async fn finish(
    node: &Node,
    topic: &str,
    partition: PartitionId,
    begun: Result<Option<Ticket>, ErrorCode>,
) -> Result<Offset, ErrorCode> {
    if let Some(ticket) = begun? {
        ticket.await.map_err(|_| ErrorCode::KAFKA_STORAGE_ERROR)?;
    }
    let topic = node.topic(topic, TopicId::ZERO).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let partition = topic.partition(partition).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    Ok(partition.log_start())
}

fn respond(partition_index: PartitionId, moved: Result<Offset, ErrorCode>) -> DeleteRecordsPartitionResult {
    let (low_watermark, error_code) = match moved {
        Ok(log_start) => (log_start, ErrorCode::NONE),
        Err(code) => (Offset::NONE, code),
    };
    DeleteRecordsPartitionResult { partition_index, low_watermark, error_code }
}

const fn code(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::OffsetOutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
        AppendError::UnknownPartition { .. } => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        _ => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, partitions: &[(i32, i64)]) -> DeleteRecordsTopic {
        let partition = |&(partition, offset): &(i32, i64)| DeleteRecordsPartition {
            partition_index: PartitionId(partition),
            offset: Offset(offset),
        };
        DeleteRecordsTopic { name: name.into(), partitions: partitions.iter().map(partition).collect() }
    }

    #[test]
    fn a_partition_that_is_named_often_is_truncated_once_to_the_last_offset() {
        let asked = vec![
            topic("b", &[(1, 5), (0, 3), (1, 7)]),
            topic("a", &[(0, 1)]),
            topic("b", &[(0, 2), (2, -1)]),
            topic("a", &[(0, 4)]),
        ];
        let expected = vec![topic("b", &[(1, 7), (0, 2)]), topic("a", &[(0, 4)]), topic("b", &[(2, -1)])];
        assert_eq!(once(asked), expected);
    }
}
