//! Which partition a record goes to.

use std::hash::{BuildHasher, RandomState};

use mainstem_protocol::PartitionId;

use super::murmur2::murmur2;
use crate::cluster::TopicMetadata;

/// The partition of a key, the same as that of every Java producer (`BuiltInPartitioner.partitionForKey`).
///
/// ```
/// use mainstem_client::{PartitionId, producer::partition_of_key};
///
/// assert_eq!(partition_of_key(b"foobar", 7), PartitionId(1_357_151_166 % 7));
/// ```
#[must_use]
pub fn partition_of_key(key: &[u8], partitions: usize) -> PartitionId {
    let positive = murmur2(key) & 0x7fff_ffff;
    PartitionId((positive as usize % partitions.max(1)) as i32)
}

/// Records without a key stick to one partition until that has got a batch of them, then go on at another: batches are
/// larger so (KIP-480), and each partition gets as many bytes as its broker keeps up with (KIP-794).
#[derive(Debug, Default)]
pub(super) struct Sticky {
    /// Where the records of the topic go now, and how many bytes went there; nowhere, where the next one decides.
    current: Option<(PartitionId, usize)>,
}

impl Sticky {
    /// The partition that records without a key go to now. `waiting` says how many batches wait for each partition.
    pub(super) fn current(
        &mut self,
        topic: &TopicMetadata,
        waiting: impl Fn(PartitionId) -> usize,
        random: &mut Random,
    ) -> PartitionId {
        self.current.get_or_insert_with(|| (choose(topic, waiting, random.next()), 0)).0
    }

    /// Notes that a record of so many bytes went to the partition, and whether a batch ends with it. After `enough` bytes
    /// the records go on elsewhere, between two batches if that is possible (Kafka:
    /// `BuiltInPartitioner.updatePartitionInfo`).
    pub(super) fn took(&mut self, bytes: usize, enough: usize, ends_a_batch: bool) {
        let Some((_, taken)) = &mut self.current else { return };
        *taken += bytes;
        if *taken >= enough && ends_a_batch || *taken >= enough.saturating_mul(2) {
            self.move_on();
        }
    }

    /// The records go on elsewhere.
    pub(super) const fn move_on(&mut self) {
        self.current = None;
    }
}

/// One of the partitions that have a leader, the more likely the fewer batches wait for it (Kafka:
/// `BuiltInPartitioner.updatePartitionLoadStats`); any, where none has one.
fn choose(topic: &TopicMetadata, waiting: impl Fn(PartitionId) -> usize, random: usize) -> PartitionId {
    let count = topic.partitions.len();
    let partitions = topic.partitions.iter().filter(|partition| topic.has(partition.id));
    let available = partitions.filter(|partition| partition.leader.is_some());
    let loads: Vec<_> = available.map(|partition| (partition.id, waiting(partition.id))).collect();
    let Some(most) = loads.iter().map(|(_, batches)| *batches).max() else {
        return PartitionId((random % count.max(1)) as i32);
    };
    let weights = loads.iter().map(|(_, batches)| 1 + most - batches);
    let mut left = random % weights.clone().sum::<usize>();
    let chosen = weights.take_while(|weight| {
        let is_passed = *weight <= left;
        left -= if is_passed { *weight } else { 0 };
        is_passed
    });
    loads[chosen.count()].0
}

/// Numbers that nobody foresees; producers that start together must not all begin at the same partition.
#[derive(Debug)]
pub(super) struct Random {
    keys: RandomState,
    count: u64,
}

impl Default for Random {
    fn default() -> Self {
        Self { keys: RandomState::new(), count: 0 }
    }
}

impl Random {
    fn next(&mut self) -> usize {
        self.count += 1;
        self.keys.hash_one(self.count) as usize >> 1
    }
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::{BrokerId, LeaderEpoch, Text, TopicId};

    use super::*;
    use crate::cluster::PartitionMetadata;

    /// A topic whose partitions have these leaders, or none.
    fn topic(leaders: &[Option<i32>]) -> TopicMetadata {
        let partitions = leaders.iter().zip(0..).map(|(leader, id)| PartitionMetadata {
            id: PartitionId(id),
            leader: leader.map(BrokerId),
            leader_epoch: LeaderEpoch(0),
            replicas: Vec::new(),
            in_sync: Vec::new(),
        });
        let (name, partitions) = (Text::from_static("t"), partitions.collect());
        TopicMetadata { name, id: TopicId::ZERO, is_internal: false, partitions }
    }

    fn nothing_waits(_: PartitionId) -> usize {
        0
    }

    #[test]
    fn key_decides_the_partition_as_in_java() {
        // murmur2("foobar") is -790332482; without its sign bit that is 1357151166.
        assert_eq!(partition_of_key(b"foobar", 7), PartitionId(1_357_151_166 % 7));
        assert_eq!(partition_of_key(b"foobar", 1), PartitionId(0));
    }

    // The cases of Kafka's BuiltInPartitionerTest.

    #[test]
    fn partition_stays_until_it_has_enough_bytes() {
        let (topic, mut sticky, random) = (topic(&[Some(0); 3]), Sticky::default(), &mut Random::default());
        let first = sticky.current(&topic, nothing_waits, random);
        for _ in 0..2 {
            sticky.took(1, 3, true);
            assert_eq!(sticky.current(&topic, nothing_waits, random), first);
        }
        sticky.took(1, 3, true);
        assert_eq!(sticky.current, None);
    }

    #[test]
    fn batch_is_filled_first_unless_that_takes_twice_as_much() {
        let (topic, mut sticky, random) = (topic(&[Some(0); 2]), Sticky::default(), &mut Random::default());
        sticky.current(&topic, nothing_waits, random);
        sticky.took(5, 3, false);
        assert!(sticky.current.is_some());
        sticky.took(1, 3, false);
        assert!(sticky.current.is_none());
    }

    #[test]
    fn partitions_without_a_leader_are_chosen_only_where_there_is_no_other() {
        for random in 0..100 {
            assert_ne!(choose(&topic(&[Some(0), None, Some(2)]), nothing_waits, random), PartitionId(1));
            assert_eq!(choose(&topic(&[None, Some(0)]), nothing_waits, random), PartitionId(1));
            assert_eq!(choose(&topic(&[None]), nothing_waits, random), PartitionId(0));
        }
    }

    #[test]
    fn partitions_are_chosen_as_often_as_their_queues_are_short() {
        let queues = [5, 0, 3, 0, 1];
        let topic = topic(&[Some(0); 5]);
        let mut chosen = [0; 5];
        let rounds = 2 * queues.iter().map(|queue| 6 - queue).sum::<usize>();
        for random in 0..rounds {
            chosen[choose(&topic, |id| queues[id.0 as usize], random).0 as usize] += 1;
        }
        assert_eq!(chosen, queues.map(|queue| 2 * (6 - queue)));
    }
}
