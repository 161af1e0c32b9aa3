//! The records of `__consumer_offsets` as Kafka writes them: a key that says what it is about, and a value, or no
//! value where the thing is gone (schemas: `group-coordinator/src/main/resources/common/message`).

use bytes::Bytes;

use super::{consumer_groups, value};
use crate::{
    LeaderEpoch, Offset, PartitionId, Text, Timestamp, TopicId,
    messages::{
        Message,
        describe::{self, message, structure},
    },
    wire::{DecodeError, EncodeError},
};

/// What a record of `__consumer_offsets` is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// The committed offset of a group in a partition.
    Offset(OffsetCommitKey),
    /// A classic group.
    Group(GroupMetadataKey),
    /// A group of the newer protocol, or a part of one.
    ConsumerGroup(consumer_groups::Key),
}

message! {
    /// Names a committed offset. The version in front of a key is really its kind; 0 and 1 are both this one.
    #[derive(Eq, Hash)]
    OffsetCommitKey [0..=1, flexible 0x7fff..] {
        group: Text,
        topic: Text,
        partition: PartitionId,
    }
}

message! {
    /// Names a classic group.
    #[derive(Eq, Hash)]
    GroupMetadataKey [2..=2, flexible 0x7fff..] {
        group: Text,
    }
}

message! {
    /// A committed offset.
    OffsetCommitValue [0..=4, flexible 4..] {
        offset: Offset,
        leader_epoch: LeaderEpoch [3.., default LeaderEpoch::NONE],
        metadata: Text,
        commit_timestamp: Timestamp,
        expire_timestamp: Timestamp [1..=1, default Timestamp::NONE],
        topic_id: TopicId [4.., tag 0],
    }
}

message! {
    /// A classic group in its last stable generation.
    GroupMetadataValue [0..=4, flexible 4..] {
        protocol_type: Text,
        generation: i32,
        protocol: Option<Text> [0.., default Some(Default::default())],
        leader: Option<Text> [0.., default Some(Default::default())],
        current_state_timestamp: Timestamp [2.., default Timestamp::NONE],
        members: Vec<MemberMetadata>,
    }
}

structure! {
    /// A member of a classic group.
    MemberMetadata {
        member_id: Text,
        group_instance_id: Option<Text> [3..],
        client_id: Text,
        client_host: Text,
        rebalance_timeout: i32 [1.., default -1],
        session_timeout: i32,
        subscription: Bytes,
        assignment: Bytes,
    }
}

impl OffsetCommitKey {
    /// What the keys of all offsets of a group begin with.
    ///
    /// # Errors
    /// Where the name is too long.
    pub fn prefix(group: &Text) -> Result<Bytes, EncodeError> {
        let key = Self { group: group.clone(), ..Self::default() };
        let whole = Key::Offset(key).to_bytes()?;
        // Behind the group there is an empty topic and a partition.
        Ok(whole.slice(..whole.len() - size_of::<u16>() - size_of::<PartitionId>()))
    }
}

impl Key {
    /// The kind of key that we write for offsets, as Kafka does.
    const OFFSET: i16 = 1;
    const GROUP: i16 = 2;

    /// Reads the key of a record.
    ///
    /// # Errors
    /// [`DecodeError::UnknownVersion`] for kinds that are not known here, which a reader passes over; others where the
    /// bytes are no key.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, DecodeError> {
        let (kind, rest) = super::split_version(bytes)?;
        match kind {
            0 | Self::OFFSET => OffsetCommitKey::decode(rest, kind).map(Self::Offset),
            Self::GROUP => GroupMetadataKey::decode(rest, kind).map(Self::Group),
            newer => consumer_groups::Key::decode(rest, newer).map(Self::ConsumerGroup),
        }
    }

    /// Writes the key of a record.
    ///
    /// # Errors
    /// Where a name is too long.
    pub fn to_bytes(&self) -> Result<Bytes, EncodeError> {
        match self {
            Self::Offset(key) => super::with_version(key, Self::OFFSET),
            Self::Group(key) => super::with_version(key, Self::GROUP),
            Self::ConsumerGroup(key) => key.to_bytes(),
        }
    }
}

