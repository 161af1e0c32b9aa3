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

    /// A change is lost, and so are all behind it: the id is again what the log has of it.
    pub(super) fn lose(&self, number: u64, stored: Option<Transaction>) {
        self.lock().transaction = stored;
        self.decided.send_modify(|decided| {
            decided.number = number.max(decided.number);
            decided.lost += 1;
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
