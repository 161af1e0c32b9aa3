//! InitProducerId, key 22: an identity for an idempotent producer. Without a transactional id it is always a fresh one
//! with epoch 0, whatever identity the producer had (Kafka: `TransactionCoordinator.handleInitProducerId`).

use mainstem_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    messages::{InitProducerIdRequest, InitProducerIdResponse},
};
use mainstem_storage::store::{AppendError, NextProducerId};

use crate::{node::Node, partition::append};

pub(crate) async fn answer(node: &Node, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    match request.transactional_id.as_deref() {
        None => match next(node).await {
            Ok(producer_id) => {
                InitProducerIdResponse { producer_id, producer_epoch: ProducerEpoch(0), ..Default::default() }
            }
            Err(error_code) => failed(error_code),
        },
        Some("") => failed(ErrorCode::INVALID_REQUEST),
        // Nobody may use transactions here. Every client takes this as final, and none tries again until it times out,
        // as all do after COORDINATOR_NOT_AVAILABLE.
        Some(_) => failed(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
    }
}

/// Ids come in blocks through the journal; whoever comes between two of them waits.
async fn next(node: &Node) -> Result<ProducerId, ErrorCode> {
    loop {
        match node.store.next_producer_id() {
            Ok(NextProducerId::Ready(id)) => return Ok(id),
            Ok(NextProducerId::Wait(ticket)) => {
                drop(ticket.await.map_err(|_| ErrorCode::KAFKA_STORAGE_ERROR)?)
            }
            Err(AppendError::NoRoom) => {
                append::wait_for_room(&node.store).await.map_err(|_| ErrorCode::KAFKA_STORAGE_ERROR)?;
            }
            Err(_) => return Err(ErrorCode::KAFKA_STORAGE_ERROR),
        }
    }
}

fn failed(error_code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse { error_code, producer_epoch: ProducerEpoch::NONE, ..Default::default() }
}
