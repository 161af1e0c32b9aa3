//! What stays of a batch (Kafka: `Cleaner.cleanInto`, `MemoryRecords.filterTo`).

use std::collections::BTreeMap;

use bytes::Bytes;
use mainstem_protocol::{
    Offset, ProducerEpoch, ProducerId, Timestamp,
    caps::DECOMPRESSED_BYTES_MAX,
    records::{
        Batch, BatchHeader, Decompressor, EndTxnMarker, Filter, FilterError, Filtered, Horizon, OpenBatch,
        RecordRef, header_alone,
    },
};

use super::{
    KeyMap,
    keys::Full,
    transactions::{End, Transactions},
};

/// The last thing that a producer wrote: its header stays, for the sake of its sequence or its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastWritten {
    /// The last offset of its last batch; none where it wrote nothing but markers in this epoch.
    pub(crate) offset: Option<Offset>,
    pub(crate) epoch: ProducerEpoch,
}

/// The terms of a pass.
#[derive(Debug)]
pub(crate) struct Terms {
    /// When the pass began.
    pub(crate) now: Timestamp,
    /// How long tombstones and markers stay.
    pub(crate) delete_retention_ms: u64,
    /// Behind the last record that was found a key for.
    pub(crate) mapped_to: Offset,
    /// Behind the last record that may be cleaned: the batch before keeps its header.
    pub(crate) end: Offset,
    pub(crate) producers: BTreeMap<ProducerId, LastWritten>,
}

/// What stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// All of it.
    Unchanged,
    /// This.
    Rewritten(Bytes),
    Nothing,
}

/// How much of a batch was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    All,
    /// What lies before this offset: there is no room for more keys.
    UpTo(Offset),
}

/// Notes the keys of the batches of a log's dirty part.
#[derive(Debug)]
pub(crate) struct Indexer<'a> {
    pub(crate) transactions: Transactions<'a>,
    decompressor: Decompressor,
}

impl<'a> Indexer<'a> {
    pub(crate) fn new(transactions: Transactions<'a>) -> Self {
        Self { transactions, decompressor: Decompressor::new() }
    }

    /// Notes the keys from `from` on.
    pub(crate) fn note(
        &mut self,
        batch: &Batch,
        from: Offset,
        keys: &mut KeyMap,
    ) -> Result<Noted, FilterError> {
        if batch.header().attributes.is_control() {
            let end = end_of(batch, &mut self.decompressor)?;
            self.transactions.marker(batch.header(), end);
            return Ok(Noted::All);
        }
        if self.transactions.batch(batch.header()) {
            return Ok(Noted::All);
        }
        let open = batch.open(&mut self.decompressor, DECOMPRESSED_BYTES_MAX)?;
        for record in open.refs() {
            let record = record?;
            let offset = open.offset(&record);
            let Some(key) = record.key.filter(|_| offset >= from) else { continue };
            if let Err(Full) = keys.put(key, offset) {
                return Ok(Noted::UpTo(offset));
            }
        }
        Ok(Noted::All)
    }
}

/// Cleans the batches of a log, one after the other.
pub(crate) struct BatchCleaner<'a> {
    keys: KeyMap,
    terms: Terms,
    pub(crate) transactions: Transactions<'a>,
    filter: Filter,
    decompressor: Decompressor,
}

impl<'a> BatchCleaner<'a> {
    pub(crate) fn new(keys: KeyMap, terms: Terms, transactions: Transactions<'a>) -> Self {
        Self { keys, terms, transactions, filter: Filter::new(), decompressor: Decompressor::new() }
    }

    /// What stays of the next batch.
    pub(crate) fn clean(&mut self, batch: &Batch) -> Result<Rest, FilterError> {
        let header = batch.header();
        let rest = if header.attributes.is_control() { self.marker(batch)? } else { self.records(batch)? };
        Ok(match rest {
            Filtered::Unchanged => Rest::Unchanged,
            Filtered::Rewritten(bytes) => Rest::Rewritten(bytes),
            Filtered::Nothing if !self.keeps_header(header) => Rest::Nothing,
            Filtered::Nothing if header.record_count == 0 => Rest::Unchanged,
            Filtered::Nothing => Rest::Rewritten(header_alone(header)),
        })
    }

    /// A marker that is not needed any more stays as long as a tombstone does.
    fn marker(&mut self, batch: &Batch) -> Result<Filtered, FilterError> {
        let end = end_of(batch, &mut self.decompressor)?;
        let is_needless = self.transactions.marker(batch.header(), end);
        if is_needless && self.is_over(batch.header()) {
            return Ok(Filtered::Nothing);
        }
        let horizon = if is_needless { Horizon::Batch(self.horizon()) } else { Horizon::Unset };
        self.filter.filter(batch, horizon, |_, _| true)
    }

