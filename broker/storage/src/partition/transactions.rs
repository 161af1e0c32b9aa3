//! Transactions, as readers and administrators see them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use mainstem_protocol::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use super::{Partition, Visible};
use crate::state::{Aborted, AbortedTransaction, Producer};

/// Which records a reader sees (Kafka: `isolation.level`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// All that are visible.
    #[default]
    Uncommitted,
    /// None of a transaction whose end is open, nor what lies behind its first.
    Committed,
}

/// What a partition knows of a producer (Kafka: DescribeProducers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerView {
    /// Who it is.
    pub id: ProducerId,
    /// Older ones are fenced.
    pub epoch: ProducerEpoch,
    /// That of its last record; -1 where none of this epoch is known.
    pub last_sequence: Sequence,
    /// The largest timestamp of its last batch.
    pub last_timestamp: Timestamp,
    /// That of the coordinator that ended a transaction last; -1 before the first.
    pub coordinator_epoch: i32,
    /// The first offset of its open transaction, where it has one.
    pub transaction: Option<Offset>,
}

/// Folded from committed batches, and asked by readers, who must not wait for the writer.
#[derive(Debug, Default)]
pub(crate) struct AbortedIndex(Mutex<Aborted>);

impl Visible {
    /// The offset behind the last record that such a reader sees.
    #[must_use]
    pub const fn end(&self, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::Uncommitted => self.high_watermark,
            Isolation::Committed => self.last_stable,
        }
    }
}

impl AbortedIndex {
    pub(crate) fn new(aborted: Aborted) -> Self {
        Self(Mutex::new(aborted))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Aborted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Partition {
    /// The offset behind the last record of which it is known whether its transaction was committed. For several
    /// partitions of one answer take a cut.
    #[must_use]
    pub fn last_stable(&self) -> Offset {
        self.shown().last_stable
    }

    /// The aborted transactions that have records from `from` on and below `upto`, which is at most the last stable
    /// offset, in the order of their markers. `None` where the log does not begin before `from` any more.
    #[must_use]
    pub fn aborted_transactions(&self, from: Offset, upto: Offset) -> Option<Vec<AbortedTransaction>> {
        self.aborted.lock().within(from, upto)
    }

    /// Every producer that is remembered, by its id.
    #[must_use]
    pub fn producers(&self) -> Vec<ProducerView> {
        let placing = self.placing();
        placing.state().producers.iter().map(|(id, producer)| producer.view(*id)).collect()
    }

    /// The producers whose open transactions hold readers back. Costs nothing where there are none.
    #[must_use]
    pub fn open_transactions(&self) -> Vec<ProducerView> {
        let visible = self.shown();
        if visible.last_stable == visible.high_watermark {
            return Vec::new();
        }
        let mut producers = self.producers();
        producers.retain(|producer| producer.transaction.is_some());
        producers
    }
}

impl Producer {
    fn view(&self, id: ProducerId) -> ProducerView {
        let Self { epoch, last_timestamp, batches: _, coordinator_epoch, transaction } = *self;
        let last_sequence = self.last_sequence();
        ProducerView { id, epoch, last_sequence, last_timestamp, coordinator_epoch, transaction }
    }
}
