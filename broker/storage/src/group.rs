//! What is appended together.

use std::sync::Arc;

use bytes::Bytes;
use mainstem_protocol::{
    PartitionId, TopicId,
    records::{Batch, BatchHeader, header::HEADER_BYTES},
};

use crate::store::Ahead;

/// Batches that become visible together or not at all, for any number of partitions.
///
/// Each batch of a Produce request is a group of its own; offset commits and atomic appends span partitions.
#[derive(Debug, Default)]
pub struct AppendGroup {
    pub(crate) batches: Vec<GroupBatch>,
    /// Where its records were written ahead, when it is too big for one frame.
    pub(crate) ahead: Option<Arc<Ahead>>,
}

/// A batch and where it goes. Its checksum and counts were checked by whoever made it.
#[derive(Clone, Debug)]
pub(crate) struct GroupBatch {
    pub(crate) topic: TopicId,
    pub(crate) partition: PartitionId,
    pub(crate) header: BatchHeader,
    /// What follows the header; shares the memory of the request.
    pub(crate) records: Bytes,
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

    /// Adds a batch behind those that the partition has in this group already.
    pub fn push(&mut self, topic: TopicId, partition: PartitionId, batch: Batch) {
        let (header, records) = (*batch.header(), batch.payload());
        self.batches.push(GroupBatch { topic, partition, header, records });
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
    /// Bytes of the batch in its segment.
    pub(crate) fn bytes(&self) -> u64 {
        (HEADER_BYTES + self.records.len()) as u64
    }
}
