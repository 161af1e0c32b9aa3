//! A batch of a transaction gets its place: only where its partition is in the transaction, and while nothing can end it.

use std::sync::Arc;

use mainstem_protocol::{ErrorCode, PartitionId, Text, records::Batch};
use mainstem_storage::{
    AppendError, AppendGroup, Committed, NotCommitted, Ticket, TransactionVersion, store::Topic,
};

use super::{
    Coordinator,
    place::{Fate, Ready},
    slot::{Locked, Slot},
};
use crate::{
    partition::append,
    transaction::machine::{Change, Partitions, Producer, Step, Transaction},
};

/// What the client of a Produce or TxnOffsetCommit request expects (Kafka: `TransactionSupportedOperation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verification {
    /// The partition was added before; one that was not is INVALID_TXN_STATE.
    Plain,
    /// As [`Self::Plain`], and the client knows TRANSACTION_ABORTABLE.
    Abortable,
    /// The partition is added with the batch (KIP-890).
    Adds,
}

impl Verification {
    /// The code as the client knows it (Kafka: `AddPartitionsToTxnManager`, `ReplicaManager`).
    pub(crate) const fn code(self, error: ErrorCode) -> ErrorCode {
        match (error, self) {
            (ErrorCode::PRODUCER_FENCED, _) => ErrorCode::INVALID_PRODUCER_EPOCH,
            (ErrorCode::TRANSACTION_ABORTABLE, Self::Plain) => ErrorCode::INVALID_TXN_STATE,
            (ErrorCode::CONCURRENT_TRANSACTIONS, Self::Plain | Self::Abortable)
            | (ErrorCode::COORDINATOR_NOT_AVAILABLE, _) => ErrorCode::NOT_ENOUGH_REPLICAS,
            (error, _) => error,
        }
    }
}

/// Where a batch of a transaction goes.
#[derive(Debug)]
pub(crate) struct InTransaction<'a> {
    pub(crate) id: &'a Text,
    pub(crate) verification: Verification,
    pub(crate) topic: &'a Topic,
    pub(crate) partition: PartitionId,
    pub(crate) batch: Batch,
}

/// A batch that has its place.
#[derive(Debug)]
pub(crate) enum InPlace {
    /// Alone.
    Alone(Ticket),
    /// With the record that adds its partition to the transaction.
    WithAddition(Fate),
}

/// Why a batch has none.
#[derive(Debug)]
pub(crate) enum NotPlaced {
    /// The coordinator refuses it.
    Refused(ErrorCode),
    /// The log does.
    Append(AppendError),
}

/// A group for which room was made: with the change that it stores, or the batch alone.
#[derive(Debug)]
pub(crate) struct Made {
    change: Option<Change>,
    group: AppendGroup,
}

impl Coordinator {
    /// Gives a batch its place. Waits, off the reactor, where room must be made first.
    ///
    /// # Errors
    /// Where it gets none; nothing was appended then.
    pub(crate) async fn produce(&self, write: InTransaction<'_>) -> Result<InPlace, NotPlaced> {
        let mut made = None;
        loop {
            match self.try_produce(&write, made.take())? {
                Ok(placed) => return Ok(placed),
                Err(small) => made = Some(self.make_room_for(small).await?),
            }
        }
    }

    /// Waits, off the reactor, until there is room.
    ///
    /// # Errors
    /// Where none can be made.
    pub(crate) async fn make_room_for(&self, small: Made) -> Result<Made, NotPlaced> {
        let Made { change, group } = small;
        let group = append::make_room(&self.0.store, group).await.map_err(NotPlaced::Append)?;
        Ok(Made { change, group })
    }

