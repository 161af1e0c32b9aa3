//! EndTxn, key 26. From version 5 on each transaction has an epoch of its own (KIP-890): the answer tells the next.

use super::describe::{self, message, structure};
use crate::{ErrorCode, ProducerEpoch, ProducerId, Text};

message! {
    /// Commits or aborts a transaction.
    EndTxnRequest [0..=5, flexible 3..] {
        transactional_id: Text,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        committed: bool,
    }
}

message! {
    /// Whether that is decided, and with which id and epoch the producer goes on.
    EndTxnResponse [0..=5, flexible 3..] {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        producer_id: ProducerId [5.., default ProducerId::NONE],
        producer_epoch: ProducerEpoch [5.., default ProducerEpoch::NONE],
    }
}
