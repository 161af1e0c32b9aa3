//! What the keys of typed stores are made of.
//!
//! A key that something stands behind is *closed*: each zero byte in it becomes `00 FF`, and `00 00` ends it. Closed keys
//! sort like their keys, and none is the beginning of another.

use std::{marker::PhantomData, time::Duration};

use bytes::{Bytes, BytesMut};
use mainstem_client::{Text, Timestamp};

use crate::{
    StoreSpec,
    serdes::{Serde, SerdeError},
    state::{Store, ordered, unordered},
};

/// Types of a view that holds neither.
pub(super) type Types<K, V> = PhantomData<fn() -> (K, V)>;

const END: [u8; 2] = [0, 0];
const ZERO: [u8; 2] = [0, 0xff];

/// A key's bytes, which it must have.
pub(super) fn key_bytes<K: Serde>(key: &K) -> Result<Bytes, SerdeError> {
    key.encode(&mut BytesMut::new())?.ok_or(SerdeError::Null { expected: "a key" })
}

pub(super) fn close(into: &mut Vec<u8>, key: &[u8]) {
    for byte in key {
        match byte {
            0 => into.extend(ZERO),
            _ => into.push(*byte),
        }
    }
    into.extend(END);
}

/// The key at the beginning, and what stands behind it.
pub(super) fn open(bytes: &[u8]) -> Result<(Bytes, &[u8]), SerdeError> {
    let mut key = BytesMut::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        rest = match rest {
            [0, 0, behind @ ..] => return Ok((key.freeze(), behind)),
            [0, 0xff, behind @ ..] => {
                key.extend([0]);
                behind
            }
            [0, ..] | [] => return Err(SerdeError::other("a key without an end")),
            [byte, behind @ ..] => {
                key.extend([*byte]);
                behind
            }
        };
    }
}

/// The time at the beginning, and what stands behind it.
pub(super) fn time(bytes: &[u8]) -> Result<(Timestamp, &[u8]), SerdeError> {
    let short = SerdeError::Length { expected: "a time", wanted: 8, found: bytes.len() };
    let (time, rest) = bytes.split_first_chunk::<8>().ok_or(short)?;
    Ok((Timestamp(unordered(*time)), rest))
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).max(1)
}

/// The last time that is too old, where the store's time is `observed`.
pub(super) const fn too_old(observed: Timestamp, kept_ms: i64) -> Timestamp {
    Timestamp(observed.0.saturating_sub(kept_ms))
}

/// Entries that one call takes out at most, so that none takes long.
pub(super) const EXPIRED_AT_ONCE_MAX: usize = 256;

/// Parts that a retention is cut into. Entries of one part stand together, so that old ones are found without looking at
/// younger ones, and those of a key without looking at other keys.
const PARTS: i64 = 8;

/// Time in parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    kept_ms: i64,
    length_ms: i64,
}

impl Parts {
    pub(super) fn new(retention: Duration) -> Self {
        let kept_ms = millis(retention);
        Self { kept_ms, length_ms: (kept_ms / PARTS).max(1) }
    }

    /// The declaration of a store that is cut so.
    pub(super) fn spec<K: Serde, V: Serde>(self, name: Text, kind: &'static str) -> StoreSpec {
        let spec = StoreSpec::new(name).kind(kind).keys(K::format()).values(V::format());
        spec.windows(format!("parts of {} ms", self.length_ms))
    }

    /// Notes that the store's time has come so far, and takes out some of what is too old.
    pub(super) fn observe(self, store: &mut Store, at: Timestamp) {
        store.observe(at);
        let end = self.first_kept(store.observed());
        let old = store.entries(b"", &end).take(EXPIRED_AT_ONCE_MAX);
        for (entry, _) in old.collect::<Vec<_>>() {
            store.delete(&entry);
        }
    }

    const fn of(self, time: Timestamp) -> i64 {
        time.0.div_euclid(self.length_ms)
    }

    pub(super) const fn too_old(self, observed: Timestamp) -> Timestamp {
        too_old(observed, self.kept_ms)
    }

    /// The parts in which something may stand between two times, both included.
    pub(super) fn between(
        self,
        from: Timestamp,
        to: Timestamp,
        observed: Timestamp,
    ) -> std::ops::RangeInclusive<i64> {
        let from = from.max(Timestamp(self.too_old(observed).0.saturating_add(1)));
        let to = to.min(observed);
        // Nothing stands in front of what is too old, nor behind the store's time: the range may be empty.
        let last = if from > to { self.of(from) - 1 } else { self.of(to) };
        self.of(from)..=last
    }

    /// What keys of a time begin with.
    pub(super) fn begin(self, time: Timestamp) -> Vec<u8> {
        Self::prefix(self.of(time))
    }

    pub(super) fn prefix(part: i64) -> Vec<u8> {
        ordered(part).to_vec()
    }

    /// Behind everything that is in parts of which all is too old.
    fn first_kept(self, observed: Timestamp) -> Vec<u8> {
        Self::prefix(self.of(Timestamp(self.too_old(observed).0.saturating_add(1))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn closed(key: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        close(&mut bytes, key);
        bytes
    }

    proptest! {
        #[test]
        fn closed_keys_sort_like_their_keys_and_come_back(
            left in prop::collection::vec(0..3_u8, 0..6),
            right in prop::collection::vec(0..3_u8, 0..6),
            behind: [u8; 2],
        ) {
            let (mut one, two) = (closed(&left), closed(&right));
            prop_assert_eq!(one.cmp(&two), left.cmp(&right));
            prop_assert!(left == right || !one.starts_with(&two));
            one.extend(behind);
            let (key, rest) = open(&one).unwrap();
            prop_assert_eq!((&key[..], rest), (&left[..], &behind[..]));
        }
    }

    #[test]
    fn parts_are_rounded_down_before_1970_and_hold_at_the_ends_of_time() {
        let parts = Parts::new(Duration::from_millis(80));
        assert_eq!((parts.of(Timestamp(-1)), parts.of(Timestamp(9)), parts.of(Timestamp(10))), (-1, 0, 1));
        let all = parts.between(Timestamp(i64::MIN), Timestamp(i64::MAX), Timestamp(i64::MAX));
        assert!(all.count() <= 9);
        assert!(parts.between(Timestamp(5), Timestamp(4), Timestamp(9)).is_empty());
    }
}