    /// As [`Self::produce`], without waiting: the inner error is a group that needs room first, and is to come again.
    ///
    /// # Errors
    /// Where it gets none; nothing was appended then.
    pub(crate) fn try_produce(
        &self,
        write: &InTransaction<'_>,
        made: Option<Made>,
    ) -> Result<Result<InPlace, Made>, NotPlaced> {
        let unknown = || write.refused(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        let slot = self.slot(write.id).map_err(|error| write.refused(error))?;
        let mut locked = slot.lock();
        let transaction = locked.transaction.as_ref().ok_or_else(unknown)?;
        let change =
            self.addition(transaction, write, made.as_ref()).map_err(|error| write.refused(error))?;
        let Made { change, group } = match made.filter(|made| made.change == change) {
            Some(made) => made,
            None => self.group_with(&slot, write, change)?,
        };
        match (self.0.store.append(&group), change) {
            (Ok(ticket), Some(change)) => {
                Ok(Ok(InPlace::WithAddition(self.placed(&slot, &mut locked, change, ticket))))
            }
            (Ok(ticket), None) => Ok(Ok(InPlace::Alone(ticket))),
            (Err(AppendError::NoRoom), change) => Ok(Err(Made { change, group })),
            (Err(error), change) => {
                if let Some(change) = change.filter(|_| is_of_producer(&error)) {
                    self.add_alone(&slot, &mut locked, change);
                }
                Err(NotPlaced::Append(error))
            }
        }
    }

    /// Adds the partition of a write that is refused for what the transaction has no part in: in Kafka the partition is in
    /// the transaction before anybody looks at the write, so that there is a transaction to end.
    ///
    /// # Errors
    /// Where the coordinator refuses the write itself.
    pub(crate) fn add_before_refusal(&self, write: &InTransaction<'_>) -> Result<(), NotPlaced> {
        let unknown = || write.refused(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        let slot = self.slot(write.id).map_err(|error| write.refused(error))?;
        let mut locked = slot.lock();
        let transaction = locked.transaction.as_ref().ok_or_else(unknown)?;
        let change = self.addition(transaction, write, None).map_err(|error| write.refused(error))?;
        if let Some(change) = change {
            self.add_alone(&slot, &mut locked, change);
        }
        Ok(())
    }

    /// Nobody waits for it. Where the log takes nothing the partition is not added, and nothing is in it to be ended.
    fn add_alone(&self, slot: &Arc<Slot>, locked: &mut Locked, change: Change) {
        let Ok(Ready { change, group }) = self.ready(&slot.id, change, None) else { return };
        if let Ok(ticket) = self.0.store.append(&group) {
            drop(self.placed(slot, locked, change, ticket));
        }
    }

    /// What must be stored so that the partition is in the transaction; none where it is.
    fn addition(
        &self,
        transaction: &Transaction,
        write: &InTransaction<'_>,
        made: Option<&Made>,
    ) -> Result<Option<Change>, ErrorCode> {
        let producer = write.producer();
        let verified = transaction.verify(producer, &write.topic.name, write.partition);
        if verified.is_ok() || write.verification != Verification::Adds {
            return verified.map(|()| None);
        }
        let name = Text::from(write.topic.name.as_str());
        // A group for which room was made keeps its time, so that it is the same one.
        let made_at = made.and_then(|made| made.change.as_ref()).map(|change| change.next.updated);
        let now = made_at.unwrap_or_else(|| self.0.clock.now());
        let partitions = Partitions::from_iter([(&name, write.partition)]);
        let Step { change, answer } = transaction.add(producer, &partitions, self.partitions_max(), now);
        answer.map(|()| change)
    }

    fn group_with(
        &self,
        slot: &Slot,
        write: &InTransaction<'_>,
        change: Option<Change>,
    ) -> Result<Made, NotPlaced> {
        let (change, mut group) = match change {
            Some(change) => {
                let Ready { change, group } =
                    self.ready(&slot.id, change, None).map_err(NotPlaced::Refused)?;
                (Some(change), group)
            }
            None => (None, AppendGroup::new()),
        };
        let version = match write.verification {
            Verification::Adds => TransactionVersion::V2,
            Verification::Plain | Verification::Abortable => TransactionVersion::V1,
        };
        group.push_of(write.topic.id, write.partition, write.batch.clone(), version);
        Ok(Made { change, group })
    }
}

/// Whether the partition is there, and refuses what this producer writes.
const fn is_of_producer(error: &AppendError) -> bool {
    matches!(
        error,
        AppendError::OutOfOrderSequence { .. }
            | AppendError::InvalidProducerEpoch { .. }
            | AppendError::InvalidTransactionState { .. }
    )
}

impl InTransaction<'_> {
    fn producer(&self) -> Producer {
        let header = self.batch.header();
        Producer { id: header.producer_id, epoch: header.producer_epoch }
    }

    /// Clients expect other codes here than from the coordinator.
    const fn refused(&self, error: ErrorCode) -> NotPlaced {
        NotPlaced::Refused(self.verification.code(error))
    }
}

impl InPlace {
    /// Until the batch is committed, or will not be.
    pub(crate) async fn fate(self) -> Result<Committed, NotCommitted> {
        match self {
            Self::Alone(ticket) => ticket.await,
            Self::WithAddition(fate) => fate.await.unwrap_or(Err(NotCommitted::Failed)),
        }
    }
}
