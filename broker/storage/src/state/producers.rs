//! The last batches of each idempotent producer (Kafka: `ProducerStateEntry`, `ProducerAppendInfo`).

use std::collections::BTreeMap;

use mainstem_protocol::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp, records::BatchHeader};

use crate::{caps::PRODUCER_BATCHES_MAX, store::AppendError};

/// All producers of a partition.
pub(crate) type Producers = BTreeMap<ProducerId, Producer>;

/// What is remembered of a producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) epoch: ProducerEpoch,
    pub(crate) last_timestamp: Timestamp,
    /// At most [`PRODUCER_BATCHES_MAX`], oldest first, all of this epoch.
    pub(crate) batches: Vec<ProducerBatch>,
}

/// One batch that a producer wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProducerBatch {
    pub(crate) last_sequence: Sequence,
    pub(crate) last_offset: Offset,
    pub(crate) offset_delta: i32,
    pub(crate) timestamp: Timestamp,
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
    pub(crate) fn check(known: Option<&Self>, header: &BatchHeader) -> Result<Check, AppendError> {
        let Some(known) = known else { return Ok(Check::Next) };
        if header.producer_epoch < known.epoch {
            let (current, found) = (known.epoch, header.producer_epoch);
            return Err(AppendError::InvalidProducerEpoch {
                producer_id: header.producer_id,
                current,
                found,
            });
        }
        // Control batches of the coordinator have no sequence.
        if header.base_sequence.0 < 0 {
            return Ok(Check::Next);
        }
        if header.producer_epoch == known.epoch
            && let Some(batch) = known.batches.iter().find(|batch| batch.is_repeated_by(header))
        {
            return Ok(Check::Duplicate(*batch));
        }
        known.check_sequence(header)
    }

    fn check_sequence(&self, header: &BatchHeader) -> Result<Check, AppendError> {
        let last = self.last_sequence_of(header.producer_epoch);
        let wraps = last.0 == i32::MAX && header.base_sequence.0 == 0;
        let follows = wraps || last.0.checked_add(1) == Some(header.base_sequence.0);
        let found = header.base_sequence;
        let out_of_order = AppendError::OutOfOrderSequence { producer_id: header.producer_id, last, found };
        if follows { Ok(Check::Next) } else { Err(out_of_order) }
    }

    /// A new epoch begins at sequence 0, and so does one of which no batch is known.
    fn last_sequence_of(&self, epoch: ProducerEpoch) -> Sequence {
        let last = self.batches.last().filter(|_| epoch == self.epoch);
        last.map_or(Sequence::NONE, |batch| batch.last_sequence)
    }

    /// Remembers a batch that was checked before.
    pub(crate) fn remember(producers: &mut Producers, header: &BatchHeader) {
        let fresh =
            || Self { epoch: header.producer_epoch, last_timestamp: Timestamp::NONE, batches: Vec::new() };
        let producer = producers.entry(header.producer_id).or_insert_with(fresh);
        if producer.epoch != header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        producer.last_timestamp = header.max_timestamp;
        if header.base_sequence.0 >= 0 {
            producer.push(header);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::batch;

    fn header(count: usize, epoch: i16, sequence: i32) -> BatchHeader {
        *batch(count, Some((7, epoch, sequence))).header()
    }

    fn known(batches: &[BatchHeader]) -> Producer {
        let mut producers = Producers::new();
        batches.iter().for_each(|header| Producer::remember(&mut producers, header));
        producers[&ProducerId(7)].clone()
    }

    #[test]
    fn any_sequence_is_taken_from_an_unknown_producer() {
        assert_eq!(Producer::check(None, &header(3, 0, 77)), Ok(Check::Next));
    }

    #[test]
    fn the_last_five_batches_are_known_as_repeats_and_the_sixth_is_not() {
        let batches: Vec<_> = (0..6).map(|at| header(2, 0, at * 2)).collect();
        let known = known(&batches);
        for batch in &batches[1..] {
            assert!(matches!(Producer::check(Some(&known), batch), Ok(Check::Duplicate(_))));
        }
        assert!(matches!(
            Producer::check(Some(&known), &batches[0]),
            Err(AppendError::OutOfOrderSequence { last: Sequence(11), found: Sequence(0), .. })
        ));
        assert_eq!(Producer::check(Some(&known), &header(1, 0, 12)), Ok(Check::Next));
    }

    #[test]
    fn sequences_wrap_and_repeats_across_the_wrap_are_known() {
        let wrapping = header(4, 0, i32::MAX - 1);
        let known = known(&[header(1, 0, i32::MAX - 2), wrapping]);
        assert!(matches!(Producer::check(Some(&known), &wrapping), Ok(Check::Duplicate(_))));
        assert_eq!(Producer::check(Some(&known), &header(1, 0, 2)), Ok(Check::Next));
        let at_the_end = self::known(&[header(1, 0, i32::MAX)]);
        assert_eq!(Producer::check(Some(&at_the_end), &header(1, 0, 0)), Ok(Check::Next));
    }

    #[test]
    fn a_new_epoch_begins_at_zero_and_fences_the_old_one() {
        let known = known(&[header(2, 3, 0)]);
        assert!(matches!(
            Producer::check(Some(&known), &header(1, 4, 2)),
            Err(AppendError::OutOfOrderSequence { .. })
        ));
        assert_eq!(Producer::check(Some(&known), &header(1, 4, 0)), Ok(Check::Next));
        assert!(matches!(
            Producer::check(Some(&known), &header(1, 2, 2)),
            Err(AppendError::InvalidProducerEpoch { current: ProducerEpoch(3), found: ProducerEpoch(2), .. })
        ));
    }
}
