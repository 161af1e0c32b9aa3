//! What is done beside the journal, on one thread: space ahead of need, seals, removals, checkpoints, retention.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mainstem_protocol::{Offset, TopicId};

use super::{Poisoned, Store, Topic};
use crate::{
    partition::{Need, Partition, topic_folder},
    segment::Segment,
};

/// What waits to be done.
#[derive(Debug, Default)]
pub(crate) struct Upkeep(Mutex<Lists>);

#[derive(Debug, Default)]
struct Lists {
    space: Vec<(Arc<Partition>, Offset)>,
    seal: Vec<Arc<Segment>>,
    remove: Vec<Arc<Segment>>,
    remove_topics: Vec<Arc<Topic>>,
    /// Folders whose entries are not durable yet.
    new_folders: BTreeSet<PathBuf>,
}

impl Upkeep {
    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ask_for_space(&self, partition: &Arc<Partition>, base: Offset) {
        self.lists().space.push((Arc::clone(partition), base));
    }

    pub(super) fn seal_later(&self, partition: &Partition, base: Offset) {
        self.lists().seal.extend(partition.segment(base));
    }

    pub(super) fn remove_later(&self, segments: Vec<Arc<Segment>>) {
        self.lists().remove.extend(segments);
    }

    pub(super) fn remove_topic_later(&self, topic: &Arc<Topic>) {
        self.lists().remove_topics.push(Arc::clone(topic));
    }

    /// A folder was created, perhaps with those above it.
    pub(super) fn note_new_folder(&self, folder: &Path) {
        self.lists().new_folders.extend(folder.ancestors().skip(1).map(Path::to_owned));
    }

    pub(super) fn note_folders(&self, folders: BTreeSet<PathBuf>) {
        self.lists().new_folders.extend(folders);
    }

    pub(super) fn take_new_folders(&self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.lists().new_folders)
    }
}

impl Store {
    /// Everything that waits beside the journal; returns whether there was anything.
    ///
    /// # Errors
    /// Where the store is poisoned.
    pub fn upkeep_step(&self) -> Result<bool, Poisoned> {
        let allocated = self.allocate_step();
        let cleaned = self.cleanup_step();
        let grown = self.grow_step();
        // A journal that still grows has room soon; it need not be freed.
        let checkpointed = !grown && self.checkpoint_step()?;
        Ok(allocated || cleaned || grown || checkpointed)
    }

    /// Allocates ahead where appends came near the end of what they have. A full disk is told when it is in the way.
    pub fn allocate_step(&self) -> bool {
        let asked = std::mem::take(&mut self.upkeep.lists().space);
        let _one_at_a_time = self.lock_allocation();
        for (partition, base) in &asked {
            partition.placing().is_space_asked = false;
            if let Err(error) = self.allocate_ahead(partition, *base) {
                tracing::warn!(partition = %partition.folder().display(), %error, "no space was allocated ahead");
            }
        }
        !asked.is_empty()
    }

    /// Bytes between two entries of the indexes of a topic's segments.
    pub(super) fn index_interval(&self, topic: TopicId) -> u64 {
        let topics = self.topics();
        let config = topics.get(topic).map_or(&self.options.topic_defaults, |topic| &*topic.config);
        config.index_interval_bytes
    }

    fn allocate_ahead(&self, partition: &Partition, base: Offset) -> io::Result<()> {
        let topics = self.topics();
        let config = topics.get(partition.topic()).map(|topic| Arc::clone(&topic.config));
        let (Some(config), Some(segment)) = (config, partition.segment(base)) else { return Ok(()) };
        segment.reserve(segment.allocated() + 1, config.segment_bytes)
    }

    /// Seals what was left, and removes what the journal says is gone: durably, since those entries are synced before
    /// they are folded (rule 12). What somebody still reads is removed later.
    pub fn cleanup_step(&self) -> bool {
        self.clean_up(|segment| Arc::strong_count(segment) > 1)
    }

    /// As [`Store::cleanup_step`], and waits for no reader: whoever has a file open goes on.
    pub(super) fn clean_up_all(&self) {
        self.clean_up(|_| false);
    }

