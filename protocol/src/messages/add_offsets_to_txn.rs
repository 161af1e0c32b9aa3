//! AddOffsetsToTxn, key 25.

use super::describe::{self, message, structure};
use crate::{ErrorCode, ProducerEpoch, ProducerId, Text};

message! {
    /// Adds the partition of `__consumer_offsets` that a group has to a transaction.
    AddOffsetsToTxnRequest [0..=4, flexible 3..] {
        transactional_id: Text,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        group_id: Text,
    }
}

message! {
    /// Whether it is in.
    AddOffsetsToTxnResponse [0..=4, flexible 3..] {
        throttle_time_ms: i32,
        error_code: ErrorCode,
    }
}
