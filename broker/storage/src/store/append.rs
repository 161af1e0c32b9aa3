//! Giving a group its place: all partitions checked and reserved in one lock order before any offset is assigned
//! (durability rule 6). Never waits for the disk.

use std::sync::{Arc, MutexGuard};

use mainstem_protocol::{Timestamp, records::TimestampType};
use tracing::warn;

use super::{AppendError, Request, Store, Topic};
use crate::{
    caps::ABORTED_TRANSACTIONS_MAX,
    group::{AppendGroup, GroupBatch},
    ids::Lsn,
    journal::{Entry, file::padded, frame::FRAME_HEADER_BYTES},
    partition::{Need, Partition, Placing, Planned},
    state::Draft,
    ticket::{Place, Resolver, Ticket, committed},
};

/// Bytes that a batch takes in a commit frame beside its records.
const ENTRY_BYTES: u64 = 96;

/// The partitions of a group, in lock order, and which of them each batch goes to.
pub(super) struct Targets {
    partitions: Vec<(Arc<Topic>, Arc<Partition>)>,
    of_batch: Vec<usize>,
}

/// What a group would be if it got its place now.
pub(super) struct Plan {
    drafts: Vec<Draft>,
    planned: Vec<Planned>,
    /// For each batch that is placed, the partition and what it needs there.
    needs: Vec<(usize, Need)>,
}

impl Store {
    /// Gives a group its place in the journal, behind every group that has one, and returns the promise of its fate.
    /// Repeats of batches that are known are not appended again: the ticket then is that of the original.
    ///
    /// # Errors
    /// [`AppendError::NoRoom`] where space must be made first: call [`Store::make_room`] on a thread that may block,
    /// and append again. After any error nothing of the group was appended.
    pub fn append(&self, group: &AppendGroup) -> Result<Ticket, AppendError> {
        self.queue.check()?;
        self.check_size(group)?;
        let targets = self.targets(group)?;
        let mut guards = targets.lock();
        self.admit_producers(group, &targets, &mut guards)?;
        let plan = targets.plan(group, &guards, self.clock.now())?;
        if !targets.missing(&plan, &guards).is_empty() || self.must_write_ahead(group) {
            return Err(AppendError::NoRoom);
        }
        targets.place(self, group, plan, &mut guards)
    }

