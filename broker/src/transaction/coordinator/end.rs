//! EndTxn.

use std::sync::Arc;

use mainstem_protocol::{ErrorCode, Text};
use tracing::warn;

use super::{Coordinator, slot::Slot};
use crate::transaction::machine::{Outcome, Producer, Step, Transaction, Version};

impl Coordinator {
    /// Ends a transaction in all its partitions at once. Answers with what the producer goes on with.
    ///
    /// # Errors
    /// Kafka's codes (`TransactionCoordinator.endTransaction`).
    pub(crate) async fn end(
        &self,
        id: &Text,
        producer: Producer,
        outcome: Outcome,
        version: Version,
    ) -> Result<Producer, ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let slot = self.slot(id)?;
        let now = self.0.clock.now();
        let end = |transaction: Option<&Transaction>, fresh| match transaction {
            Some(transaction) => transaction.end(producer, outcome, version, fresh, now),
            None => Ok(Step::refused(ErrorCode::INVALID_PRODUCER_ID_MAPPING)),
        };
        self.happen(&slot, end).await
    }

    /// Finishes what another broker has left decided.
    pub(super) async fn resume(&self, slot: &Arc<Slot>) {
        let now = self.0.clock.now();
        let resume = |transaction: Option<&Transaction>, _| {
            Ok(Step { change: transaction.and_then(|known| known.resume(now)), answer: Ok(()) })
        };
        if let Err(error) = self.happen(slot, resume).await {
            warn!(id = slot.id.as_ref() as &str, %error, "a prepared transaction is not finished");
        }
    }
}
