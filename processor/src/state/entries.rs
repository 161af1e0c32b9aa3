//! Entries of a store, one at a time.

use std::{collections::btree_map, iter::Peekable, sync::OnceLock};

use bytes::Bytes;

use super::{
    committed::{Entry, Range},
    fault::StoreFault,
};

/// Entries of a store in the order of their keys, read one at a time: those of the overlay hide those behind it.
///
/// ```
/// # use mainstem_processor::state::Store;
/// let mut store = Store::default();
/// for key in ["a", "b", "c"] {
///     store.put(key.as_bytes(), "value");
/// }
/// let keys: Vec<_> = store.entries(b"a", b"c").map(|(key, _)| key).collect();
/// assert_eq!(keys, ["a", "b"]);
/// ```
pub struct Entries<'a> {
    merged: Merged<'a>,
}

impl std::fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entries")
    }
}

impl<'a> Entries<'a> {
    /// Of keys that begin with one byte that is none of theirs.
    pub(super) const fn new(merged: Merged<'a>) -> Self {
        Self { merged }
    }
}

impl Iterator for Entries<'_> {
    type Item = (Bytes, Bytes);

    fn next(&mut self) -> Option<Self::Item> {
        self.merged.next().map(|(key, value)| (key.slice(1..), value))
    }
}

/// Entries of the committed part with those of the overlay in front of them, their keys as they are kept.
pub(super) struct Merged<'a> {
    committed: Range<'a>,
    /// The first entry of `committed` that has not been passed.
    next: Option<Entry<'a>>,
    overlay: Peekable<btree_map::Range<'a, Bytes, Option<Bytes>>>,
    fault: &'a OnceLock<StoreFault>,
}

impl<'a> Merged<'a> {
    pub(super) fn new(
        committed: Range<'a>,
        overlay: btree_map::Range<'a, Bytes, Option<Bytes>>,
        fault: &'a OnceLock<StoreFault>,
    ) -> Self {
        let mut merged = Self { committed, next: None, overlay: overlay.peekable(), fault };
        merged.step();
        merged
    }

    /// What cannot be read ends the entries, and is kept for whoever runs the task.
    fn step(&mut self) {
        self.next = match self.committed.next() {
            Some(Ok(entry)) => Some(entry),
            Some(Err(fault)) => {
                self.fault.get_or_init(|| fault);
                None
            }
            None => None,
        };
    }
}

impl Iterator for Merged<'_> {
    type Item = (Bytes, Bytes);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let overlay = self.overlay.peek().map(|(key, _)| *key);
            let below = |entry: &mut Entry<'_>| overlay.is_none_or(|overlay| entry.key() < overlay);
            if let Some(entry) = self.next.take_if(below) {
                self.step();
                return Some(entry.owned());
            }
            let (key, value) = self.overlay.next()?;
            if self.next.as_ref().is_some_and(|hidden| hidden.key() == key) {
                self.step();
            }
            if let Some(value) = value {
                return Some((key.clone(), value.clone()));
            }
        }
    }
}
