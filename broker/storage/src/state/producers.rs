//! The last batches of each idempotent producer (Kafka: `ProducerStateEntry`, `ProducerAppendInfo`).

use std::collections::BTreeMap;

use mainstem_protocol::{
    Offset, ProducerEpoch, ProducerId, Sequence, Timestamp,
    records::{BatchHeader, EndTxnMarker},
};

use super::Turn;
use crate::{caps::PRODUCER_BATCHES_MAX, group::TransactionVersion, store::AppendError};

/// All producers of a partition.
pub(crate) type Producers = BTreeMap<ProducerId, Producer>;

/// What is remembered of a producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) epoch: ProducerEpoch,
    pub(crate) last_timestamp: Timestamp,
    /// At most [`PRODUCER_BATCHES_MAX`], oldest first, all of this epoch.
    pub(crate) batches: Vec<ProducerBatch>,
    /// That of the coordinator that wrote its last marker; -1 before the first.
    pub(crate) coordinator_epoch: i32,
    /// The first offset of its open transaction, where it has one.
    pub(crate) transaction: Option<Offset>,
}

/// One batch that a producer wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProducerBatch {
    pub(crate) last_sequence: Sequence,
    pub(crate) last_offset: Offset,
    pub(crate) offset_delta: i32,
    pub(crate) timestamp: Timestamp,
}

/// A batch that asks for its place, as far as its producer is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) header: &'a BatchHeader,
    /// What it says where it ends a transaction.
    pub(crate) marker: Option<EndTxnMarker>,
    pub(crate) version: TransactionVersion,
}

/// What a batch is to its producer's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    Next,
    Duplicate(ProducerBatch),
}

impl ProducerBatch {
    pub(crate) const fn base_offset(&self) -> Offset {
        self.last_offset.plus(-(self.offset_delta as i64))
    }

    /// Sequences wrap from `i32::MAX` to 0.
    const fn first_sequence(&self) -> Sequence {
        let first = self.last_sequence.0.wrapping_sub(self.offset_delta);
        if first < 0 { Sequence(first.wrapping_sub(i32::MIN)) } else { Sequence(first) }
    }

    fn is_repeated_by(&self, header: &BatchHeader) -> bool {
        self.first_sequence() == header.base_sequence && self.last_sequence == header.last_sequence()
    }
}

impl Producer {
    /// Whether the batch comes next after what is known of its producer.
    pub(crate) fn check(known: Option<&Self>, claim: &Claim<'_>) -> Result<Check, AppendError> {
        match (known, claim.marker) {
            (None, _) => claim.check_unknown().map(|()| Check::Next),
            (Some(known), Some(marker)) => known.check_marker(claim, marker).map(|()| Check::Next),
            (Some(known), None) => known.check_batch(claim.header),
        }
    }

    fn check_batch(&self, header: &BatchHeader) -> Result<Check, AppendError> {
        self.check_epoch(header, self.epoch)?;
        // What coordinators write has no sequence.
        let check = if header.base_sequence.0 < 0 { Check::Next } else { self.check_sequence(header)? };
        let breaks_transaction = self.transaction.is_some() && !header.attributes.is_transactional();
        match (check, self.transaction) {
            (Check::Next, Some(first)) if breaks_transaction => {
                Err(AppendError::InvalidTransactionState { producer_id: header.producer_id, first })
            }
            _ => Ok(check),
        }
    }

    /// A marker of the second version carries the epoch behind that of the transaction; one of the same epoch is then a
    /// repeat, of which the first one was written (KIP-890).
    fn check_marker(&self, claim: &Claim<'_>, marker: EndTxnMarker) -> Result<(), AppendError> {
        let must_rise = claim.version == TransactionVersion::V2 && self.transaction.is_some();
        let least = if must_rise { ProducerEpoch(self.epoch.0.saturating_add(1)) } else { self.epoch };
        self.check_epoch(claim.header, least)?;
        let (current, found) = (self.coordinator_epoch, marker.coordinator_epoch);
        if found < current {
            let producer_id = claim.header.producer_id;
            return Err(AppendError::CoordinatorFenced { producer_id, current, found });
        }
        Ok(())
    }

    fn check_epoch(&self, header: &BatchHeader, least: ProducerEpoch) -> Result<(), AppendError> {
        let (producer_id, current, found) = (header.producer_id, self.epoch, header.producer_epoch);
        let is_old = found < least;
        if is_old { Err(AppendError::InvalidProducerEpoch { producer_id, current, found }) } else { Ok(()) }
    }

    fn check_sequence(&self, header: &BatchHeader) -> Result<Check, AppendError> {
        if header.producer_epoch == self.epoch
            && let Some(batch) = self.batches.iter().find(|batch| batch.is_repeated_by(header))
        {
            return Ok(Check::Duplicate(*batch));
        }
        let last = self.last_sequence_of(header.producer_epoch);
        let wraps = last.0 == i32::MAX && header.base_sequence.0 == 0;
        let follows = wraps || last.0.checked_add(1) == Some(header.base_sequence.0);
        if follows { Ok(Check::Next) } else { Err(out_of_order(header, last)) }
    }

    /// A new epoch begins at sequence 0, and so does one of which no batch is known.
    fn last_sequence_of(&self, epoch: ProducerEpoch) -> Sequence {
        if epoch == self.epoch { self.last_sequence() } else { Sequence::NONE }
    }

