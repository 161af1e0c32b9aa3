//! TxnOffsetCommit: offsets that count when a transaction is committed (Kafka:
//! `OffsetMetadataManager.commitTransactionalOffset`). They are a batch of the transaction; its marker makes them count.
//!
//! A transaction that has committed as many offsets as one may have in a partition of `__consumer_offsets`
//! ([`crate::caps::TRANSACTION_OFFSETS_MAX`]) commits no more: it is to be aborted. Kafka has no such limit.
//!
//! The group is held, then the transactional id, so that neither a member nor a transaction that is over comes late.

use std::sync::Arc;

use mainstem_protocol::{
    ErrorCode,
    messages::{
        OffsetCommitRequest, OffsetCommitResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
        offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        txn_offset_commit::{
            TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic, TxnOffsetCommitResponsePartition,
            TxnOffsetCommitResponseTopic,
        },
    },
    records::ProducerStamp,
};

use super::{
    Coordinator, Slot,
    commit::{Accepted, refuse_accepted},
};
use crate::{
    group::log::error_code,
    task::OnFailure,
    transaction::{self, InPlace, InTransaction, NotPlaced, Verification},
};

/// A version in which topics come by name.
const BY_NAME: i16 = 9;

/// Why a commit got no place yet.
enum NoPlace {
    Refused(ErrorCode),
    NoRoom(Box<transaction::Made>),
    /// A topic has been deleted since it was looked at.
    TopicGone,
}

impl Coordinator {
    /// Answers when the offsets are stored, though none of them counts yet.
    pub(crate) async fn txn_offset_commit(
        &self,
        verification: Verification,
        request: TxnOffsetCommitRequest,
        transactions: &transaction::Coordinator,
    ) -> TxnOffsetCommitResponse {
        let plain = plain(&request);
        loop {
            let (mut response, accepted) = self.check_partitions(BY_NAME, &plain);
            if accepted.records.is_empty() {
                return transactional(response);
            }
            match self.commit_in_transaction(verification, &request, &accepted, transactions).await {
                Ok(()) => return transactional(response),
                Err(NoPlace::Refused(error)) => {
                    refuse_accepted(&mut response, error);
                    return transactional(response);
                }
                Err(NoPlace::NoRoom(_) | NoPlace::TopicGone) => {}
            }
        }
    }

    async fn commit_in_transaction(
        &self,
        verification: Verification,
        request: &TxnOffsetCommitRequest,
        accepted: &Accepted,
        transactions: &transaction::Coordinator,
    ) -> Result<(), NoPlace> {
        if request.group_id.is_empty() {
            return Err(NoPlace::Refused(ErrorCode::INVALID_GROUP_ID));
        }
        let place = self.0.log.place_of(&request.group_id);
        let (topic, partition) = place.ok_or(NoPlace::Refused(ErrorCode::NOT_COORDINATOR))?;
        let batch = self.0.log.batch(&accepted.records, &stamp(request));
        let batch = batch.ok_or(NoPlace::Refused(ErrorCode::INVALID_REQUEST))?;
        let id = &request.transactional_id;
        let write = InTransaction { id, verification, topic: &topic, partition, batch };
        let slot = self.txn_commit_slot(request).map_err(|refusal| refused(refusal, &write, transactions))?;
        let committed = self.commit_in_slot(&slot, request, accepted, &write, transactions).await;
        if committed.is_err() {
            self.end_if_empty(&request.group_id, slot).await;
        }
        committed
    }

    async fn commit_in_slot(
        &self,
        slot: &Arc<Slot>,
        request: &TxnOffsetCommitRequest,
        accepted: &Accepted,
        write: &InTransaction<'_>,
        transactions: &transaction::Coordinator,
    ) -> Result<(), NoPlace> {
        let mut made = None;
        let (placed, number) = loop {
            match self.place_in_transaction(slot, request, accepted, write, transactions, made.take()) {
                Ok(placed) => break placed,
                Err(NoPlace::NoRoom(small)) => {
                    let room = transactions.make_room_for(*small).await;
                    made = Some(room.map_err(|error| NoPlace::Refused(code(&error)))?);
                }
                Err(no_place) => return Err(no_place),
            }
        };
        self.watch_in_place(Arc::clone(slot), placed, number).await.map_err(NoPlace::Refused)
    }

