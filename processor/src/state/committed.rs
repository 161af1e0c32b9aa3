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
    InMemory(Memory),
    OnDisk(Table),
}

/// Those in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    map: BTreeMap<Bytes, Bytes>,
    /// Of keys and values.
    bytes: u64,
}

impl Default for Committed {
    fn default() -> Self {
        Self::InMemory(Memory::default())
    }
}

impl Committed {
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreFault> {
        match self {
            Self::InMemory(memory) => Ok(memory.map.get(key).cloned()),
            Self::OnDisk(table) => table.get(key),
        }
    }

    pub(crate) fn range(&self, bounds: (Bound<Bytes>, Bound<Bytes>)) -> Range<'_> {
        match self {
            Self::InMemory(memory) => Range::InMemory(memory.map.range(bounds)),
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
            Self::InMemory(memory) => changes.into_iter().for_each(|(key, value)| memory.change(key, value)),
            Self::OnDisk(table) => {
                let writes = writes.get_or_insert_with(|| table.writes());
                for (key, value) in changes {
                    writes.put(table, &key, value.as_deref());
                }
            }
        }
    }

    /// How many entries there are, and how many bytes they take: in memory those of keys and values, on disk about so many.
    pub(crate) fn size(&self) -> (u64, u64) {
        match self {
            Self::InMemory(memory) => (memory.map.len() as u64, memory.bytes),
            Self::OnDisk(table) => table.size(),
        }
    }

    /// Takes everything out.
    pub(crate) fn clear(&mut self) -> Result<(), StoreFault> {
        match self {
            Self::InMemory(memory) => {
                *memory = Memory::default();
                Ok(())
            }
            Self::OnDisk(table) => table.clear(),
        }
    }
}

impl Memory {
    fn change(&mut self, key: Bytes, value: Option<Bytes>) {
        let key_bytes = key.len() as u64;
        let (after, before) = match value {
            Some(value) => (Some(value.len()), self.map.insert(key, value)),
            None => (None, self.map.remove(&key)),
        };
        let bytes = |value: Option<usize>| value.map_or(0, |value| key_bytes + value as u64);
        self.bytes = self.bytes + bytes(after) - bytes(before.map(|value| value.len()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_memory_are_those_of_the_keys_and_values_that_are_there() {
        let mut memory = Memory::default();
        let mut size = |key: &'static str, value: Option<&'static str>| {
            memory.change(key.into(), value.map(Bytes::from));
            (memory.map.len(), memory.bytes)
        };
        assert_eq!(size("a", Some("12345")), (1, 6));
        assert_eq!(size("bc", Some("1")), (2, 9));
        assert_eq!(size("a", Some("1")), (2, 5));
        assert_eq!(size("a", None), (1, 3));
        assert_eq!(size("a", None), (1, 3));
    }
}
