//! TxnOffsetCommit, key 28: offsets that count when a transaction is committed (Kafka:
//! `KafkaApis.handleTxnOffsetCommitRequest`).
//!
//! Version 3 names the member of the group (KIP-447), 4 knows TRANSACTION_ABORTABLE, 5 adds the group's partition to the
//! transaction (KIP-890). Before 2 a coordinator that is loading was one that is not there.

use mainstem_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use crate::{dispatch::Context, node::Node, transaction::Verification};

/// From this version on the group's partition is added to the transaction.
const ADDS_SINCE: i16 = 5;
/// From this version on clients know TRANSACTION_ABORTABLE.
const ABORTABLE_SINCE: i16 = 4;

pub(crate) async fn answer(
    node: &Node,
    context: &Context,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let verification = match context.version {
        ADDS_SINCE.. => Verification::Adds,
        ABORTABLE_SINCE.. => Verification::Abortable,
        _ => Verification::Plain,
    };
    node.groups.txn_offset_commit(verification, request, &node.transactions).await
}
