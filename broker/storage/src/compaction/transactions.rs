//! What a pass over a log learns of its transactions (Kafka: `CleanedTransactionMetadata`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mainstem_protocol::{Offset, ProducerId, records::BatchHeader};

use crate::{partition::AbortedIndex, state::AbortedTransaction};

/// How many offsets ahead is asked which transactions were aborted: so many of them are in memory at once, and those that
/// were open there, however many a log has.
const AHEAD: i64 = 4096;

/// Goes from batch to batch, in the order of the log.
#[derive(Debug)]
pub(crate) struct Transactions<'a> {
    index: &'a AbortedIndex,
    /// Those that were not come to yet, by their first offsets.
    coming: VecDeque<AbortedTransaction>,
    /// Those that begin below are known.
    known_to: Offset,
    open_aborted: BTreeMap<ProducerId, Open>,
    /// Producers with a batch of a transaction that was not aborted, and whose marker was not come to yet.
    open_committed: BTreeSet<ProducerId>,
    /// Markers of aborted transactions that still have a batch.
    kept: Vec<Offset>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    transaction: AbortedTransaction,
    has_batches: bool,
}

impl<'a> Transactions<'a> {
    /// The index says which were aborted.
    pub(crate) const fn new(index: &'a AbortedIndex) -> Self {
        Self {
            index,
            coming: VecDeque::new(),
            known_to: Offset(i64::MIN),
            open_aborted: BTreeMap::new(),
            open_committed: BTreeSet::new(),
            kept: Vec::new(),
        }
    }

    /// Comes to a batch of records; whether it was aborted.
    pub(crate) fn batch(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header);
        if !header.attributes.is_transactional() {
            return false;
        }
        if let Some(open) = self.open_aborted.get_mut(&header.producer_id) {
            open.has_batches = true;
            return true;
        }
        self.open_committed.insert(header.producer_id);
        false
    }

    /// Comes to a marker; whether nothing of its transaction was come to, so that it is not needed. An empty batch is a
    /// marker that was dropped before; what is no marker of a transaction is kept.
    pub(crate) fn marker(&mut self, header: &BatchHeader, end: Option<End>) -> bool {
        self.begin_up_to(header);
        match end {
            None => header.record_count == 0,
            Some(End::Committed) => !self.open_committed.remove(&header.producer_id),
            Some(End::Aborted) => {
                // Below the log start nobody remembers which were aborted.
                self.open_committed.remove(&header.producer_id);
                !self.abort(header.producer_id)
            }
        }
    }

    /// Whether anything of the producer's aborted transaction was come to.
    fn abort(&mut self, producer: ProducerId) -> bool {
        let aborted = self.open_aborted.remove(&producer).filter(|open| open.has_batches);
        self.kept.extend(aborted.map(|open| open.transaction.last_offset));
        aborted.is_some()
    }

    /// The markers of aborted transactions that were come to since the last call and are still needed; ascending.
    pub(crate) fn take_kept(&mut self) -> Vec<Offset> {
        let mut kept = std::mem::take(&mut self.kept);
        kept.sort_unstable();
        kept
    }

    fn begin_up_to(&mut self, header: &BatchHeader) {
        let offset = header.last_offset();
        if offset >= self.known_to {
            self.look_ahead(header.base_offset, offset.plus(AHEAD));
        }
        while let Some(transaction) = self.coming.front().copied().filter(|next| next.first_offset <= offset)
        {
            self.coming.pop_front();
            // What ended before was not to be gone through.
            if transaction.last_offset < header.base_offset {
                continue;
            }
            let open = Open { transaction, has_batches: false };
            self.open_aborted.entry(transaction.producer_id).or_insert(open);
        }
    }
}

impl Transactions<'_> {
    /// Those that begin before what was asked for last were found then, where they have batches from `from` on. Nothing
    /// is cleaned beyond the last stable offset, so that none comes in between later.
    fn look_ahead(&mut self, from: Offset, upto: Offset) {
        let mut found = self.index.lock().still_within(from, upto);
        found.retain(|transaction| transaction.first_offset >= self.known_to);
        found.sort_unstable_by_key(|transaction| transaction.first_offset);
        self.coming.extend(found);
        self.known_to = upto;
    }
}

/// How a marker ends its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Committed,
    Aborted,
}
