//! A transactional id in memory, and the order of its changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstem_protocol::{ErrorCode, Text};
use tokio::sync::watch;

use crate::transaction::machine::{State, Transaction};

/// A transactional id in memory. What it is, is what it will be when everything that has its place is durable: who comes
/// next sees that, and is answered behind it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: Text,
    state: Mutex<Locked>,
    decided: watch::Sender<Decided>,
}

#[derive(Debug)]
pub(super) struct Locked {
    /// None where nobody has used the id yet, or it was forgotten.
    pub(super) transaction: Option<Transaction>,
    /// Changes that have been given a place.
    placed: u64,
}

/// What has become of changes.
#[derive(Clone, Copy, Debug, Default)]
struct Decided {
    /// The last one that is durable. They are decided in the order of their places.
    number: u64,
    /// How often one was lost, and with it all behind it.
    lost: u64,
}

/// The promise that everything which had its place by then is durable.
#[derive(Debug)]
pub(super) struct Waiting {
    slot: Arc<Slot>,
    number: u64,
    lost: u64,
}

impl Slot {
    pub(super) fn new(id: Text, transaction: Option<Transaction>) -> Self {
        Self { id, state: Mutex::new(Locked { transaction, placed: 0 }), decided: watch::Sender::default() }
    }

    /// Holds the transactional id. Never across a wait.
    pub(super) fn lock(&self) -> MutexGuard<'_, Locked> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody uses it and the log knows it as well; to be asked while nobody can begin to use it.
    pub(super) fn is_idle(self: &Arc<Self>) -> bool {
        let is_unused = Arc::strong_count(self) == 1;
        let locked = self.lock();
        let is_open =
            locked.transaction.as_ref().is_some_and(|transaction| transaction.state == State::Ongoing);
        is_unused && !is_open && self.decided.borrow().number >= locked.placed
    }

    /// Until what has its place by now is durable.
    pub(super) fn waiting(self: &Arc<Self>, locked: &Locked) -> Waiting {
        Waiting { slot: Arc::clone(self), number: locked.placed, lost: self.decided.borrow().lost }
    }

    /// A change is durable, and so are all before it.
    pub(super) fn decide(&self, number: u64) {
        self.decided.send_modify(|decided| decided.number = number.max(decided.number));
    }

    /// A change is lost, and so are all that had their place behind it: the id is again what the log has of it. Each of
    /// them says so for itself, but what has got its place since the first of them did stays.
    pub(super) fn lose(&self, number: u64, stored: Option<Transaction>) {
        let mut locked = self.lock();
        self.decided.send_if_modified(|decided| {
            let is_first = number > decided.number;
            if is_first {
                locked.transaction = stored;
                *decided = Decided { number: locked.placed, lost: decided.lost + 1 };
            }
            is_first
        });
    }
}

impl Locked {
    /// The id becomes something else. Returns the change's number.
    pub(super) fn become_next(&mut self, next: Option<Transaction>) -> u64 {
        self.transaction = next;
        self.placed += 1;
        self.placed
    }
}

impl Waiting {
    /// # Errors
    /// Where something that was placed is lost.
    pub(super) async fn durable(self) -> Result<(), ErrorCode> {
        let Self { slot, number, lost } = self;
        let mut decided = slot.decided.subscribe();
        let is_over = |decided: &Decided| decided.number >= number || decided.lost != lost;
        // The sender lives as long as the slot.
        let now = decided.wait_for(is_over).await.map(|decided| decided.lost);
        if now.is_ok_and(|now| now == lost) { Ok(()) } else { Err(ErrorCode::COORDINATOR_NOT_AVAILABLE) }
    }
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::{ProducerId, Timestamp};

    use super::*;

    fn of(producer: i64) -> Transaction {
        Transaction::new(ProducerId(producer), 60_000, Timestamp(0))
    }

    #[tokio::test]
    async fn what_gets_its_place_behind_a_loss_outlives_those_that_were_lost_with_it() {
        let slot = Arc::new(Slot::new(Text::from_static("id"), Some(of(1))));
        let first = slot.lock().become_next(Some(of(2)));
        let second = slot.lock().become_next(Some(of(3)));
        let lost = slot.waiting(&slot.lock());
        slot.lose(first, Some(of(1)));
        assert_eq!(slot.lock().transaction, Some(of(1)));
        assert_eq!(lost.durable().await, Err(ErrorCode::COORDINATOR_NOT_AVAILABLE));
        let third = slot.lock().become_next(Some(of(4)));
        let kept = slot.waiting(&slot.lock());
        slot.lose(second, Some(of(1)));
        slot.decide(third);
        assert_eq!(kept.durable().await, Ok(()));
        assert_eq!(slot.lock().transaction, Some(of(4)));
    }
}
