//! Groups that the journal has as they need it: into the segments, into the images, and shown, all at once.

use std::{collections::BTreeMap, io, sync::Arc};

use bytes::Bytes;
use mainstem_protocol::{Offset, PartitionId, TopicId, records::BatchHeader};

use super::{Journal, Pending, Store, recovery};
use crate::{
    journal::{Cleaned, Entry, PlacedBatch},
    partition::{Partition, Visible},
    segment::Segment,
};

/// What one segment gets from a round.
struct SegmentWrite {
    segment: Arc<Segment>,
    batches: Vec<(BatchHeader, Bytes)>,
}

type Key = (TopicId, PartitionId, Offset);

impl Store {
    /// Commits groups in their order. What they show becomes visible in one step.
    pub(super) fn commit(&self, journal: &mut Journal, groups: &[Pending]) -> io::Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        self.write_segments(journal, groups)?;
        groups.iter().try_for_each(|group| self.fold_group(journal, group))?;
        let shown = settle(groups);
        {
            let _all_at_once = self.publication.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            shown.iter().for_each(|(partition, visible)| partition.show(*visible));
        }
        // Producers first: one that is also the reader has a longer way from its answer to its next fetch.
        groups.iter().for_each(|group| group.resolver.resolve(Ok(())));
        shown.iter().for_each(|(partition, _)| partition.wake());
        Ok(())
    }

    /// One write for each segment (rule 1).
    fn write_segments(&self, journal: &mut Journal, groups: &[Pending]) -> io::Result<()> {
        for (key, SegmentWrite { segment, batches }) in self.segment_writes(groups)? {
            segment.append(&batches)?;
            if self.has_threads() {
                journal.written.insert(key, Arc::clone(&segment));
            }
            journal.dirty.insert(key, segment);
        }
        Ok(())
    }

    fn segment_writes(&self, groups: &[Pending]) -> io::Result<BTreeMap<Key, SegmentWrite>> {
        let mut writes: BTreeMap<Key, SegmentWrite> = BTreeMap::new();
        let mut bases: BTreeMap<(TopicId, PartitionId), Offset> = BTreeMap::new();
        for (group, batch) in groups.iter().flat_map(|group| group.batches().map(move |batch| (group, batch)))
        {
            let Some(partition) = group.partition(batch.topic, batch.partition) else { continue };
            let base =
                bases.entry((batch.topic, batch.partition)).or_insert_with(|| partition.committed_base());
            if batch.starts_segment {
                self.upkeep.seal_later(partition, *base);
                *base = batch.header.base_offset;
            }
            let key = (batch.topic, batch.partition, *base);
            let write = match writes.entry(key) {
                std::collections::btree_map::Entry::Occupied(write) => write.into_mut(),
                std::collections::btree_map::Entry::Vacant(vacant) => {
                    vacant.insert(start_write(partition, *base)?)
                }
            };
            write.batches.push((batch.header, batch.records.clone()));
        }
        Ok(writes)
    }

    fn fold_group(&self, journal: &mut Journal, group: &Pending) -> io::Result<()> {
        for entry in &group.entries {
            match entry {
                Entry::Batch(batch) => fold_batch(group, batch),
                Entry::LogStartMoved { topic, partition, offset } => {
                    if let Some(partition) = group.partition(*topic, *partition) {
                        self.fold_log_start(journal, partition, *offset);
                    }
                }
                Entry::LeaderEpochRaised { topic, partition, epoch } => {
                    if let Some(partition) = group.partition(*topic, *partition) {
                        partition.raise_leader_epoch(*epoch);
                    }
                }
                Entry::SegmentSealed { topic, partition } => {
                    if let Some(partition) = group.partition(*topic, *partition) {
                        partition.placing().state_mut().seal();
                    }
                }
                Entry::SegmentsCleaned(cleaned) => {
                    if let Some(partition) = group.partition(cleaned.topic, cleaned.partition) {
                        self.fold_cleaned(journal, partition, cleaned)?;
                    }
                }
                Entry::ProducerIdsAllocated { next } => self.fold_producer_ids(journal, *next),
                Entry::TopicCreated(topic) => self.fold_topic_created(topic),
                Entry::TopicDeleted { topic } => self.fold_topic_deleted(journal, *topic),
                Entry::ConfigChanged { topic, overrides } => self.fold_config(*topic, overrides),
                Entry::SettingsChanged { resource, overrides } => self.fold_settings(resource, overrides),
                Entry::PartitionsAdded { topic, partitions } => {
                    self.fold_partitions_added(*topic, *partitions)
                }
            }
        }
        Ok(())
    }

    /// What a cleaning wrote is there already, and durable: it takes the place of its sources, which go when nobody reads
    /// them any more.
    fn fold_cleaned(
        &self,
        journal: &mut Journal,
        partition: &Arc<Partition>,
        cleaned: &Cleaned,
    ) -> io::Result<()> {
        let interval = self.index_interval(partition.topic());
        let mut placing = partition.placing();
        let gone = placing.state_mut().replace_segments(&cleaned.sources, cleaned.segment);
        placing.state_mut().clean_to(cleaned.clean_to);
        let Some(gone) = gone else { return Ok(()) };
        let key = (partition.topic(), partition.id());
        let open = |segment| recovery::open_known(&self.files, key, segment, interval).map(Arc::new);
        let opened = cleaned.segment.as_ref().map(open).transpose()?;
        let removed = partition.replace_segments(&cleaned.sources, opened);
        partition.aborted.lock().keep(cleaned.range(), &cleaned.aborted);
        drop(placing);
        for segment in gone {
            journal.dirty.remove(&(partition.topic(), partition.id(), segment.base));
        }
        self.upkeep.remove_later(removed);
        Ok(())
    }

    fn fold_log_start(&self, journal: &mut Journal, partition: &Arc<Partition>, offset: Offset) {
        let mut placing = partition.placing();
        let gone = placing.state_mut().move_log_start(offset);
        partition.aborted.lock().start_at(placing.state().log_start);
        if gone.is_empty() {
            return;
        }
        let is_gone = |segment: &Arc<Segment>| gone.iter().any(|gone| gone.base == segment.base_offset());
        let (removed, kept) = partition.segments().iter().cloned().partition(is_gone);
        partition.set_segments(kept);
        drop(placing);
        for segment in gone {
            journal.dirty.remove(&(partition.topic(), partition.id(), segment.base));
        }
        self.upkeep.remove_later(removed);
    }
}

