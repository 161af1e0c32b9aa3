//! A transactional id as a machine without I/O: what is asked of it goes in with the time, and out comes what it becomes
//! and what is to be written with that, in one append group (Kafka: `TransactionMetadata`, `TransactionCoordinator`).
//!
//! Nothing changes until the caller has given the change its place in the journal. There the end of a transaction and all
//! its markers are one group; so Kafka's states between a decision and its markers do not occur, and neither does its
//! pending transition: whoever comes next sees what was placed, and is answered when that is durable.

mod end;
mod init;
mod partitions;
mod state;
mod stored;
#[cfg(test)]
mod tests;

use mainstem_protocol::{ErrorCode, ProducerEpoch, ProducerId, Timestamp};
/// Whether the end of each transaction raises the epoch, as its producer understands it.
pub(crate) use mainstem_storage::TransactionVersion as Version;

pub(crate) use self::{
    partitions::Partitions,
    state::{Outcome, State},
};

/// The highest epoch that there is. A producer is never given it: it is kept for fencing.
const EPOCH_MAX: ProducerEpoch = ProducerEpoch(i16::MAX);

/// A transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    /// Who has it.
    pub(crate) producer: Producer,
    /// The producer id before, of which somebody may still ask.
    previous_id: ProducerId,
    /// The producer id after the end of a transaction that another broker has prepared.
    next_id: ProducerId,
    /// The epoch before, if its holder got this one from it; else none.
    last_epoch: ProducerEpoch,
    /// How long a transaction may be open, in milliseconds.
    pub(crate) timeout_ms: i32,
    /// Where the last transaction is.
    pub(crate) state: State,
    /// Partitions of the open transaction.
    pub(crate) partitions: Partitions,
    /// When the last transaction began; none where there was none since a producer took over.
    pub(crate) started: Timestamp,
    /// When it changed last.
    pub(crate) updated: Timestamp,
    /// In which version the last transaction ended.
    pub(crate) version: Version,
}

/// A producer by its id and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Producer {
    pub(crate) id: ProducerId,
    pub(crate) epoch: ProducerEpoch,
}

/// What an event brings about.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct Step<T> {
    /// What the transactional id becomes; none where it stays as it is.
    pub(crate) change: Option<Change>,
    /// What is answered when that is durable, and all that was placed before.
    pub(crate) answer: Result<T, ErrorCode>,
}

/// What a transactional id becomes, and the markers that are written with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) next: Transaction,
    /// None where no transaction ends.
    pub(crate) markers: Option<Markers>,
}

/// Markers for every partition of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Markers {
    /// Whose transaction ends, and the epoch behind which nothing of it is taken any more.
    pub(crate) producer: Producer,
    pub(crate) outcome: Outcome,
    pub(crate) partitions: Partitions,
}

/// The producer id is used up: the event is to come again with a fresh one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NeedsProducerId;

impl Transaction {
    /// A transactional id that nobody has used yet; [`Self::init`] gives its producer the first epoch.
    pub(crate) fn new(id: ProducerId, timeout_ms: i32, now: Timestamp) -> Self {
        Self {
            producer: Producer { id, epoch: ProducerEpoch::NONE },
            previous_id: ProducerId::NONE,
            next_id: ProducerId::NONE,
            last_epoch: ProducerEpoch::NONE,
            timeout_ms,
            state: State::Empty,
            partitions: Partitions::default(),
            started: Timestamp::NONE,
            updated: now,
            version: Version::V1,
        }
    }

    /// Whether the id was not used for so long that it is forgotten (`transactional.id.expiration.ms`).
    pub(crate) fn is_expired(&self, now: Timestamp, after_ms: i64) -> bool {
        self.state.is_quiet() && self.updated.0 <= now.0.saturating_sub(after_ms)
    }
}

impl Producer {
    /// The first epoch of a producer id.
    const fn first(id: ProducerId) -> Self {
        Self { id, epoch: ProducerEpoch(0) }
    }

    const fn next(self) -> Self {
        Self { id: self.id, epoch: ProducerEpoch(self.epoch.0.saturating_add(1)) }
    }

    /// Whether the next epoch may only fence (Kafka: `isEpochExhausted`).
    const fn is_exhausted(self) -> bool {
        self.epoch.0 >= EPOCH_MAX.0 - 1
    }
}

impl<T> Step<T> {
    pub(crate) const fn refused(error: ErrorCode) -> Self {
        Self { change: None, answer: Err(error) }
    }

    const fn unchanged(answer: T) -> Self {
        Self { change: None, answer: Ok(answer) }
    }

    const fn changed(next: Transaction, markers: Option<Markers>, answer: T) -> Self {
        Self { change: Some(Change { next, markers }), answer: Ok(answer) }
    }
}
