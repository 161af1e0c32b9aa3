//! Compacted topics are cleaned, the dirtiest partition first (Kafka: `LogCleaner`, `LogCleanerManager`). On a thread of
//! its own, or step by step; no lock is held while anything is read or written.
//!
//! A pass writes other segments, which are durable before an entry of the journal puts them in the place of their
//! sources (durability rule 12). Those go when nobody reads them any more. Whatever ends a pass early, the log is whole:
//! each swap stands for itself, and what was not swapped is removed, at the latest by the next start.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use mainstem_protocol::{Offset, PartitionId, ProducerId, Timestamp, TopicId};

use super::{
    AppendError, CleanerOptions, Poisoned, Store, Topic,
    rests::{REST, Rested},
};
use crate::{
    compaction::{CleanError, Dirt, Job, LastWritten, Pace, Pass, Rewritten, Tally, dirt, discard},
    journal::{Cleaned, Entry},
    partition::{Partition, Placing},
    segment::ReadError,
    state::Kept,
    ticket::Ticket,
};

/// How long a wait for the journal lasts before the store is looked at again.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long the cleaner's thread waits without looking whether anybody still has the store.
const HELD_MAX: Duration = Duration::from_millis(500);

/// Who cleans.
#[derive(Debug)]
pub(super) struct Cleaner {
    options: ArcSwap<CleanerOptions>,
    known: Mutex<Known>,
    is_stopping: AtomicBool,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Known {
    /// The partition that is being cleaned.
    busy: Option<Key>,
    /// Those where that failed: not again before the next start.
    uncleanable: BTreeSet<Key>,
    stats: CleanerStats,
    /// When to look again, by the monotonic clock.
    due: Duration,
}

type Key = (TopicId, PartitionId);

/// What cleaning did since the start, for metrics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CleanerStats {
    /// Passes that came to their end.
    pub passes: u64,
    /// Bytes that passes read, for the keys and for what stays.
    pub bytes_read: u64,
    /// Bytes that passes wrote.
    pub bytes_written: u64,
    /// Bytes that the log has less.
    pub bytes_freed: u64,
    /// When the last pass ended.
    pub last_run: Option<Timestamp>,
    /// How long it took.
    pub last_took: Duration,
    /// Keys that the last pass found in the dirty part.
    pub last_keys: usize,
    /// The dirty share of the dirtiest partition, when the cleaner last looked: from 0 to 1.
    pub dirtiest_ratio: f64,
    /// Partitions that are left alone since cleaning them failed.
    pub uncleanable_partitions: usize,
    /// Bytes of their logs.
    pub uncleanable_bytes: u64,
}

/// One pass over a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleaning {
    /// The topic.
    pub topic: TopicId,
    /// Its partition.
    pub partition: PartitionId,
    /// Up to where its log is clean now.
    pub clean_to: Offset,
    /// Bytes of the segments that were gone through.
    pub bytes_before: u64,
    /// Bytes of what is left of them.
    pub bytes_after: u64,
}

/// What is to be cleaned.
struct Chosen {
    topic: Arc<Topic>,
    partition: Arc<Partition>,
    dirt: Dirt,
}

impl Cleaner {
    pub(super) fn new(options: CleanerOptions) -> Self {
        Self {
            options: ArcSwap::from_pointee(options),
            known: Mutex::default(),
            is_stopping: AtomicBool::new(false),
            wake: Condvar::new(),
        }
    }

