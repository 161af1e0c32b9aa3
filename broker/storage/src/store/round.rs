//! A round of the journal: take what waits, write it once, sync once, and only then touch the segments.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    sync::Arc,
    time::Duration,
};

use mainstem_protocol::{Offset, PartitionId, ProducerId, TopicId};

use super::{Pending, Poisoned, Store, queue::Taken};
use crate::{
    ids::Lsn,
    journal::{Entry, Frame, Writer, frame::FrameKind},
    partition::Partition,
    segment::Segment,
    ticket::{NotCommitted, Resolver},
};

/// How long nothing comes before the journal counts as idle and says what was synced last: the next group says it too.
const WITNESS_DELAY: Duration = Duration::from_millis(20);
const IDLE_TIME: Duration = Duration::from_secs(1);

/// What the journal's thread owns.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(super) writer: Writer,
    /// Segments with bytes newer than the last checkpoint.
    pub(super) dirty: Dirty,
    /// Those of them that were written to since write-back was looked after; where there are threads to do that.
    pub(super) written: Dirty,
    pub(super) unsynced: Unsynced,
    pub(super) next_producer_id: ProducerId,
}

/// By topic, partition and base offset.
pub(crate) type Dirty = BTreeMap<(TopicId, PartitionId, Offset), Arc<Segment>>;

/// What `os` topics have in the journal that no sync has vouched for.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    records: HashMap<TopicId, u64>,
    /// By the monotonic clock.
    due: Option<Duration>,
    is_due: bool,
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Groups that are committed now.
    pub groups: u64,
    /// Whether the journal was synced.
    pub synced: bool,
    /// Whether anything was written.
    pub wrote: bool,
}

impl Store {
    /// One round: everything that waits is written with one write per file, synced where any of it asks for that, put
    /// into the segments, and shown. An idle round does what is due: a sync for `os` topics, or the frame that bears
    /// witness of the last sync.
    ///
    /// # Errors
    /// After a failed write or sync: the store is poisoned then.
    pub fn round(&self) -> Result<Round, Poisoned> {
        let mut journal = self.journal();
        self.queue.check()?;
        let taken = self.queue.take();
        let resolvers: Vec<Resolver> = taken.groups.iter().map(|group| group.resolver.clone()).collect();
        self.run(&mut journal, taken).map_err(|error| {
            let why = self.poison(&error);
            resolvers.iter().for_each(|resolver| resolver.resolve(Err(NotCommitted::Failed)));
            why
        })
    }

    fn run(&self, journal: &mut Journal, taken: Taken) -> io::Result<Round> {
        taken.abandoned.iter().for_each(|group| journal.writer.abandon(*group));
        if taken.is_empty() {
            return self.run_idle(journal);
        }
        let cost = taken.cost();
        let Taken { mut groups, ahead, .. } = taken;
        self.heed_changes(&mut groups);
        self.write(journal, &mut groups, ahead, cost)?;
        let count = groups.len() as u64;
        let (early, late) = split_by_need(groups);
        self.note_unsynced(journal, &early);
        self.commit(journal, &early)?;
        let synced = !late.is_empty() || journal.unsynced.is_due(self.clock.monotonic());
        if synced {
            self.sync(journal)?;
        }
        self.commit(journal, &late)?;
        Ok(Round { groups: count, synced, wrote: true })
    }

    /// A group's durability is fixed with its place, so a change of settings before it counts, although the group's topics
    /// may have been looked at before that (rule 3). Otherwise a record could be acknowledged and lost behind a change
    /// that was answered.
    fn heed_changes(&self, groups: &mut [Pending]) {
        let topics = self.topics();
        let mut changed: HashMap<TopicId, bool> = HashMap::new();
        for group in groups {
            let is_synced = |partition: &Arc<Partition>| {
                let now = || topics.get(partition.topic()).is_some_and(|topic| topic.config.is_synced());
                changed.get(&partition.topic()).copied().unwrap_or_else(now)
            };
            group.is_synced |= group.partitions.iter().any(is_synced);
            for entry in &group.entries {
                if let Entry::ConfigChanged { topic, overrides } = entry {
                    changed.insert(*topic, self.effective_config(overrides).is_synced());
                }
            }
        }
    }