    /// Makes room for producers that are new to a partition.
    fn admit_producers(
        &self,
        group: &AppendGroup,
        targets: &Targets,
        guards: &mut [MutexGuard<'_, Placing>],
    ) -> Result<(), AppendError> {
        let most = self.options.producers_max;
        for (batch, &at) in group.batches.iter().zip(&targets.of_batch) {
            let admitted = guards[at].admit_producer(batch.header.producer_id, most, self.clock.now());
            // A coordinator's marker is never refused: a transaction would stay open in the other partitions, too.
            let is_decided = batch.header.attributes.is_control() && !group.is_asked_for;
            let forgotten = if is_decided { admitted.unwrap_or(0) } else { admitted? };
            if forgotten > 0 {
                let partition = targets.partition(at).1.folder();
                warn!(partition = %partition.display(), forgotten, most, "too many producers: some were forgotten early");
            }
        }
        Ok(())
    }

    fn check_size(&self, group: &AppendGroup) -> Result<(), AppendError> {
        let (bytes, bytes_max) = (group.bytes(), self.group_bytes_max());
        let fixed = ENTRY_BYTES * group.len() as u64;
        if group.is_empty() {
            return Err(AppendError::Empty);
        }
        if bytes > bytes_max || fixed > self.pool.layout.payload_bytes_max {
            return Err(AppendError::TooLarge { bytes, bytes_max });
        }
        Ok(())
    }

    /// Bytes that one append group may have: a quarter of the journal.
    #[must_use]
    pub fn group_bytes_max(&self) -> u64 {
        self.pool.layout.group_bytes_max()
    }

    /// Batches that one append group may have.
    #[must_use]
    pub fn group_batches_max(&self) -> usize {
        usize::try_from(self.pool.layout.payload_bytes_max / ENTRY_BYTES).unwrap_or(usize::MAX)
    }

    /// Whether the records do not fit into the commit frame and are not in the journal yet.
    pub(super) fn must_write_ahead(&self, group: &AppendGroup) -> bool {
        let payload = group.bytes() + ENTRY_BYTES * group.len() as u64;
        group.ahead.is_none() && payload > self.pool.layout.payload_bytes_max
    }

    /// Blocks of the journal that a group takes.
    pub(super) fn cost(group: &AppendGroup) -> u64 {
        padded(Self::commit_bytes(group) + if group.ahead.is_some() { 0 } else { group.bytes() })
    }

    /// What the commit frame of a group takes whose records are written ahead.
    pub(super) fn commit_cost(group: &AppendGroup) -> u64 {
        padded(Self::commit_bytes(group))
    }

    fn commit_bytes(group: &AppendGroup) -> u64 {
        (FRAME_HEADER_BYTES as u64) + ENTRY_BYTES * group.len() as u64
    }

    pub(super) fn targets(&self, group: &AppendGroup) -> Result<Targets, AppendError> {
        let topics = self.topics();
        let find = |(topic, partition)| {
            let found = topics.get(topic).and_then(|topic| Some((topic, topic.partition(partition)?)));
            let (topic, partition) = found.ok_or(AppendError::UnknownPartition { topic, partition })?;
            Ok((Arc::clone(topic), Arc::clone(partition)))
        };
        let mut keys: Vec<_> = group.batches.iter().map(|batch| (batch.topic, batch.partition)).collect();
        keys.sort_unstable();
        keys.dedup();
        let at = |key| keys.binary_search(&key).unwrap_or_default();
        let of_batch = group.batches.iter().map(|batch| at((batch.topic, batch.partition))).collect();
        let partitions = keys.iter().copied().map(find).collect::<Result<_, AppendError>>()?;
        Ok(Targets { partitions, of_batch })
    }
}

impl Targets {
    pub(super) fn lock(&self) -> Vec<MutexGuard<'_, Placing>> {
        self.partitions.iter().map(|(_, partition)| partition.placing()).collect()
    }

    pub(super) fn partition(&self, at: usize) -> (&Topic, &Arc<Partition>) {
        let (topic, partition) = &self.partitions[at];
        (topic, partition)
    }

