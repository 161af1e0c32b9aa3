//! The store: every topic of the node, behind one journal.
//!
//! The way of a group: [`Store::append`] gives it its place (`append`), it waits (`queue`), a round writes and syncs
//! it (`round`), and only then it goes into segments and images and is shown (`commit`). Beside that: `room` makes
//! space where an append finds none, `control` is for topics that come and go, `alter` for those that become others,
//! `resources` for settings of what is no topic, `checkpoints` frees the journal, `rests` lets those who append go before who cleans,
//! `upkeep` does the rest, `recovery` is how a start finds everything again.
//!
//! Locks, in the order in which they are taken: checkpoints, allocation, journal, control, partitions by topic id and
//! number, queue, publication. None is held across a wait for another thread; the journal's and those before it are
//! held across I/O, the others never.

mod alter;
mod append;
mod checkpoints;
mod cleaning;
mod commit;
mod control;
mod error;
mod open;
mod options;
mod producer_ids;
mod queue;
mod recovery;
mod resources;
mod rests;
mod retention;
mod room;
mod round;
mod threads;
mod topics;
mod truncate;
mod upkeep;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, AtomicU64},
    },
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use mainstem_protocol::{PartitionId, ProducerId, TopicId};

pub use self::{
    alter::Alteration,
    cleaning::{CleanerStats, Cleaning},
    control::{NewTopic, TopicError},
    error::{AppendError, Poisoned},
    open::{OpenError, Recovery},
    options::{CleanerOptions, NoObserver, Observer, Options},
    producer_ids::NextProducerId,
    round::Round,
    topics::{Topic, Topics},
};
use self::{
    checkpoints::Checkpoints,
    cleaning::Cleaner,
    control::Control,
    producer_ids::ProducerIds,
    queue::{Pending, Queue, Request},
    rests::LastWrite,
    round::Journal,
    threads::Threads,
    upkeep::Upkeep,
};
pub(crate) use self::{
    queue::Ahead,
    recovery::{Tail, segments_of},
};
use crate::{
    checkpoint::KeyedValues,
    clock::Clock,
    config::{Resources, TopicConfig},
    disk::{Disk, DiskLock, Space},
    ids::Lsn,
    journal::Pool,
    meta::Identity,
    partition::{Pages, Partition, Visible},
    segment::SegmentFiles,
};

/// Every topic of the node, behind one journal. Shared by all who append and read.
#[derive(Debug)]
pub struct Store {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    options: Options,
    identity: Identity,
    pool: Arc<Pool>,
    files: Arc<SegmentFiles>,
    queue: Arc<Queue>,
    journal: Mutex<Journal>,
    topics: ArcSwap<Topics>,
    resources: ArcSwap<Resources>,
    topic_defaults: ArcSwap<TopicConfig>,
    control: Mutex<Control>,
    producer_ids: Mutex<ProducerIds>,
    /// Taken for writing just to raise the shown ends of all partitions of a round together (rule 5).
    publication: RwLock<()>,
    /// Who makes or removes segments that hold nothing yet.
    allocation: Mutex<()>,
    checkpoints: Mutex<Checkpoints>,
    /// The LSN of the last checkpoint.
    checkpointed: AtomicU64,
    is_checkpoint_asked: AtomicBool,
    is_stuck: AtomicBool,
    /// Milliseconds of the monotonic clock.
    retention_due: AtomicU64,
    /// Milliseconds.
    producer_expiration: AtomicU64,
    upkeep: Upkeep,
    cleaner: Cleaner,
    last_write: LastWrite,
    threads: Threads,
    poisoned: OnceLock<Poisoned>,
    _lock: DiskLock,
}

/// One moment of all partitions: while it is held no shown end moves. Never held across an await.
#[derive(Debug)]
pub struct Cut<'a> {
    _held: RwLockReadGuard<'a, ()>,
}

/// Figures for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of the journal's files.
    pub journal_bytes: u64,
    /// Of them, those that are needed for a start or being written.
    pub journal_used_bytes: u64,
    /// Bytes that the journal will have when it has grown.
    pub journal_bytes_max: u64,
    /// The last LSN that was given.
    pub placed: Lsn,
    /// The last LSN that is in the journal.
    pub written: Lsn,
    /// The last LSN that is durable in the journal.
    pub synced: Lsn,
    /// The LSN of the last checkpoint.
    pub checkpointed: Lsn,
    /// Topics and partitions.
    pub topics: usize,
    /// Partitions of all topics.
    pub partitions: usize,
}

impl Store {
    /// All topics as they are now.
    #[must_use]
    pub fn topics(&self) -> Arc<Topics> {
        self.topics.load_full()
    }

