//! Transactions in one partition: which are open, and what a marker ends (Kafka: `ProducerAppendInfo`,
//! `ProducerStateManager`).

use std::collections::BTreeMap;

use mainstem_protocol::{
    Offset, ProducerId,
    records::{BatchHeader, EndTxnMarker, RecordRef},
};

use super::Producers;

/// The first offset of each open transaction, and whose it is. Follows from the producers: it is there so that the oldest
/// is found at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenTransactions(BTreeMap<Offset, ProducerId>);

/// What a batch does to its producer's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is the first of one.
    Begun { first: Offset },
    /// It is the marker of the one that began there.
    Ended { first: Offset },
}

/// A transaction that was taken back: readers of what is committed pass over its records (Kafka: `AbortedTxn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose it was.
    pub producer_id: ProducerId,
    /// The offset of its first record.
    pub first_offset: Offset,
    /// The offset of its marker.
    pub last_offset: Offset,
    /// The last stable offset once the marker was there: what is below belongs to no transaction that ended later.
    pub last_stable_offset: Offset,
}

/// What a control batch says of its producer's transaction; none for other batches.
pub(crate) fn marker_of(header: &BatchHeader, mut records: &[u8]) -> Option<EndTxnMarker> {
    if !header.attributes.is_control() {
        return None;
    }
    let record = RecordRef::split_from(&mut records).ok()?;
    EndTxnMarker::parse(record.key, record.value).ok()
}

impl OpenTransactions {
    /// As the producers say.
    pub(crate) fn of(producers: &Producers) -> Self {
        let first = |(id, producer): (&ProducerId, &super::Producer)| Some((producer.transaction?, *id));
        Self(producers.iter().filter_map(first).collect())
    }

    /// Where the oldest begins.
    pub(crate) fn first(&self) -> Option<Offset> {
        self.0.keys().next().copied()
    }

    pub(crate) fn turn(&mut self, id: ProducerId, turn: Turn) {
        match turn {
            Turn::Begun { first } => drop(self.0.insert(first, id)),
            Turn::Ended { first } => drop(self.0.remove(&first)),
        }
    }
}
