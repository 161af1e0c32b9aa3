//! What time does to transactional ids: transactions that are open for too long are aborted, ids that nobody uses are
//! forgotten.

use std::{sync::Arc, time::Duration};

use mainstem_protocol::{ErrorCode, Timestamp};
use mainstem_storage::{AppendError, AppendGroup};
use tracing::{info, warn};

use super::{Coordinator, slot::Slot};
use crate::{
    partition::append,
    transaction::machine::{Step, Transaction},
};

impl Coordinator {
    pub(super) async fn abort_late(self) {
        while self.pause(self.0.settings.abort_interval).await {
            self.abort_late_now().await;
        }
    }

    pub(super) async fn expire(self) {
        while self.pause(self.0.settings.expiration_interval).await {
            self.expire_now().await;
        }
    }

    /// Whether to go on.
    async fn pause(&self, interval: Duration) -> bool {
        let mut cancel = self.0.tasks.cancel_token();
        tokio::select! {
            () = tokio::time::sleep(interval) => true,
            () = cancel.cancelled() => false,
        }
    }

    /// Aborts every transaction that is open for longer than its producer said, and fences the producer.
    pub(super) async fn abort_late_now(&self) {
        let slots: Vec<_> = self.slots().all().cloned().collect();
        for slot in slots {
            let now = self.0.clock.now();
            if is_late(&slot, now) && self.abort_one(&slot, now).await {
                self.0.metrics.timed_out();
                info!(id = slot.id.as_ref() as &str, "transaction aborted: it was open for too long");
            }
        }
    }

    async fn abort_one(&self, slot: &Arc<Slot>, now: Timestamp) -> bool {
        let abort = |transaction: Option<&Transaction>, _| {
            let change = transaction.and_then(|known| known.time_out(now));
            let is_aborted = change.is_some();
            Ok(Step { change, answer: Ok(is_aborted) })
        };
        let aborted = self.happen(slot, abort).await;
        aborted.unwrap_or_else(|error| {
            warn!(id = slot.id.as_ref() as &str, %error, "a late transaction is not aborted yet");
            false
        })
    }

    /// Forgets every transactional id that was not used for long, as far as the log knows.
    pub(super) async fn expire_now(&self) {
        let Some(log) = self.0.log.get() else { return };
        let after = i64::try_from(self.0.settings.id_expiration.as_millis()).unwrap_or(i64::MAX);
        let now = self.0.clock.now();
        let expired = log.all().filter(|(_, known)| known.is_expired(now, after)).map(|(id, _)| id);
        for id in expired.collect::<Vec<_>>() {
            let Ok(slot) = self.slot_or_new(&id) else { return };
            if let Err(error) = self.expire_one(&slot, now, after).await {
                warn!(id = id.as_ref() as &str, %error, "an expired transactional id stays for now");
            }
        }
        self.slots().forget_unknown();
    }

    async fn expire_one(&self, slot: &Arc<Slot>, now: Timestamp, after: i64) -> Result<(), ErrorCode> {
        loop {
            match self.try_expire(slot, now, after) {
                Ok(waiting) => return waiting.durable().await,
                Err(AppendError::NoRoom) => {
                    let made = append::wait_for_room(&self.0.store).await;
                    made.map_err(|error| super::place::error_code(&error))?;
                }
                Err(error) => return Err(super::place::error_code(&error)),
            }
        }
    }

    fn try_expire(
        &self,
        slot: &Arc<Slot>,
        now: Timestamp,
        after: i64,
    ) -> Result<super::slot::Waiting, AppendError> {
        let mut locked = slot.lock();
        let is_expired = locked.transaction.as_ref().is_some_and(|known| known.is_expired(now, after));
        if let (true, Some(log)) = (is_expired, self.0.log.get()) {
            let mut group = AppendGroup::new();
            log.push(&mut group, &slot.id, None, now).map_err(|_| AppendError::Empty)?;
            let ticket = self.0.store.append(&group)?;
            let number = locked.become_next(None);
            drop(self.watch(slot, number, ticket));
        }
        Ok(slot.waiting(&locked))
    }
}

fn is_late(slot: &Slot, now: Timestamp) -> bool {
    let deadline = slot.lock().transaction.as_ref().and_then(Transaction::deadline);
    deadline.is_some_and(|deadline| deadline < now)
}