    fn records(&mut self, batch: &Batch) -> Result<Filtered, FilterError> {
        if self.transactions.batch(batch.header()) {
            return Ok(Filtered::Nothing);
        }
        let is_over = self.is_over(batch.header());
        let horizon = Horizon::Tombstones(self.horizon());
        let Self { keys, terms, filter, .. } = self;
        filter.filter(batch, horizon, |open, record| stays(keys, terms, is_over, open, record))
    }

    fn horizon(&self) -> Timestamp {
        Timestamp(self.terms.now.0.saturating_add_unsigned(self.terms.delete_retention_ms))
    }

    fn is_over(&self, header: &BatchHeader) -> bool {
        header.delete_horizon().is_some_and(|horizon| horizon <= self.terms.now)
    }

    fn keeps_header(&self, header: &BatchHeader) -> bool {
        let last = self.terms.producers.get(&header.producer_id).filter(|_| header.producer_id.is_some());
        let is_last_of_producer = last.is_some_and(|last| match last.offset {
            Some(offset) => header.last_offset() == offset,
            None => header.attributes.is_control() && header.producer_epoch == last.epoch,
        });
        is_last_of_producer || header.next_offset() == self.terms.end
    }
}

fn stays(keys: &KeyMap, terms: &Terms, is_over: bool, open: &OpenBatch, record: &RecordRef<'_>) -> bool {
    let offset = open.offset(record);
    if offset >= terms.mapped_to {
        return true;
    }
    // Without a key nobody could say what it takes the place of.
    let Some(key) = record.key else { return false };
    let is_last = keys.get(key).is_none_or(|last| offset >= last);
    is_last && (record.value.is_some() || !is_over)
}