fn start_write(partition: &Partition, base: Offset) -> io::Result<SegmentWrite> {
    let missing = || io::Error::other(format!("{} has no segment {base}", partition.folder().display()));
    let segment = partition.segment(base).ok_or_else(missing)?;
    Ok(SegmentWrite { segment, batches: Vec::new() })
}

fn fold_batch(group: &Pending, batch: &PlacedBatch) {
    let Some(partition) = group.partition(batch.topic, batch.partition) else { return };
    let aborted = partition.placing().state_mut().append(&batch.header, batch.marker(), batch.starts_segment);
    if let Some(aborted) = aborted {
        partition.aborted.lock().push(aborted);
    }
    if let Some(keyed) = &partition.keyed {
        keyed.fold(batch);
    }
}

/// Each partition that the groups touched, with what it shows now.
fn settle(groups: &[Pending]) -> Vec<(Arc<Partition>, Visible)> {
    let mut last = BTreeMap::new();
    for group in groups {
        for partition in &group.partitions {
            last.insert((partition.topic(), partition.id()), (partition, group.lsn));
        }
    }
    let settled = last.into_values().map(|(partition, lsn)| {
        let mut placing = partition.placing();
        placing.settle(lsn);
        (Arc::clone(partition), Visible::of(placing.state()))
    });
    settled.collect()
}
