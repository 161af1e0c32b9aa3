//! InitProducerId, key 22.

use super::describe::{self, message, structure};
use crate::{ErrorCode, ProducerEpoch, ProducerId, Text};

message! {
    /// Asks for a producer id, for idempotent producers.
    InitProducerIdRequest [0..=5, flexible 2..] {
        transactional_id: Option<Text> [0.., default Some(Default::default())],
        transaction_timeout_ms: i32,
        producer_id: ProducerId [3.., default ProducerId::NONE],
        producer_epoch: ProducerEpoch [3.., default ProducerEpoch::NONE],
    }
}

message! {
    /// The producer id and its epoch.
    InitProducerIdResponse [0..=5, flexible 2..] {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        producer_id: ProducerId [0.., default ProducerId::NONE],
        producer_epoch: ProducerEpoch,
    }
}
