//! InitProducerId, key 22: an identity for an idempotent or transactional producer. Without a transactional id it is always
//! a fresh one with epoch 0, whatever identity the producer had (Kafka: `TransactionCoordinator.handleInitProducerId`).
//!
//! Version 3 says which identity the producer has (KIP-360), 4 knows PRODUCER_FENCED.

use mainstem_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    messages::{InitProducerIdRequest, InitProducerIdResponse},
};

use crate::{dispatch::Context, node::Node, producer_ids, transaction::Producer};

/// Versions before do not know PRODUCER_FENCED.
const FENCED_SINCE: i16 = 4;

pub(crate) async fn answer(
    node: &Node,
    context: &Context,
    request: &InitProducerIdRequest,
) -> InitProducerIdResponse {
    match identity(node, request).await {
        Ok(Producer { id, epoch }) => {
            InitProducerIdResponse { producer_id: id, producer_epoch: epoch, ..Default::default() }
        }
        Err(error) => {
            let error_code = super::fenced_since(FENCED_SINCE, context.version, error);
            InitProducerIdResponse { error_code, producer_epoch: ProducerEpoch::NONE, ..Default::default() }
        }
    }
}

async fn identity(node: &Node, request: &InitProducerIdRequest) -> Result<Producer, ErrorCode> {
    let expected = expected(request)?;
    let Some(id) = &request.transactional_id else {
        return Ok(Producer { id: producer_ids::next(&node.store).await?, epoch: ProducerEpoch(0) });
    };
    node.transactions.init_producer(id, request.transaction_timeout_ms, expected).await
}

/// The identity that the producer has; it says both of it or nothing.
fn expected(request: &InitProducerIdRequest) -> Result<Option<Producer>, ErrorCode> {
    match (request.producer_id, request.producer_epoch) {
        (ProducerId::NONE, ProducerEpoch::NONE) => Ok(None),
        (ProducerId::NONE, _) | (_, ProducerEpoch::NONE) => Err(ErrorCode::INVALID_REQUEST),
        (id, epoch) => Ok(Some(Producer { id, epoch })),
    }
}
