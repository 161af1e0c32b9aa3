//! The consumer protocol: what members of protocol type `consumer` put into JoinGroup (their subscription) and
//! their leader into SyncGroup (each member's assignment). A version newer than ours is read as our newest and what
//! follows is left unread: versions only ever append fields (Kafka: `ConsumerProtocol`).

use bytes::Bytes;

use crate::{
    PartitionId, Text,
    messages::{
        Message,
        describe::{self, message, structure},
    },
    wire::{DecodeError, EncodeError, Reader},
};

/// The protocol type of groups whose members speak this protocol.
pub const PROTOCOL_TYPE: &str = "consumer";

message! {
    /// What a member wants to consume, and what it owned in the generation before.
    Subscription [0..=3, flexible 0x7fff..] {
        topics: Vec<Text>,
        user_data: Option<Bytes>,
        owned_partitions: Vec<TopicPartitions> [1..],
        generation_id: i32 [2.., default -1],
        rack_id: Option<Text> [3..],
    }
}

message! {
    /// What a member is to consume.
    Assignment [0..=3, flexible 0x7fff..] {
        assigned_partitions: Vec<TopicPartitions>,
        user_data: Option<Bytes>,
    }
}

structure! {
    /// Partitions of one topic.
    TopicPartitions {
        topic: Text,
        partitions: Vec<PartitionId>,
    }
}

macro_rules! consumer_format {
    ($($name:ident),*) => {$(
        impl $name {
            /// Reads the bytes of a group request.
            ///
            /// # Errors
            /// Where the bytes end early or the version is negative.
            pub fn from_bytes(bytes: Bytes) -> Result<Self, DecodeError> {
                read(bytes, *Self::VERSIONS.end())
            }

            /// Writes the bytes of a group request.
            ///
            /// # Errors
            /// Where the version is unknown.
            pub fn to_bytes(&self, version: i16) -> Result<Bytes, EncodeError> {
                super::with_version(self, version)
            }
        }
    )*};
}

consumer_format!(Subscription, Assignment);

impl Subscription {
    /// The topics alone, which every version begins with: what follows need not be understood (Kafka:
    /// `ClassicGroup.computeSubscribedTopics`).
    ///
    /// # Errors
    /// Where the bytes end early or the version is negative.
    pub fn topics_of(bytes: Bytes) -> Result<Vec<Text>, DecodeError> {
        Ok(read::<Self>(bytes, 0)?.topics)
    }
}

