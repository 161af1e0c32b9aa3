//! Offsets of a group as a part of a transaction: what was read counts as read when what came of it is committed (KIP-98).

use std::sync::Arc;

use mainstem_protocol::{
    ApiKey, ErrorCode, Text,
    messages::{
        AddOffsetsToTxnRequest, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
        txn_offset_commit::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
    },
};

use super::{
    coordinator::Coordinator,
    error::{Operation, TransactionCause, TransactionError},
    shared::Transactions,
    state::{Generation, Started},
};
use crate::{
    TopicPartition,
    cluster::{Cluster, Coordinated, feature::Feature},
    consumer::{GroupMetadata, OffsetAndMetadata},
    topic_partition::by_topic,
};

/// Offsets on their way into a transaction.
#[derive(Debug)]
pub(super) struct SendOffsets<'a> {
    pub(super) transactions: &'a Transactions,
    pub(super) group: &'a GroupMetadata,
    pub(super) offsets: &'a [(TopicPartition, OffsetAndMetadata)],
}

impl SendOffsets<'_> {
    pub(super) async fn run(self, cluster: &Arc<Cluster>) -> Result<(), TransactionError> {
        let transactions = self.transactions;
        let generation = transactions.state().generation;
        transactions.state().offsets_unsettled = true;
        if generation == Generation::First {
            transactions.persist(Operation::SendOffsets, || self.add_group()).await?;
        }
        let of = Coordinated::Group(self.group.group.clone());
        let coordinator = Coordinator::new(Arc::clone(cluster), of);
        transactions.persist(Operation::SendOffsets, || self.commit(&coordinator)).await?;
        transactions.state().offsets_unsettled = false;
        Ok(())
    }

    /// The partition where the group's offsets are kept has to be added by itself.
    async fn add_group(&self) -> Result<(), TransactionCause> {
        let transactions = self.transactions;
        transactions.state().started(Started::Perhaps);
        let (producer_id, producer_epoch) = transactions.identity();
        let request = AddOffsetsToTxnRequest {
            transactional_id: transactions.config.id.clone(),
            producer_id,
            producer_epoch,
            group_id: self.group.group.clone(),
        };
        let answer = transactions.ask(|_| Ok(request)).await?;
        transactions.coordinator.check::<AddOffsetsToTxnRequest>(answer.error_code)?;
        transactions.state().started(Started::Yes);
        Ok(())
    }

    async fn commit(&self, coordinator: &Coordinator) -> Result<(), TransactionCause> {
        let newest = {
            let mut state = self.transactions.state();
            state.started(Started::Yes);
            state.generation.newest(ApiKey::TxnOffsetCommit)
        };
        let (request, is_member) = (self.request(), self.group.is_member());
        let asked = |version| {
            if is_member {
                Feature::MEMBERS_IN_TRANSACTIONS.require(version)?;
            }
            Ok(request)
        };
        let answer = coordinator.ask(newest, asked).await?;
        coordinator.check::<TxnOffsetCommitRequest>(worst(&answer))
    }

    fn request(&self) -> TxnOffsetCommitRequest {
        let GroupMetadata { group, generation, member_id, instance_id } = self.group.clone();
        let (producer_id, producer_epoch) = self.transactions.identity();
        TxnOffsetCommitRequest {
            transactional_id: self.transactions.config.id.clone(),
            group_id: group,
            producer_id,
            producer_epoch,
            generation_id: generation,
            member_id,
            group_instance_id: instance_id,
            topics: self.topics(),
        }
    }

    fn topics(&self) -> Vec<TxnOffsetCommitRequestTopic> {
        let partitions = self.offsets.iter().map(|(TopicPartition { topic, partition }, committed)| {
            let partition = TxnOffsetCommitRequestPartition {
                partition_index: *partition,
                committed_offset: committed.offset,
                committed_leader_epoch: committed.leader_epoch,
                committed_metadata: Some(committed.metadata.clone()),
            };
            (topic, partition)
        });
        let topic = |(name, partitions): (Text, _)| TxnOffsetCommitRequestTopic { name, partitions };
        by_topic(partitions).into_iter().map(topic).collect()
    }
}

/// A refusal that does not pass stands before one that does, since trying again would not help.
fn worst(answer: &TxnOffsetCommitResponse) -> ErrorCode {
    let codes =
        answer.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code);
    let refused: Vec<_> = codes.filter(|code| !code.is_none()).collect();
    let lasting = refused.iter().find(|code| !code.is_retriable());
    lasting.or_else(|| refused.first()).copied().unwrap_or_default()
}
