//! AddOffsetsToTxn, key 25: the partition of `__consumer_offsets` that keeps a group's offsets comes into a transaction
//! (Kafka: `KafkaApis.handleAddOffsetsToTxnRequest`). Since version 2 PRODUCER_FENCED is known.

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse},
};

use crate::{
    dispatch::Context,
    group,
    node::Node,
    transaction::{Partitions, Producer},
};

/// Versions before do not know PRODUCER_FENCED.
const FENCED_SINCE: i16 = 2;

pub(crate) async fn answer(
    node: &Node,
    context: &Context,
    request: &AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let AddOffsetsToTxnRequest { transactional_id, producer_id, producer_epoch, group_id } = request;
    let producer = Producer { id: *producer_id, epoch: *producer_epoch };
    let (topic, partition) = (Text::from_static(group::TOPIC), node.groups.partition(group_id));
    let partitions = Partitions::from_iter([(&topic, partition)]);
    let added = node.transactions.add_partitions(transactional_id, producer, partitions).await;
    let error = added.err().unwrap_or(ErrorCode::NONE);
    let error_code = super::fenced_since(FENCED_SINCE, context.version, error);
    AddOffsetsToTxnResponse { error_code, ..Default::default() }
}
