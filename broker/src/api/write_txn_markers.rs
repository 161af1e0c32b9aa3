//! WriteTxnMarkers, key 27: transactions end in the partitions that are named, whatever their coordinator knows (Kafka:
//! `KafkaApis.handleWriteTxnMarkersRequest`). It is for people who end transactions that hang (KIP-664); this broker's own
//! coordinator writes its markers with its decision.

use mainstem_protocol::{
    ErrorCode, PartitionId, Text,
    messages::{
        WriteTxnMarkersRequest, WriteTxnMarkersResponse,
        write_txn_markers::{
            WritableTxnMarker, WritableTxnMarkerPartitionResult, WritableTxnMarkerResult,
            WritableTxnMarkerTopic, WritableTxnMarkerTopicResult,
        },
    },
};
use mainstem_storage::{AppendError, AppendGroup, Marker, Ticket, TransactionVersion, store::Topic};

use crate::{node::Node, partition::append};

/// The first version of transactions whose markers raise the epoch.
const BUMPS_SINCE: i8 = 2;

pub(crate) async fn answer(node: &Node, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse {
    let mut markers = Vec::with_capacity(request.markers.len());
    for asked in request.markers {
        markers.push(write(node, asked).await);
    }
    WriteTxnMarkersResponse { markers }
}

async fn write(node: &Node, asked: WritableTxnMarker) -> WritableTxnMarkerResult {
    let marker = marker(&asked);
    let mut topics = Vec::with_capacity(asked.topics.len());
    for WritableTxnMarkerTopic { name, partition_indexes } in asked.topics {
        let mut placed = Vec::with_capacity(partition_indexes.len());
        for partition in partition_indexes {
            placed.push((partition, place(node, &name, partition, marker).await));
        }
        topics.push((name, placed));
    }
    let mut results = Vec::with_capacity(topics.len());
    for (name, placed) in topics {
        results.push(WritableTxnMarkerTopicResult { name, partitions: written(placed).await });
    }
    WritableTxnMarkerResult { producer_id: asked.producer_id, topics: results }
}

fn marker(asked: &WritableTxnMarker) -> Marker {
    Marker {
        producer_id: asked.producer_id,
        producer_epoch: asked.producer_epoch,
        coordinator_epoch: asked.coordinator_epoch,
        committed: asked.transaction_result,
        version: match asked.transaction_version {
            BUMPS_SINCE.. => TransactionVersion::V2,
            _ => TransactionVersion::V1,
        },
    }
}

async fn place(
    node: &Node,
    name: &Text,
    partition: PartitionId,
    marker: Marker,
) -> Result<Ticket, ErrorCode> {
    let topic = node.store.topics().named(name).map(|topic: &std::sync::Arc<Topic>| topic.id);
    let topic = topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let mut group = AppendGroup::new();
    group.push_asked_marker(topic, partition, marker, node.clock.now());
    append::place_group(&node.store, group).await.map_err(|error| match error {
        AppendError::UnknownPartition { .. } => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        AppendError::InvalidProducerEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
        AppendError::CoordinatorFenced { .. } => ErrorCode::TRANSACTION_COORDINATOR_FENCED,
        AppendError::TooManyProducers { .. } => ErrorCode::POLICY_VIOLATION,
        _ => ErrorCode::KAFKA_STORAGE_ERROR,
    })
}

async fn written(
    placed: Vec<(PartitionId, Result<Ticket, ErrorCode>)>,
) -> Vec<WritableTxnMarkerPartitionResult> {
    let mut results = Vec::with_capacity(placed.len());
    for (partition_index, placed) in placed {
        let error_code = match placed {
            Ok(ticket) => ticket.await.map_or(ErrorCode::KAFKA_STORAGE_ERROR, |_| ErrorCode::NONE),
            Err(error) => error,
        };
        results.push(WritableTxnMarkerPartitionResult { partition_index, error_code });
    }
    results
}