    /// Whether a partition of the topic is being cleaned: its folder cannot go yet.
    pub(super) fn is_busy_with(&self, topic: TopicId) -> bool {
        self.known().busy.is_some_and(|(busy, _)| busy == topic)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    fn set_options(&self, options: CleanerOptions) {
        let mut known = self.known();
        let before = self.options.swap(Arc::new(options));
        if *before != options {
            known.due = Duration::ZERO;
        }
    }

    /// Nothing was to be done with these options: looks again after their time, or at once where there are others by now.
    fn put_off(&self, looked_with: &Arc<CleanerOptions>, now: Duration) {
        let mut known = self.known();
        if Arc::ptr_eq(looked_with, &self.options.load()) {
            known.due = now.saturating_add(looked_with.backoff);
        }
    }

    /// Waits so long, or until it is told to stop.
    fn wait(&self, time: Duration) {
        let waits = |_: &mut Known| !self.is_stopping();
        drop(self.wake.wait_timeout_while(self.known(), time, waits));
    }

    pub(super) fn stop(&self) {
        let known = self.known();
        self.is_stopping.store(true, Ordering::Release);
        drop(known);
        self.wake.notify_all();
    }

    fn note(&self, tally: &Tally, now: Timestamp, took: Duration) {
        let stats = &mut self.known().stats;
        stats.passes += 1;
        stats.bytes_read += tally.bytes_read;
        stats.bytes_written += tally.bytes_written;
        stats.bytes_freed += tally.bytes_before.saturating_sub(tally.bytes_after);
        (stats.last_run, stats.last_took, stats.last_keys) = (Some(now), took, tally.keys);
    }
}

impl Store {
    /// Cleans the dirtiest partition of all that are dirty enough, or dirty for long enough, in one pass. Blocks. `None`
    /// where there is none, and where cleaning failed: the partition is then left alone, others are not.
    ///
    /// # Errors
    /// Where the store is poisoned.
    pub fn clean_step(&self) -> Result<Option<Cleaning>, Poisoned> {
        if !self.cleaner.options.load().is_enabled {
            return Ok(None);
        }
        let Some(chosen) = self.dirtiest() else { return Ok(None) };
        let key = (chosen.partition.topic(), chosen.partition.id());
        self.cleaner.known().busy = Some(key);
        let cleaned = self.clean(&chosen);
        self.cleaner.known().busy = None;
        match cleaned {
            Ok(cleaning) => Ok(Some(cleaning)),
            Err(error) => self.heed(&chosen, key, &error).map(|()| None),
        }
    }

    /// How compacted topics are cleaned from now on: the rate at once, the memory from the next pass on, and where nothing
    /// was to be done is looked again.
    pub fn set_cleaner_options(&self, options: CleanerOptions) {
        self.cleaner.set_options(options);
    }

    /// How compacted topics are cleaned.
    #[must_use]
    pub fn cleaner_options(&self) -> CleanerOptions {
        **self.cleaner.options.load()
    }

    /// Figures for metrics.
    #[must_use]
    pub fn cleaner_stats(&self) -> CleanerStats {
        let known = self.cleaner.known();
        let uncleanable = known.uncleanable.clone();
        let stats = known.stats.clone();
        drop(known);
        let present = uncleanable.iter().filter_map(|(topic, partition)| self.partition(*topic, *partition));
        let bytes: Vec<_> = present.map(|partition| partition.bytes()).collect();
        CleanerStats { uncleanable_partitions: bytes.len(), uncleanable_bytes: bytes.iter().sum(), ..stats }
    }

    pub(super) fn cleaner_loop(&self) -> bool {
        if self.cleaner.is_stopping() || self.poisoned().is_some() {
            return false;
        }
        let (now, due) = (self.clock.monotonic(), self.cleaner.known().due);
        let options = self.cleaner.options.load_full();
        if now < due {
            // A store that everybody forgot is not held for long.
            self.cleaner.wait((due - now).min(HELD_MAX));
        } else if matches!(self.clean_step(), Ok(None)) {
            self.cleaner.put_off(&options, self.clock.monotonic());
        }
        true
    }

    fn dirtiest(&self) -> Option<Chosen> {
        let now = self.clock.now();
        let uncleanable = self.cleaner.known().uncleanable.clone();
        let (mut dirtiest, mut ratio) = (None::<Chosen>, 0.0_f64);
        // In an order of their own, so that a simulation is the same each time.
        for topic in self.topics().sorted().into_iter().filter(|topic| topic.config.cleanup_policy.compact) {
            for partition in &topic.partitions {
                if uncleanable.contains(&(partition.topic(), partition.id())) {
                    continue;
                }
                let dirt = dirt_of(&partition.placing(), &topic, now);
                ratio = ratio.max(dirt.ratio());
                let is_dirtier = dirtiest.as_ref().is_none_or(|other| dirt.ratio() > other.dirt.ratio());
                if dirt.is_due(&topic.config) && is_dirtier {
                    let (topic, partition) = (Arc::clone(&topic), Arc::clone(partition));
                    dirtiest = Some(Chosen { topic, partition, dirt });
                }
            }
        }
        self.cleaner.known().stats.dirtiest_ratio = ratio;
        dirtiest
    }

