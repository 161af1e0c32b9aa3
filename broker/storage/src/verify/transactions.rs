//! Transactions: what the log says was aborted must be in the index from which readers are told.

use std::collections::{BTreeMap, HashMap};

use mainstem_protocol::{
    Offset, PartitionId, ProducerId, TopicId,
    records::{BatchHeader, EndTxnMarker},
};

use crate::{images::Images, state::AbortedTransaction};

/// Those of one partition, while its batches are walked through in order.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    log_start: Offset,
    /// By the offset of the marker.
    indexed: BTreeMap<Offset, AbortedTransaction>,
    /// The first batch of each that was walked through.
    open: HashMap<ProducerId, Offset>,
    is_heeded: bool,
}

impl Transactions {
    pub(super) fn of(images: &Images, topic: TopicId, partition: PartitionId) -> Self {
        let found = images.topics.get(&topic).and_then(|topic| topic.partitions.get(partition.0 as usize));
        let Some(partition) = found else { return Self::default() };
        let indexed = partition.aborted.iter().map(|aborted| (aborted.last_offset, *aborted)).collect();
        Self { log_start: partition.state.log_start, indexed, open: HashMap::new(), is_heeded: true }
    }

    /// Whether what follows has every batch that was ever there, up to the next call.
    pub(super) fn heed(&mut self, is_whole: bool) {
        self.is_heeded = is_whole;
        if !is_whole {
            self.open.clear();
        }
    }

    /// What is wrong with a batch, of which `marker` is what it says where it ends a transaction.
    pub(super) fn note(&mut self, header: &BatchHeader, marker: Option<EndTxnMarker>) -> Option<String> {
        let id = header.producer_id;
        match marker.filter(|_| self.is_heeded) {
            Some(marker) => {
                let first = self.open.remove(&id)?;
                let ends_unseen = !marker.committed && header.base_offset >= self.log_start;
                ends_unseen.then(|| self.missing(id, first, header.base_offset)).flatten()
            }
            None if self.is_heeded && header.attributes.is_transactional() => {
                self.open.entry(id).or_insert(header.base_offset);
                None
            }
            None => None,
        }
    }

    /// The first batches of a transaction may be gone, by a cleaning or with old segments; later ones may not have come.
    fn missing(&self, id: ProducerId, first: Offset, marker: Offset) -> Option<String> {
        let indexed = self.indexed.get(&marker);
        let is_right = indexed.is_some_and(|found| found.producer_id == id && found.first_offset <= first);
        let what = || {
            format!(
                "producer {id} aborted what it wrote from offset {first} on, but the index does not say so"
            )
        };
        (!is_right).then(what)
    }
}