    fn clean_up(&self, is_read: impl Fn(&Arc<Segment>) -> bool) -> bool {
        let (seal, remove, topics) = {
            let mut lists = self.upkeep.lists();
            let Lists { seal, remove, remove_topics, .. } = &mut *lists;
            (std::mem::take(seal), std::mem::take(remove), std::mem::take(remove_topics))
        };
        let is_any_sealed = !seal.is_empty();
        seal.into_iter().for_each(|segment| tell(segment.seal(), "a segment was not sealed"));
        let (read, remove): (Vec<_>, Vec<_>) = remove.into_iter().partition(is_read);
        self.upkeep.remove_later(read);
        remove.iter().for_each(|segment| tell(segment.remove(), "a segment was not removed"));
        let (busy, topics): (Vec<_>, Vec<_>) =
            topics.into_iter().partition(|topic| self.cleaner.is_busy_with(topic.id));
        busy.iter().for_each(|topic| self.upkeep.remove_topic_later(topic));
        topics.iter().for_each(|topic| tell(self.remove_topic(topic), "a topic was not removed"));
        is_any_sealed || !(remove.is_empty() && topics.is_empty())
    }

    fn remove_topic(&self, topic: &Topic) -> io::Result<()> {
        let _one_at_a_time = self.lock_allocation();
        for partition in &topic.partitions {
            let prepared = std::mem::take(&mut partition.placing().prepared);
            let segments = partition.segments();
            segments.iter().chain(&prepared).try_for_each(|segment| segment.remove())?;
            remove_folder(self, &partition.folder())?;
        }
        remove_folder(self, &topic_folder(topic.id))
    }

    /// Adds a file to a journal that has not its size yet.
    pub fn grow_step(&self) -> bool {
        let _one_at_a_time = self.checkpoints();
        match self.pool.grow() {
            Ok(grown) => {
                if grown {
                    let journal = self.journal();
                    self.queue.written(0, journal.writer.room());
                }
                grown
            }
            Err(error) => {
                tracing::warn!(%error, "the journal did not grow");
                false
            }
        }
    }

    /// Starts to write what segments hold, so that a checkpoint only finishes it (rule 15). Looks at those alone that were
    /// written to since the last call.
    pub fn writeback_step(&self) {
        let written = std::mem::take(&mut self.journal().written);
        for segment in written.values() {
            tell(segment.start_writeback(WRITEBACK_BYTES), "write-back did not start");
        }
    }
}

/// Bytes of a segment that make it worth starting.
const WRITEBACK_BYTES: u64 = 1024 * 1024;

fn remove_folder(store: &Store, folder: &Path) -> io::Result<()> {
    match store.disk.remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Costs space until the next start finishes it, nothing else.
pub(super) fn tell(result: io::Result<()>, what: &str) {
    if let Err(error) = result {
        tracing::warn!(%error, what, "upkeep failed");
    }
}

impl Partition {
    /// The segment that the next committed batch goes to, unless it starts one.
    pub(crate) fn committed_base(&self) -> Offset {
        let placing = self.placing();
        placing.state().segments.last().map_or(Offset::NONE, |segment| segment.base)
    }

    pub(crate) fn prepared(&self, base: Offset) -> Option<Arc<Segment>> {
        self.placing().prepared.iter().find(|segment| segment.base_offset() == base).cloned()
    }

    /// Segments that were prepared for an end that the log then did not have.
    pub(crate) fn take_stale(&self) -> Vec<Arc<Segment>> {
        let mut placing = self.placing();
        let end = placing.end();
        let (kept, stale) = std::mem::take(&mut placing.prepared)
            .into_iter()
            .partition(|segment| segment.base_offset() >= end);
        placing.prepared = kept;
        stale
    }

    /// Whether its folder was created in this process, or held segments at the start.
    pub(crate) fn has_folder(&self) -> bool {
        !self.segments().is_empty() || !self.placing().prepared.is_empty()
    }

    /// Whether less than half a step of space is left behind what a batch takes.
    pub(crate) fn is_space_short(&self, need: &Need, segment_bytes: u64) -> bool {
        let (least, most) = crate::caps::ALLOCATION_STEP_BYTES;
        let Some(segment) = self.segment(need.base) else { return false };
        let allocated = segment.allocated();
        let step = allocated.clamp(least, most);
        allocated < segment_bytes && allocated.saturating_sub(need.end) < step / 2
    }
}
