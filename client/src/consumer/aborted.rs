//! Which batches belong to transactions that were aborted (Kafka: `CompletedFetch`).
//!
//! With its records, a broker names the aborted transactions among them by producer and first offset. From that offset on
//! the producer's batches are nobody's, until the marker that ends the transaction.

use std::collections::HashSet;

use mainstem_protocol::{
    ProducerId,
    messages::fetch::AbortedTransaction,
    records::{Batch, ControlType, Decompressor},
};

use crate::caps;

/// The aborted transactions among records that were fetched; empty for whoever reads everything.
#[derive(Debug, Default)]
pub(super) struct Aborted {
    /// Those that begin further on, the last first.
    coming: Vec<AbortedTransaction>,
    /// The producers whose transaction has begun and not ended.
    open: HashSet<ProducerId>,
}

impl Aborted {
    pub(super) fn new(mut transactions: Vec<AbortedTransaction>) -> Self {
        transactions.sort_by_key(|transaction| std::cmp::Reverse(transaction.first_offset));
        Self { coming: transactions, open: HashSet::new() }
    }

    /// Whether the records of the batch that comes next are to be left out. Asking twice for the same batch gives the same
    /// answer.
    pub(super) fn covers(&mut self, batch: &Batch, decompressor: &mut Decompressor) -> bool {
        let header = batch.header();
        while let Some(next) = self.coming.pop_if(|next| next.first_offset <= header.last_offset()) {
            self.open.insert(next.producer_id);
        }
        if header.attributes.is_control() {
            if self.open.contains(&header.producer_id) && is_abort(batch, decompressor) {
                self.open.remove(&header.producer_id);
            }
            return false;
        }
        header.attributes.is_transactional() && self.open.contains(&header.producer_id)
    }
}

/// Whether a control batch ends a transaction that was aborted. Where compaction has left nothing but its header it ended
/// the one that was open. What cannot be read ends none: its damage is told elsewhere.
fn is_abort(batch: &Batch, decompressor: &mut Decompressor) -> bool {
    if batch.header().record_count == 0 {
        return true;
    }
    let Ok(open) = batch.open(decompressor, caps::DECOMPRESSED_BYTES_MAX) else { return false };
    let first = open.refs().next();
    first.is_some_and(|record| {
        record.is_ok_and(|record| ControlType::from_key(record.key) == Ok(ControlType::Abort))
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mainstem_protocol::{
        Offset, ProducerEpoch, Sequence, Timestamp,
        records::{
            BatchBuilder, Compression, EndTxnMarker, HeadersRef, NewRecord, ProducerStamp, header,
            header_alone, only_batch,
        },
    };

    use super::*;

    fn placed(bytes: Bytes, offset: i64) -> Batch {
        let mut bytes = bytes.to_vec();
        header::patch_base_offset(bytes.first_chunk_mut().unwrap(), Offset(offset));
        only_batch(bytes.into()).unwrap()
    }

    /// A batch of two records of a producer.
    fn data(producer: i64, offset: i64, transactional: bool) -> Batch {
        let mut builder = BatchBuilder::new(Compression::None);
        for _ in 0..2 {
            let record =
                NewRecord { timestamp: Timestamp(0), key: None, value: None, headers: HeadersRef::EMPTY };
            builder.append(&record).unwrap();
        }
        let (producer_id, producer_epoch) = (ProducerId(producer), ProducerEpoch(0));
        let stamp = ProducerStamp { producer_id, producer_epoch, base_sequence: Sequence(0), transactional };
        placed(Bytes::copy_from_slice(&builder.seal(&stamp).unwrap()), offset)
    }

    fn end(producer: i64, offset: i64, committed: bool) -> Batch {
        let marker = EndTxnMarker { committed, coordinator_epoch: 0 };
        placed(marker.to_batch(ProducerId(producer), ProducerEpoch(0), Timestamp(0)), offset)
    }

    fn check(aborted: &[(i64, i64)], batches: &[(Batch, bool)]) {
        let aborted = aborted.iter().map(|(producer, first)| AbortedTransaction {
            producer_id: ProducerId(*producer),
            first_offset: Offset(*first),
        });
        let mut aborted = Aborted::new(aborted.collect());
        for (batch, expected) in batches {
            for _ in 0..2 {
                let covered = aborted.covers(batch, &mut Decompressor::new());
                assert_eq!(covered, *expected, "at {}", batch.header().base_offset);
            }
        }
    }

    #[test]
    fn batches_between_the_first_of_an_aborted_transaction_and_its_marker_are_covered() {
        check(
            &[(1, 2)],
            &[
                (data(1, 0, true), false),
                (data(1, 2, true), true),
                (data(2, 4, true), false),
                (data(1, 6, true), true),
                (end(1, 8, false), false),
                (data(1, 9, true), false),
            ],
        );
    }

    #[test]
    fn transactions_of_a_producer_are_told_apart_by_their_markers() {
        check(
            &[(1, 6), (1, 0)],
            &[
                (data(1, 0, true), true),
                (end(1, 2, false), false),
                (data(1, 3, true), false),
                (end(1, 5, true), false),
                (data(1, 6, true), true),
                (end(1, 8, false), false),
            ],
        );
    }

    #[test]
    fn marker_of_which_the_header_alone_is_left_ends_its_transaction() {
        let emptied = |batch: &Batch| only_batch(header_alone(batch.header())).unwrap();
        check(
            &[(1, 0)],
            &[
                (emptied(&data(1, 0, true)), true),
                (emptied(&end(1, 2, false)), false),
                (data(1, 3, true), false),
                (end(1, 5, true), false),
            ],
        );
    }

    #[test]
    fn markers_of_others_and_records_outside_of_transactions_change_nothing() {
        check(
            &[(1, 0)],
            &[
                (data(1, 0, true), true),
                (end(2, 2, false), false),
                (data(1, 3, false), false),
                (data(1, 5, true), true),
            ],
        );
    }
}
