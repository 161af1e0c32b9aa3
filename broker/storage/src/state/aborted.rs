//! Which transactions of a partition were taken back (Kafka: `TransactionIndex`).

use std::{
    collections::{BTreeSet, VecDeque},
    ops::Range,
};

use mainstem_protocol::Offset;

use super::AbortedTransaction;
use crate::codec::{DecodeError, Decoder, Encoder};

/// In the order of their markers, those whose marker is still in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Aborted {
    /// Markers below were forgotten with the records there.
    start: Offset,
    transactions: VecDeque<AbortedTransaction>,
}

impl Aborted {
    pub(crate) fn new(start: Offset, transactions: impl IntoIterator<Item = AbortedTransaction>) -> Self {
        Self { start, transactions: transactions.into_iter().collect() }
    }

    /// One whose marker is behind all others.
    pub(crate) fn push(&mut self, transaction: AbortedTransaction) {
        self.transactions.push_back(transaction);
    }

    /// Forgets those that nobody can read any more.
    pub(crate) fn start_at(&mut self, log_start: Offset) {
        self.start = self.start.max(log_start);
        let gone = self.transactions.partition_point(|transaction| transaction.last_offset < log_start);
        self.transactions.drain(..gone);
    }

    /// Of those whose markers are in the range these alone have anything left: the log was cleaned (Kafka:
    /// `CleanedTransactionMetadata.cleanedIndex`). Whoever heard of another would take what its producer wrote later for
    /// aborted, since no marker ends it any more.
    pub(crate) fn keep(&mut self, range: Range<Offset>, kept: &Kept) {
        let within = self.between(range);
        let mut at = 0..;
        self.transactions.retain(|transaction| {
            let at = at.next().unwrap_or_default();
            !within.contains(&at) || kept.has(transaction.last_offset, within.end - at)
        });
    }

    /// Of those whose markers are in the range, those whose markers are these; the markers ascend.
    pub(crate) fn kept(&self, range: Range<Offset>, markers: &[Offset]) -> Kept {
        debug_assert!(markers.is_sorted(), "a pass goes through the log in its order");
        let of_range = self.transactions.range(self.between(range));
        Kept::of(of_range.map(|transaction| markers.binary_search(&transaction.last_offset).is_ok()))
    }

    /// How many have their markers in the range.
    pub(crate) fn count(&self, range: Range<Offset>) -> usize {
        self.between(range).len()
    }

    /// The places of those whose markers are in the range.
    fn between(&self, range: Range<Offset>) -> Range<usize> {
        let below =
            |offset| self.transactions.partition_point(|transaction| transaction.last_offset < offset);
        let first = below(range.start);
        first..below(range.end).max(first)
    }

    /// Goes through so many at most, from the first marker at or behind `from` on: adds those that begin in the range, and
    /// says at which marker to go on; `None` where all that come later begin behind it.
    pub(crate) fn find_begun(
        &self,
        from: Offset,
        range: &Range<Offset>,
        at_most: usize,
        found: &mut Vec<AbortedTransaction>,
    ) -> Option<Offset> {
        let first = self.transactions.partition_point(|transaction| transaction.last_offset < from);
        let last = self.transactions.get(first + at_most.saturating_sub(1));
        let end = last.map_or(self.transactions.len(), |last| {
            self.transactions.partition_point(|transaction| transaction.last_offset <= last.last_offset)
        });
        for transaction in self.transactions.range(first..end) {
            if range.contains(&transaction.first_offset) {
                found.push(*transaction);
            }
            if transaction.last_stable_offset >= range.end {
                return None;
            }
        }
        self.transactions.get(end).map(|next| next.last_offset)
    }

