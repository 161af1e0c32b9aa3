//! What a pass over a log learns of its transactions (Kafka: `CleanedTransactionMetadata`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mainstem_protocol::{Offset, ProducerId, records::BatchHeader};

use crate::{partition::AbortedIndex, state::AbortedTransaction};

/// How the index is read ahead.
#[derive(Clone, Copy, Debug)]
struct Windows {
    /// How many offsets ahead is asked which transactions were aborted: those that begin there are in memory at once, and
    /// those that are open, however many a log has. One that is open for long hides where the others end, so that each
    /// window looks at all up to its marker: the more offsets, the fewer windows.
    ahead: i64,
    /// How many are looked at while the index is locked: appends and readers of the partition want it too.
    step: usize,
}

const WINDOWS: Windows = Windows { ahead: 1 << 16, step: 4096 };

/// Goes from batch to batch, in the order of the log.
#[derive(Debug)]
pub(crate) struct Transactions<'a> {
    index: &'a AbortedIndex,
    windows: Windows,
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
        Self::with_windows(index, WINDOWS)
    }

    const fn with_windows(index: &'a AbortedIndex, windows: Windows) -> Self {
        Self {
            index,
            windows,
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
            self.look_ahead(header.base_offset, offset.plus(self.windows.ahead));
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
        let (begins, mut found, mut next) = (self.known_to..upto, Vec::new(), Some(from));
        while let Some(at) = next {
            next = self.index.lock().find_begun(at, &begins, self.windows.step, &mut found);
        }
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

#[cfg(test)]
mod tests {
    use mainstem_protocol::{
        ProducerEpoch, Sequence, Timestamp,
        records::{Batch, BatchBuilder, Compression, EndTxnMarker, NewRecord, ProducerStamp, header},
    };
    use proptest::prelude::*;

    use super::*;
    use crate::state::Aborted;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum What {
        Record,
        Marker(End),
    }

    /// What a producer wrote at an offset, and whether a cleaning has left it.
    #[derive(Clone, Copy, Debug)]
    struct At {
        producer: i64,
        what: What,
        is_left: bool,
    }

    fn at() -> impl Strategy<Value = At> {
        let what = prop_oneof![
            4 => Just(What::Record),
            2 => Just(What::Marker(End::Aborted)),
            1 => Just(What::Marker(End::Committed)),
        ];
        // One of them seldom writes, so that its transactions are open over many others.
        let producer = prop_oneof![9 => 1..5_i64, 1 => Just(0_i64)];
        let all = (producer, what, prop::bool::weighted(0.8));
        // A marker stays as long as its records.
        all.prop_map(|(producer, what, is_left)| At {
            producer,
            what,
            is_left: is_left || what != What::Record,
        })
    }

    fn header(offset: i64, at: At) -> BatchHeader {
        let (id, epoch) = (ProducerId(at.producer), ProducerEpoch(0));
        let bytes = match at.what {
            What::Record => {
                let mut builder = BatchBuilder::new(Compression::None);
                builder.append(&NewRecord { value: Some(b"v"), ..NewRecord::default() }).unwrap();
                let base_sequence = Sequence(0);
                let stamp = ProducerStamp {
                    producer_id: id,
                    producer_epoch: epoch,
                    base_sequence,
                    transactional: true,
                };
                builder.seal(&stamp).unwrap()
            }
            What::Marker(end) => {
                let marker = EndTxnMarker { committed: end == End::Committed, coordinator_epoch: 0 };
                marker.to_batch(id, epoch, Timestamp(1))
            }
        };
        let mut bytes = bytes.to_vec();
        header::patch_base_offset(bytes.first_chunk_mut().unwrap(), Offset(offset));
        *Batch::split_from(&mut bytes.into()).unwrap().header()
    }

    /// The index of the log, and up to where all transactions are ended.
    fn index(log: &[At]) -> (Vec<AbortedTransaction>, i64) {
        let (mut open, mut aborted) = (BTreeMap::new(), Vec::new());
        for (offset, at) in (0_i64..).zip(log) {
            let What::Marker(end) = at.what else {
                open.entry(at.producer).or_insert(offset);
                continue;
            };
            let Some(first) = open.remove(&at.producer) else { continue };
            if end == End::Aborted {
                aborted.push(AbortedTransaction {
                    producer_id: ProducerId(at.producer),
                    first_offset: Offset(first),
                    last_offset: Offset(offset),
                    last_stable_offset: Offset(open.values().copied().min().unwrap_or(offset + 1)),
                });
            }
        }
        let stable = open.values().copied().min().unwrap_or(log.len() as i64);
        (aborted, stable)
    }

    proptest! {
        #[test]
        fn windows_of_any_size_tell_what_the_whole_index_tells(
            log in prop::collection::vec(at(), 0..80),
            ahead in 1..8_i64,
            step in 1..4_usize,
        ) {
            let (aborted, stable) = index(&log);
            let locked = AbortedIndex::new(Aborted::new(Offset::ZERO, aborted.iter().copied()));
            let mut transactions = Transactions::with_windows(&locked, Windows { ahead, step });
            let mut seen = BTreeSet::new();
            for (offset, at) in (0..stable).zip(&log).filter(|(_, at)| at.is_left) {
                let header = header(offset, *at);
                let of = aborted.iter().find(|one| {
                    one.producer_id.0 == at.producer && (one.first_offset.0..=one.last_offset.0).contains(&offset)
                });
                match at.what {
                    What::Record => {
                        seen.extend(of.map(|one| one.last_offset));
                        prop_assert_eq!(transactions.batch(&header), of.is_some(), "{}", offset);
                    }
                    What::Marker(End::Aborted) => {
                        let is_needed = of.is_some_and(|one| seen.contains(&one.last_offset));
                        prop_assert_eq!(transactions.marker(&header, Some(End::Aborted)), !is_needed, "{}", offset);
                    }
                    What::Marker(end) => drop(transactions.marker(&header, Some(end))),
                }
            }
            // Markers that a cleaning took were not come to.
            let kept = transactions.take_kept();
            prop_assert!(kept.iter().all(|marker| seen.contains(marker)));
        }
    }
}
