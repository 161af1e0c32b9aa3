//! Checkpoints: what is folded so far, made durable, so that the journal can be used again.

use std::{
    io,
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering},
};

use super::{Journal, Poisoned, Store, Topic, round::Dirty};
use crate::{
    checkpoint::{Checkpoint, PartitionSnapshot, Reserve, TopicSnapshot},
    ids::Lsn,
    partition::Partition,
};

/// Who writes checkpoints; held while one is written and while the journal's files change.
#[derive(Debug)]
pub(super) struct Checkpoints {
    pub(super) reserve: Reserve,
}

/// What a checkpoint is made from: taken between two rounds.
struct Captured {
    checkpoint: Checkpoint,
    dirty: Dirty,
}

impl Store {
    /// Writes a checkpoint where half the journal is in use, or somebody waits for space in it. Returns whether it did.
    ///
    /// # Errors
    /// Where a sync fails: the store is poisoned then. For want of space it is not: the journal then fills up, and
    /// appends are refused until there is space again.
    pub fn checkpoint_step(&self) -> Result<bool, Poisoned> {
        let (bytes, used) = self.pool.bytes();
        let is_half_full = used * 2 >= bytes.max(self.pool.layout.journal_bytes);
        let is_asked = self.is_checkpoint_asked.swap(false, Ordering::AcqRel);
        let is_new = self.checkpointed() < self.journal().resolved();
        if !is_new || !(is_half_full || is_asked) {
            return Ok(false);
        }
        self.write_checkpoint(false).map(|()| true)
    }

    /// Writes a checkpoint now.
    ///
    /// # Errors
    /// As [`Store::checkpoint_step`].
    pub fn write_checkpoint(&self, is_clean: bool) -> Result<(), Poisoned> {
        let mut checkpoints = self.checkpoints();
        let Captured { checkpoint, dirty } = self.capture(is_clean)?;
        self.sync_segments(&dirty)?;
        match self.finish_checkpoint(&mut checkpoints, &checkpoint) {
            Ok(()) => self.is_stuck.store(false, Ordering::Release),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => self.note_stuck(&error, dirty),
            Err(error) => return Err(self.poison(&error)),
        }
        Ok(())
    }

    fn note_stuck(&self, error: &io::Error, dirty: Dirty) {
        tracing::error!(%error, "no space for a checkpoint; appends are refused once the journal is full");
        self.is_stuck.store(true, Ordering::Release);
        // They are durable already; the next checkpoint finds little to do.
        self.journal().dirty.extend(dirty);
    }

    /// Everything as of one LSN, not above the synced position (rule 14).
    fn capture(&self, is_clean: bool) -> Result<Captured, Poisoned> {
        let mut journal = self.journal();
        self.queue.check()?;
        if journal.writer.durable() < journal.writer.written() {
            self.sync(&mut journal).map_err(|error| self.poison(&error))?;
        }
        if is_clean {
            journal.writer.abandon_all();
        }
        let checkpoint = self.snapshot(&journal, is_clean);
        Ok(Captured { checkpoint, dirty: std::mem::take(&mut journal.dirty) })
    }

    /// What a checkpoint of now would say.
    pub(super) fn snapshot(&self, journal: &Journal, is_clean: bool) -> Checkpoint {
        Checkpoint {
            lsn: journal.resolved(),
            incarnation: self.identity.incarnation,
            journal: journal.writer.first_needed(),
            next_group: self.queue.next_group(),
            is_clean,
            next_producer_id: journal.next_producer_id,
            resources: crate::config::Resources::clone(&self.resources()),
            topics: self.topics().sorted().iter().map(|topic| topic_snapshot(topic)).collect(),
        }
    }

    /// Through the descriptors that the bytes were written with; then the names of new segments and folders (rule 13).
    fn sync_segments(&self, dirty: &Dirty) -> Result<(), Poisoned> {
        let mut folders = self.upkeep.take_new_folders();
        // All of them are on their way before the first is waited for: one commit of the file system then serves many.
        for segment in dirty.values() {
            super::upkeep::tell(segment.start_writeback(1), "write-back did not start");
        }
        let syncs: Vec<_> = dirty.values().map(|segment| (segment, segment.begin_sync())).collect();
        folders.extend(syncs.iter().filter_map(|(_, sync)| sync.folder.clone()));
        let files: Vec<_> = syncs.iter().filter_map(|(_, sync)| sync.file.clone()).collect();
        let folders: Vec<_> = folders.into_iter().collect();
        self.disk.sync_all(&files, &folders).map_err(|error| self.poison(&error))?;
        syncs.into_iter().for_each(|(segment, sync)| segment.finish_sync(sync));
        dirty.values().for_each(|segment| segment.flush_index());
        Ok(())
    }

    pub(super) fn finish_checkpoint(
        &self,
        checkpoints: &mut Checkpoints,
        checkpoint: &Checkpoint,
    ) -> io::Result<()> {
        let bytes = checkpoints.reserve.write(checkpoint)?;
        self.checkpointed.store(checkpoint.lsn.0, Ordering::Release);
        checkpoints.reserve.remove_before(checkpoint.lsn)?;
        self.pool.recycle_below(checkpoint.journal.number)?;
        {
            let journal = self.journal();
            self.queue.written(0, journal.writer.room());
        }
        if let Err(error) = checkpoints.reserve.refill(bytes) {
            tracing::warn!(%error, "no space is reserved for the next checkpoint");
        }
        Ok(())
    }

    pub(super) fn checkpoints(&self) -> MutexGuard<'_, Checkpoints> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The LSN of the last checkpoint.
    pub(super) fn checkpointed(&self) -> Lsn {
        Lsn(self.checkpointed.load(Ordering::Acquire))
    }

    pub(super) fn ask_for_checkpoint(&self) {
        self.is_checkpoint_asked.store(true, Ordering::Release);
        self.wake_upkeep();
    }

    /// Whether the checkpoint that would free the journal found no space.
    pub(super) fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Acquire)
    }
}

fn topic_snapshot(topic: &Topic) -> TopicSnapshot {
    TopicSnapshot {
        id: topic.id,
        name: topic.name.clone(),
        keyed: topic.keyed,
        overrides: topic.overrides.clone(),
        partitions: topic.partitions.iter().map(partition_snapshot).collect(),
    }
}

fn partition_snapshot(partition: &Arc<Partition>) -> PartitionSnapshot {
    let keyed = partition.keyed.as_ref().map(|keyed| keyed.state()).unwrap_or_default();
    let aborted = partition.aborted.lock().clone();
    PartitionSnapshot { state: partition.placing().state().clone(), keyed, aborted }
}
