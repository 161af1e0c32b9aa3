//! A store in memory, and its overlay.

use std::{
    collections::{BTreeMap, btree_map},
    ops::Bound,
};

use bytes::Bytes;
use mainstem_client::{Text, Timestamp};

use super::keys::{NODE_END, Owned, SystemKey, TIMER_PREFIX, unordered};
use crate::watermark::BEGINNING;

/// Sorted keys and values. What was written since the last commit is kept apart, and is dropped if the commit fails.
#[derive(Debug, Default)]
pub struct Store {
    committed: BTreeMap<Bytes, Bytes>,
    /// `None` for what is to be deleted.
    overlay: BTreeMap<Bytes, Option<Bytes>>,
    uncommitted_bytes: usize,
}

impl Store {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.raw_get(&Owned::ByUser.key(key))
    }

    /// Gives a key a value.
    pub fn put(&mut self, key: &[u8], value: impl Into<Bytes>) {
        self.raw_put(Owned::ByUser.key(key), Some(value.into()));
    }

    /// Takes a key out.
    pub fn delete(&mut self, key: &[u8]) {
        self.raw_put(Owned::ByUser.key(key), None);
    }

    /// The entries whose keys are at least `from` and less than `to`, in the order of their keys.
    #[must_use]
    pub fn range(&self, from: &[u8], to: &[u8]) -> Vec<(Bytes, Bytes)> {
        self.user_range(from, Bound::Excluded(Owned::ByUser.key(to)))
    }

    /// The entries whose keys are at least `from`, in the order of their keys.
    #[must_use]
    pub fn range_from(&self, from: &[u8]) -> Vec<(Bytes, Bytes)> {
        self.user_range(from, Bound::Excluded(Owned::BySystem.key(&[])))
    }

    fn user_range(&self, from: &[u8], to: Bound<Bytes>) -> Vec<(Bytes, Bytes)> {
        let entries = self.raw_range((Bound::Included(Owned::ByUser.key(from)), to));
        entries.map(|(key, value)| (key.slice(1..), value)).collect()
    }

    pub(crate) fn number(&self, key: &SystemKey<'_>) -> Option<i64> {
        let value = self.raw_get(&key.bytes())?;
        value.as_ref().try_into().ok().map(i64::from_be_bytes)
    }

    pub(crate) fn put_number(&mut self, key: &SystemKey<'_>, number: i64) {
        self.raw_put(key.bytes(), Some(Bytes::copy_from_slice(&number.to_be_bytes())));
    }

    /// How far the windows in it were closed when the input ended, in this run or an earlier one: time has not come so
    /// far, and yet they stay closed.
    pub(crate) fn closed_to(&self) -> Timestamp {
        self.number(&SystemKey::ClosedTo).map_or(BEGINNING, Timestamp)
    }

    /// Notes that all windows are closed that close by then.
    pub(crate) fn close_to(&mut self, closed_to: Timestamp) {
        if closed_to > self.closed_to() {
            self.put_number(&SystemKey::ClosedTo, closed_to.0);
        }
    }

    pub(crate) fn put_timer(&mut self, at: Timestamp, node: &str, key: &[u8]) {
        self.raw_put(SystemKey::Timer(at, node, key).bytes(), Some(Bytes::new()));
    }

    pub(crate) fn delete_timer(&mut self, at: Timestamp, node: &str, key: &[u8]) {
        self.raw_put(SystemKey::Timer(at, node, key).bytes(), None);
    }

    /// The first timer that is due at the watermark.
    pub(crate) fn due_timer(&self, watermark: Timestamp) -> Option<Timer> {
        let first = Bytes::from_static(TIMER_PREFIX);
        let (key, _) = self.raw_range((Bound::Included(first), Bound::Unbounded)).next()?;
        Timer::of(&key).filter(|timer| timer.at <= watermark)
    }

    /// The first entry.
    pub(crate) fn first(&self) -> Option<(Bytes, Bytes)> {
        let bounds = (Bound::Included(Owned::ByUser.key(&[])), Bound::Excluded(Owned::BySystem.key(&[])));
        self.raw_range(bounds).next().map(|(key, value)| (key.slice(1..), value))
    }

    fn raw_get(&self, key: &[u8]) -> Option<Bytes> {
        match self.overlay.get(key) {
            Some(written) => written.clone(),
            None => self.committed.get(key).cloned(),
        }
    }

    fn raw_put(&mut self, key: Bytes, value: Option<Bytes>) {
        let size = |value: &Option<Bytes>| value.as_ref().map_or(0, Bytes::len);
        let (length, written) = (key.len(), size(&value));
        match self.overlay.insert(key, value) {
            Some(before) => self.uncommitted_bytes = self.uncommitted_bytes + written - size(&before),
            None => self.uncommitted_bytes += length + written,
        }
    }

    fn raw_range(&self, bounds: (Bound<Bytes>, Bound<Bytes>)) -> Merged<'_> {
        Merged {
            committed: self.committed.range(bounds.clone()).peekable(),
            overlay: self.overlay.range(bounds).peekable(),
        }
    }

    /// What has been written since the last commit, for the changelog.
    pub(crate) fn uncommitted(&self) -> impl Iterator<Item = (&Bytes, Option<&Bytes>)> {
        self.overlay.iter().map(|(key, value)| (key, value.as_ref()))
    }

    pub(crate) const fn uncommitted_bytes(&self) -> usize {
        self.uncommitted_bytes
    }

    /// Makes what has been written part of the store.
    pub(crate) fn apply(&mut self) {
        for (key, value) in std::mem::take(&mut self.overlay) {
            self.restore(key, value);
        }
        self.uncommitted_bytes = 0;
    }

    /// Takes over an entry of the changelog.
    pub(crate) fn restore(&mut self, key: Bytes, value: Option<Bytes>) {
        match value {
            Some(value) => drop(self.committed.insert(key, value)),
            None => drop(self.committed.remove(&key)),
        }
    }
}

