//! How far into its changelog a store on disk is, and whether it can go on from there.

use bytes::{BufMut, Bytes, BytesMut};
use mainstem_client::{Offset, Timestamp, protocol::ids::TopicId};

/// The version of the bytes.
const VERSION: u8 = 1;

/// How far into its changelog a store on disk is. It is written with the entries, in one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The changelog; [`TopicId::ZERO`] where brokers have no such ids.
    pub(crate) topic: TopicId,
    /// Everything in front of this offset is in the store, and nothing else.
    pub(crate) offset: Offset,
    /// The time of the machine at which the changelog had no more than that.
    pub(crate) at: Timestamp,
}

impl Checkpoint {
    /// Of a store without a changelog.
    pub(crate) const NONE: Self = Self { topic: TopicId::ZERO, offset: Offset::ZERO, at: Timestamp(0) };

    pub(crate) fn bytes(&self) -> Bytes {
        let Self { topic, offset, at } = self;
        let mut bytes = BytesMut::with_capacity(33);
        bytes.put_u8(VERSION);
        bytes.put_slice(&topic.0);
        bytes.put_i64(offset.0);
        bytes.put_i64(at.0);
        bytes.freeze()
    }

    /// None where the bytes are another version's: the store is built up again then.
    pub(crate) fn read(bytes: &Bytes) -> Option<Self> {
        let bytes = bytes.strip_prefix(&[VERSION])?;
        let (topic, bytes) = bytes.split_first_chunk::<16>()?;
        let (offset, bytes) = bytes.split_first_chunk::<8>()?;
        let at = bytes.first_chunk::<8>()?;
        let number = |bytes: &[u8; 8]| i64::from_be_bytes(*bytes);
        Some(Self { topic: TopicId(*topic), offset: Offset(number(offset)), at: Timestamp(number(at)) })
    }
}

/// A changelog as it is when a task starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Changelog {
    pub(crate) topic: TopicId,
    pub(crate) start: Offset,
    pub(crate) end: Offset,
    /// Whether brokers delete its records by age or size, besides compacting them.
    pub(crate) is_deleted_from: bool,
    /// How long brokers keep a tombstone, in milliseconds.
    pub(crate) tombstones_kept_ms: i64,
    pub(crate) now: Timestamp,
}

/// Where a store goes on in its changelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    /// Behind what it holds.
    Tail(Offset),
    /// At the beginning, without what it holds.
    Whole(Rebuild),
    /// Nowhere: what lies between this offset and the first one that there is was deleted by hand, and is lost.
    Lost(Offset),
}

/// Why a store is built up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rebuild {
    #[error("it is new")]
    New,
    #[error("its changelog was deleted and created again")]
    OtherTopic,
    #[error("its changelog ends at {end}, in front of {offset}, which the store has reached")]
    EndsEarlier { end: Offset, offset: Offset },
    #[error("its changelog begins at {start}: what lies behind {offset} has expired")]
    BeginsLater { start: Offset, offset: Offset },
    #[error("its changelog may have lost deletions that are {age_ms} ms old; they are kept for {kept_ms} ms")]
    Stale { age_ms: i64, kept_ms: i64 },
}

/// Clocks of machines differ, and a deletion that was just there may be gone before it is read.
const MARGIN_MS: i64 = 60 * 60 * 1000;

