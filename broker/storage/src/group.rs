//! What is appended together.

use std::sync::Arc;

use bytes::Bytes;
use mainstem_protocol::{
    PartitionId, ProducerEpoch, ProducerId, Timestamp, TopicId,
    records::{Batch, BatchHeader, EndTxnMarker, header::HEADER_BYTES},
};

use crate::{
    state::{Claim, marker_of},
    store::Ahead,
};

/// Batches that become visible together or not at all, for any number of partitions.
///
/// Each batch of a Produce request is a group of its own; offset commits and atomic appends span partitions.
#[derive(Debug, Default)]
pub struct AppendGroup {
    pub(crate) batches: Vec<GroupBatch>,
    /// Where its records were written ahead, when it is too big for one frame.
    pub(crate) ahead: Option<Arc<Ahead>>,
    /// Whether its markers may be refused, as those of the coordinator never are.
    pub(crate) is_asked_for: bool,
}

/// A batch and where it goes. Its checksum and counts were checked by whoever made it.
#[derive(Clone, Debug)]
pub(crate) struct GroupBatch {
    pub(crate) topic: TopicId,
    pub(crate) partition: PartitionId,
    pub(crate) header: BatchHeader,
    /// What follows the header; shares the memory of the request.
    pub(crate) records: Bytes,
    pub(crate) version: TransactionVersion,
}

/// The generation of the transaction that a batch belongs to, or a marker ends (Kafka: `transaction.version`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransactionVersion {
    /// A producer keeps its epoch from one transaction to the next, and goes on with its sequence. For batches outside of
    /// transactions, too.
    #[default]
    V1,
    /// Every marker raises the epoch, and the sequence begins at 0 with each (KIP-890): a producer that a partition does
    /// not know begins at 0, and only a marker of a higher epoch ends a transaction.
    V2,
}

/// The end of a producer's transaction, for one partition of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Whose transaction ends.
    pub producer_id: ProducerId,
    /// Older epochs of the producer are fenced from here on.
    pub producer_epoch: ProducerEpoch,
    /// That of the coordinator that decided; an older one than the partition has seen is fenced.
    pub coordinator_epoch: i32,
    /// Whether the transaction is committed; otherwise it is aborted.
    pub committed: bool,
    /// Whether the epoch must be above that of the transaction.
    pub version: TransactionVersion,
}

impl AppendGroup {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One batch alone.
    #[must_use]
    pub fn single(topic: TopicId, partition: PartitionId, batch: Batch) -> Self {
        let mut group = Self::new();
        group.push(topic, partition, batch);
        group
    }

    /// Adds a batch behind those that the partition has in this group already. A transactional one opens its producer's
    /// transaction there, where none is open; whether the producer has begun one is its coordinator's to know.
    pub fn push(&mut self, topic: TopicId, partition: PartitionId, batch: Batch) {
        self.push_of(topic, partition, batch, TransactionVersion::V1);
    }

    /// As [`AppendGroup::push`], of a transaction of this version.
    pub fn push_of(
        &mut self,
        topic: TopicId,
        partition: PartitionId,
        batch: Batch,
        version: TransactionVersion,
    ) {
        let (header, records) = (*batch.header(), batch.payload());
        self.batches.push(GroupBatch { topic, partition, header, records, version });
    }

    /// Adds the end of a transaction. Where none is open the marker is written all the same, and fences older epochs.
    pub fn push_marker(&mut self, topic: TopicId, partition: PartitionId, marker: Marker, now: Timestamp) {
        let Marker { producer_id, producer_epoch, coordinator_epoch, committed, version } = marker;
        let mut bytes =
            EndTxnMarker { committed, coordinator_epoch }.to_batch(producer_id, producer_epoch, now);
        match Batch::split_from(&mut bytes) {
            Ok(batch) => self.push_of(topic, partition, batch, version),
            Err(error) => unreachable!("a marker is a batch: {error}"),
        }
    }

    /// As [`AppendGroup::push_marker`], of somebody who is not this broker's coordinator: where the partition remembers as
    /// many producers as it may, the group is refused unless it knows this one. Who has a transaction open is known.
    pub fn push_asked_marker(
        &mut self,
        topic: TopicId,
        partition: PartitionId,
        marker: Marker,
        now: Timestamp,
    ) {
        self.is_asked_for = true;
        self.push_marker(topic, partition, marker, now);
    }

    /// Batches in the group.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// Whether there are no batches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Bytes of all batches.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.batches.iter().map(GroupBatch::bytes).sum()
    }
}

impl GroupBatch {
    pub(crate) fn claim(&self) -> Claim<'_> {
        let marker = marker_of(&self.header, &self.records);
        Claim { header: &self.header, marker, version: self.version }
    }

    /// Bytes of the batch in its segment.
    pub(crate) fn bytes(&self) -> u64 {
        (HEADER_BYTES + self.records.len()) as u64
    }
}
