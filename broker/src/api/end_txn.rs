//! EndTxn, key 26: a transaction is committed or aborted (Kafka: `KafkaApis.handleEndTxnRequest`).
//!
//! Since version 2 PRODUCER_FENCED is known; since 5 each end raises the epoch, and the producer goes on with the identity
//! that the response has (KIP-890).

use mainstem_protocol::messages::{EndTxnRequest, EndTxnResponse};

use crate::{
    dispatch::Context,
    node::Node,
    transaction::{Outcome, Producer, Version},
};

/// Versions before do not know PRODUCER_FENCED.
const FENCED_SINCE: i16 = 2;
/// From this version on the epoch rises.
const BUMPS_SINCE: i16 = 5;

pub(crate) async fn answer(node: &Node, context: &Context, request: &EndTxnRequest) -> EndTxnResponse {
    let EndTxnRequest { transactional_id, producer_id, producer_epoch, committed } = request;
    let producer = Producer { id: *producer_id, epoch: *producer_epoch };
    let version = if context.version >= BUMPS_SINCE { Version::V2 } else { Version::V1 };
    let outcome = Outcome::of(*committed);
    match node.transactions.end(transactional_id, producer, outcome, version).await {
        Ok(Producer { id, epoch }) => {
            EndTxnResponse { producer_id: id, producer_epoch: epoch, ..Default::default() }
        }
        Err(error) => EndTxnResponse {
            error_code: super::fenced_since(FENCED_SINCE, context.version, error),
            ..Default::default()
        },
    }
}