impl Changelog {
    /// Where a store goes on that has come so far.
    ///
    /// A store that is behind may have missed a deletion: compaction takes a key out, and some time later the tombstone that
    /// said so. What the store still holds would rise from the dead (Kafka Streams: KAFKA-20663 and its like).
    pub(crate) fn resume(&self, checkpoint: Option<&Checkpoint>) -> Resume {
        let Some(Checkpoint { topic, offset, at }) = checkpoint.copied() else {
            return Resume::Whole(Rebuild::New);
        };
        let (age_ms, kept_ms) = (self.now.0.saturating_sub(at.0), self.tombstones_kept_ms);
        let is_known = topic != TopicId::ZERO && self.topic != TopicId::ZERO;
        if is_known && topic != self.topic {
            Resume::Whole(Rebuild::OtherTopic)
        } else if self.end < offset {
            Resume::Whole(Rebuild::EndsEarlier { end: self.end, offset })
        } else if self.start > offset && self.is_deleted_from {
            Resume::Whole(Rebuild::BeginsLater { start: self.start, offset })
        } else if self.start > offset {
            Resume::Lost(offset)
        } else if self.end > offset && age_ms > kept_ms.saturating_sub(MARGIN_MS) {
            Resume::Whole(Rebuild::Stale { age_ms, kept_ms })
        } else {
            Resume::Tail(offset)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 60 * 60 * 1000;
    const ONE: TopicId = TopicId([1; 16]);
    const OTHER: TopicId = TopicId([2; 16]);

    fn changelog(topic: TopicId, start: i64, end: i64, now: i64) -> Changelog {
        let (start, end) = (Offset(start), Offset(end));
        Changelog {
            topic,
            start,
            end,
            is_deleted_from: false,
            tombstones_kept_ms: 24 * HOUR,
            now: Timestamp(now),
        }
    }

    const REACHED: Checkpoint = Checkpoint { topic: ONE, offset: Offset(10), at: Timestamp(0) };

    #[test]
    fn store_goes_on_behind_what_it_holds() {
        assert_eq!(changelog(ONE, 0, 15, HOUR).resume(Some(&REACHED)), Resume::Tail(Offset(10)));
        assert_eq!(changelog(ONE, 10, 10, HOUR).resume(Some(&REACHED)), Resume::Tail(Offset(10)));
        // Brokers without topic ids are believed.
        assert_eq!(changelog(TopicId::ZERO, 0, 15, 0).resume(Some(&REACHED)), Resume::Tail(Offset(10)));
    }

    #[test]
    fn store_of_another_changelog_is_built_up_again() {
        let whole = |changelog: Changelog| match changelog.resume(Some(&REACHED)) {
            Resume::Whole(reason) => reason.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(whole(changelog(OTHER, 0, 15, 0)), "its changelog was deleted and created again");
        assert_eq!(
            whole(changelog(ONE, 0, 9, 0)),
            "its changelog ends at 9, in front of 10, which the store has reached"
        );
        assert_eq!(changelog(ONE, 0, 9, 0).resume(None), Resume::Whole(Rebuild::New));
    }

    /// Trap 34: a deletion that was itself removed while the store was behind would leave its key alive.
    #[test]
    fn store_that_may_have_missed_a_deletion_is_built_up_again() {
        assert_eq!(changelog(ONE, 0, 15, 22 * HOUR).resume(Some(&REACHED)), Resume::Tail(Offset(10)));
        let stale = changelog(ONE, 0, 15, 23 * HOUR + 1).resume(Some(&REACHED));
        assert_eq!(stale, Resume::Whole(Rebuild::Stale { age_ms: 23 * HOUR + 1, kept_ms: 24 * HOUR }));
        // Nothing was written since: there was nothing to miss.
        assert_eq!(changelog(ONE, 0, 10, 99 * HOUR).resume(Some(&REACHED)), Resume::Tail(Offset(10)));
    }

    /// Traps 34 and 48: records in front of the log's start are gone. Where age deletes them they had expired; where
    /// nothing should have, state is lost, and that is said rather than passed over.
    #[test]
    fn store_in_front_of_the_logs_start_is_built_up_again_or_refused() {
        let by_hand = changelog(ONE, 11, 15, 0);
        assert_eq!(by_hand.resume(Some(&REACHED)), Resume::Lost(Offset(10)));
        let by_age = Changelog { is_deleted_from: true, ..by_hand };
        let expired = Rebuild::BeginsLater { start: Offset(11), offset: Offset(10) };
        assert_eq!(by_age.resume(Some(&REACHED)), Resume::Whole(expired));
    }

    proptest! {
        #[test]
        fn checkpoints_come_back(topic: [u8; 16], offset: i64, at: i64) {
            let topic = TopicId(topic);
            let checkpoint = Checkpoint { topic, offset: Offset(offset), at: Timestamp(at) };
            prop_assert_eq!(Checkpoint::read(&checkpoint.bytes()), Some(checkpoint));
        }
    }

    #[test]
    fn checkpoint_of_another_version_is_none() {
        let mut bytes = REACHED.bytes().to_vec();
        bytes[0] = 2;
        assert_eq!(Checkpoint::read(&bytes.into()), None);
    }
}
