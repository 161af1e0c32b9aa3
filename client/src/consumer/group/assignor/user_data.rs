//! What the sticky assignors put into a subscription beside its fields (Kafka: `StickyAssignor`,
//! `CooperativeStickyAssignor`).
//!
//! ```text
//! sticky, version 1      [topic: string, [partition: i32]], generation: i32     (version 0 ends before the generation)
//! cooperative-sticky     generation: i32
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mainstem_protocol::{PartitionId, formats::consumer::TopicPartitions};

use super::{Claim, by_topic, flat};
use crate::TopicPartition;

/// What a member had before, and in which generation it got that; none where it does not say.
pub(super) type Claimed = (Vec<TopicPartition>, Option<i32>);

/// What a member of an eager group was given last.
pub(super) fn sticky(partitions: &[TopicPartition], generation: i32) -> Bytes {
    let mut bytes = BytesMut::new();
    let topics = by_topic(partitions);
    bytes.put_i32(length(topics.len()));
    for TopicPartitions { topic, partitions } in topics {
        // The names of topics have at most 249 bytes.
        bytes.put_i16(i16::try_from(topic.len()).unwrap_or(i16::MAX));
        bytes.put_slice(topic.as_bytes());
        bytes.put_i32(length(partitions.len()));
        partitions.iter().for_each(|partition| bytes.put_i32(partition.0));
    }
    bytes.put_i32(generation);
    bytes.freeze()
}

fn length(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The last generation of a member of a cooperative group.
pub(super) fn cooperative(generation: i32) -> Bytes {
    Bytes::copy_from_slice(&generation.to_be_bytes())
}

/// What a member of an eager group had. What cannot be read counts as nothing.
pub(super) fn claimed(member: &Claim) -> Claimed {
    match &member.user_data {
        None => (Vec::new(), None),
        Some(bytes) if bytes.is_empty() => (Vec::new(), None),
        Some(bytes) => read_sticky(bytes).unwrap_or((Vec::new(), Some(-1))),
    }
}

/// What a member of a cooperative group has: its subscription says so, from version 2 on with the generation.
pub(super) fn claimed_cooperatively(member: &Claim) -> Claimed {
    let generation = match member.user_data.as_deref() {
        _ if member.generation >= 0 => Some(member.generation),
        Some(mut bytes) => Some(bytes.try_get_i32().unwrap_or(-1)),
        None => None,
    };
    (member.owned.clone(), generation)
}

fn read_sticky(mut bytes: &[u8]) -> Option<Claimed> {
    let count = bytes.try_get_i32().ok()?;
    let topics = (0..count).map(|_| read_topic(&mut bytes)).collect::<Option<Vec<_>>>()?;
    Some((flat(topics), bytes.try_get_i32().ok()))
}

fn read_topic(bytes: &mut &[u8]) -> Option<TopicPartitions> {
    let length = usize::try_from(bytes.try_get_i16().ok()?).ok()?;
    let (name, rest) = bytes.split_at_checked(length)?;
    let topic = std::str::from_utf8(name).ok()?.into();
    *bytes = rest;
    let count = bytes.try_get_i32().ok()?;
    let partitions = (0..count).map(|_| bytes.try_get_i32().ok().map(PartitionId)).collect::<Option<_>>()?;
    Some(TopicPartitions { topic, partitions })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(user_data: &[u8]) -> Claim {
        Claim { user_data: Some(Bytes::copy_from_slice(user_data)), generation: -1, ..Claim::default() }
    }

    fn owned() -> Vec<TopicPartition> {
        vec![TopicPartition::new("ab", 3), TopicPartition::new("c", 0), TopicPartition::new("c", 9)]
    }

    const STICKY: &[u8] =
        b"\0\0\0\x02\0\x02ab\0\0\0\x01\0\0\0\x03\0\x01c\0\0\0\x02\0\0\0\0\0\0\0\x09\0\0\0\x07";

    #[test]
    fn sticky_data_has_the_bytes_of_kafkas_schema_and_is_read_back() {
        assert_eq!(sticky(&owned(), 7), STICKY);
        assert_eq!(claimed(&member(STICKY)), (owned(), Some(7)));
    }

    #[test]
    fn sticky_data_of_version_0_has_no_generation() {
        assert_eq!(claimed(&member(&STICKY[..STICKY.len() - 4])), (owned(), None));
    }

    #[test]
    fn sticky_data_that_ends_early_counts_as_nothing() {
        for end in 1..STICKY.len() - 4 {
            assert_eq!(claimed(&member(&STICKY[..end])), (Vec::new(), Some(-1)), "{end} bytes");
        }
        assert_eq!(claimed(&member(b"")), (Vec::new(), None));
        assert_eq!(claimed(&member(b"\x7f\xff\xff\xff")), (Vec::new(), Some(-1)));
    }

    #[test]
    fn generation_of_a_cooperative_member_is_that_of_its_subscription_or_else_of_its_data() {
        let said = Claim { generation: 4, owned: owned(), ..member(&cooperative(9)) };
        assert_eq!(claimed_cooperatively(&said), (owned(), Some(4)));
        assert_eq!(claimed_cooperatively(&Claim { generation: -1, ..said }), (owned(), Some(9)));
        assert_eq!(claimed_cooperatively(&member(b"\0")), (Vec::new(), Some(-1)));
    }
}
