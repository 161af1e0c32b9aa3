//! The records of `__consumer_offsets` about groups of the newer protocol (KIP-848) as Kafka writes them: a key, and a
//! value, or no value where the thing is gone.

use bytes::Bytes;

use super::value;
use crate::{
    PartitionId, Text, Timestamp, TopicId,
    messages::{
        Message,
        describe::{self, message, structure},
    },
    wire::{DecodeError, EncodeError, Presence},
};

/// What a record is about: the kinds of key, and the group that each names.
macro_rules! keys {
    ($($(#[$doc:meta])* $variant:ident($name:ident) = $kind:literal,)*) => {
        /// What a record about a group of the newer protocol says.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Key {
            $($(#[$doc])* $variant($name),)*
        }

        impl Key {
            /// Reads what stands behind the kind of a key.
            pub(super) fn decode(rest: Bytes, kind: i16) -> Result<Self, DecodeError> {
                match kind {
                    $($kind => $name::decode(rest, kind).map(Self::$variant),)*
                    unknown => Err(DecodeError::UnknownVersion(unknown)),
                }
            }

            /// Writes the key of a record.
            ///
            /// # Errors
            /// Where a name is too long.
            pub fn to_bytes(&self) -> Result<Bytes, EncodeError> {
                match self {
                    $(Self::$variant(key) => super::with_version(key, $kind),)*
                }
            }

            /// The group that the record is about.
            #[must_use]
            pub const fn group_id(&self) -> &Text {
                match self {
                    $(Self::$variant(key) => &key.group_id,)*
                }
            }
        }
    };
}

keys! {
    /// The epoch of a group.
    Metadata(ConsumerGroupMetadataKey) = 3,
    /// What a group knew of its topics; Kafka 4.1 and later keep a hash beside the epoch instead.
    PartitionMetadata(ConsumerGroupPartitionMetadataKey) = 4,
    /// What a member says of itself.
    Member(ConsumerGroupMemberMetadataKey) = 5,
    /// The epoch of a group's target assignment.
    TargetMetadata(ConsumerGroupTargetAssignmentMetadataKey) = 6,
    /// What a member is to have.
    TargetMember(ConsumerGroupTargetAssignmentMemberKey) = 7,
    /// What a member has.
    CurrentMember(ConsumerGroupCurrentMemberAssignmentKey) = 8,
    /// The topics that a pattern of a group matches.
    RegularExpression(ConsumerGroupRegularExpressionKey) = 16,
}

/// A group, by what the record says of it.
macro_rules! group_key {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        message! {
            $(#[$doc])*
            #[derive(Eq, Hash)]
            $name [$kind..=$kind, flexible 0x7fff..] {
                group_id: Text,
            }
        }
    )*};
}

/// A member of a group, by what the record says of it.
macro_rules! member_key {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        message! {
            $(#[$doc])*
            #[derive(Eq, Hash)]
            $name [$kind..=$kind, flexible 0x7fff..] {
                group_id: Text,
                member_id: Text,
            }
        }
    )*};
}

group_key! {
    /// Names the epoch of a group.
    ConsumerGroupMetadataKey = 3;
    /// Names what a group knew of its topics; Kafka 4.1 and later keep a hash beside the epoch instead.
    ConsumerGroupPartitionMetadataKey = 4;
    /// Names the epoch of a group's target assignment.
    ConsumerGroupTargetAssignmentMetadataKey = 6;
}

member_key! {
    /// Names what a member says of itself.
    ConsumerGroupMemberMetadataKey = 5;
    /// Names what a member is to have.
    ConsumerGroupTargetAssignmentMemberKey = 7;
    /// Names what a member has.
    ConsumerGroupCurrentMemberAssignmentKey = 8;
}

message! {
    /// Names the topics that a pattern of a group matches.
    #[derive(Eq, Hash)]
    ConsumerGroupRegularExpressionKey [16..=16, flexible 0x7fff..] {
        group_id: Text,
        regular_expression: Text,
    }
}

message! {
    /// The epoch of a group, and a hash of the topics that it was made for.
    ConsumerGroupMetadataValue [0..=0, flexible 0..] {
        epoch: i32,
        metadata_hash: i64 [0.., tag 0],
    }
}

message! {
    /// What a group knew of its topics.
    ConsumerGroupPartitionMetadataValue [0..=0, flexible 0..] {
        topics: Vec<TopicMetadata>,
    }
}

message! {
    /// What a member says of itself.
    ConsumerGroupMemberMetadataValue [0..=0, flexible 0..] {
        instance_id: Option<Text> [0.., default Some(Default::default())],
        rack_id: Option<Text> [0.., default Some(Default::default())],
        client_id: Text,
        client_host: Text,
        subscribed_topic_names: Vec<Text>,
        subscribed_topic_regex: Option<Text> [0.., default Some(Default::default())],
        rebalance_timeout_ms: i32 [0.., default -1],
        server_assignor: Option<Text> [0.., default Some(Default::default())],
        // What the member said if it speaks the classic protocol; an absent tag would not mean that it does not.
        classic_member_metadata: Presence<ClassicMemberMetadata> [0.., tag 0, default Presence(Some(Default::default()))],
    }
}

message! {
    /// The epoch of a group's target assignment.
    ConsumerGroupTargetAssignmentMetadataValue [0..=0, flexible 0..] {
        assignment_epoch: i32,
    }
}

message! {
    /// What a member is to have.
    ConsumerGroupTargetAssignmentMemberValue [0..=0, flexible 0..] {
        topic_partitions: Vec<TopicPartitions>,
    }
}

message! {
    /// What a member has, and what it is still to give back.
    ConsumerGroupCurrentMemberAssignmentValue [0..=0, flexible 0..] {
        member_epoch: i32,
        previous_member_epoch: i32,
        state: i8,
        assigned_partitions: Vec<TopicPartitions>,
        partitions_pending_revocation: Vec<TopicPartitions>,
    }
}

message! {
    /// The topics that a pattern matches.
    ConsumerGroupRegularExpressionValue [0..=0, flexible 0..] {
        topics: Vec<Text>,
        version: i64,
        timestamp: Timestamp,
    }
}

structure! {
    /// What a group knew of a topic.
    TopicMetadata {
        topic_id: TopicId,
        topic_name: Text,
        num_partitions: i32,
        partition_metadata: Vec<PartitionMetadata>,
    }

    /// Where replicas of a partition are.
    PartitionMetadata {
        partition: PartitionId,
        racks: Vec<Text>,
    }

    /// What a member of the classic protocol said when it joined.
    ClassicMemberMetadata {
        session_timeout_ms: i32,
        supported_protocols: Vec<ClassicProtocol>,
    }

    /// A protocol that such a member speaks.
    ClassicProtocol {
        name: Text,
        metadata: Bytes,
    }

    /// Partitions of one topic.
    #[derive(Eq)]
    TopicPartitions {
        topic_id: TopicId,
        partitions: Vec<PartitionId>,
    }
}

value! {
    ConsumerGroupMetadataValue = 0,
    ConsumerGroupPartitionMetadataValue = 0,
    ConsumerGroupMemberMetadataValue = 0,
    ConsumerGroupTargetAssignmentMetadataValue = 0,
    ConsumerGroupTargetAssignmentMemberValue = 0,
    ConsumerGroupCurrentMemberAssignmentValue = 0,
    ConsumerGroupRegularExpressionValue = 0,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        formats::offsets,
        specimen::{Random, Specimen},
    };

    fn survives<K: Message + Specimen>(kind: i16, wrap: impl Fn(K) -> Key) {
        for seed in 0..100 {
            let key = wrap(K::specimen(&mut Random::new(seed), kind));
            let bytes = key.to_bytes().unwrap();
            assert_eq!(bytes[..2], kind.to_be_bytes());
            assert_eq!(offsets::Key::from_bytes(bytes), Ok(offsets::Key::ConsumerGroup(key)));
        }
    }

    #[test]
    fn keys_survive_the_log() {
        survives(3, Key::Metadata);
        survives(4, Key::PartitionMetadata);
        survives(5, Key::Member);
        survives(6, Key::TargetMetadata);
        survives(7, Key::TargetMember);
        survives(8, Key::CurrentMember);
        survives(16, Key::RegularExpression);
    }

    #[test]
    fn keys_have_the_bytes_of_kafkas_schema() {
        let (group_id, member_id) = (Text::from("g"), Text::from("m"));
        let group = Key::Metadata(ConsumerGroupMetadataKey { group_id: group_id.clone() });
        assert_eq!(&group.to_bytes().unwrap()[..], b"\0\x03\0\x01g");
        let member = Key::CurrentMember(ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id });
        assert_eq!(&member.to_bytes().unwrap()[..], b"\0\x08\0\x01g\0\x01m");
        assert_eq!(member.group_id(), "g");
    }

    #[test]
    fn values_survive_the_log() {
        for seed in 0..100 {
            let value = ConsumerGroupMemberMetadataValue::specimen(&mut Random::new(seed), 0);
            let bytes = value.to_bytes(0).unwrap();
            assert_eq!(ConsumerGroupMemberMetadataValue::from_bytes(bytes), Ok(value));
            let value = ConsumerGroupCurrentMemberAssignmentValue::specimen(&mut Random::new(seed), 0);
            let bytes = value.to_bytes(0).unwrap();
            assert_eq!(ConsumerGroupCurrentMemberAssignmentValue::from_bytes(bytes), Ok(value));
        }
    }

    /// The bytes are those that Kafka 4.2.1 writes.
    #[test]
    fn classic_member_inside_a_newer_group_has_kafkas_bytes() {
        let classic = ClassicMemberMetadata { session_timeout_ms: 7, supported_protocols: Vec::new() };
        let member = |classic| ConsumerGroupMemberMetadataValue {
            instance_id: None,
            rack_id: None,
            subscribed_topic_regex: None,
            server_assignor: None,
            classic_member_metadata: Presence(classic),
            ..ConsumerGroupMemberMetadataValue::default()
        };
        let before = &b"\0\0\0\0\x01\x01\x01\0\xff\xff\xff\xff\0"[..];
        let check = |classic, tags: &[u8]| {
            assert_eq!(member(classic).to_bytes(0).unwrap(), [before, tags].concat());
        };
        check(Some(ClassicMemberMetadata::default()), b"\0");
        check(Some(classic), b"\x01\0\x07\x01\0\0\0\x07\x01\0");
        check(None, b"\x01\0\x01\0");
    }
}
