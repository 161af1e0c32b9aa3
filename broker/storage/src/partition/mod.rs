//! A partition: its place in the journal is given here, and readers see here what is committed.
//!
//! - [`Partition`]: what readers ask.
//! - [`placing`]: what appends ask.
//! - [`shown`]: the ends that readers see, all of one cut.
//! - [`read`]: from an offset or a time to batches.
//! - [`transactions`]: which are open, and which were taken back.

mod keyed;
mod pending;
mod placing;
mod read;
mod shown;
mod transactions;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicI32, Ordering},
    },
};

use arc_swap::ArcSwap;
use mainstem_protocol::{LeaderEpoch, Offset, PartitionId, TopicId};
use tokio::sync::Notify;

pub(crate) use keyed::{Keyed, KeyedState, Pages};
pub(crate) use pending::{Pending, PendingValue};
pub(crate) use placing::{Need, Placing, Planned};
pub use read::{Read, TimeMatch};
use shown::Shown;
pub use shown::Visible;
pub(crate) use transactions::AbortedIndex;
pub use transactions::{Isolation, ProducerView};

use crate::{
    segment::{Segment, SegmentId},
    state::Aborted,
};

/// The folder of all topics.
pub(crate) const TOPICS: &str = "topics";

/// A partition of a topic.
#[derive(Debug)]
pub struct Partition {
    pub(crate) topic: TopicId,
    pub(crate) id: PartitionId,
    placing: Mutex<Placing>,
    /// As in `placing`, for readers, who must not wait for it.
    leader_epoch: AtomicI32,
    /// In the order of their offsets; what lies behind the shown end is not for readers.
    segments: ArcSwap<Vec<Arc<Segment>>>,
    shown: Shown,
    waiting: Mutex<Vec<Weak<Notify>>>,
    pub(crate) keyed: Option<Keyed>,
    pub(crate) aborted: AbortedIndex,
}

/// The folder of a topic.
pub(crate) fn topic_folder(topic: TopicId) -> PathBuf {
    Path::new(TOPICS).join(format!("{:032x}", u128::from_be_bytes(topic.0)))
}

/// The folder of a partition.
pub(crate) fn partition_folder(topic: TopicId, id: PartitionId) -> PathBuf {
    topic_folder(topic).join(id.to_string())
}

/// The topic whose folder has this name.
pub(crate) fn topic_of_folder(name: &str) -> Option<TopicId> {
    let is_ours = name.len() == 32 && name.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let number = u128::from_str_radix(name, 16).ok().filter(|_| is_ours)?;
    Some(TopicId(number.to_be_bytes()))
}

impl Partition {
    /// A partition as a fold left it, with its segments.
    pub(crate) fn new(
        topic: TopicId,
        id: PartitionId,
        placing: Placing,
        segments: Vec<Arc<Segment>>,
        keyed: Option<Keyed>,
        aborted: Aborted,
    ) -> Self {
        let shown = Shown::new(Visible::of(placing.state()));
        let leader_epoch = AtomicI32::new(placing.state().leader_epoch.0);
        Self {
            topic,
            id,
            placing: Mutex::new(placing),
            leader_epoch,
            segments: ArcSwap::from_pointee(segments),
            shown,
            waiting: Mutex::default(),
            keyed,
            aborted: AbortedIndex::new(aborted),
        }
    }

    /// The topic's identity.
    #[must_use]
    pub const fn topic(&self) -> TopicId {
        self.topic
    }

    /// The partition's number.
    #[must_use]
    pub const fn id(&self) -> PartitionId {
        self.id
    }

    /// The offset behind the last record that readers may see. For several partitions of one answer take a cut.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.shown.get().high_watermark
    }

    /// The first offset that may be read.
    #[must_use]
    pub fn log_start(&self) -> Offset {
        self.shown.get().log_start
    }

    /// Bytes of batches in its segments; what they have allocated ahead does not count.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.load().iter().map(|segment| segment.end()).sum()
    }

    /// Under which leadership batches are appended.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::Acquire))
    }

    /// A new leadership has begun.
    pub(crate) fn raise_leader_epoch(&self, epoch: LeaderEpoch) {
        let mut placing = self.placing();
        placing.state_mut().raise_leader_epoch(epoch);
        self.leader_epoch.store(placing.state().leader_epoch.0, Ordering::Release);
    }

    /// The largest epoch not above `epoch` under which anything was written, and the offset behind its last record, as
    /// OffsetForLeaderEpoch answers it: both -1 where there is none.
    #[must_use]
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> (LeaderEpoch, Offset) {
        let placing = self.placing();
        let state = placing.state();
        match state.epochs.end_offset(epoch, state.end) {
            // The current epoch, which may have no record yet, begins at the end.
            (LeaderEpoch::NONE, _) if epoch == state.leader_epoch => (epoch, state.end),
            (LeaderEpoch::NONE, _) if epoch < state.leader_epoch && epoch != LeaderEpoch::NONE => {
                (state.epochs.latest().unwrap_or(epoch), state.end)
            }
            found => found,
        }
    }

    /// Tells `waiter` once when readers see more, the log start moves, or the partition is deleted. A waiter that is
    /// dropped is forgotten. Subscribe first and look then.
    pub fn subscribe(&self, waiter: &Arc<Notify>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == waiting.capacity() {
            // Doubling keeps this rare where many wait, and the list short where all of them went.
            waiting.retain(|waiter| waiter.strong_count() > 0);
        }
        waiting.push(Arc::downgrade(waiter));
    }

    #[cfg(test)]
    pub(crate) fn waiters(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(crate) fn wake(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.iter().filter_map(Weak::upgrade).for_each(|waiter| waiter.notify_one());
    }

    pub(crate) fn shown(&self) -> Visible {
        self.shown.get()
    }

    /// Shows readers a new end. Called with the publication's lock alone.
    pub(crate) fn show(&self, visible: Visible) {
        self.shown.set(visible);
    }

    pub(crate) fn placing(&self) -> MutexGuard<'_, Placing> {
        self.placing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn folder(&self) -> PathBuf {
        partition_folder(self.topic, self.id)
    }

    pub(crate) fn segments(&self) -> Arc<Vec<Arc<Segment>>> {
        self.segments.load_full()
    }

    /// The segment that begins with `base`.
    pub(crate) fn segment(&self, base: Offset) -> Option<Arc<Segment>> {
        self.segments.load().iter().rev().find(|segment| segment.base_offset() == base).cloned()
    }

    /// Puts a segment, or none, in the place of others; returns those. Callers hold the placing lock.
    pub(crate) fn replace_segments(
        &self,
        sources: &[SegmentId],
        by: Option<Arc<Segment>>,
    ) -> Vec<Arc<Segment>> {
        let is_source = |segment: &Arc<Segment>| sources.contains(&segment.id());
        let segments = self.segments();
        let at = segments.iter().position(is_source).unwrap_or_default();
        let (removed, mut kept): (Vec<_>, Vec<_>) = segments.iter().cloned().partition(is_source);
        kept.splice(at..at, by);
        self.set_segments(kept);
        removed
    }

    /// Changes the list of segments; callers hold the placing lock, so that one changes it at a time.
    pub(crate) fn set_segments(&self, segments: Vec<Arc<Segment>>) {
        self.segments.store(Arc::new(segments));
    }
}