    fn write(
        &self,
        journal: &mut Journal,
        groups: &mut [Pending],
        ahead: Vec<Frame>,
        cost: u64,
    ) -> io::Result<()> {
        // The frame shares its payload with the entries; it is not needed behind the write.
        let mut frames: Vec<_> = groups.iter_mut().map(|group| group.take_frame()).collect();
        frames.extend(ahead);
        self.last_write.note(self.clock.monotonic());
        let bytes = journal.writer.write(&frames)?;
        self.queue.written(cost, journal.writer.room());
        let records =
            groups.iter().flat_map(Pending::batches).map(|batch| batch.header.record_count.max(0) as u64);
        self.options.observer.wrote(groups.len() as u64, records.sum(), bytes);
        Ok(())
    }

    pub(super) fn sync(&self, journal: &mut Journal) -> io::Result<()> {
        let started = self.clock.monotonic();
        journal.writer.sync()?;
        journal.unsynced = Unsynced::default();
        self.options.observer.synced(self.clock.monotonic().saturating_sub(started));
        Ok(())
    }

    fn run_idle(&self, journal: &mut Journal) -> io::Result<Round> {
        if journal.unsynced.is_due(self.clock.monotonic()) {
            self.sync(journal)?;
            return Ok(Round { synced: true, ..Round::default() });
        }
        if !journal.writer.lacks_witness() {
            return Ok(Round::default());
        }
        let Some(lsn) = self.queue.take_idle_lsn() else { return Ok(Round::default()) };
        let idle = Frame { kind: FrameKind::Idle, lsn, group: 0, payload: Vec::new() };
        journal.writer.write(&[idle])?;
        self.queue.written(0, journal.writer.room());
        Ok(Round { wrote: true, ..Round::default() })
    }

    fn note_unsynced(&self, journal: &mut Journal, groups: &[Pending]) {
        let topics = self.topics();
        for batch in groups.iter().flat_map(Pending::batches) {
            let Some(topic) = topics.get(batch.topic) else { continue };
            journal.unsynced.note(batch, &topic.config, self.clock.monotonic());
        }
    }

    /// How long an idle journal may sleep.
    pub(super) fn idle_time(&self) -> Duration {
        let journal = self.journal();
        let most = if journal.writer.lacks_witness() { WITNESS_DELAY } else { IDLE_TIME };
        let due = journal.unsynced.due.map(|due| due.saturating_sub(self.clock.monotonic()));
        due.unwrap_or(most).min(most)
    }
}

impl Unsynced {
    fn note(
        &mut self,
        batch: &crate::journal::PlacedBatch,
        config: &crate::config::TopicConfig,
        now: Duration,
    ) {
        let records = self.records.entry(batch.topic).or_default();
        *records += batch.header.record_count.max(0) as u64;
        self.is_due |= *records >= config.flush_messages;
        let due = now.saturating_add(Duration::from_millis(config.flush_ms));
        self.due = Some(self.due.map_or(due, |other| other.min(due)));
    }

    fn is_due(&self, now: Duration) -> bool {
        self.is_due || self.due.is_some_and(|due| due <= now)
    }
}

/// Groups that may be shown before the sync, and those that may not: an `os` group behind an `fsync` group of the same
/// partition waits with it, and so does what lies behind that (rule 5).
pub(super) fn split_by_need(groups: Vec<Pending>) -> (Vec<Pending>, Vec<Pending>) {
    let mut held: HashSet<*const Partition> = HashSet::new();
    groups.into_iter().partition(|group| {
        let touches = |partition: &Arc<Partition>| held.contains(&Arc::as_ptr(partition));
        let is_late = group.is_synced || (!held.is_empty() && group.partitions.iter().any(touches));
        if is_late {
            held.extend(group.partitions.iter().map(Arc::as_ptr));
        }
        !is_late
    })
}

impl Pending {
    fn take_frame(&mut self) -> Frame {
        let Frame { kind, lsn, group, ref mut payload } = self.frame;
        Frame { kind, lsn, group, payload: std::mem::take(payload) }
    }
}

impl Journal {
    /// Everything up to here is committed, taken back, or was never a group.
    pub(super) fn resolved(&self) -> Lsn {
        self.writer.written()
    }
}
