//! InitProducerId of a transactional producer.

use std::time::Duration;

use mainstem_protocol::{ErrorCode, Text};

use super::Coordinator;
use crate::transaction::machine::{NeedsProducerId, Producer, Transaction};

impl Coordinator {
    /// Gives a transactional id to a producer, which fences whoever had it.
    ///
    /// # Errors
    /// Kafka's codes (`TransactionCoordinator.handleInitProducerId`).
    pub(crate) async fn init_producer(
        &self,
        id: &Text,
        timeout_ms: i32,
        expected: Option<Producer>,
    ) -> Result<Producer, ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let timeout = u64::try_from(timeout_ms).map_or(Duration::ZERO, Duration::from_millis);
        if timeout.is_zero() || timeout > self.0.settings.timeout_max {
            return Err(ErrorCode::INVALID_TRANSACTION_TIMEOUT);
        }
        self.log().await?;
        let (slot, now) = (self.slot_or_new(id)?, self.0.clock.now());
        let take_over = |transaction: Option<&Transaction>, fresh| match transaction {
            Some(transaction) => transaction.init(expected, timeout_ms, fresh, now),
            None => {
                let id = fresh.ok_or(NeedsProducerId)?;
                Transaction::new(id, timeout_ms, now).init(expected, timeout_ms, fresh, now)
            }
        };
        self.happen(&slot, take_over).await
    }
}