    /// That of the last batch of its epoch, where one is known.
    pub(crate) fn last_sequence(&self) -> Sequence {
        self.batches.last().map_or(Sequence::NONE, |batch| batch.last_sequence)
    }

    /// Remembers a batch that was checked before, where it has a producer. Returns what it does to a transaction.
    pub(crate) fn remember(
        producers: &mut Producers,
        header: &BatchHeader,
        marker: Option<EndTxnMarker>,
    ) -> Option<Turn> {
        if !header.producer_id.is_some() {
            return None;
        }
        let producer =
            producers.entry(header.producer_id).or_insert_with(|| Self::fresh(header.producer_epoch));
        if producer.epoch != header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        producer.last_timestamp = header.max_timestamp;
        if header.base_sequence.0 >= 0 {
            producer.push(header);
        }
        producer.turn(header, marker)
    }

    /// Whether nothing came after `oldest`, and nothing need be remembered: a transaction that is open must be.
    pub(crate) fn is_silent_since(&self, oldest: Timestamp) -> bool {
        self.last_timestamp <= oldest && self.transaction.is_none()
    }

    const fn fresh(epoch: ProducerEpoch) -> Self {
        Self {
            epoch,
            last_timestamp: Timestamp::NONE,
            batches: Vec::new(),
            coordinator_epoch: -1,
            transaction: None,
        }
    }

    fn turn(&mut self, header: &BatchHeader, marker: Option<EndTxnMarker>) -> Option<Turn> {
        if let Some(marker) = marker {
            self.coordinator_epoch = marker.coordinator_epoch;
            return self.transaction.take().map(|first| Turn::Ended { first });
        }
        let attributes = header.attributes;
        let begins = attributes.is_transactional() && !attributes.is_control() && self.transaction.is_none();
        begins.then(|| {
            self.transaction = Some(header.base_offset);
            Turn::Begun { first: header.base_offset }
        })
    }

    fn push(&mut self, header: &BatchHeader) {
        if self.batches.len() == PRODUCER_BATCHES_MAX {
            self.batches.remove(0);
        }
        self.batches.push(ProducerBatch {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
    }
}

impl Claim<'_> {
    /// Of a producer that is not known any sequence is taken: what it wrote may be gone with old segments. In a
    /// transaction of the second version each begins at 0, so there is nothing to guess (KIP-890).
    fn check_unknown(&self) -> Result<(), AppendError> {
        let begins_late = self.version == TransactionVersion::V2 && self.header.base_sequence.0 > 0;
        if begins_late { Err(out_of_order(self.header, Sequence::NONE)) } else { Ok(()) }
    }
}

const fn out_of_order(header: &BatchHeader, last: Sequence) -> AppendError {
    let (producer_id, found) = (header.producer_id, header.base_sequence);
    AppendError::OutOfOrderSequence { producer_id, last, found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::batch;

    fn header(count: usize, epoch: i16, sequence: i32) -> BatchHeader {
        *batch(count, Some((7, epoch, sequence))).header()
    }

    fn check(known: Option<&Producer>, header: &BatchHeader) -> Result<Check, AppendError> {
        Producer::check(known, &Claim { header, marker: None, version: TransactionVersion::V1 })
    }

    fn known(batches: &[BatchHeader]) -> Producer {
        let mut producers = Producers::new();
        for header in batches {
            Producer::remember(&mut producers, header, None);
        }
        producers[&ProducerId(7)].clone()
    }

    #[test]
    fn any_sequence_is_taken_from_an_unknown_producer() {
        assert_eq!(check(None, &header(3, 0, 77)), Ok(Check::Next));
    }

    #[test]
    fn the_last_five_batches_are_known_as_repeats_and_the_sixth_is_not() {
        let batches: Vec<_> = (0..6).map(|at| header(2, 0, at * 2)).collect();
        let known = known(&batches);
        for batch in &batches[1..] {
            assert!(matches!(check(Some(&known), batch), Ok(Check::Duplicate(_))));
        }
        assert!(matches!(
            check(Some(&known), &batches[0]),
            Err(AppendError::OutOfOrderSequence { last: Sequence(11), found: Sequence(0), .. })
        ));
        assert_eq!(check(Some(&known), &header(1, 0, 12)), Ok(Check::Next));
    }

    #[test]
    fn sequences_wrap_and_repeats_across_the_wrap_are_known() {
        let wrapping = header(4, 0, i32::MAX - 1);
        let known = known(&[header(1, 0, i32::MAX - 2), wrapping]);
        assert!(matches!(check(Some(&known), &wrapping), Ok(Check::Duplicate(_))));
        assert_eq!(check(Some(&known), &header(1, 0, 2)), Ok(Check::Next));
        let at_the_end = self::known(&[header(1, 0, i32::MAX)]);
        assert_eq!(check(Some(&at_the_end), &header(1, 0, 0)), Ok(Check::Next));
    }

    #[test]
    fn a_new_epoch_begins_at_zero_and_fences_the_old_one() {
        let known = known(&[header(2, 3, 0)]);
        assert!(matches!(check(Some(&known), &header(1, 4, 2)), Err(AppendError::OutOfOrderSequence { .. })));
        assert_eq!(check(Some(&known), &header(1, 4, 0)), Ok(Check::Next));
        assert!(matches!(
            check(Some(&known), &header(1, 2, 2)),
            Err(AppendError::InvalidProducerEpoch { current: ProducerEpoch(3), found: ProducerEpoch(2), .. })
        ));
    }
}
