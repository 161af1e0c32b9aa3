//! AddPartitionsToTxn and AddOffsetsToTxn: partitions come into a transaction before anything is written to them.

use mainstem_protocol::{ErrorCode, PartitionId, Text};

use super::Coordinator;
use crate::transaction::machine::{Partitions, Producer, Step, Transaction};

impl Coordinator {
    /// Adds partitions to the transaction of a producer, and begins one where none is open.
    ///
    /// # Errors
    /// Kafka's codes (`TransactionCoordinator.handleAddPartitionsToTransaction`); POLICY_VIOLATION where the transaction
    /// would have more partitions than can be ended together.
    pub(crate) async fn add_partitions(
        &self,
        id: &Text,
        producer: Producer,
        partitions: Partitions,
    ) -> Result<(), ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let slot = self.slot(id)?;
        let (most, now) = (self.partitions_max(), self.0.clock.now());
        let add = |transaction: Option<&Transaction>, _| {
            let unknown = || Step::refused(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
            Ok(transaction.map_or_else(unknown, |known| known.add(producer, &partitions, most, now)))
        };
        self.happen(&slot, add).await
    }

    /// Whether each partition is in the transaction of a producer, which is not changed.
    ///
    /// # Errors
    /// Kafka's codes (`TransactionCoordinator.handleVerifyPartitionsInTransaction`).
    pub(crate) fn verify_partition(
        &self,
        id: &Text,
        producer: Producer,
        topic: &str,
        partition: PartitionId,
    ) -> Result<(), ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let slot = self.slot(id)?;
        let locked = slot.lock();
        let known = locked.transaction.as_ref().ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        known.verify(producer, topic, partition)
    }

    /// Partitions that a transaction may have: the record of its end, and a marker for each, are one append group.
    pub(super) fn partitions_max(&self) -> usize {
        self.0.store.group_batches_max().saturating_sub(1)
    }
}
