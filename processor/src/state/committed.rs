//! The part of a store that is committed: in memory, or on disk.

use std::{
    collections::{BTreeMap, btree_map},
    ops::Bound,
};

use bytes::Bytes;

use super::{
    disk::{Rows, Table, Writes},
    fault::StoreFault,
};

/// Sorted keys and values.
#[derive(Debug)]
pub(crate) enum Committed {
    InMemory(BTreeMap<Bytes, Bytes>),
    OnDisk(Table),
}

impl Default for Committed {
    fn default() -> Self {
        Self::InMemory(BTreeMap::new())
    }
}

impl Committed {
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreFault> {
        match self {
            Self::InMemory(map) => Ok(map.get(key).cloned()),
            Self::OnDisk(table) => table.get(key),
        }
    }

    pub(crate) fn range(&self, bounds: (Bound<Bytes>, Bound<Bytes>)) -> Range<'_> {
        match self {
            Self::InMemory(map) => Range::InMemory(map.range(bounds)),
            Self::OnDisk(table) => Range::OnDisk(Box::new(table.range(bounds))),
        }
    }

    /// Takes changes over: at once where they stay in memory, else with the batch.
    pub(crate) fn take(
        &mut self,
        changes: impl IntoIterator<Item = (Bytes, Option<Bytes>)>,
        writes: &mut Option<Writes>,
    ) {
        match self {
            Self::InMemory(map) => changes.into_iter().for_each(|(key, value)| change(map, key, value)),
            Self::OnDisk(table) => {
                let writes = writes.get_or_insert_with(|| table.writes());
                for (key, value) in changes {
                    writes.put(table, &key, value.as_deref());
                }
            }
        }
    }

    /// Takes everything out.
    pub(crate) fn clear(&mut self) -> Result<(), StoreFault> {
        match self {
            Self::InMemory(map) => {
                map.clear();
                Ok(())
            }
            Self::OnDisk(table) => table.clear(),
        }
    }
}

fn change(map: &mut BTreeMap<Bytes, Bytes>, key: Bytes, value: Option<Bytes>) {
    match value {
        Some(value) => drop(map.insert(key, value)),
        None => drop(map.remove(&key)),
    }
}

/// Entries in the order of their keys.
pub(crate) enum Range<'a> {
    InMemory(btree_map::Range<'a, Bytes, Bytes>),
    OnDisk(Box<Rows<'a>>),
}

/// An entry where it is kept, or as it was read.
pub(crate) enum Entry<'a> {
    Kept(&'a Bytes, &'a Bytes),
    Read(Bytes, Bytes),
}

impl Entry<'_> {
    pub(crate) const fn key(&self) -> &Bytes {
        match self {
            Self::Kept(key, _) => key,
            Self::Read(key, _) => key,
        }
    }

    pub(crate) fn owned(self) -> (Bytes, Bytes) {
        match self {
            Self::Kept(key, value) => (key.clone(), value.clone()),
            Self::Read(key, value) => (key, value),
        }
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = Result<Entry<'a>, StoreFault>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::InMemory(range) => range.next().map(|(key, value)| Ok(Entry::Kept(key, value))),
            Self::OnDisk(rows) => rows.next().map(|row| row.map(|(key, value)| Entry::Read(key, value))),
        }
    }
}