    pub(super) fn plan(
        &self,
        group: &AppendGroup,
        guards: &[MutexGuard<'_, Placing>],
        now: Timestamp,
    ) -> Result<Plan, AppendError> {
        let mut drafts: Vec<_> = guards.iter().map(|placing| placing.draft()).collect();
        let mut plan =
            Plan { drafts: Vec::new(), planned: Vec::with_capacity(group.len()), needs: Vec::new() };
        for (batch, &at) in group.batches.iter().zip(&self.of_batch) {
            self.check_aborted(batch, at)?;
            let config = &self.partitions[at].0.config;
            let (planned, need) = guards[at].plan(&mut drafts[at], batch, config, now)?;
            plan.planned.push(planned);
            plan.needs.extend(need.map(|need| (at, need)));
        }
        plan.drafts = drafts;
        Ok(plan)
    }

    /// Whether a batch may belong to a transaction, which may be aborted. A marker is never refused.
    fn check_aborted(&self, batch: &GroupBatch, at: usize) -> Result<(), AppendError> {
        let attributes = batch.header.attributes;
        let is_full = || self.partition(at).1.aborted.lock().iter().len() >= ABORTED_TRANSACTIONS_MAX;
        if attributes.is_transactional() && !attributes.is_control() && is_full() {
            return Err(AppendError::TooManyAborted { most: ABORTED_TRANSACTIONS_MAX });
        }
        Ok(())
    }

    /// What a plan needs and there is not yet; asks for more ahead of need.
    pub(super) fn missing(&self, plan: &Plan, guards: &[MutexGuard<'_, Placing>]) -> Vec<(usize, Need)> {
        let is_missing = |(at, need): &&(usize, Need)| !self.partitions[*at].1.has_space(&guards[*at], need);
        plan.needs.iter().filter(is_missing).copied().collect()
    }

    fn place(
        &self,
        store: &Store,
        group: &AppendGroup,
        plan: Plan,
        guards: &mut [MutexGuard<'_, Placing>],
    ) -> Result<Ticket, AppendError> {
        let Plan { drafts, planned, needs } = plan;
        let places =
            planned.iter().zip(&self.of_batch).map(|(planned, &at)| self.place_of(planned, at)).collect();
        let last_original = self.last_original(&planned, guards);
        let entries: Vec<_> = planned.into_iter().filter_map(Planned::into_entry).collect();
        if entries.is_empty() {
            return Ok(repeat(last_original, places));
        }
        let (lsn, resolver) = store.queue.place(Request {
            entries,
            partitions: self.partitions.iter().map(|(_, partition)| Arc::clone(partition)).collect(),
            is_synced: self.partitions.iter().any(|(topic, _)| topic.config.is_synced()),
            ahead: group.ahead.clone(),
            is_own: false,
        })?;
        for (at, need) in needs.iter().filter(|(_, need)| need.is_new) {
            self.partitions[*at].1.start_segment(&mut guards[*at], need.base);
        }
        for (placing, draft) in guards.iter_mut().zip(drafts) {
            placing.adopt(draft, lsn, resolver.clone());
        }
        self.ask_for_space(store, &needs, guards);
        Ok(resolver.ticket(lsn, places))
    }

    fn place_of(&self, planned: &Planned, at: usize) -> Place {
        let stamps = self.partitions[at].0.config.timestamp_type == TimestampType::LogAppendTime;
        let (base_offset, timestamp, is_duplicate) = match planned {
            Planned::Placed(batch) => (batch.header.base_offset, batch.header.max_timestamp, false),
            Planned::Duplicate(original) => (original.base_offset(), original.timestamp, true),
        };
        Place { base_offset, log_append_time: if stamps { timestamp } else { Timestamp::NONE }, is_duplicate }
    }

    /// The last of the originals that are still on their way.
    fn last_original(
        &self,
        planned: &[Planned],
        guards: &[MutexGuard<'_, Placing>],
    ) -> Option<(Lsn, Resolver)> {
        let originals = planned.iter().zip(&self.of_batch).filter_map(|(planned, &at)| match planned {
            Planned::Duplicate(original) => guards[at].in_flight(original.last_offset),
            Planned::Placed(_) => None,
        });
        originals.max_by_key(|(lsn, _)| *lsn)
    }

    /// Ahead of need: when less than half a step is left.
    fn ask_for_space(&self, store: &Store, needs: &[(usize, Need)], guards: &mut [MutexGuard<'_, Placing>]) {
        for (at, need) in needs {
            let (topic, partition) = self.partition(*at);
            let placing = &mut guards[*at];
            if placing.is_space_asked || !partition.is_space_short(need, topic.config.segment_bytes) {
                continue;
            }
            placing.is_space_asked = true;
            store.upkeep.ask_for_space(partition, need.base);
        }
    }
}

/// All batches were appended before: the answer is that of the last one on its way.
fn repeat(original: Option<(Lsn, Resolver)>, places: Vec<Place>) -> Ticket {
    match original {
        Some((lsn, resolver)) => resolver.ticket(lsn, places),
        None => committed(Lsn::ZERO, places),
    }
}

impl Planned {
    fn into_entry(self) -> Option<Entry> {
        match self {
            Self::Placed(batch) => Some(Entry::Batch(batch)),
            Self::Duplicate(_) => None,
        }
    }
}