/// Reads a value, of a version newer than `newest` what that one has.
fn read<T: Message>(bytes: Bytes, newest: i16) -> Result<T, DecodeError> {
    let (version, rest) = super::split_version(bytes)?;
    if version < *T::VERSIONS.start() {
        return Err(DecodeError::UnknownVersion(version));
    }
    T::read(&mut Reader::new(rest, version.min(newest), T::FLEXIBLE_SINCE))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topic_partitions() -> impl Strategy<Value = Vec<TopicPartitions>> {
        let one = (".{0,9}", prop::collection::vec(any::<i32>().prop_map(PartitionId), 0..4))
            .prop_map(|(topic, partitions)| TopicPartitions { topic: topic.into(), partitions });
        prop::collection::vec(one, 0..4)
    }

    fn user_data() -> impl Strategy<Value = Option<Bytes>> {
        prop::option::of(prop::collection::vec(any::<u8>(), 0..9).prop_map(Bytes::from))
    }

    fn subscription() -> impl Strategy<Value = Subscription> {
        let topics = prop::collection::vec(".{0,9}".prop_map(Text::from), 0..4);
        let rack_id = prop::option::of(".{0,9}".prop_map(Text::from));
        (topics, user_data(), topic_partitions(), any::<i32>(), rack_id).prop_map(
            |(topics, user_data, owned_partitions, generation_id, rack_id)| Subscription {
                topics,
                user_data,
                owned_partitions,
                generation_id,
                rack_id,
            },
        )
    }

    /// What is left of a subscription in a version.
    fn in_version(subscription: Subscription, version: i16) -> Subscription {
        let Subscription { topics, user_data, owned_partitions, generation_id, rack_id } = subscription;
        Subscription {
            topics,
            user_data,
            owned_partitions: if version >= 1 { owned_partitions } else { Vec::new() },
            generation_id: if version >= 2 { generation_id } else { -1 },
            rack_id: rack_id.filter(|_| version >= 3),
        }
    }

    proptest! {
        #[test]
        fn subscription_survives_the_wire(subscription in subscription(), version in 0..=3_i16) {
            let bytes = subscription.to_bytes(version).unwrap();
            prop_assert_eq!(Subscription::from_bytes(bytes), Ok(in_version(subscription, version)));
        }

        #[test]
        fn assignment_survives_the_wire(
            assigned_partitions in topic_partitions(),
            user_data in user_data(),
            version in 0..=3_i16,
        ) {
            let assignment = Assignment { assigned_partitions, user_data };
            let bytes = assignment.to_bytes(version).unwrap();
            prop_assert_eq!(Assignment::from_bytes(bytes), Ok(assignment));
        }
    }

    fn example() -> Subscription {
        Subscription {
            topics: vec!["ab".into()],
            user_data: None,
            owned_partitions: vec![TopicPartitions { topic: "ab".into(), partitions: vec![PartitionId(5)] }],
            generation_id: 7,
            rack_id: Some("r".into()),
        }
    }

    const SUBSCRIPTION_V3: &[u8] = b"\0\x03\0\0\0\x01\0\x02ab\xff\xff\xff\xff\
        \0\0\0\x01\0\x02ab\0\0\0\x01\0\0\0\x05\0\0\0\x07\0\x01r";

    #[test]
    fn subscription_has_the_bytes_of_kafkas_schema() {
        assert_eq!(example().to_bytes(3).unwrap(), SUBSCRIPTION_V3);
        assert_eq!(example().to_bytes(2).unwrap()[2..], SUBSCRIPTION_V3[2..SUBSCRIPTION_V3.len() - 3]);
        assert_eq!(&example().to_bytes(0).unwrap()[..], b"\0\0\0\0\0\x01\0\x02ab\xff\xff\xff\xff");
    }

    #[test]
    fn assignment_has_the_bytes_of_kafkas_schema() {
        let assignment = Assignment {
            assigned_partitions: example().owned_partitions,
            user_data: Some(Bytes::from_static(b"xyz")),
        };
        let bytes = b"\0\x01\0\0\0\x01\0\x02ab\0\0\0\x01\0\0\0\x05\0\0\0\x03xyz";
        assert_eq!(&assignment.to_bytes(1).unwrap()[..], bytes);
    }

    #[test]
    fn newer_version_is_read_as_the_newest_known() {
        let mut bytes = SUBSCRIPTION_V3.to_vec();
        bytes[1] = 9;
        bytes.extend(b"fields of version 9");
        assert_eq!(Subscription::from_bytes(bytes.into()), Ok(example()));
    }

    #[test]
    fn topics_are_read_whatever_follows_them() {
        let mut bytes = SUBSCRIPTION_V3[..14].to_vec();
        bytes[1] = 99;
        assert_eq!(Subscription::topics_of(bytes.clone().into()), Ok(vec!["ab".into()]));
        bytes.truncate(9);
        assert!(Subscription::topics_of(bytes.into()).is_err());
        assert_eq!(
            Subscription::topics_of(Bytes::from_static(&[0xff, 0xff])),
            Err(DecodeError::UnknownVersion(-1))
        );
    }

    #[test]
    fn negative_version_and_every_early_end_are_refused() {
        assert_eq!(
            Subscription::from_bytes(Bytes::from_static(&[0xff, 0xff])),
            Err(DecodeError::UnknownVersion(-1))
        );
        for end in 0..SUBSCRIPTION_V3.len() {
            assert!(Subscription::from_bytes(Bytes::from_static(&SUBSCRIPTION_V3[..end])).is_err());
        }
    }
}
