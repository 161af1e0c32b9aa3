//! Making room: in segments, and in the journal. Blocks, so that appends need not.

use std::{io, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    AppendError, Store,
    append::Targets,
    queue::{Queue, data_cost},
};
use crate::{
    config::TopicConfig,
    group::AppendGroup,
    partition::{Need, Partition},
    segment::{Origin, Segment},
};

/// Attempts until a group has its space although others append beside it.
const ATTEMPTS_MAX: usize = 1000;
/// How long to wait for the journal before looking again whether it is stuck.
const PATIENCE: Duration = Duration::from_millis(100);

impl Store {
    /// Makes room for a group that was refused with [`AppendError::NoRoom`]: allocates in segments, writes the records
    /// of a big group ahead, waits until the journal has space. Blocks. Without batches it waits for the journal alone.
    ///
    /// # Errors
    /// Where the group can never be appended, or not before there is space on the disk.
    pub fn make_room(&self, group: &mut AppendGroup) -> Result<(), AppendError> {
        if self.must_write_ahead(group) {
            self.write_ahead(group)?;
        }
        if !group.is_empty() {
            self.make_segment_room(group)?;
        }
        // The room for the commit frame of what was written ahead is kept.
        if group.ahead.is_some() { Ok(()) } else { self.wait_for_journal(Queue::has_room, Self::cost(group)) }
    }

    fn make_segment_room(&self, group: &AppendGroup) -> Result<(), AppendError> {
        let _one_at_a_time = self.lock_allocation();
        for _ in 0..ATTEMPTS_MAX {
            let targets = self.targets(group)?;
            let Some((at, need)) = self.next_missing(group, &targets)? else { return Ok(()) };
            let (topic, partition) = targets.partition(at);
            self.allocate(partition, &need, &topic.config).map_err(|error| AppendError::of_io(&error))?;
        }
        Err(AppendError::NoRoom)
    }

    fn next_missing(
        &self,
        group: &AppendGroup,
        targets: &Targets,
    ) -> Result<Option<(usize, Need)>, AppendError> {
        let guards = targets.lock();
        let plan = targets.plan(group, &guards, self.clock.now())?;
        Ok(targets.missing(&plan, &guards).first().copied())
    }

    /// Makes the space that a batch needs. The allocation lock is held: nobody else makes or removes segments.
    pub(super) fn allocate(
        &self,
        partition: &Partition,
        need: &Need,
        config: &TopicConfig,
    ) -> io::Result<()> {
        if need.is_new {
            self.remove_stale(partition)?;
        }
        let prepared = partition.prepared(need.base);
        let segment = match prepared.or_else(|| partition.segment(need.base).filter(|_| !need.is_new)) {
            Some(segment) => segment,
            None => self.prepare(partition, need, config)?,
        };
        segment.reserve(need.end, config.segment_bytes)
    }

    fn prepare(&self, partition: &Partition, need: &Need, config: &TopicConfig) -> io::Result<Arc<Segment>> {
        let folder = partition.folder();
        if !partition.has_folder() {
            self.disk.create_dir_all(&folder)?;
            self.upkeep.note_new_folder(&folder);
        }
        let folder: Arc<Path> = folder.into();
        let segment =
            Segment::open(&self.files, &folder, need.base, config.index_interval_bytes, Origin::New)?;
        let segment = Arc::new(segment);
        let at_once = if config.preallocate { config.segment_bytes.max(need.end) } else { need.end };
        segment.reserve(at_once, config.segment_bytes)?;
        partition.placing().prepared.push(Arc::clone(&segment));
        Ok(segment)
    }

    /// Segments that were prepared for an end which then moved on.
    fn remove_stale(&self, partition: &Partition) -> io::Result<()> {
        partition.take_stale().iter().try_for_each(|segment| segment.remove())
    }

    fn write_ahead(&self, group: &mut AppendGroup) -> Result<(), AppendError> {
        self.check_size_of(group)?;
        let pieces = pieces(group, self.pool.layout.payload_bytes_max as usize);
        let cost = pieces.iter().map(data_cost).sum();
        let commit_cost = Self::commit_cost(group);
        let ahead = loop {
            match self.queue.write_ahead(pieces.clone(), cost, commit_cost) {
                Err(AppendError::NoRoom) => {
                    self.wait_for_journal(Queue::has_room_ahead, cost + commit_cost)?;
                }
                result => break result?,
            }
        };
        while !self.queue.is_ahead(&ahead)? {
            self.let_journal_work()?;
        }
        group.ahead = Some(Arc::new(ahead));
        Ok(())
    }

    fn check_size_of(&self, group: &AppendGroup) -> Result<(), AppendError> {
        let (bytes, bytes_max) = (group.bytes(), self.group_bytes_max());
        if bytes > bytes_max { Err(AppendError::TooLarge { bytes, bytes_max }) } else { Ok(()) }
    }

    /// Waits until the journal takes so many bytes.
    fn wait_for_journal(&self, has_room: fn(&Queue, u64) -> bool, bytes: u64) -> Result<(), AppendError> {
        while !has_room(&self.queue, bytes) {
            self.queue.check()?;
            if self.is_stuck() {
                return Err(AppendError::DiskFull);
            }
            self.ask_for_checkpoint();
            self.let_journal_work()?;
        }
        Ok(())
    }

    /// Waits for the journal's thread, or does its work where there is none.
    pub(super) fn let_journal_work(&self) -> Result<(), AppendError> {
        if self.has_threads() {
            self.queue.wait_for_change(PATIENCE);
            return self.queue.check().map_err(Into::into);
        }
        self.round()?;
        self.upkeep_step()?;
        Ok(())
    }
}

/// The records of all batches as one stream, cut into what fits into a frame.
fn pieces(group: &AppendGroup, bytes_max: usize) -> Vec<Bytes> {
    let records = group.batches.iter().map(|batch| batch.records.clone());
    let cut = |mut records: Bytes| {
        let mut pieces = Vec::new();
        while !records.is_empty() {
            pieces.push(records.split_to(records.len().min(bytes_max)));
        }
        pieces
    };
    records.flat_map(cut).collect()
}