/// How a control batch ends its transaction, where it does.
fn end_of(batch: &Batch, decompressor: &mut Decompressor) -> Result<Option<End>, FilterError> {
    let open = batch.open(decompressor, DECOMPRESSED_BYTES_MAX)?;
    let Some(record) = open.refs().next() else { return Ok(None) };
    let record = record?;
    Ok(EndTxnMarker::parse(record.key, record.value).ok().map(|marker| match marker.committed {
        true => End::Committed,
        false => End::Aborted,
    }))
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::{
        Sequence,
        records::{BatchBuilder, Compression, NewRecord, ProducerStamp, header},
    };

    use super::*;
    use crate::{
        partition::AbortedIndex,
        state::{Aborted, AbortedTransaction},
    };

    const NOW: i64 = 1_000_000;
    const STAYS_MS: u64 = 1000;

    /// A log of batches of one record each, or markers: what is at which offset.
    #[derive(Clone, Copy)]
    enum At {
        /// A record of the key in a transaction of the producer.
        Record(i64, u8),
        Commit(i64),
        Abort(i64),
    }

    fn batch(offset: i64, at: At) -> Batch {
        let stamp = |id| ProducerStamp {
            producer_id: ProducerId(id),
            producer_epoch: ProducerEpoch(0),
            base_sequence: Sequence(0),
            transactional: true,
        };
        let marker = |id, committed| {
            let marker = EndTxnMarker { committed, coordinator_epoch: 0 };
            marker.to_batch(ProducerId(id), ProducerEpoch(0), Timestamp(1))
        };
        let bytes = match at {
            At::Record(id, key) => {
                let mut builder = BatchBuilder::new(Compression::None);
                let record = NewRecord { key: Some(&[key]), value: Some(b"v"), ..NewRecord::default() };
                builder.append(&record).unwrap();
                builder.seal(&stamp(id)).unwrap()
            }
            At::Commit(id) => marker(id, true),
            At::Abort(id) => marker(id, false),
        };
        let mut bytes = bytes.to_vec();
        header::patch_base_offset(bytes.first_chunk_mut().unwrap(), Offset(offset));
        Batch::split_from(&mut bytes.into()).unwrap()
    }

    fn log(all: &[At]) -> Vec<Batch> {
        (0..).zip(all).map(|(offset, at)| batch(offset, *at)).collect()
    }

    fn aborted(id: i64, first: i64, last: i64) -> AbortedTransaction {
        let (first_offset, last_offset) = (Offset(first), Offset(last));
        let last_stable_offset = last_offset.plus(1);
        AbortedTransaction { producer_id: ProducerId(id), first_offset, last_offset, last_stable_offset }
    }

    /// One pass over all of the log; also yields the markers of aborted transactions that are still needed.
    fn clean(log: &[Batch], aborted: &[AbortedTransaction], now: i64) -> (Vec<Batch>, Vec<Offset>) {
        let end = log.last().unwrap().header().next_offset();
        let mut keys = KeyMap::new(100, 1 << 16);
        let index = AbortedIndex::new(Aborted::new(Offset::ZERO, aborted.iter().copied()));
        let mut indexer = Indexer::new(Transactions::new(&index));
        for batch in log {
            assert_eq!(indexer.note(batch, Offset::ZERO, &mut keys), Ok(Noted::All));
        }
        let terms = Terms {
            now: Timestamp(now),
            delete_retention_ms: STAYS_MS,
            mapped_to: end,
            end: end.plus(1),
            producers: BTreeMap::new(),
        };
        let mut cleaner = BatchCleaner::new(keys, terms, Transactions::new(&index));
        let rest = log.iter().filter_map(|batch| match cleaner.clean(batch).unwrap() {
            Rest::Unchanged => Some(batch.clone()),
            Rest::Rewritten(mut bytes) => Some(Batch::split_from(&mut bytes).unwrap()),
            Rest::Nothing => None,
        });
        (rest.collect(), cleaner.transactions.take_kept())
    }

    fn offsets(log: &[Batch]) -> Vec<i64> {
        log.iter().map(|batch| batch.header().base_offset.0).collect()
    }

    #[test]
    fn aborted_records_go_at_once_and_do_not_take_the_place_of_others() {
        let log = log(&[At::Record(1, 7), At::Commit(1), At::Record(2, 7), At::Abort(2), At::Record(1, 8)]);
        let (rest, kept) = clean(&log, &[aborted(2, 2, 3)], NOW);
        assert_eq!(offsets(&rest), [0, 1, 3, 4]);
        assert_eq!(kept, [Offset(3)], "its records were there when the pass began");
    }

    #[test]
    fn a_marker_stays_for_its_time_once_its_records_are_gone() {
        let first = log(&[At::Record(1, 7), At::Commit(1), At::Record(2, 9), At::Abort(2), At::Record(3, 7)]);
        let (rest, _) = clean(&first, &[aborted(2, 2, 3)], NOW);
        assert_eq!(offsets(&rest), [1, 3, 4], "what was there in this pass keeps its marker");
        assert!(rest.iter().all(|batch| batch.header().delete_horizon().is_none()));
        let (rest, kept) = clean(&rest, &[aborted(2, 2, 3)], NOW);
        assert_eq!(offsets(&rest), [1, 3, 4]);
        let horizon = Some(Timestamp(NOW + STAYS_MS as i64));
        assert_eq!(rest[0].header().delete_horizon(), horizon);
        assert_eq!((rest[1].header().delete_horizon(), &kept[..]), (horizon, &[][..]));
        let (rest, _) = clean(&rest, &[], NOW + 999);
        assert_eq!(offsets(&rest), [1, 3, 4]);
        let (rest, _) = clean(&rest, &[], NOW + 1000);
        assert_eq!(offsets(&rest), [4]);
    }

    #[test]
    fn a_transaction_that_was_aborted_before_says_nothing_of_the_next_one() {
        let all =
            [At::Record(1, 7), At::Abort(1), At::Record(1, 7), At::Commit(1), At::Record(1, 9), At::Abort(1)];
        let (rest, kept) = clean(&log(&all), &[aborted(1, 0, 1), aborted(1, 4, 5)], NOW);
        assert_eq!(offsets(&rest), [1, 2, 3, 5]);
        assert_eq!(kept, [Offset(1), Offset(5)]);
        // The list may know of transactions that ended before the pass begins.
        let (rest, _) = clean(&log(&all)[2..], &[aborted(1, 0, 1), aborted(1, 4, 5)], NOW);
        assert_eq!(offsets(&rest), [2, 3, 5]);
    }

    #[test]
    fn markers_of_open_transactions_behind_the_end_are_no_matter() {
        let all = [At::Record(1, 7), At::Record(2, 8), At::Abort(1)];
        let (rest, kept) = clean(&log(&all), &[aborted(1, 0, 2), aborted(2, 1, 9)], NOW);
        assert_eq!(offsets(&rest), [2]);
        assert_eq!(kept, [Offset(2)]);
    }

    #[test]
    fn the_last_marker_of_a_producer_without_records_stays_as_a_header() {
        let log = log(&[At::Commit(1), At::Commit(2)]);
        let noted = clean(&log, &[], NOW).0;
        let mut keys = KeyMap::new(1, 0);
        keys.put(b"x", Offset(0)).unwrap();
        let last = LastWritten { offset: None, epoch: ProducerEpoch(0) };
        let terms = Terms {
            now: Timestamp(NOW + 5000),
            delete_retention_ms: STAYS_MS,
            mapped_to: Offset(2),
            end: Offset(9),
            producers: [(ProducerId(1), last)].into(),
        };
        let index = AbortedIndex::new(Aborted::default());
        let mut cleaner = BatchCleaner::new(keys, terms, Transactions::new(&index));
        let Rest::Rewritten(bytes) = cleaner.clean(&noted[0]).unwrap() else { panic!("it is rewritten") };
        assert_eq!(bytes.len(), 61);
        assert_eq!(cleaner.clean(&noted[1]).unwrap(), Rest::Nothing);
    }
}
