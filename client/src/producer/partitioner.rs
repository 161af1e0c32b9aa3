//! Which partition a record goes to.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use mainstem_protocol::{PartitionId, Text};

use super::murmur2::murmur2;

/// The partition of a key, the same as that of every Java producer.
#[must_use]
pub fn partition_of_key(key: &[u8], partitions: usize) -> PartitionId {
    let positive = murmur2(key) & 0x7fff_ffff;
    PartitionId((positive as usize % partitions.max(1)) as i32)
}

/// Records without a key stick to one partition until its batch is full or gone, then move on to the next: batches
/// are larger so (KIP-480).
#[derive(Debug, Default)]
pub(super) struct Sticky {
    current: HashMap<Text, usize>,
}

impl Sticky {
    /// The partition that records without a key go to now.
    pub(super) fn current(&mut self, topic: &Text, partitions: usize) -> PartitionId {
        // Producers that start together should not all begin at the same partition.
        let start = || RandomState::new().hash_one(topic) as usize;
        let current = *self.current.entry(topic.clone()).or_insert_with(start);
        PartitionId((current % partitions) as i32)
    }

    /// Moves on.
    pub(super) fn advance(&mut self, topic: &Text) {
        if let Some(current) = self.current.get_mut(topic) {
            *current = current.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_decides_the_partition_as_in_java() {
        // murmur2("foobar") is -790332482; without its sign bit that is 1357151166.
        assert_eq!(partition_of_key(b"foobar", 7), PartitionId(1_357_151_166 % 7));
        assert_eq!(partition_of_key(b"foobar", 1), PartitionId(0));
    }

    #[test]
    fn keyless_records_stay_until_they_move_on_to_the_next() {
        let (topic, mut sticky) = (Text::from_static("t"), Sticky::default());
        let first = sticky.current(&topic, 3);
        assert_eq!(sticky.current(&topic, 3), first);
        sticky.advance(&topic);
        assert_eq!(sticky.current(&topic, 3).0, (first.0 + 1) % 3);
    }
}
