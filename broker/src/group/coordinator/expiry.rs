//! Offsets that nobody wants any more (Kafka: `OffsetMetadataManager.cleanupExpiredOffsets`).
//!
//! An offset goes when its group has had no members for the time of retention, counted from when the group became
//! empty, or, where a consumer assigned itself its partitions, from the commit. When the last one has gone, so has
//! the group.

use std::{collections::BTreeSet, sync::Arc};

use mainstem_protocol::{
    Text, Timestamp,
    formats::offsets::{GroupMetadataKey, Key},
};
use tracing::warn;

use super::{Coordinator, Slot};
use crate::group::log::Records;

impl Coordinator {
    pub(super) async fn expire_offsets(self) {
        let mut cancel = self.0.tasks.cancel_token();
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.0.settings.offsets_retention_check_interval) => {}
                () = cancel.cancelled() => return,
            }
            self.expire_now().await;
        }
    }

    /// Looks through all groups once.
    pub(super) async fn expire_now(&self) {
        for id in self.group_ids() {
            if let Some(slot) = self.existing(&id) {
                self.expire_group(&id, &slot).await;
            }
        }
    }

    /// Every group, in memory or stored.
    pub(super) fn group_ids(&self) -> BTreeSet<Text> {
        let of_key = |key| match key {
            Key::Offset(key) => key.group,
            Key::Group(key) => key.group,
            Key::ConsumerGroup(key) => key.group_id().clone(),
        };
        let stored = self.0.log.keys().map(of_key);
        stored.chain(self.groups().keys().cloned()).collect()
    }

    async fn expire_group(&self, id: &Text, slot: &Arc<Slot>) {
        if !slot.read(|group| group.is_empty()) {
            return;
        }
        let placed = slot.placed();
        slot.decided().await;
        let (records, is_last) = self.expired(id);
        if !records.is_empty() && !self.store_expired(id, slot, placed, &records).await {
            return;
        }
        if is_last {
            self.forget(id);
        }
    }

    /// The tombstones of what has expired, and whether nothing is left then.
    fn expired(&self, id: &Text) -> (Records, bool) {
        let metadata = self.0.log.metadata(id);
        let emptied = metadata.as_ref().map(|metadata| metadata.current_state_timestamp);
        let offsets = self.0.log.offsets(id);
        let is_expired = |committed: Timestamp| self.is_expired(emptied.unwrap_or(committed).max(committed));
        let (gone, kept): (Vec<_>, Vec<_>) =
            offsets.partition(|(_, value)| is_expired(value.commit_timestamp));
        let mut records: Records = gone.into_iter().map(|(key, _)| (Key::Offset(key), None)).collect();
        let is_last = kept.is_empty();
        if is_last && metadata.is_some() && emptied.is_none_or(|since| self.is_expired(since)) {
            records.push((Key::Group(GroupMetadataKey { group: id.clone() }), None));
        }
        (records, is_last)
    }

    fn is_expired(&self, since: Timestamp) -> bool {
        let age = self.0.clock.now().0.saturating_sub(since.0);
        u128::try_from(age).is_ok_and(|age| age >= self.0.settings.offsets_retention.as_millis())
    }

    async fn store_expired(&self, id: &Text, slot: &Slot, placed: u64, records: &Records) -> bool {
        if let Err(error) = self.make_room(id, records).await {
            warn!(group = id.as_ref() as &str, %error, "expired offsets stay for now");
            return false;
        }
        // What was committed since it was looked at must not be removed behind it.
        let placed = slot.place_next(placed, |group| {
            // Somebody may have joined meanwhile.
            if group.is_empty() { self.0.log.append(id, records).map_err(drop) } else { Err(()) }
        });
        let Ok((ticket, number)) = placed else { return false };
        let committed = ticket.await.is_ok();
        slot.decide(number);
        committed
    }

    /// Drops a group that is empty and of which nothing is stored.
    fn forget(&self, id: &Text) {
        let mut groups = self.groups();
        let unused = |slot: &Arc<Slot>| Arc::strong_count(slot) <= 2 && slot.read(|group| group.is_empty());
        if groups.get(id).is_some_and(unused) {
            groups.remove(id);
        }
    }
}
