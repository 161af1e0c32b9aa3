//! Taking back what is not committed yet.

use std::sync::{Arc, MutexGuard};

use mainstem_protocol::{PartitionId, TopicId};

use super::{Pending, Store};
use crate::{
    ids::Lsn,
    journal::Entry,
    partition::{Partition, Placing},
    ticket::NotCommitted,
};

/// All partitions, locked in their order: nothing gets a place meanwhile.
struct All<'a>(Vec<(&'a Arc<Partition>, MutexGuard<'a, Placing>)>);

impl Store {
    /// Takes back every unresolved group behind `lsn`, in all partitions that it touched, and resolves its ticket as
    /// superseded. What was committed stays.
    pub fn truncate_to(&self, lsn: Lsn) {
        // No round is under way while this is held: all that is unresolved waits in the queue.
        let _journal = self.journal();
        let topics = self.topics().sorted();
        let partitions = topics.iter().flat_map(|topic| &topic.partitions);
        let mut all = All(partitions.map(|partition| (partition, partition.placing())).collect());
        let (kept, dropped) = self.queue.split_behind(lsn);
        all.0.iter_mut().for_each(|(partition, placing)| partition.take_back(placing));
        kept.iter().for_each(|group| all.place_again(group));
        self.queue.keep(kept);
        drop(all);
        for group in dropped {
            self.take_back_own(&group.entries);
            group.resolver.resolve(Err(NotCommitted::Superseded));
        }
    }
}

impl<'a> All<'a> {
    /// A group that stays: its batches are the future of their partitions again.
    fn place_again(&mut self, group: &Pending) {
        for partition in &group.partitions {
            let Some((partition, placing)) = self.find(partition.topic(), partition.id()) else { continue };
            place_again(partition, placing, group);
        }
    }

    fn find(&mut self, topic: TopicId, id: PartitionId) -> Option<(&'a Arc<Partition>, &mut Placing)> {
        let at = self
            .0
            .binary_search_by_key(&(topic, id), |(partition, _)| (partition.topic(), partition.id()))
            .ok()?;
        let (partition, placing) = &mut self.0[at];
        Some((partition, placing))
    }
}

fn place_again(partition: &Partition, placing: &mut Placing, group: &Pending) {
    let mut draft = placing.draft();
    for entry in &group.entries {
        match entry {
            Entry::Batch(batch) if (batch.topic, batch.partition) == (partition.topic(), partition.id()) => {
                let known = placing.known_producer(&draft, batch.header.producer_id);
                draft.append(known.as_ref(), &batch.header, batch.marker(), batch.starts_segment);
                if batch.starts_segment {
                    partition.start_segment(placing, batch.header.base_offset);
                }
            }
            Entry::SegmentSealed { .. } => draft.is_sealed = true,
            _ => {}
        }
    }
    placing.adopt(draft, group.lsn, group.resolver.clone());
}