    /// The group that the offsets are for. An offset that comes from no member makes a group of its own.
    fn txn_commit_slot(&self, request: &TxnOffsetCommitRequest) -> Result<Arc<Slot>, ErrorCode> {
        match self.existing(&request.group_id) {
            Some(slot) => Ok(slot),
            None if request.generation_id < 0 => self.existing_or_new(&request.group_id),
            None => Err(ErrorCode::ILLEGAL_GENERATION),
        }
    }

    fn place_in_transaction(
        &self,
        slot: &Slot,
        request: &TxnOffsetCommitRequest,
        accepted: &Accepted,
        write: &InTransaction<'_>,
        transactions: &transaction::Coordinator,
        made: Option<transaction::Made>,
    ) -> Result<(InPlace, u64), NoPlace> {
        let TxnOffsetCommitRequest { member_id, group_instance_id, generation_id, .. } = request;
        slot.place(|group| {
            if self.is_any_gone(accepted) {
                return Err(NoPlace::TopicGone);
            }
            let checked = group.check_txn_commit(member_id, group_instance_id.as_ref(), *generation_id);
            checked.map_err(|refusal| refused(refusal, write, transactions))?;
            if !self.0.log.has_room(&request.group_id, request.producer_id, &accepted.records) {
                // What this transaction may still do is to be aborted.
                return Err(NoPlace::Refused(write.verification.code(ErrorCode::TRANSACTION_ABORTABLE)));
            }
            match transactions.try_produce(write, made) {
                Ok(Ok(placed)) => Ok(placed),
                Ok(Err(small)) => Err(NoPlace::NoRoom(Box::new(small))),
                Err(error) => Err(NoPlace::Refused(code(&error))),
            }
        })
    }

    /// Waits in a task of its own: whoever asked may go, but what was placed must be told as decided.
    async fn watch_in_place(&self, slot: Arc<Slot>, placed: InPlace, number: u64) -> Result<(), ErrorCode> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.0.tasks.spawn("offset commit", OnFailure::Log, async move {
            let committed = placed.fate().await.map(drop).map_err(|_| ErrorCode::COORDINATOR_NOT_AVAILABLE);
            slot.decide(number);
            // Whoever asked may have gone.
            let _ = sender.send(committed);
        });
        receiver.await.unwrap_or(Err(ErrorCode::COORDINATOR_NOT_AVAILABLE))
    }
}

fn stamp(request: &TxnOffsetCommitRequest) -> ProducerStamp {
    ProducerStamp {
        producer_id: request.producer_id,
        producer_epoch: request.producer_epoch,
        transactional: true,
        ..ProducerStamp::NONE
    }
}

/// The group refuses offsets of a transaction. That one is asked first in Kafka, and has the group's partition by then.
fn refused(
    refusal: ErrorCode,
    write: &InTransaction<'_>,
    transactions: &transaction::Coordinator,
) -> NoPlace {
    let added = transactions.add_before_refusal(write);
    NoPlace::Refused(added.err().map_or(refusal, |error| code(&error)))
}

fn code(error: &NotPlaced) -> ErrorCode {
    match error {
        // As the coordinator of groups says it.
        NotPlaced::Refused(ErrorCode::NOT_ENOUGH_REPLICAS) => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        NotPlaced::Refused(error) => *error,
        NotPlaced::Append(mainstem_storage::AppendError::InvalidProducerEpoch { .. }) => {
            ErrorCode::INVALID_PRODUCER_EPOCH
        }
        NotPlaced::Append(error) => error_code(error),
    }
}

/// What is asked for, but for the transaction.
fn plain(request: &TxnOffsetCommitRequest) -> OffsetCommitRequest {
    let topic = |topic: &TxnOffsetCommitRequestTopic| OffsetCommitRequestTopic {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(plain_partition).collect(),
        ..Default::default()
    };
    OffsetCommitRequest {
        group_id: request.group_id.clone(),
        topics: request.topics.iter().map(topic).collect(),
        ..Default::default()
    }
}

fn plain_partition(partition: &TxnOffsetCommitRequestPartition) -> OffsetCommitRequestPartition {
    OffsetCommitRequestPartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        committed_metadata: partition.committed_metadata.clone(),
    }
}

fn transactional(response: OffsetCommitResponse) -> TxnOffsetCommitResponse {
    let topics = response.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|partition| TxnOffsetCommitResponsePartition {
            partition_index: partition.partition_index,
            error_code: partition.error_code,
        });
        TxnOffsetCommitResponseTopic { name: topic.name, partitions: partitions.collect() }
    });
    TxnOffsetCommitResponse { topics: topics.collect(), ..Default::default() }
}