value! {
    // Version 4 is read, but older brokers could not.
    OffsetCommitValue = 3,
    GroupMetadataValue = 3,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = Text> {
        ".{0,9}".prop_map(Text::from)
    }

    fn bytes() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..9).prop_map(Bytes::from)
    }

    fn key() -> impl Strategy<Value = Key> {
        prop_oneof![
            (text(), text(), any::<i32>()).prop_map(|(group, topic, partition)| Key::Offset(
                OffsetCommitKey { group, topic, partition: PartitionId(partition) }
            )),
            text().prop_map(|group| Key::Group(GroupMetadataKey { group })),
        ]
    }

    fn offset() -> impl Strategy<Value = OffsetCommitValue> {
        (any::<[i64; 3]>(), any::<i32>(), text(), any::<[u8; 16]>()).prop_map(
            |([offset, commit, expire], leader_epoch, metadata, topic_id)| OffsetCommitValue {
                offset: Offset(offset),
                leader_epoch: LeaderEpoch(leader_epoch),
                metadata,
                commit_timestamp: Timestamp(commit),
                expire_timestamp: Timestamp(expire),
                topic_id: TopicId(topic_id),
            },
        )
    }

    fn member() -> impl Strategy<Value = MemberMetadata> {
        let texts = (text(), prop::option::of(text()), text(), text());
        (texts, any::<[i32; 2]>(), bytes(), bytes()).prop_map(
            |((member_id, group_instance_id, client_id, client_host), timeouts, subscription, assignment)| {
                let [rebalance_timeout, session_timeout] = timeouts;
                MemberMetadata {
                    member_id,
                    group_instance_id,
                    client_id,
                    client_host,
                    rebalance_timeout,
                    session_timeout,
                    subscription,
                    assignment,
                }
            },
        )
    }

    fn group() -> impl Strategy<Value = GroupMetadataValue> {
        let names = (text(), prop::option::of(text()), prop::option::of(text()));
        (names, any::<i32>(), any::<i64>(), prop::collection::vec(member(), 0..4)).prop_map(
            |((protocol_type, protocol, leader), generation, timestamp, members)| GroupMetadataValue {
                protocol_type,
                generation,
                protocol,
                leader,
                current_state_timestamp: Timestamp(timestamp),
                members,
            },
        )
    }

    fn offset_in_version(mut value: OffsetCommitValue, version: i16) -> OffsetCommitValue {
        let absent = OffsetCommitValue::default();
        if version < 3 {
            value.leader_epoch = absent.leader_epoch;
        }
        if version != 1 {
            value.expire_timestamp = absent.expire_timestamp;
        }
        if version < 4 {
            value.topic_id = absent.topic_id;
        }
        value
    }

    fn group_in_version(mut value: GroupMetadataValue, version: i16) -> GroupMetadataValue {
        if version < 2 {
            value.current_state_timestamp = Timestamp::NONE;
        }
        for member in &mut value.members {
            if version < 1 {
                member.rebalance_timeout = -1;
            }
            if version < 3 {
                member.group_instance_id = None;
            }
        }
        value
    }

    proptest! {
        #[test]
        fn key_survives_the_log(key in key()) {
            prop_assert_eq!(Key::from_bytes(key.to_bytes().unwrap()), Ok(key));
        }

        #[test]
        fn offset_survives_the_log(value in offset(), version in 0..=4_i16) {
            let bytes = value.to_bytes(version).unwrap();
            prop_assert_eq!(OffsetCommitValue::from_bytes(bytes), Ok(offset_in_version(value, version)));
        }

        #[test]
        fn group_survives_the_log(value in group(), version in 0..=4_i16) {
            let bytes = value.to_bytes(version).unwrap();
            prop_assert_eq!(GroupMetadataValue::from_bytes(bytes), Ok(group_in_version(value, version)));
        }
    }

    #[test]
    fn keys_have_the_bytes_of_kafkas_schema() {
        let key =
            Key::Offset(OffsetCommitKey { group: "g".into(), topic: "ab".into(), partition: PartitionId(5) });
        assert_eq!(&key.to_bytes().unwrap()[..], b"\0\x01\0\x01g\0\x02ab\0\0\0\x05");
        assert_eq!(Key::from_bytes(Bytes::from_static(b"\0\0\0\x01g\0\x02ab\0\0\0\x05")), Ok(key));
        let key = Key::Group(GroupMetadataKey { group: "g".into() });
        assert_eq!(&key.to_bytes().unwrap()[..], b"\0\x02\0\x01g");
    }

    #[test]
    fn key_of_an_unknown_kind_says_which() {
        assert_eq!(
            Key::from_bytes(Bytes::from_static(b"\0\x09\0\x01g")),
            Err(DecodeError::UnknownVersion(9))
        );
    }

    #[test]
    fn offset_has_the_bytes_of_kafkas_schema() {
        let value = OffsetCommitValue {
            offset: Offset(0x0102),
            leader_epoch: LeaderEpoch(3),
            metadata: "m".into(),
            commit_timestamp: Timestamp(0x0405),
            expire_timestamp: Timestamp(6),
            topic_id: TopicId([7; 16]),
        };
        let check = |version: i16, bytes: &[u8]| assert_eq!(&value.to_bytes(version).unwrap()[..], bytes);
        check(0, b"\0\0\0\0\0\0\0\0\x01\x02\0\x01m\0\0\0\0\0\0\x04\x05");
        check(1, b"\0\x01\0\0\0\0\0\0\x01\x02\0\x01m\0\0\0\0\0\0\x04\x05\0\0\0\0\0\0\0\x06");
        check(3, b"\0\x03\0\0\0\0\0\0\x01\x02\0\0\0\x03\0\x01m\0\0\0\0\0\0\x04\x05");
        let mut flexible =
            b"\0\x04\0\0\0\0\0\0\x01\x02\0\0\0\x03\x02m\0\0\0\0\0\0\x04\x05\x01\0\x10".to_vec();
        flexible.extend([7; 16]);
        check(4, &flexible);
    }

    #[test]
    fn group_has_the_bytes_of_kafkas_schema() {
        let member = MemberMetadata {
            member_id: "m".into(),
            group_instance_id: None,
            client_id: "c".into(),
            client_host: "/h".into(),
            rebalance_timeout: 1,
            session_timeout: 2,
            subscription: Bytes::from_static(b"s"),
            assignment: Bytes::new(),
        };
        let value = GroupMetadataValue {
            protocol_type: "consumer".into(),
            generation: 4,
            protocol: Some("range".into()),
            leader: Some("m".into()),
            current_state_timestamp: Timestamp(5),
            members: vec![member],
        };
        let bytes = b"\0\x03\0\x08consumer\0\0\0\x04\0\x05range\0\x01m\0\0\0\0\0\0\0\x05\0\0\0\x01\
            \0\x01m\xff\xff\0\x01c\0\x02/h\0\0\0\x01\0\0\0\x02\0\0\0\x01s\0\0\0\0";
        assert_eq!(&value.to_bytes(3).unwrap()[..], bytes);
    }

    #[test]
    fn large_group_survives_the_log() {
        let member = MemberMetadata {
            subscription: vec![1; 5000].into(),
            assignment: vec![2; 7000].into(),
            ..MemberMetadata::default()
        };
        let value = GroupMetadataValue { members: vec![member; 3], ..GroupMetadataValue::default() };
        assert_eq!(GroupMetadataValue::from_bytes(value.to_bytes(3).unwrap()), Ok(value));
    }

    #[test]
    fn value_with_bytes_behind_it_is_refused() {
        let mut bytes = OffsetCommitValue::default().to_bytes(3).unwrap().to_vec();
        bytes.push(0);
        assert_eq!(OffsetCommitValue::from_bytes(bytes.into()), Err(DecodeError::Trailing(1)));
    }
}
