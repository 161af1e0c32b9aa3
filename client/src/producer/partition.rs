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

/// As whom batches are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Author {
    pub(super) id: ProducerId,
    pub(super) epoch: ProducerEpoch,
    /// Whether it is written in transactions. Their coordinator alone says then which epoch comes next.
    pub(super) transactional: bool,
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

/// A batch that was sent and not answered yet, as far as whoever waits for it is concerned.
#[derive(Debug)]
struct UnderWay {
    order: u64,
    deadline: Instant,
    outcome: Arc<Outcome>,
    last: Option<String>,
}

/// What was not stored in time, and why it was not when it was last sent.
pub(super) type Late = (Arc<Outcome>, Option<String>);

/// A partition, as the sender sees it.
#[derive(Debug)]
pub(super) struct PartitionState {
    author: Option<Author>,
    next_sequence: Sequence,
    next_order: u64,
    under_way: Vec<UnderWay>,
    /// Whether the broker knows the producer: one that does not takes any sequence for the first, so nothing
    /// follows the first batch before that is stored.
    established: bool,
    recovering: bool,
    again: VecDeque<SealedBatch>,
    not_before: Option<Instant>,
    backoff: Backoff,
}

impl PartitionState {
    /// A partition to which nothing was sent; without author, batches carry no sequences.
    pub(super) fn new(author: Option<Author>) -> Self {
        Self {
            author,
            next_sequence: Sequence(0),
            next_order: 0,
            under_way: Vec::new(),
            established: author.is_none(),
            recovering: false,
            again: VecDeque::new(),
            not_before: None,
            backoff: Backoff::new(caps::RETRY_BACKOFF, caps::RETRY_BACKOFF_MAX),
        }
    }

    /// Whether a new batch may be sent.
    pub(super) fn takes_new(&self) -> bool {
        !self.recovering && (self.established || self.under_way.is_empty())
    }

    /// Whether a batch has to be sent again, and may be now.
    pub(super) fn has_again(&self, now: Instant) -> bool {
        self.under_way.is_empty() && !self.again.is_empty() && self.not_before.is_none_or(|wait| wait <= now)
    }

    /// When something changes here by time alone.
    pub(super) fn next_event(&self, now: Instant) -> Option<Instant> {
        let waits = self.under_way.is_empty() && !self.again.is_empty();
        let wait = self.not_before.filter(|wait| waits && *wait > now);
        let under_way = self.under_way.iter().map(|batch| batch.deadline);
        let deadlines = self.again.iter().map(|batch| batch.deadline).chain(under_way);
        deadlines.filter(|deadline| *deadline > now).chain(wait).min()
    }

    /// The numbers of the next batch.
    pub(super) const fn stamp(&mut self, count: i32) -> ProducerStamp {
        let Some(Author { id, epoch, transactional }) = self.author else { return ProducerStamp::NONE };
        let base_sequence = self.next_sequence;
        self.next_sequence = base_sequence.plus(count);
        ProducerStamp { producer_id: id, producer_epoch: epoch, base_sequence, transactional }
    }

    /// The place of the next batch.
    pub(super) const fn order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }

    /// Notes that a batch is under way.
    pub(super) fn sent(&mut self, batch: &mut SealedBatch) {
        batch.alone = self.under_way.is_empty() && self.recovering;
        let (outcome, last) = (Arc::clone(&batch.outcome), batch.last.clone());
        self.under_way.push(UnderWay { order: batch.order, deadline: batch.deadline, outcome, last });
    }

    /// The batch that is sent again first.
    pub(super) fn take_again(&mut self) -> Option<SealedBatch> {
        self.again.pop_front()
    }

    /// Notes that a batch was stored.
    pub(super) fn stored(&mut self, batch: &SealedBatch) {
        self.established = true;
        self.settled(batch);
    }

    /// Notes that a batch was stored, or has failed for good.
    pub(super) fn settled(&mut self, batch: &SealedBatch) {
        self.landed(batch);
        self.backoff.reset();
        self.not_before = None;
        self.calm_down();
    }

    fn landed(&mut self, batch: &SealedBatch) {
        self.under_way.retain(|other| other.order != batch.order);
    }

    /// Notes that a batch failed and is to be sent again.
    pub(super) fn failed(&mut self, batch: SealedBatch, verdict: Verdict, now: Instant) {
        self.landed(&batch);
        self.recovering = true;
        self.not_before = Some(now + self.backoff.next());
        let place = self.again.partition_point(|other| other.order < batch.order);
        self.again.insert(place, batch);
        if verdict == Verdict::Renumber {
            self.renumber();
        }
    }

    /// What nobody has to wait for any more, because its time is up. What is to be sent again is not; what is under way
    /// stays so until it is answered, since one request carries batches of several ages: the answer then says nothing
    /// new to whoever waited, but what to do about the batches behind.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Late> {
        let mut late = Vec::new();
        self.again.retain_mut(|batch| {
            let is_late = batch.deadline <= now;
            if is_late {
                late.push((Arc::clone(&batch.outcome), batch.last.take()));
            }
            !is_late
        });
        self.calm_down();
        let told = |batch: &&mut UnderWay| batch.deadline <= now && !batch.outcome.is_resolved();
        let under_way = self.under_way.iter_mut().filter(told);
        late.extend(under_way.map(|batch| (Arc::clone(&batch.outcome), batch.last.take())));
        late
    }

    fn calm_down(&mut self) {
        if self.under_way.is_empty() && self.again.is_empty() {
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
            _ if about_sequence && self.author.is_none() => Verdict::GiveUp,
            // A transaction that has lost a batch must not be committed: its next epoch comes when it is aborted.
            _ if about_sequence && alone && self.is_transactional() => Verdict::GiveUp,
            ErrorCode::INVALID_PRODUCER_EPOCH if self.is_transactional() => Verdict::GiveUp,
            _ if about_sequence && alone => Verdict::Renumber,
            _ if about_sequence || code.is_retriable() => Verdict::Again,
            _ => Verdict::GiveUp,
        }
    }

    fn is_transactional(&self) -> bool {
        self.author.is_some_and(|author| author.transactional)
    }

    /// Goes on under the next epoch. Only called when nothing is under way.
    fn renumber(&mut self) {
        let Some(Author { epoch, .. }) = &mut self.author else { return };
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