    /// A partition.
    #[must_use]
    pub fn partition(&self, topic: TopicId, partition: PartitionId) -> Option<Arc<Partition>> {
        self.topics.load().get(topic)?.partition(partition).cloned()
    }

    /// Who this node is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The last value of each key of a partition whose topic was created as keyed; `None` for others.
    #[must_use]
    pub fn keyed_image(&self, topic: TopicId, partition: PartitionId) -> Option<KeyedValues> {
        self.partition(topic, partition)?.keyed.as_ref().map(|keyed| keyed.values())
    }

    /// One value of a keyed topic.
    #[must_use]
    pub fn keyed_value(&self, topic: TopicId, partition: PartitionId, key: &[u8]) -> Option<Bytes> {
        self.partition(topic, partition)?.keyed.as_ref().and_then(|keyed| keyed.value(key))
    }

    /// The keys of a keyed topic that begin with `prefix` and that an open transaction has written: their values do not count
    /// yet.
    #[must_use]
    pub fn keyed_pending(&self, topic: TopicId, partition: PartitionId, prefix: &[u8]) -> Vec<Bytes> {
        let partition = self.partition(topic, partition);
        let keyed = partition.as_ref().and_then(|partition| partition.keyed.as_ref());
        keyed.map(|keyed| keyed.pending(prefix)).unwrap_or_default()
    }

    /// How many keys of a keyed topic the open transaction of a producer has written.
    #[must_use]
    pub fn keyed_pending_count(&self, topic: TopicId, partition: PartitionId, producer: ProducerId) -> usize {
        let partition = self.partition(topic, partition);
        let keyed = partition.as_ref().and_then(|partition| partition.keyed.as_ref());
        keyed.map_or(0, |keyed| keyed.pending_count(producer))
    }

    /// The keys of a keyed topic that the open transaction of a producer has written.
    #[must_use]
    pub fn keyed_pending_of(
        &self,
        topic: TopicId,
        partition: PartitionId,
        producer: ProducerId,
    ) -> BTreeSet<Bytes> {
        let partition = self.partition(topic, partition);
        let keyed = partition.as_ref().and_then(|partition| partition.keyed.as_ref());
        keyed.map(|keyed| keyed.pending_of(producer)).unwrap_or_default()
    }

    /// The values of a keyed topic whose keys begin with `prefix`, in the order of keys. They are read as they are asked
    /// for, some hundreds at a time: what is folded meanwhile may be among them, and nothing waits for their end.
    pub fn keyed_values(
        &self,
        topic: TopicId,
        partition: PartitionId,
        prefix: &[u8],
    ) -> impl Iterator<Item = (Bytes, Bytes)> + use<> {
        Pages::new(self.partition(topic, partition), prefix)
    }

    /// Stops the clock of visibility: take it once for all partitions of an answer, and drop it before any await.
    #[must_use]
    pub fn cut(&self) -> Cut<'_> {
        Cut { _held: self.publication.read().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Why the store takes nothing any more, where it does not.
    #[must_use]
    pub fn poisoned(&self) -> Option<&Poisoned> {
        self.poisoned.get()
    }

    /// Figures for metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (journal_bytes, journal_used_bytes) = self.pool.bytes();
        let (written, synced) = {
            let journal = self.journal();
            (journal.writer.written(), journal.writer.durable())
        };
        let topics = self.topics();
        Stats {
            journal_bytes,
            journal_used_bytes,
            journal_bytes_max: self.pool.layout.journal_bytes,
            placed: self.queue.placed(),
            written,
            synced,
            checkpointed: self.checkpointed(),
            topics: topics.len(),
            partitions: topics.iter().map(|topic| topic.partitions.len()).sum(),
        }
    }

    /// How much fits on the disk and how much still does.
    ///
    /// # Errors
    /// What the file system says.
    pub fn space(&self) -> io::Result<Space> {
        self.disk.space()
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_allocation(&self) -> MutexGuard<'_, ()> {
        self.allocation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is accepted any more, in this process (rule 27).
    fn poison(&self, error: &io::Error) -> Poisoned {
        let why = self.poisoned.get_or_init(|| Poisoned { reason: error.to_string() }).clone();
        tracing::error!(%error, "the log directory is poisoned");
        self.queue.poison(&why);
        self.options.observer.poisoned(&why);
        why
    }
}

impl Partition {
    /// What readers may see, as of the cut.
    #[must_use]
    pub fn visible(&self, _cut: &Cut<'_>) -> Visible {
        self.shown()
    }
}
