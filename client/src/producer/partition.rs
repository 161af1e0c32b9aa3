//! What the sender knows of one partition: who it is there, which sequence comes next, and what has to be sent
//! again. No I/O; time comes in.
//!
//! Up to five batches of a partition are under way. When one of them fails in a way that may pass, the order is kept
//! so: nothing new is sent, those under way come back one by one, and those that failed are sent again in their order,
//! one at a time, until none is left. A broker that then still refuses a sequence does not know the batches before
//! (they were never stored, or it forgot them): the producer goes on under the next epoch, with sequences from 0
//! (KIP-360). No batch that may have been stored is given new numbers, because a broker answers a repeat with success.

use std::{collections::VecDeque, sync::Arc};

use bytes::{Bytes, BytesMut};
use mainstem_protocol::{
    ErrorCode, ProducerEpoch, ProducerId, Sequence,
    records::{BatchHeader, ProducerStamp, builder::write_header},
};
use tokio::time::Instant;

use super::{outcome::Outcome, room::Taken};
use crate::{backoff::Backoff, caps};

/// A batch as it is sent.
#[derive(Debug)]
pub(super) struct SealedBatch {
    pub(super) bytes: Bytes,
    pub(super) outcome: Arc<Outcome>,
    pub(super) deadline: Instant,
    /// Records in it.
    pub(super) count: i32,
    /// Its place among the batches of the partition.
    pub(super) order: u64,
    /// Whether it was sent after everything before it had been answered.
    pub(super) alone: bool,
    /// Why it was not stored when it was last sent.
    pub(super) last: Option<String>,
    pub(super) _room: Taken,
}

/// What to do about a batch that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has failed.
    GiveUp,
    /// It is sent again as it is.
    Again,
    /// It is sent again under the next epoch.
    Renumber,
    /// It was stored before.
    Stored,
}

/// A partition, as the sender sees it.
#[derive(Debug)]
pub(super) struct PartitionState {
    identity: Option<(ProducerId, ProducerEpoch)>,
    next_sequence: Sequence,
    next_order: u64,
    in_flight: usize,
    /// Whether the broker knows the producer: one that does not takes any sequence for the first, so nothing
    /// follows the first batch before that is stored.
    established: bool,
    recovering: bool,
    again: VecDeque<SealedBatch>,
    not_before: Option<Instant>,
    backoff: Backoff,
}

impl PartitionState {
    /// A partition to which nothing was sent; without identity, batches carry no sequences.
    pub(super) fn new(identity: Option<(ProducerId, ProducerEpoch)>) -> Self {
        Self {
            identity,
            next_sequence: Sequence(0),
            next_order: 0,
            in_flight: 0,
            established: identity.is_none(),
            recovering: false,
            again: VecDeque::new(),
            not_before: None,
            backoff: Backoff::new(caps::RETRY_BACKOFF, caps::RETRY_BACKOFF_MAX),
        }
    }

    /// Whether a new batch may be sent.
    pub(super) const fn takes_new(&self) -> bool {
        !self.recovering && (self.established || self.in_flight == 0)
    }

    /// Whether a batch has to be sent again, and may be now.
    pub(super) fn has_again(&self, now: Instant) -> bool {
        self.in_flight == 0 && !self.again.is_empty() && self.not_before.is_none_or(|wait| wait <= now)
    }

    /// When something changes here by time alone.
    pub(super) fn next_event(&self, now: Instant) -> Option<Instant> {
        let first = self.again.front()?;
        let wait = self.not_before.filter(|wait| self.in_flight == 0 && *wait > now);
        wait.into_iter().chain([first.deadline]).min()
    }

    /// The numbers of the next batch.
    pub(super) const fn stamp(&mut self, count: i32) -> ProducerStamp {
        let Some((producer_id, producer_epoch)) = self.identity else { return ProducerStamp::NONE };
        let base_sequence = self.next_sequence;
        self.next_sequence = base_sequence.plus(count);
        ProducerStamp { producer_id, producer_epoch, base_sequence, transactional: false }
    }

    /// The place of the next batch.
    pub(super) const fn order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }

    /// Notes that a batch is under way.
    pub(super) const fn sent(&mut self, batch: &mut SealedBatch) {
        batch.alone = self.in_flight == 0 && self.recovering;
        self.in_flight += 1;
    }

    /// The batch that is sent again first.
    pub(super) fn take_again(&mut self) -> Option<SealedBatch> {
        self.again.pop_front()
    }

    /// Notes that a batch was stored.
    pub(super) fn stored(&mut self) {
        self.established = true;
        self.settled();
    }

    /// Notes that a batch was stored, or has failed for good.
    pub(super) fn settled(&mut self) {
        self.in_flight -= 1;
        self.backoff.reset();
        self.not_before = None;
        self.calm_down();
    }

    /// Notes that a batch failed and is to be sent again.
    pub(super) fn failed(&mut self, batch: SealedBatch, verdict: Verdict, now: Instant) {
        self.in_flight -= 1;
        self.recovering = true;
        self.not_before = Some(now + self.backoff.next());
        let place = self.again.partition_point(|other| other.order < batch.order);
        self.again.insert(place, batch);
        if verdict == Verdict::Renumber {
            self.renumber();
        }
    }

    /// Takes the batches out whose time is up.
    pub(super) fn expire(&mut self, now: Instant) -> VecDeque<SealedBatch> {
        let (late, rest) =
            std::mem::take(&mut self.again).into_iter().partition(|batch| batch.deadline <= now);
        self.again = rest;
        self.calm_down();
        late
    }

    fn calm_down(&mut self) {
        if self.in_flight == 0 && self.again.is_empty() {
            self.recovering = false;
        }
    }

    /// What to do about a batch that a broker refused.
    pub(super) fn judge(&self, code: ErrorCode, alone: bool) -> Verdict {
        let about_sequence = matches!(
            code,
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
                | ErrorCode::UNKNOWN_PRODUCER_ID
                | ErrorCode::INVALID_PRODUCER_EPOCH
        );
        match code {
            ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Verdict::Stored,
            _ if about_sequence && self.identity.is_none() => Verdict::GiveUp,
            _ if about_sequence && alone => Verdict::Renumber,
            _ if about_sequence || code.is_retriable() => Verdict::Again,
            _ => Verdict::GiveUp,
        }
    }

    /// Goes on under the next epoch. Only called when nothing is under way.
    fn renumber(&mut self) {
        let Some((_, epoch)) = &mut self.identity else { return };
        // After 32,767 recoveries of one partition the epochs begin anew; brokers then refuse them, and the records
        // fail: there is no producer whose sequences broke so often for another reason than a fault.
        epoch.0 = epoch.0.saturating_add(1);
        self.next_sequence = Sequence(0);
        let mut again = std::mem::take(&mut self.again);
        for batch in &mut again {
            let stamp = self.stamp(batch.count);
            batch.bytes = restamped(&batch.bytes, &stamp);
        }
        self.again = again;
    }
}

/// The same batch with other numbers.
fn restamped(bytes: &Bytes, stamp: &ProducerStamp) -> Bytes {
    let Ok(header) = BatchHeader::parse(bytes) else { return bytes.clone() };
    let ProducerStamp { producer_id, producer_epoch, base_sequence, .. } = *stamp;
    let mut batch = BytesMut::from(bytes.as_ref());
    write_header(&mut batch, &BatchHeader { producer_id, producer_epoch, base_sequence, ..header });
    batch.freeze()
}
