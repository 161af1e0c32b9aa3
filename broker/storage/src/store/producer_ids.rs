//! Producer ids: each is given away once, whatever happens between.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{MutexGuard, PoisonError},
};

use mainstem_protocol::ProducerId;

use super::{AppendError, Journal, Store};
use crate::{
    caps::PRODUCER_ID_BLOCK,
    ids::Lsn,
    journal::Entry,
    ticket::{Resolver, Ticket},
};

/// The next producer id, or what to wait for before asking again.
#[derive(Debug)]
pub enum NextProducerId {
    /// Nobody else has it or ever had it.
    Ready(ProducerId),
    /// A block of ids is on its way through the journal.
    Wait(Ticket),
}

/// Producer ids that may be given away.
#[derive(Debug, Default)]
pub(super) struct ProducerIds {
    granted: VecDeque<Range<i64>>,
    /// Behind the last block that was granted to anybody.
    next: i64,
    /// A block on its way.
    asked: Option<(Lsn, Resolver)>,
}

impl Store {
    /// The next producer id. Blocks of them come through the journal, ahead of need.
    ///
    /// # Errors
    /// Where the journal takes nothing.
    pub fn next_producer_id(&self) -> Result<NextProducerId, AppendError> {
        let mut ids = self.producer_ids();
        let id = ids.take();
        if ids.left() >= PRODUCER_ID_BLOCK / 2 {
            return Ok(NextProducerId::Ready(id.unwrap_or(ProducerId::NONE)));
        }
        let asked = self.ask_for_producer_ids(&mut ids);
        match id {
            Some(id) => Ok(NextProducerId::Ready(id)),
            None => asked.map(NextProducerId::Wait),
        }
    }

    /// One block at a time: all who wait wait for the same one.
    fn ask_for_producer_ids(&self, ids: &mut ProducerIds) -> Result<Ticket, AppendError> {
        let (lsn, resolver) = match ids.asked.clone() {
            Some(asked) => asked,
            None => {
                self.request_own(vec![Entry::ProducerIdsAllocated { next: ids.next_block() }], Vec::new())?
            }
        };
        ids.asked = Some((lsn, resolver.clone()));
        Ok(resolver.ticket(lsn, Vec::new()))
    }

    pub(super) fn producer_ids(&self) -> MutexGuard<'_, ProducerIds> {
        self.producer_ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fold_producer_ids(&self, journal: &mut Journal, next: ProducerId) {
        journal.next_producer_id = next.max(journal.next_producer_id);
        self.producer_ids().grant(next);
    }
}

impl ProducerIds {
    /// Those before `next` are given away, or lost with a process that had them.
    pub(super) fn behind(next: ProducerId) -> Self {
        Self { next: next.0, ..Self::default() }
    }

    const fn next_block(&self) -> ProducerId {
        ProducerId(self.next + PRODUCER_ID_BLOCK)
    }

    /// A block came through the journal.
    fn grant(&mut self, end: ProducerId) {
        self.granted.push_back(self.next..end.0);
        self.next = end.0;
        self.asked = None;
    }

    /// The block that was asked for does not come.
    pub(super) fn take_back(&mut self) {
        self.asked = None;
    }

    fn take(&mut self) -> Option<ProducerId> {
        let first = self.granted.front_mut()?;
        let id = first.next()?;
        if first.is_empty() {
            self.granted.pop_front();
        }
        Some(ProducerId(id))
    }

    fn left(&self) -> i64 {
        self.granted.iter().map(|range| range.end - range.start).sum()
    }
}
