//! Keys in a store and its changelog begin with a byte that says whose they are.

use bytes::{BufMut, Bytes, BytesMut};
use mainstem_client::{Timestamp, TopicPartition};

use crate::watermark::Channel;

/// Whose a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owned {
    ByUser = 0,
    BySystem = 1,
}

impl Owned {
    /// The key as it is kept.
    pub(crate) fn key(self, key: &[u8]) -> Bytes {
        let mut whole = BytesMut::with_capacity(key.len() + 1);
        whole.put_u8(self as u8);
        whole.put_slice(key);
        whole.freeze()
    }
}

/// What the runtime keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SystemKey<'a> {
    /// The offset at which to go on in an input.
    Position(&'a TopicPartition),
    /// How far a channel has come.
    StreamTime(&'a Channel),
    /// The offset of the mark that ended a channel. It is kept with the positions, which must not be behind it.
    End(&'a Channel),
    /// The watermark.
    Watermark,
    /// How far the windows of a store were closed when the input ended.
    ClosedTo,
    /// The largest time that a store was told of.
    Observed,
    /// What the store says of itself.
    Description,
    /// A timer of a node.
    Timer(Timestamp, &'a str, &'a [u8]),
}

/// What the keys begin with that say how far a task has come, in its inputs and in time.
const HOW_FAR_PREFIXES: [&[u8]; 5] =
    [b"\x01position/", b"\x01stream-time/", b"\x01watermark", b"\x01closed-to", b"\x01observed"];

/// What stands before the time of a timer.
pub(crate) const TIMER_PREFIX: &[u8] = b"\x01timer/";

/// How far into its changelog a store on disk is. No changelog has it: it begins with a byte that is nobody's.
pub(crate) const CHECKPOINT_KEY: &[u8] = b"\x02checkpoint";

/// Stands between the name of a timer's node, which cannot hold it, and the timer's key.
pub(crate) const NODE_END: u8 = 0;

impl SystemKey<'_> {
    pub(crate) fn bytes(&self) -> Bytes {
        match self {
            Self::Position(partition) => Owned::BySystem.key(format!("position/{partition}").as_bytes()),
            Self::StreamTime(channel) => Owned::BySystem.key(format!("stream-time/{channel}").as_bytes()),
            Self::End(channel) => Owned::BySystem.key(format!("position/end/{channel}").as_bytes()),
            Self::ClosedTo => Bytes::from_static(b"\x01closed-to"),
            Self::Observed => Bytes::from_static(b"\x01observed"),
            Self::Description => Bytes::from_static(b"\x01description"),
            Self::Watermark => Owned::BySystem.key(b"watermark"),
            Self::Timer(at, node, key) => {
                let mut whole = BytesMut::from(TIMER_PREFIX);
                whole.put_slice(&ordered(at.0));
                whole.put_slice(node.as_bytes());
                whole.put_u8(NODE_END);
                whole.put_slice(key);
                whole.freeze()
            }
        }
    }
}

/// Whether a key, as it is kept, says how far a task has come. Where that is known and the changes are not that led
/// there, records are left out: those in front of a position are not read again, and those behind the time are late.
pub(crate) fn says_how_far(key: &[u8]) -> bool {
    HOW_FAR_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

/// A number as bytes that sort like it, negative ones included.
pub(crate) const fn ordered(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The number of such bytes.
pub(crate) const fn unordered(bytes: [u8; 8]) -> i64 {
    (u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn positions_and_times_say_how_far_a_task_has_come_and_nothing_else_does() {
        let partition = TopicPartition::new("t", 0);
        let channel = Channel { partition: partition.clone(), from: None };
        let far = [
            SystemKey::Position(&partition),
            SystemKey::StreamTime(&channel),
            SystemKey::End(&channel),
            SystemKey::Watermark,
            SystemKey::ClosedTo,
            SystemKey::Observed,
        ];
        assert!(far.iter().all(|key| says_how_far(&key.bytes())));
        assert!(!says_how_far(&SystemKey::Timer(Timestamp(1), "node", b"key").bytes()));
        assert!(!says_how_far(&Owned::ByUser.key(b"watermark")));
    }

    proptest! {
        #[test]
        fn ordered_bytes_sort_like_their_numbers(left: i64, right: i64) {
            prop_assert_eq!(ordered(left).cmp(&ordered(right)), left.cmp(&right));
            prop_assert_eq!(unordered(ordered(left)), left);
        }
    }
}
