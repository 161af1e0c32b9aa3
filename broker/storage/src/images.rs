//! The fold of the journal without any file: what a start computes before it touches the segments.

use std::collections::BTreeMap;

use mainstem_protocol::{Offset, PartitionId, ProducerId, TopicId};

use crate::{
    checkpoint::{Checkpoint, PartitionSnapshot, TopicSnapshot},
    config::{Resources, store_resource},
    journal::{Cleaned, Entry, NewTopicEntry, PlacedBatch},
    partition::Keyed,
    segment::SegmentId,
    state::SegmentState,
};

/// All images, as of one LSN.
#[derive(Debug, Default)]
pub(crate) struct Images {
    pub(crate) topics: BTreeMap<TopicId, TopicImage>,
    pub(crate) next_producer_id: ProducerId,
    pub(crate) resources: Resources,
}

/// A topic with its partitions.
#[derive(Debug)]
pub(crate) struct TopicImage {
    pub(crate) new: NewTopicEntry,
    pub(crate) partitions: Vec<PartitionSnapshot>,
}

/// An entry that names what does not exist: the journal and its checkpoint do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("partition {partition} of topic {topic} does not exist")]
pub(crate) struct UnknownTarget {
    topic: TopicId,
    partition: PartitionId,
}

impl Images {
    pub(crate) fn of(checkpoint: Checkpoint) -> Self {
        let Checkpoint { next_producer_id, resources, topics, .. } = checkpoint;
        let topics = topics.into_iter().map(|topic| (topic.id, TopicImage::of(topic)));
        Self { topics: topics.collect(), next_producer_id, resources }
    }

    /// Folds one entry.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Result<(), UnknownTarget> {
        match entry {
            Entry::Batch(batch) => self.append(batch)?,
            Entry::TopicCreated(new) => drop(self.topics.insert(new.id, TopicImage::new(new.clone()))),
            Entry::TopicDeleted { topic } => drop(self.topics.remove(topic)),
            Entry::ConfigChanged { topic, overrides } => {
                self.topic(*topic)?.new.overrides = overrides.clone();
            }
            Entry::PartitionsAdded { topic, partitions } => self.topic(*topic)?.grow(*partitions),
            Entry::LogStartMoved { topic, partition, offset } => {
                self.partition(*topic, *partition)?.move_log_start(*offset);
            }
            Entry::LeaderEpochRaised { topic, partition, epoch } => {
                self.partition(*topic, *partition)?.state.raise_leader_epoch(*epoch);
            }
            Entry::SegmentSealed { topic, partition } => self.partition(*topic, *partition)?.state.seal(),
            Entry::SegmentsCleaned(cleaned) => {
                self.partition(cleaned.topic, cleaned.partition)?.clean(cleaned);
            }
            Entry::SettingsChanged { resource, overrides } => {
                store_resource(&mut self.resources, resource, overrides);
            }
            Entry::ProducerIdsAllocated { next } => self.next_producer_id = self.next_producer_id.max(*next),
        }
        Ok(())
    }

    fn append(&mut self, batch: &PlacedBatch) -> Result<(), UnknownTarget> {
        let topic = self.topic(batch.topic)?;
        let keyed = topic.new.keyed;
        let partition = topic.partition(batch.topic, batch.partition)?;
        partition.append(batch);
        if keyed {
            let values = Keyed::new(std::mem::take(&mut partition.keyed));
            values.fold(batch);
            partition.keyed = values.into_state();
        }
        Ok(())
    }

    /// Whether the segment still holds anything of the log.
    pub(crate) fn has_segment(&self, topic: TopicId, partition: PartitionId, id: SegmentId) -> bool {
        let partition = self.topics.get(&topic).and_then(|topic| topic.partitions.get(partition.0 as usize));
        partition.is_some_and(|partition| partition.state.segments.iter().any(|segment| segment.id() == id))
    }

    /// The segments of all partitions.
    pub(crate) fn segments(&self) -> impl Iterator<Item = (TopicId, PartitionId, SegmentState)> {
        self.topics.iter().flat_map(|(id, topic)| {
            let partitions = (0..).map(PartitionId).zip(&topic.partitions);
            partitions.flat_map(move |(partition, snapshot)| {
                snapshot.state.segments.iter().map(move |segment| (*id, partition, *segment))
            })
        })
    }

    fn topic(&mut self, topic: TopicId) -> Result<&mut TopicImage, UnknownTarget> {
        self.topics.get_mut(&topic).ok_or(UnknownTarget { topic, partition: PartitionId(-1) })
    }

    fn partition(
        &mut self,
        topic: TopicId,
        partition: PartitionId,
    ) -> Result<&mut PartitionSnapshot, UnknownTarget> {
        self.topic(topic)?.partition(topic, partition)
    }
}

impl PartitionSnapshot {
    fn append(&mut self, batch: &PlacedBatch) {
        let aborted = self.state.append(&batch.header, batch.marker(), batch.starts_segment);
        aborted.into_iter().for_each(|aborted| self.aborted.push(aborted));
    }

    fn move_log_start(&mut self, offset: Offset) {
        self.state.move_log_start(offset);
        self.aborted.start_at(self.state.log_start);
    }

    fn clean(&mut self, cleaned: &Cleaned) {
        if self.state.replace_segments(&cleaned.sources, cleaned.segment).is_some() {
            self.aborted.keep(cleaned.range(), &cleaned.aborted);
        }
        self.state.clean_to(cleaned.clean_to);
    }
}

impl TopicImage {
    fn new(new: NewTopicEntry) -> Self {
        let partitions = (0..new.partitions).map(|_| PartitionSnapshot::default()).collect();
        Self { new, partitions }
    }

    fn of(snapshot: TopicSnapshot) -> Self {
        let TopicSnapshot { id, name, keyed, overrides, partitions } = snapshot;
        let new = NewTopicEntry { id, name, keyed, partitions: partitions.len() as u32, overrides };
        Self { new, partitions }
    }

    fn grow(&mut self, partitions: u32) {
        self.new.partitions = partitions;
        self.partitions.resize_with(partitions as usize, PartitionSnapshot::default);
    }

    fn partition(
        &mut self,
        topic: TopicId,
        partition: PartitionId,
    ) -> Result<&mut PartitionSnapshot, UnknownTarget> {
        let at = usize::try_from(partition.0).ok();
        at.and_then(|at| self.partitions.get_mut(at)).ok_or(UnknownTarget { topic, partition })
    }
}
