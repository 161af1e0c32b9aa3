//! Numbers with types.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($repr:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $repr);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$repr> for $name {
            fn from(number: $repr) -> Self {
                Self(number)
            }
        }
    };
}

number!(
    /// The place of a record in its partition, from 0.
    Offset(i64)
);
number!(
    /// How often the leadership of a partition has changed; -1 where it is not known.
    LeaderEpoch(i32)
);
number!(
    /// The identity of an idempotent producer; -1 for a producer without one.
    ProducerId(i64)
);
number!(
    /// Fences earlier instances of a producer; -1 for a producer without an identity.
    ProducerEpoch(i16)
);
number!(
    /// The number of a record among those of its producer and partition; wraps from `i32::MAX` to 0.
    Sequence(i32)
);
number!(
    /// A partition of a topic, from 0.
    PartitionId(i32)
);
number!(
    /// The node id of a broker; -1 for none.
    BrokerId(i32)
);
number!(
    /// Pairs a response with its request on one connection.
    CorrelationId(i32)
);
number!(
    /// Milliseconds since 1970-01-01T00:00:00Z; -1 for none.
    Timestamp(i64)
);

impl Offset {
    /// The first offset of every partition.
    pub const ZERO: Self = Self(0);
    /// No offset: nothing was committed, or nothing matched.
    pub const NONE: Self = Self(-1);

    /// The offset behind this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The offset `count` records further on.
    #[must_use]
    pub const fn plus(self, count: i64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl LeaderEpoch {
    /// The epoch is not known, or the sender does not check it.
    pub const NONE: Self = Self(-1);
}

impl ProducerId {
    /// A producer without an identity.
    pub const NONE: Self = Self(-1);

    /// Whether this names a producer at all.
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.0 >= 0
    }
}

impl ProducerEpoch {
    /// A producer without an identity.
    pub const NONE: Self = Self(-1);
}

impl Sequence {
    /// A batch without a sequence.
    pub const NONE: Self = Self(-1);

    /// The sequence `count` records further on; after `i32::MAX` comes 0
    /// (Kafka: `DefaultRecordBatch.incrementSequence`).
    #[must_use]
    pub const fn plus(self, count: i32) -> Self {
        if self.0 > i32::MAX - count { Self(count - (i32::MAX - self.0) - 1) } else { Self(self.0 + count) }
    }
}

impl BrokerId {
    /// No broker.
    pub const NONE: Self = Self(-1);
}

impl Timestamp {
    /// No timestamp.
    pub const NONE: Self = Self(-1);
}

/// The identity of a topic over its lifetime (KIP-516): a topic that is deleted and created again has another one.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// No topic: the request names it instead.
    pub const ZERO: Self = Self([0; 16]);

    /// Kafka reserves 0 and 1 (the metadata topic of its own controllers).
    #[must_use]
    pub fn is_reserved(self) -> bool {
        u128::from_be_bytes(self.0) <= 1
    }

    /// A fresh identity that was never used before.
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().into_bytes())
    }
}

impl fmt::Display for TopicId {
    /// Kafka prints topic ids as base64 with the alphabet of URLs and without padding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let number = u128::from_be_bytes(self.0);
        // 22 digits of six bits are 132: four more than there are, so the last digit is shifted.
        (0..22).try_for_each(|digit| {
            let shift = 122 - 6 * digit;
            let six = if shift >= 0 { number >> shift } else { number << -shift };
            write!(f, "{}", char::from(ALPHABET[(six & 63) as usize]))
        })
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_wraps_from_the_largest_to_zero() {
        assert_eq!(Sequence(i32::MAX).plus(1), Sequence(0));
        assert_eq!(Sequence(i32::MAX - 1).plus(3), Sequence(1));
        assert_eq!(Sequence(7).plus(3), Sequence(10));
    }

    #[test]
    fn topic_id_prints_as_kafka_prints_it() {
        let id = TopicId(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10_u128.to_be_bytes());
        assert_eq!(id.to_string(), "AQIDBAUGBwgJCgsMDQ4PEA");
    }
}
