//! The promise of an answer: an append that has its place resolves to committed, or to superseded.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use mainstem_protocol::{Offset, Timestamp};
use tokio::sync::oneshot;

use crate::Lsn;

/// The promise that a group's fate will be told. May be awaited, or waited for on a thread that may block.
#[derive(Debug)]
pub struct Ticket {
    lsn: Lsn,
    places: Vec<Place>,
    fate: oneshot::Receiver<Fate>,
}

/// Where a batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The broker's time where the topic takes that for its timestamps; else none.
    pub log_append_time: Timestamp,
    /// Whether the batch was appended before: this is a repeat, and nothing is appended again.
    pub is_duplicate: bool,
}

/// A group that is as durable as its topics ask, and visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The group's number in the journal.
    pub lsn: Lsn,
    /// One for each batch, in the order of the group.
    pub places: Vec<Place>,
}

/// Why a group that had its place is not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCommitted {
    /// It was taken back before it was committed: it may be appended again.
    #[error("the append was superseded")]
    Superseded,
    /// The journal failed: whether the group survives is not known before the next start.
    #[error("the journal failed before the append was durable")]
    Failed,
}

pub(crate) type Fate = Result<(), NotCommitted>;

impl Ticket {
    /// The group's number in the journal.
    #[must_use]
    pub const fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// Where the batches will be, once the group is committed.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Blocks until the group's fate is known; not for a reactor's thread.
    ///
    /// # Errors
    /// Where the group is not committed.
    pub fn wait(self) -> Result<Committed, NotCommitted> {
        let Self { lsn, places, fate } = self;
        fate.blocking_recv().unwrap_or(Err(NotCommitted::Failed)).map(|()| Committed { lsn, places })
    }

    /// The group's fate, where it is known already.
    pub fn poll_now(&mut self) -> Option<Result<Committed, NotCommitted>> {
        let fate = match self.fate.try_recv() {
            Ok(fate) => fate,
            Err(oneshot::error::TryRecvError::Empty) => return None,
            Err(oneshot::error::TryRecvError::Closed) => Err(NotCommitted::Failed),
        };
        Some(fate.map(|()| self.committed()))
    }

    fn committed(&mut self) -> Committed {
        Committed { lsn: self.lsn, places: std::mem::take(&mut self.places) }
    }
}

impl Future for Ticket {
    type Output = Result<Committed, NotCommitted>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let fate = std::task::ready!(Pin::new(&mut self.fate).poll(cx));
        Poll::Ready(fate.unwrap_or(Err(NotCommitted::Failed)).map(|()| self.committed()))
    }
}

/// Tells a group's fate to all who wait for it: whoever appended it, and whoever repeated it meanwhile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolver(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    fate: Option<Fate>,
    waiting: Vec<oneshot::Sender<Fate>>,
}

impl Resolver {
    /// A promise of this group's fate.
    pub(crate) fn ticket(&self, lsn: Lsn, places: Vec<Place>) -> Ticket {
        let (sender, fate) = oneshot::channel();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match told.fate {
            // Whoever holds the other end is known to be there.
            Some(known) => drop(sender.send(known)),
            None => told.waiting.push(sender),
        }
        Ticket { lsn, places, fate }
    }

    /// Tells it; the first word counts.
    pub(crate) fn resolve(&self, fate: Fate) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fate = *told.fate.get_or_insert(fate);
        for sender in std::mem::take(&mut told.waiting) {
            // Whoever asked may have gone.
            let _ = sender.send(fate);
        }
    }
}

/// A promise that is kept already.
pub(crate) fn committed(lsn: Lsn, places: Vec<Place>) -> Ticket {
    let resolver = Resolver::default();
    resolver.resolve(Ok(()));
    resolver.ticket(lsn, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_wait_hear_the_same() {
        let resolver = Resolver::default();
        let before = resolver.ticket(Lsn(3), Vec::new());
        resolver.resolve(Err(NotCommitted::Superseded));
        resolver.resolve(Ok(()));
        let after = resolver.ticket(Lsn(3), Vec::new());
        assert_eq!(before.wait(), Err(NotCommitted::Superseded));
        assert_eq!(after.wait(), Err(NotCommitted::Superseded));
    }

    #[test]
    fn a_resolver_that_goes_without_a_word_has_failed() {
        let ticket = Resolver::default().ticket(Lsn(1), Vec::new());
        assert_eq!(ticket.wait(), Err(NotCommitted::Failed));
    }
}
