//! Offsets that nobody wants any more (Kafka: `OffsetMetadataManager.cleanupExpiredOffsets`).
//!
//! An offset goes when its group has had no members for the time of retention, counted from when the group became
//! empty, or, where a consumer assigned itself its partitions, from the commit. A stable group loses those of topics
//! that it does not read any more, counted from the commit. A commit may also say when its offset is to go, which then
//! counts instead of the time of retention. When the last one has gone, so has an empty group.

use std::{collections::BTreeSet, sync::Arc};

use mainstem_protocol::{
    Text, Timestamp,
    formats::offsets::{Key, OffsetCommitKey, OffsetCommitValue},
};
use tracing::warn;

use super::{Coordinator, Group, Slot, end::Tombstones};
use crate::group::{Ageing, log::Records};

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
        let ids = self.off_reactor("groups to expire", Self::group_ids).await;
        for id in ids.unwrap_or_default() {
            match self.existing(&id) {
                Some(slot) => self.expire_group(&id, slot).await,
                None => self.in_memory(&id).into_iter().for_each(|slot| self.forget(&id, &slot)),
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

    async fn expire_group(&self, id: &Text, slot: Arc<Slot>) {
        if slot.read(|group| group.ageing()) == Ageing::Never {
            return;
        }
        if let Err(error) = self.end(id, slot, |group| Ok(self.expired(group))).await {
            warn!(group = id.as_ref() as &str, %error, "expired offsets stay for now");
        }
    }

    /// The tombstones of what has expired, and whether nothing is left then.
    fn expired(&self, group: &Group) -> Tombstones {
        let metadata = self.0.log.metadata(group.id());
        let emptied = metadata.as_ref().filter(|metadata| metadata.members.is_empty());
        let emptied = emptied.map(|metadata| metadata.current_state_timestamp);
        let is_old = |committed: Timestamp| {
            let since = match group.ageing() {
                Ageing::Never => None,
                Ageing::SinceCommit => Some(committed),
                // Groups of old were stored without a time.
                Ageing::SinceEmpty if emptied == Some(Timestamp::NONE) => Some(committed),
                // Where it is not stored yet that the last member went, that was just now.
                Ageing::SinceEmpty => emptied,
            };
            since.is_some_and(|since| self.is_expired(since))
        };
        let is_expired = |key: &OffsetCommitKey, value: &OffsetCommitValue| {
            let is_due = match value.expire_timestamp {
                Timestamp::NONE => is_old(value.commit_timestamp),
                end => group.ageing() != Ageing::Never && self.0.clock.now() >= end,
            };
            is_due && !group.is_subscribed(&key.topic)
        };
        // What an open transaction has committed stays, and the group with it.
        let pending = self.0.log.pending(group.id());
        let offsets = self.0.log.offsets(group.id());
        let (gone, kept): (Vec<_>, Vec<_>) =
            offsets.partition(|(key, value)| !pending.contains(key) && is_expired(key, value));
        let mut records: Records = gone.into_iter().map(|(key, _)| (Key::Offset(key), None)).collect();
        let is_last = kept.is_empty() && pending.is_empty() && group.is_empty();
        // What is on its way to be stored goes the next time.
        let is_last = is_last && metadata.is_some() == emptied.is_some();
        if is_last && (metadata.is_some() || group.is_modern()) {
            records.extend(group.tombstones());
        }
        Tombstones { records, is_last }
    }

    fn is_expired(&self, since: Timestamp) -> bool {
        let age = self.0.clock.now().0.saturating_sub(since.0);
        u128::try_from(age).is_ok_and(|age| age >= self.0.settings.offsets_retention.as_millis())
    }
}
