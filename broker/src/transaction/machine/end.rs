//! A transaction ends: as its producer says (EndTxn), or because it is fenced or too late.

use mainstem_protocol::{ErrorCode, ProducerEpoch, ProducerId, Timestamp};

use super::{
    Change, Markers, NeedsProducerId, Outcome, Partitions, Producer, State, Step, Transaction, Version,
};

impl Transaction {
    /// Ends the transaction. Answers with what the producer goes on with.
    ///
    /// # Errors
    /// Where epochs are used up, and `fresh` has no producer id to go on with.
    pub(crate) fn end(
        &self,
        producer: Producer,
        outcome: Outcome,
        version: Version,
        fresh: Option<ProducerId>,
        now: Timestamp,
    ) -> Result<Step<Producer>, NeedsProducerId> {
        match version {
            Version::V1 => Ok(self.end_strictly(producer, outcome, now)),
            Version::V2 => self.end_and_bump(producer, outcome, fresh, now),
        }
    }

    /// In version 1 the epoch stays, so that it must be the right one, and a repeat looks like the first request
    /// (Kafka: `endTransactionWithTV1`).
    fn end_strictly(&self, producer: Producer, outcome: Outcome, now: Timestamp) -> Step<Producer> {
        if self.producer.id != producer.id {
            return Step::refused(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        }
        if self.producer.epoch != producer.epoch {
            return Step::refused(ErrorCode::PRODUCER_FENCED);
        }
        if self.state == State::Ongoing {
            let Change { next, markers } = self.complete(outcome, Version::V1, self.producer, now);
            return Step::changed(next, markers, self.producer);
        }
        self.repeated(outcome)
    }

    /// In version 2 each end raises the epoch (KIP-890): one who comes with the epoch before repeats itself, one who
    /// comes with this one means what comes next. Kafka has the table above its `endTransaction`.
    fn end_and_bump(
        &self,
        producer: Producer,
        outcome: Outcome,
        fresh: Option<ProducerId>,
        now: Timestamp,
    ) -> Result<Step<Producer>, NeedsProducerId> {
        let is_across_ids = self.follows_across_ids(producer);
        let is_repeat = is_across_ids || producer.epoch.0.checked_add(1) == Some(self.producer.epoch.0);
        let is_current = producer.epoch == self.producer.epoch;
        if self.producer.id != producer.id && !is_across_ids {
            return Ok(Step::refused(ErrorCode::INVALID_PRODUCER_ID_MAPPING));
        }
        let is_known = match self.state {
            State::Empty | State::Ongoing | State::Dead | State::PrepareEpochFence => is_current,
            State::PrepareCommit | State::PrepareAbort => is_repeat,
            State::CompleteCommit | State::CompleteAbort => is_repeat || is_current,
        };
        if !is_known {
            return Ok(Step::refused(ErrorCode::PRODUCER_FENCED));
        }
        match (self.state, outcome) {
            (State::Ongoing, _) => self.complete_and_bump(outcome, fresh, now),
            _ if is_repeat => Ok(self.repeated(outcome)),
            // A producer aborts what it does not know to be empty; the epoch rises, so that nothing of it can come late.
            (_, Outcome::Abort) if self.state.is_quiet() => self.complete_and_bump(outcome, fresh, now),
            _ => Ok(Step::refused(ErrorCode::INVALID_TXN_STATE)),
        }
    }

    /// Whether the last epoch of the producer id before was used up by the end that is asked for again.
    fn follows_across_ids(&self, producer: Producer) -> bool {
        self.previous_id == producer.id
            && self.producer.id != producer.id
            && producer.is_exhausted()
            && self.producer.epoch == ProducerEpoch(0)
    }

    /// The same end again gets the answer of the first; another one is refused.
    fn repeated(&self, outcome: Outcome) -> Step<Producer> {
        if self.state == outcome.complete() {
            Step::unchanged(self.producer)
        } else if self.state.prepared() == Some(outcome) {
            Step::refused(ErrorCode::CONCURRENT_TRANSACTIONS)
        } else {
            Step::refused(ErrorCode::INVALID_TXN_STATE)
        }
    }

    fn complete_and_bump(
        &self,
        outcome: Outcome,
        fresh: Option<ProducerId>,
        now: Timestamp,
    ) -> Result<Step<Producer>, NeedsProducerId> {
        let bumped = self.producer.next();
        let Change { mut next, markers } = self.complete(outcome, Version::V2, bumped, now);
        if self.producer.is_exhausted() {
            next.producer = Producer::first(fresh.ok_or(NeedsProducerId)?);
        }
        let answer = next.producer;
        Ok(Step::changed(next, markers, answer))
    }

    /// Aborts what is open and raises the epoch, so that its producer is fenced, once (KAFKA-19367).
    pub(super) fn fence(&self, now: Timestamp) -> Change {
        self.complete(Outcome::Abort, Version::V2, self.producer.next(), now)
    }

    /// Fences the producer of a transaction that is open for longer than it may be.
    pub(crate) fn time_out(&self, now: Timestamp) -> Option<Change> {
        self.deadline().is_some_and(|deadline| deadline < now).then(|| self.fence(now))
    }

    /// When the open transaction is too late; none where nothing is open.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let is_open = self.state == State::Ongoing;
        is_open.then(|| Timestamp(self.started.0.saturating_add(self.timeout_ms.into())))
    }

    /// Finishes what another broker has decided and left without all its markers.
    pub(crate) fn resume(&self, now: Timestamp) -> Option<Change> {
        let outcome = self.state.prepared()?;
        let mut change = self.complete(outcome, self.version, self.producer, now);
        change.next.last_epoch = self.last_epoch;
        if self.next_id.is_some() {
            change.next.producer = Producer::first(self.next_id);
        }
        Some(change)
    }

    /// The transaction with its end, and the markers that end it, which carry the epoch of `producer`.
    fn complete(&self, outcome: Outcome, version: Version, producer: Producer, now: Timestamp) -> Change {
        let partitions = self.partitions.clone();
        let next = Self {
            producer,
            previous_id: if version == Version::V2 { self.producer.id } else { self.previous_id },
            next_id: ProducerId::NONE,
            last_epoch: if version == Version::V2 { self.producer.epoch } else { self.last_epoch },
            timeout_ms: self.timeout_ms,
            state: outcome.complete(),
            partitions: Partitions::default(),
            started: if self.state == State::Ongoing { self.started } else { now },
            updated: now,
            version,
        };
        let markers = Markers { producer, outcome, partitions };
        Change { next, markers: Some(markers) }
    }
}
