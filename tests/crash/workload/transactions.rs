//! What transactional producers do.

use mainstem_protocol::{PartitionId, ProducerEpoch, ProducerId, TopicId};
use mainstem_storage::{AppendGroup, Marker, TransactionVersion};

use super::Workload;
use crate::{
    image::{Transaction, Value},
    ledger::Placed,
    node::{EPOCH, Kind, transactional_batch},
};

impl Workload {
    /// A batch or some in a producer's transaction, which begins where none is open.
    pub(super) fn write_in_transaction(&mut self) -> bool {
        let Some(id) = self.transactional_producer() else { return self.new_producer() };
        let (mut group, mut placed, mut is_synced) = (AppendGroup::new(), Vec::<Placed>::new(), false);
        for _ in 0..1 + self.chance.below(3) {
            let Some((topic, kind)) = self.topic_without_keys() else { return true };
            let partition = self.partition_of(topic);
            if placed.iter().any(|batch| (batch.topic, batch.partition) == (topic, partition)) {
                continue;
            }
            let values = vec![Value(self.once.next_value)];
            self.once.next_value += 1;
            let sequence = self.next_sequence(id, topic, partition);
            let bytes = self.chance.below(500) as usize;
            group.push(topic, PartitionId(partition), transactional_batch(&values, bytes, (id, sequence)));
            let (producer, transaction) = (Some((id, sequence)), Some(Transaction::Within { producer: id }));
            placed.push(Placed { topic, partition, base_offset: 0, values, producer, transaction });
            is_synced |= kind.is_synced();
        }
        self.tally.transactional += placed.len() as u64;
        self.place(group, placed, is_synced)
    }

    /// Ends a producer's transaction in all partitions at once; in some of them none may be open.
    pub(super) fn end_transaction(&mut self) -> bool {
        let Some(id) = self.transactional_producer() else { return true };
        let committed = self.chance.happens(50);
        let marker = Marker {
            producer_id: ProducerId(id),
            producer_epoch: ProducerEpoch(0),
            coordinator_epoch: 0,
            committed,
            version: TransactionVersion::V1,
        };
        let (mut group, mut placed, mut is_synced) = (AppendGroup::new(), Vec::new(), false);
        for (topic, partition) in self.written_by(id) {
            let Some((_, kind)) = self.topics.get(&topic) else { continue };
            is_synced |= kind.is_synced();
            group.push_marker(topic, PartitionId(partition), marker, EPOCH);
            let (values, transaction) =
                (vec![Value::marker(id, committed)], Some(Transaction::End { producer: id, committed }));
            placed.push(Placed { topic, partition, base_offset: 0, values, producer: None, transaction });
        }
        self.tally.endings += 1;
        self.place(group, placed, is_synced)
    }

    fn transactional_producer(&mut self) -> Option<i64> {
        let ids: Vec<_> =
            self.producers.iter().filter(|one| one.is_transactional()).map(|one| one.id).collect();
        self.chance.pick(&ids).copied()
    }

    fn topic_without_keys(&mut self) -> Option<(TopicId, Kind)> {
        let topics: Vec<_> = self.topics.iter().map(|(id, (_, kind))| (*id, *kind)).collect();
        let topics: Vec<_> = topics.into_iter().filter(|(_, kind)| !kind.keyed).collect();
        self.chance.pick(&topics).copied()
    }

    fn written_by(&self, id: i64) -> Vec<(TopicId, i32)> {
        let producer = self.producers.iter().find(|producer| producer.id == id);
        producer.map(|producer| producer.next.keys().copied().collect()).unwrap_or_default()
    }
}
