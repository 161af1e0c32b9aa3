//! The groups of this broker.

mod commit;
mod consumer_describe;
mod consumer_heartbeat;
mod delete;
mod describe;
mod end;
mod expiry;
mod fetch;
mod group;
mod heartbeat;
mod join;
mod leave;
mod list;
mod modern;
mod slot;
mod store;
mod sync;
#[cfg(test)]
mod tests;
mod topics;
mod txn_commit;

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mainstem_protocol::{
    ErrorCode, PartitionId, Text,
    formats::offsets::{OffsetCommitKey, OffsetCommitValue},
    wire::Detach,
};
use mainstem_storage::{Clock, Store};
use tokio::sync::oneshot;

#[cfg(test)]
pub(super) use self::store::{metadata, restored};
use self::{group::Group, slot::Slot, topics::TopicVersions};
use super::{
    classic::{self, Limits},
    log::GroupLog,
    timers::Timers,
};
use crate::{
    caps,
    config::GroupSettings,
    metrics::{GroupLag, GroupSize},
    task::{OnFailure, Tasks},
};

/// Who sends a request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What the client calls itself.
    pub client_id: Text,
    /// Where it is, as Kafka writes it: `/127.0.0.1`.
    pub host: Text,
}

/// Handles the requests of groups. Clones are the same coordinator.
#[derive(Clone)]
pub struct Coordinator(Arc<Inner>);

struct Inner {
    log: GroupLog,
    clock: Arc<dyn Clock>,
    settings: GroupSettings,
    groups: Mutex<HashMap<Text, Arc<Slot>>>,
    timers: Timers,
    topics: TopicVersions,
    tasks: Tasks,
}

impl Coordinator {
    /// Opens the log of groups and starts to watch sessions. Blocks while the log is created.
    ///
    /// # Errors
    /// Where `__consumer_offsets` is not there and cannot be created.
    pub fn open(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        settings: GroupSettings,
        tasks: Tasks,
    ) -> Result<Self, String> {
        let log = GroupLog::open(store, Arc::clone(&clock), settings.offsets_partitions)?;
        let (groups, timers, topics) = (Mutex::default(), Timers::default(), TopicVersions::default());
        Ok(Self(Arc::new(Inner { log, clock, settings, groups, timers, topics, tasks })))
    }

    /// Starts the tasks that let time pass. To be called on the runtime.
    pub fn start(&self) {
        let tasks = &self.0.tasks;
        tasks.spawn("group timers", OnFailure::Stop, self.clone().watch_time());
        tasks.spawn("offset expiry", OnFailure::Stop, self.clone().expire_offsets());
        self.restore();
        tasks.spawn("lost topics", OnFailure::Log, self.clone().forget_lost_topics());
    }

    /// The partition of `__consumer_offsets` that keeps a group.
    pub(crate) fn partition(&self, group: &str) -> PartitionId {
        self.0.log.partition(group)
    }

    /// How far groups are behind, of at most `limit` partitions.
    #[must_use]
    pub fn lags(&self, limit: usize) -> Vec<GroupLag> {
        let topics = self.0.log.store().topics();
        let lag = |(key, value): (OffsetCommitKey, OffsetCommitValue)| {
            let end = topics.named(&key.topic)?.partition(key.partition)?.high_watermark();
            Some(GroupLag {
                group: key.group.to_string(),
                topic: key.topic.to_string(),
                partition: key.partition,
                records: u64::try_from(end.0.saturating_sub(value.offset.0)).unwrap_or_default(),
            })
        };
        self.0.log.all_offsets().filter_map(lag).take(limit).collect()
    }

    /// How many members groups have, of at most `limit` groups that are in memory.
    #[must_use]
    pub fn sizes(&self, limit: usize) -> Vec<GroupSize> {
        let slots: Vec<_> = self.groups().values().take(limit).cloned().collect();
        let size = |slot: Arc<Slot>| {
            slot.read(|group| GroupSize { group: group.id().to_string(), members: group.members() as u64 })
        };
        slots.into_iter().map(size).collect()
    }

    /// Tells each group the time when it wants to know it.
    async fn watch_time(self) {
        let mut cancel = self.0.tasks.cancel_token();
        loop {
            let (due, next) = self.0.timers.due(self.now());
            due.iter().for_each(|group| self.tick(group));
            let wait = next.map_or(Duration::MAX, |next| next.saturating_sub(self.now()));
            tokio::select! {
                () = tokio::time::sleep(wait.min(caps::GROUP_TIMER_SLEEP_MAX)) => {}
                () = self.0.timers.sooner() => {}
                () = cancel.cancelled() => return,
            }
        }
    }

    /// Does on a thread that may block what takes long where there is much; nothing comes of it if it fails.
    async fn off_reactor<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let (this, (sender, receiver)) = (self.clone(), oneshot::channel());
        self.0.tasks.spawn_blocking(name, OnFailure::Log, move || {
            // Whoever waits may have gone.
            let _ = sender.send(work(&this));
        });
        receiver.await.ok()
    }

    fn now(&self) -> Duration {
        self.0.clock.monotonic()
    }

    fn limits(&self) -> Limits {
        let settings = &self.0.settings;
        Limits { members_max: settings.size_max, initial_delay: settings.initial_rebalance_delay }
    }

    /// A group that is in memory, or was stored.
    fn existing(&self, id: &Text) -> Option<Arc<Slot>> {
        if let Some(slot) = self.in_memory(id) {
            return Some(slot).filter(|slot| !slot.is_deleted());
        }
        let group = self.stored(id)?;
        self.insert(group).ok()
    }

    /// A group that is in memory, even if it is deleted there and its tombstones are still on their way.
    fn in_memory(&self, id: &Text) -> Option<Arc<Slot>> {
        self.groups().get(id).cloned()
    }

    /// A group, which is created where it is not there.
    ///
    /// # Errors
    /// Where there are too many groups.
    fn existing_or_new(&self, id: &Text) -> Result<Arc<Slot>, ErrorCode> {
        match self.existing(id) {
            Some(slot) => Ok(slot),
            None => self.insert(Group::Classic(classic::Group::new(id.clone(), self.limits()))),
        }
    }

    fn insert(&self, mut group: Group) -> Result<Arc<Slot>, ErrorCode> {
        // What is kept must not keep the request that it came with.
        group.id_mut().detach();
        let mut groups = self.groups();
        if groups.len() >= caps::GROUPS_MAX {
            return Err(ErrorCode::GROUP_MAX_SIZE_REACHED);
        }
        let slot = match groups.entry(group.id().clone()) {
            Entry::Vacant(entry) => entry.insert(Arc::new(Slot::new(group))),
            Entry::Occupied(entry) => {
                entry.get().revive(group);
                entry.into_mut()
            }
        };
        Ok(Arc::clone(slot))
    }

    /// Drops a group that is deleted, unless somebody is about to use it.
    fn forget(&self, id: &Text, slot: &Arc<Slot>) {
        let mut groups = self.groups();
        // The map has one, and who calls.
        let is_ours = Arc::strong_count(slot) <= 2 && slot.is_deleted();
        if is_ours && groups.get(id).is_some_and(|there| Arc::ptr_eq(there, slot)) {
            groups.remove(id);
        }
    }

    fn groups(&self) -> std::sync::MutexGuard<'_, HashMap<Text, Arc<Slot>>> {
        self.0.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