    fn clean(&self, chosen: &Chosen) -> Result<Cleaning, CleanError> {
        let begun = self.clock.monotonic();
        let options = self.cleaner.options.load();
        let pace = RefCell::new(Pace::new(options.bytes_per_second_max, begun));
        let rested = Cell::new(Rested::at(begun));
        let spend = |bytes| {
            self.rest(&rested);
            if bytes == 0 { Ok(()) } else { self.spend(&chosen.partition, &pace, bytes) }
        };
        let mut pass = Pass::begin(self.job(chosen, &options, &spend))?;
        while let Some(rewritten) = pass.next()? {
            self.swap(&chosen.partition, rewritten)?;
        }
        self.say_clean(&chosen.partition, pass.clean_to)?;
        let Tally { bytes_before, bytes_after, .. } = pass.tally;
        self.cleaner.note(&pass.tally, self.clock.now(), self.clock.monotonic().saturating_sub(begun));
        let (topic, partition) = (chosen.partition.topic(), chosen.partition.id());
        tracing::info!(topic = chosen.topic.name, %partition, clean_to = %pass.clean_to, keys = pass.tally.keys,
            bytes_before, bytes_after, "compacted");
        Ok(Cleaning { topic, partition, clean_to: pass.clean_to, bytes_before, bytes_after })
    }

