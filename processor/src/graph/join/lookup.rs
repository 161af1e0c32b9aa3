//! The values of a table at hand: each is looked up once, until it changes.

use std::collections::HashMap;

use bytes::Bytes;

use crate::{
    caps,
    graph::{
        NodeError,
        cx::Cx,
        table::view::{Found, View},
    },
};

/// The values of a table at hand.
pub(crate) struct Lookup<K, V> {
    view: View<K, V>,
    found: HashMap<Bytes, Found<V>>,
    /// Keys whose values here are those of a moment within the batch at hand.
    passing: Vec<Bytes>,
}

impl<K, V> Lookup<K, V> {
    pub(crate) fn new(view: View<K, V>) -> Self {
        Self { view, found: HashMap::new(), passing: Vec::new() }
    }

    /// The value of a key.
    pub(crate) fn get(&mut self, key: &K, bytes: &Bytes, cx: &mut Cx<'_>) -> Result<&Found<V>, NodeError> {
        if !self.found.contains_key(bytes) {
            if self.found.len() >= caps::CELLS_MAX {
                self.found.clear();
            }
            let found = (self.view)(key, bytes, cx)?;
            // The key must not hold on to the memory of the record that it comes from.
            self.found.insert(Bytes::copy_from_slice(bytes), found);
        }
        Ok(&self.found[bytes])
    }

    /// Notes what a key has for a while, whatever the table holds by now, until [`Self::settle`].
    pub(crate) fn pass(&mut self, bytes: Bytes, found: Found<V>) {
        self.passing.push(bytes.clone());
        self.found.insert(bytes, found);
    }

    /// Whether that was noted for a key.
    pub(crate) fn passes(&self, bytes: &Bytes) -> bool {
        self.passing.contains(bytes)
    }

    /// The batch is over, and the table holds what it says.
    pub(crate) fn settle(&mut self) {
        for bytes in self.passing.drain(..) {
            self.found.remove(&bytes);
        }
    }

    /// Notes that the value of a key is another one now.
    pub(crate) fn forget(&mut self, bytes: &Bytes) {
        self.found.remove(bytes);
    }
}
