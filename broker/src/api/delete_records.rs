//! DeleteRecords, key 21: logs begin later from now on (Kafka: `ReplicaManager.deleteRecords`,
//! `Partition.deleteRecordsOnLeader`).
//!
//! All of a request are begun before one is waited for, so that one sync serves them. The timeout of the request is for
//! replicas that lag behind; there are none.

use mainstem_protocol::{
    ErrorCode, Offset, PartitionId, TopicId,
    messages::{
        DeleteRecordsRequest, DeleteRecordsResponse,
        delete_records::{DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
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
    for topic in request.topics {
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