    /// Those with records in the range, by their markers; `None` where the log does not reach back to `from` any more.
    pub(crate) fn within(&self, from: Offset, upto: Offset) -> Option<Vec<AbortedTransaction>> {
        if from < self.start {
            return None;
        }
        let mut found = Vec::new();
        let first = self.transactions.partition_point(|transaction| transaction.last_offset < from);
        for transaction in self.transactions.range(first..) {
            if transaction.first_offset < upto {
                found.push(*transaction);
            }
            // Those that come later began behind it.
            if transaction.last_stable_offset >= upto {
                break;
            }
        }
        Some(found)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &AbortedTransaction> {
        self.transactions.iter()
    }
}

/// Of neighbouring aborted transactions, those that readers must still know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// A bit for each.
    Bits(KeptBits),
    /// The markers of those that are kept: entries of the journal once had them so, and are still read.
    Markers(BTreeSet<Offset>),
}

impl Default for Kept {
    fn default() -> Self {
        Self::Bits(KeptBits::default())
    }
}

impl Kept {
    pub(crate) fn of(kept: impl IntoIterator<Item = bool>) -> Self {
        Self::Bits(KeptBits::of(kept))
    }

    /// Bytes of the bits of so many.
    pub(crate) const fn bytes_of(count: usize) -> usize {
        count.div_ceil(8)
    }

    /// Whether the one with this marker is kept, where so many are left from it on.
    fn has(&self, marker: Offset, left: usize) -> bool {
        match self {
            Self::Bits(bits) => bits.has_before_end(left),
            Self::Markers(markers) => markers.contains(&marker),
        }
    }
}

/// In the order of their markers a bit for each, so that an entry of the journal has room for all that a partition may
/// have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeptBits {
    count: usize,
    bits: Vec<u8>,
}

impl KeptBits {
    fn of(kept: impl IntoIterator<Item = bool>) -> Self {
        let mut all = Self::default();
        for is_kept in kept {
            if all.count % 8 == 0 {
                all.bits.push(0);
            }
            if let Some(last) = all.bits.last_mut() {
                *last |= u8::from(is_kept) << (all.count % 8);
            }
            all.count += 1;
        }
        all
    }

    /// Counted from the end: a log start that moved meanwhile has taken the first of them, and the last ones are the same.
    fn has_before_end(&self, left: usize) -> bool {
        self.count.checked_sub(left).is_none_or(|at| self.has(at))
    }

    fn has(&self, at: usize) -> bool {
        self.bits.get(at / 8).is_some_and(|bits| bits >> (at % 8) & 1 == 1)
    }

    pub(crate) fn encode(&self, out: &mut Encoder) {
        out.count(self.count);
        out.0.extend(&self.bits);
    }

    pub(crate) fn decode(from: &mut Decoder) -> Result<Self, DecodeError> {
        let count = from.u32()? as usize;
        let bits = from.take(Kept::bytes_of(count))?.to_vec();
        Ok(Self { count, bits })
    }
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::ProducerId;
    use proptest::prelude::*;

    use super::*;

    fn aborted(id: i64, first: i64, last: i64, last_stable: i64) -> AbortedTransaction {
        AbortedTransaction {
            producer_id: ProducerId(id),
            first_offset: Offset(first),
            last_offset: Offset(last),
            last_stable_offset: Offset(last_stable),
        }
    }

    /// 1 from 0 to 9; 2 from 5 to 20 with 3 open since 8; 3 from 8 to 30.
    fn three() -> Aborted {
        let all = [aborted(1, 0, 9, 5), aborted(2, 5, 20, 8), aborted(3, 8, 30, 31)];
        Aborted::new(Offset::ZERO, all)
    }

    fn check(aborted: &Aborted, from: i64, upto: i64, expected: Option<&[i64]>) {
        let found = aborted.within(Offset(from), Offset(upto));
        let ids = found.map(|found| found.iter().map(|found| found.producer_id.0).collect::<Vec<_>>());
        assert_eq!(ids.as_deref(), expected, "{from}..{upto}");
    }

    #[test]
    fn transactions_that_touch_the_range_are_found_and_no_others() {
        check(&three(), 0, 1, Some(&[1]));
        check(&three(), 0, 6, Some(&[1, 2]));
        check(&three(), 9, 9, Some(&[1, 2, 3]));
        check(&three(), 10, 31, Some(&[2, 3]));
        check(&three(), 21, 31, Some(&[3]));
        check(&three(), 31, 40, Some(&[]));
    }