    fn job<'a>(
        &'a self,
        chosen: &'a Chosen,
        options: &CleanerOptions,
        spend: &'a dyn Fn(u64) -> Result<(), CleanError>,
    ) -> Job<'a> {
        let Chosen { topic, partition, dirt } = chosen;
        let placing = partition.placing();
        let states = placing.state().segments.iter().filter(|segment| segment.base < dirt.end);
        let segments = states.filter_map(|state| {
            let segment = partition.segment(state.base)?;
            (segment.id() == state.id()).then_some((*state, segment))
        });
        Job {
            files: &self.files,
            folder: partition.folder().into(),
            segments: segments.collect(),
            config: &topic.config,
            dirt: *dirt,
            now: self.clock.now(),
            aborted: &partition.aborted,
            producers: last_written(&placing),
            map_bytes: options.dedupe_buffer_bytes,
            entry_bytes: self.pool.layout.payload_bytes_max as usize / 16,
            spend,
        }
    }

    /// Lets those who append go first, now and then.
    fn rest(&self, rested: &Cell<Rested>) {
        if self.has_threads() && rested.get().is_tired(self.clock.monotonic(), &self.last_write) {
            self.cleaner.wait(REST);
            rested.set(Rested::at(self.clock.monotonic()));
        }
    }

    /// Looks whether to go on, and waits where it went too fast.
    fn spend(&self, partition: &Partition, pace: &RefCell<Pace>, bytes: u64) -> Result<(), CleanError> {
        let mut pace = pace.borrow_mut();
        pace.spend(bytes);
        loop {
            let rate = self.cleaner.options.load().bytes_per_second_max;
            let wait = pace.wait(rate, self.clock.monotonic());
            if self.has_threads() && !wait.is_zero() {
                // The rate may be another one before that is over.
                self.cleaner.wait(wait.min(HELD_MAX));
            }
            let is_gone = || self.topics.load().get(partition.topic()).is_none();
            if self.cleaner.is_stopping() || self.poisoned().is_some() || is_gone() {
                return Err(CleanError::Stopped);
            }
            if wait <= HELD_MAX || !self.has_threads() {
                return Ok(());
            }
        }
    }

    /// Puts what is left in the place of its sources, durably.
    fn swap(&self, partition: &Arc<Partition>, rewritten: Rewritten) -> Result<(), CleanError> {
        let Rewritten { sources, upto, segment, aborted } = rewritten;
        if sources.is_empty() {
            return Ok(());
        }
        let (state, written) = segment.unzip();
        if written.is_some() {
            self.sync_folders_above(partition)?;
        }
        let (topic, id) = (partition.topic(), partition.id());
        let clean_to = Offset::ZERO;
        let bounds = sources.first().map_or(upto, |first| first.base)..upto;
        let aborted = partition.aborted.lock().kept(bounds, &aborted);
        let cleaned = Cleaned { topic, partition: id, sources, segment: state, upto, aborted, clean_to };
        match self.place_cleaned(partition, cleaned) {
            // Once it has a place, a journal that says that it failed may name it nevertheless, and then the next start
            // needs it: only that start knows, and removes what nobody names.
            Ok(ticket) => self.settle(ticket)?,
            Err(error) => {
                written.iter().for_each(discard);
                return Err(error);
            }
        };
        // A log start may have moved past some of the sources: then nothing took their place.
        let Some(written) = written else { return Ok(()) };
        if !partition.segments().iter().any(|segment| segment.id() == written.id()) {
            discard(&written);
            return Err(CleanError::Stopped);
        }
        Ok(())
    }

    /// Before the first checkpoint behind a topic's creation a power cut may take its folders. The journal makes them
    /// anew with all that it has written there, but it does not have what a cleaning wrote.
    fn sync_folders_above(&self, partition: &Partition) -> Result<(), CleanError> {
        let folders: Vec<_> = partition.folder().ancestors().skip(1).map(Path::to_owned).collect();
        self.disk.sync_all(&[], &folders).map_err(CleanError::Sync)
    }

    fn say_clean(&self, partition: &Arc<Partition>, clean_to: Offset) -> Result<(), CleanError> {
        let cleaned = Cleaned {
            topic: partition.topic(),
            partition: partition.id(),
            sources: Vec::new(),
            segment: None,
            upto: Offset::ZERO,
            aborted: Kept::default(),
            clean_to,
        };
        self.place_cleaned(partition, cleaned).and_then(|ticket| self.settle(ticket))
    }

    fn place_cleaned(&self, partition: &Arc<Partition>, cleaned: Cleaned) -> Result<Ticket, CleanError> {
        let entries = vec![Entry::SegmentsCleaned(cleaned)];
        loop {
            let placed = {
                let placing = partition.placing();
                // Behind a deletion in the journal nobody may name the topic.
                if placing.is_deleted {
                    return Err(CleanError::Stopped);
                }
                self.place_own(entries.clone(), vec![Arc::clone(partition)])
            };
            match placed {
                Ok(ticket) => return Ok(ticket),
                Err(AppendError::NoRoom) if !self.is_stuck() => {
                    self.ask_for_checkpoint();
                    self.let_journal_work().map_err(|_| CleanError::Stopped)?;
                }
                Err(AppendError::NoRoom | AppendError::DiskFull) => {
                    return Err(CleanError::Write(io::ErrorKind::StorageFull.into()));
                }
                Err(_) => return Err(CleanError::Stopped),
            }
        }
    }

    /// Waits until it is known whether a swap is durable.
    fn settle(&self, mut ticket: Ticket) -> Result<(), CleanError> {
        loop {
            match ticket.poll_now() {
                Some(Ok(_)) => return Ok(()),
                Some(Err(_)) => return Err(CleanError::Stopped),
                None if self.has_threads() => self.queue.wait_for_change(PATIENCE),
                None => drop(self.round().map_err(|_| CleanError::Stopped)?),
            }
        }
    }

    /// What an error means: one that another attempt would not spare leaves the partition alone from now on.
    fn heed(&self, chosen: &Chosen, key: Key, error: &CleanError) -> Result<(), Poisoned> {
        let (topic, partition) = (&chosen.topic.name, key.1);
        match error {
            CleanError::Stopped => {}
            CleanError::Sync(error) => return Err(self.poison(error)),
            CleanError::Write(error) => {
                tracing::warn!(topic, %partition, %error, "compaction is tried again later");
            }
            CleanError::Read(ReadError::Damaged(_) | ReadError::Io(_) | ReadError::Cold)
            | CleanError::Batch { .. }
            | CleanError::TooManyAborted { .. } => {
                tracing::error!(topic, %partition, %error, "the partition is not compacted any more");
                self.cleaner.known().uncleanable.insert(key);
            }
        }
        Ok(())
    }
}

fn dirt_of(placing: &Placing, topic: &Topic, now: Timestamp) -> Dirt {
    let state = placing.state();
    dirt(state, state.last_stable(), &topic.config, now)
}

/// What the producers of a partition wrote last.
fn last_written(placing: &Placing) -> BTreeMap<ProducerId, LastWritten> {
    let producers = placing.state().producers.iter();
    let last = producers.map(|(id, producer)| {
        let offset = producer.batches.last().map(|batch| batch.last_offset);
        (*id, LastWritten { offset, epoch: producer.epoch })
    });
    last.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_change_while_the_cleaner_looks_are_not_waited_for() {
        let day = Duration::from_hours(24);
        let cleaner = Cleaner::new(CleanerOptions { backoff: day, ..CleanerOptions::default() });
        let looked_with = cleaner.options.load_full();
        cleaner.set_options(CleanerOptions { backoff: Duration::from_secs(1), ..*looked_with });
        cleaner.put_off(&looked_with, day);
        assert_eq!(cleaner.known().due, Duration::ZERO);
        cleaner.put_off(&cleaner.options.load_full(), day);
        assert_eq!(cleaner.known().due, day + Duration::from_secs(1));
    }
}