/// A timer: when, whose, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timer {
    pub(crate) at: Timestamp,
    pub(crate) node: Text,
    pub(crate) key: Bytes,
}

impl Timer {
    fn of(entry: &Bytes) -> Option<Self> {
        let (time, rest) = entry.strip_prefix(TIMER_PREFIX)?.split_first_chunk::<8>()?;
        let end = rest.iter().position(|byte| *byte == NODE_END)?;
        let node = std::str::from_utf8(&rest[..end]).ok()?;
        let key = entry.slice_ref(&rest[end + 1..]);
        Some(Self { at: Timestamp(unordered(*time)), node: Text::from(node), key })
    }
}

/// Entries of the store with those of the overlay in front of them.
struct Merged<'a> {
    committed: std::iter::Peekable<btree_map::Range<'a, Bytes, Bytes>>,
    overlay: std::iter::Peekable<btree_map::Range<'a, Bytes, Option<Bytes>>>,
}

impl Iterator for Merged<'_> {
    type Item = (Bytes, Bytes);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let overlay_key = self.overlay.peek().map(|(key, _)| *key);
            let below = |(key, _): &(&Bytes, &Bytes)| overlay_key.is_none_or(|overlay| *key < overlay);
            if let Some((key, value)) = self.committed.next_if(below) {
                return Some((key.clone(), value.clone()));
            }
            let (key, value) = self.overlay.next()?;
            self.committed.next_if(|(hidden, _)| *hidden == key);
            if let Some(value) = value {
                return Some((key.clone(), value.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn entries(store: &Store) -> Vec<(Bytes, Bytes)> {
        store.range_from(b"")
    }

    proptest! {
        #[test]
        fn store_and_overlay_together_are_a_map(
            writes in prop::collection::vec((0..8_u8, prop::option::of(0..4_u8), any::<bool>()), 0..60),
        ) {
            let (mut store, mut model) = (Store::default(), BTreeMap::new());
            for (key, value, apply) in writes {
                match value {
                    Some(value) => {
                        store.put(&[key], vec![value]);
                        model.insert(Bytes::from(vec![key]), Bytes::from(vec![value]));
                    }
                    None => {
                        store.delete(&[key]);
                        model.remove(&[key][..]);
                    }
                }
                if apply {
                    store.apply();
                }
                prop_assert_eq!(entries(&store), model.clone().into_iter().collect::<Vec<_>>());
                prop_assert_eq!(store.get(&[key]), model.get(&[key][..]).cloned());
            }
        }
    }

    #[test]
    fn range_ends_before_its_end() {
        let mut store = Store::default();
        for key in [b"a", b"b", b"c"] {
            store.put(key, "v");
        }
        let keys: Vec<_> = store.range(b"a", b"c").into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["a", "b"]);
    }

    #[test]
    fn timers_come_in_the_order_of_their_times_once_they_are_due() {
        let mut store = Store::default();
        for (at, key) in [(5, "b"), (-3, "z"), (5, "a")] {
            store.put_timer(Timestamp(at), "node", key.as_bytes());
        }
        store.put(b"not a timer", "v");
        let mut fired = Vec::new();
        while let Some(Timer { at, node, key }) = store.due_timer(Timestamp(5)) {
            store.delete_timer(at, &node, &key);
            fired.push((at.0, key));
        }
        assert_eq!(fired, [(-3, "z".into()), (5, "a".into()), (5, "b".into())]);
    }

    #[test]
    fn uncommitted_bytes_are_those_of_the_overlay() {
        let mut store = Store::default();
        store.put(b"key", "value");
        store.put(b"key", "v");
        assert_eq!(store.uncommitted_bytes(), 1 + 3 + 1);
        store.apply();
        assert_eq!((store.uncommitted_bytes(), store.uncommitted().count()), (0, 0));
    }
}