    #[test]
    fn what_is_below_the_log_start_is_forgotten_and_cannot_be_asked_for() {
        let mut index = three();
        index.start_at(Offset(9));
        assert_eq!(index.iter().len(), 3, "a marker at the log start is still read");
        index.start_at(Offset(10));
        check(&index, 9, 31, None);
        check(&index, 10, 31, Some(&[2, 3]));
    }

    #[test]
    fn what_cleaning_left_nothing_of_is_forgotten() {
        let mut index = three();
        let range = Offset(9)..Offset(30);
        let kept = index.kept(range.clone(), &[Offset(20)]);
        index.keep(range, &kept);
        check(&index, 0, 31, Some(&[2, 3]));
    }

    #[test]
    fn a_list_of_markers_keeps_what_bits_keep() {
        let (mut by_bits, range) = (three(), Offset(9)..Offset(31));
        let mut by_markers = by_bits.clone();
        by_bits.keep(range.clone(), &Kept::of([false, true, false]));
        by_markers.keep(range, &Kept::Markers([Offset(20)].into()));
        check(&by_markers, 0, 31, Some(&[2]));
        assert_eq!(by_markers, by_bits);
    }

    #[test]
    fn of_many_markers_those_that_are_kept_are_found() {
        let mut index =
            Aborted::new(Offset::ZERO, (0..100).map(|at| aborted(at, 2 * at, 2 * at + 1, 2 * at + 2)));
        let even: Vec<_> = (10..40).step_by(2).map(|at| Offset(2 * at + 1)).collect();
        let range = Offset(20)..Offset(80);
        let kept = index.kept(range.clone(), &even);
        let mut moved = index.clone();
        index.keep(range.clone(), &kept);
        let left: Vec<_> = index.iter().map(|one| one.producer_id.0).collect();
        let expected: Vec<_> = (0..100).filter(|at| !(10..40).contains(at) || at % 2 == 0).collect();
        assert_eq!(left, expected);
        moved.start_at(Offset(43));
        moved.keep(range, &kept);
        index.start_at(Offset(43));
        assert_eq!(moved, index, "a log start that moved meanwhile makes no difference");
    }

    #[test]
    fn a_walk_goes_on_where_it_stopped_and_ends_where_nothing_begins_in_the_range() {
        let (index, range) = (three(), Offset(5)..Offset(8));
        let mut found = Vec::new();
        assert_eq!(index.find_begun(Offset(0), &range, 1, &mut found), Some(Offset(20)));
        assert!(found.is_empty());
        assert_eq!(index.find_begun(Offset(20), &range, 1, &mut found), None);
        assert_eq!(found.iter().map(|one| one.producer_id.0).collect::<Vec<_>>(), [2]);
        assert_eq!(index.find_begun(Offset(31), &range, 1, &mut found), None);
    }

    /// Transactions as a log has them: each offset goes to one of few producers, or is its marker.
    fn log() -> impl Strategy<Value = Vec<(i64, bool)>> {
        prop::collection::vec((0..4_i64, prop::bool::weighted(0.3)), 0..60)
    }

    proptest! {
        #[test]
        fn a_lookup_finds_what_looking_at_all_finds(log in log(), from in 0..60_i64, bytes in 0..60_i64) {
            let mut open = std::collections::BTreeMap::new();
            let mut index = Aborted::default();
            for (offset, (id, ends)) in (0_i64..).zip(log) {
                match (ends, open.remove(&id)) {
                    (true, Some(first)) => {
                        let stable = open.values().copied().min().unwrap_or(offset + 1);
                        index.push(aborted(id, first, offset, stable));
                    }
                    (true, None) => {}
                    (false, begun) => drop(open.insert(id, begun.unwrap_or(offset))),
                }
            }
            let upto = from + bytes;
            let all = index.iter().filter(|one| one.last_offset.0 >= from && one.first_offset.0 < upto);
            prop_assert_eq!(index.within(Offset(from), Offset(upto)), Some(all.copied().collect()));
        }
    }
}
