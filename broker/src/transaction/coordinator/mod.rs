//! The transactional ids of this broker.

mod add_partitions;
mod end;
mod init;
mod log;
mod place;
mod produce;
mod slot;
mod slots;
#[cfg(test)]
mod tests;
mod time;
mod view;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstem_protocol::{ErrorCode, Text};
use mainstem_storage::{Clock, Store};
use tokio::sync::OnceCell;

pub(crate) use self::produce::{InPlace, InTransaction, Made, NotPlaced, Verification};
use self::{slot::Slot, slots::Slots};
use super::{log::TransactionLog, machine::Change};
use crate::{
    caps,
    config::TransactionSettings,
    metrics::Transactions,
    task::{OnFailure, Tasks},
};

/// Handles the requests of transactional producers. Clones are the same coordinator.
#[derive(Clone)]
pub struct Coordinator(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    settings: TransactionSettings,
    /// Made when somebody first comes with a transactional id.
    log: OnceCell<TransactionLog>,
    /// Those that were used since the start, and those with an open transaction.
    slots: Mutex<Slots>,
    tasks: Tasks,
    metrics: Arc<Transactions>,
}

impl Coordinator {
    /// Knows what the log of transactional ids holds, where there is one.
    #[must_use]
    pub fn new(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        settings: TransactionSettings,
        tasks: Tasks,
        metrics: Arc<Transactions>,
    ) -> Self {
        let log = OnceCell::new_with(TransactionLog::existing(&store));
        let slots = Mutex::new(Slots::new(caps::TRANSACTIONAL_IDS_MAX));
        Self(Arc::new(Inner { store, clock, settings, log, slots, tasks, metrics }))
    }

    /// Brings back what was open, and starts the tasks that let time pass. To be called on the runtime.
    pub fn start(&self) {
        self.restore();
        let tasks = &self.0.tasks;
        tasks.spawn("transaction timeouts", OnFailure::Stop, self.clone().abort_late());
        tasks.spawn("transactional id expiry", OnFailure::Stop, self.clone().expire());
    }

    fn restore(&self) {
        let Some(log) = self.0.log.get() else { return };
        for (id, transaction) in log.all() {
            let now = self.0.clock.now();
            let change = transaction.resume(now);
            if transaction.deadline().is_none() && change.is_none() {
                continue;
            }
            let slot = self.slots().restore(id, transaction);
            if change.is_some() {
                let (this, name) = (self.clone(), "prepared transaction");
                self.0.tasks.spawn(name, OnFailure::Log, async move { this.resume(&slot).await });
            }
        }
    }

    /// A transactional id that somebody has used before.
    ///
    /// # Errors
    /// Where nobody has, or where so many are in use that there is no room for another one just now.
    fn slot(&self, id: &Text) -> Result<Arc<Slot>, ErrorCode> {
        if let Some(slot) = self.slots().get(id) {
            return Ok(slot);
        }
        let stored = self.0.log.get().and_then(|log| log.load(id));
        stored.ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        self.slot_or_new(id)
    }

    /// A transactional id, which becomes known with the first thing that happens to it.
    ///
    /// # Errors
    /// Where so many are in use that there is no room for another.
    fn slot_or_new(&self, id: &Text) -> Result<Arc<Slot>, ErrorCode> {
        // Read while nobody else can put one in, so that nothing that happens meanwhile is missed.
        self.slots().get_or_insert(id, |id| self.0.log.get().and_then(|log| log.load(id)))
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, change: &Change) {
        if let Some(markers) = &change.markers {
            let elapsed = change.next.updated.0.saturating_sub(change.next.started.0);
            self.0.metrics.ended(markers.outcome.is_commit(), u64::try_from(elapsed).unwrap_or_default());
        }
    }
}
