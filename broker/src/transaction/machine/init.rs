//! A producer takes over a transactional id (InitProducerId): whoever had it before is fenced.

use mainstem_protocol::{ErrorCode, ProducerEpoch, ProducerId, Timestamp};

use super::{EPOCH_MAX, NeedsProducerId, Partitions, Producer, State, Step, Transaction};

impl Transaction {
    /// Gives the id to a producer. One that has had it says so in `expected` (KIP-360), and is refused where somebody
    /// else has it by now. A transaction that is open is aborted first, and the producer is told to come again.
    ///
    /// # Errors
    /// Where epochs are used up, and `fresh` has no producer id to go on with.
    pub(crate) fn init(
        &self,
        expected: Option<Producer>,
        timeout_ms: i32,
        fresh: Option<ProducerId>,
        now: Timestamp,
    ) -> Result<Step<Producer>, NeedsProducerId> {
        if expected.is_some_and(|expected| !self.was_held_by(expected)) {
            return Ok(Step::refused(ErrorCode::PRODUCER_FENCED));
        }
        Ok(match self.state {
            State::Empty | State::CompleteCommit | State::CompleteAbort => {
                return self.take_over(expected, timeout_ms, fresh, now);
            }
            // The producer comes again and gets an epoch of its own: this one is never given to anybody.
            State::Ongoing => {
                Step { change: Some(self.fence(now)), answer: Err(ErrorCode::CONCURRENT_TRANSACTIONS) }
            }
            State::PrepareCommit | State::PrepareAbort | State::PrepareEpochFence | State::Dead => {
                Step::refused(ErrorCode::CONCURRENT_TRANSACTIONS)
            }
        })
    }

    /// Whether a producer has, or may have had, this id: it was made just now; or by its producer id; or the one before,
    /// of which the producer used up the epochs and has not heard of the new one.
    fn was_held_by(&self, producer: Producer) -> bool {
        self.producer.epoch == ProducerEpoch::NONE
            || producer.id == self.producer.id
            || (producer.id == self.previous_id && producer.is_exhausted())
    }

    fn take_over(
        &self,
        expected: Option<Producer>,
        timeout_ms: i32,
        fresh: Option<ProducerId>,
        now: Timestamp,
    ) -> Result<Step<Producer>, NeedsProducerId> {
        let epoch = self.producer.epoch;
        let is_holder = expected.is_none_or(|expected| expected.epoch == epoch);
        let (producer, last_epoch) = match expected {
            _ if self.producer.is_exhausted() && (is_holder || self.is_last_of_all(expected)) => {
                let last_epoch = expected.map_or(ProducerEpoch::NONE, |_| epoch);
                (Producer::first(fresh.ok_or(NeedsProducerId)?), last_epoch)
            }
            None => (self.producer.next(), ProducerEpoch::NONE),
            Some(_) if is_holder || epoch == ProducerEpoch::NONE => (self.producer.next(), epoch),
            // It has not heard the answer to what it asked before.
            Some(expected) if expected.epoch == self.last_epoch => (self.producer, self.last_epoch),
            Some(_) => return Ok(Step::refused(ErrorCode::PRODUCER_FENCED)),
        };
        let next = Self {
            producer,
            previous_id: self.producer.id,
            last_epoch,
            timeout_ms,
            state: State::Empty,
            partitions: Partitions::default(),
            started: Timestamp::NONE,
            updated: now,
            ..self.clone()
        };
        Ok(Step::changed(next, None, producer))
    }

    /// Whether a fence took the very last epoch from the producer, which therefore cannot go on with it, since nothing
    /// could fence it there. Kafka fails here with an internal error.
    fn is_last_of_all(&self, expected: Option<Producer>) -> bool {
        self.producer.epoch == EPOCH_MAX && expected.is_some_and(|expected| expected.epoch == self.last_epoch)
    }
}
