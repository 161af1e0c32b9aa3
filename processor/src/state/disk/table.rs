//! The table of one store of one task, and the writes of one commit.

use std::ops::Bound;

use bytes::Bytes;
use fjall::{Keyspace, OwnedWriteBatch};
use mainstem_client::Text;

use super::StateDirectory;
use crate::state::fault::StoreFault;

/// A table, open for one task at a time.
pub(crate) struct Table {
    directory: StateDirectory,
    keyspace: Keyspace,
    store: Text,
    /// In the directory.
    name: String,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.directory.close(&self.name);
    }
}

impl Table {
    pub(super) const fn new(
        directory: StateDirectory,
        keyspace: Keyspace,
        store: Text,
        name: String,
    ) -> Self {
        Self { directory, keyspace, store, name }
    }

    /// Values are copied: what the engine hands out holds on to a whole block of its cache.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreFault> {
        let value = self.keyspace.get(key).map_err(|error| self.unread(&error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    pub(crate) fn range(&self, bounds: (Bound<Bytes>, Bound<Bytes>)) -> Rows<'_> {
        Rows { table: self, rows: self.keyspace.range(bounds) }
    }

    /// About how many entries there are: those that were overwritten and not yet merged count as well; and the bytes of its
    /// files.
    pub(crate) fn size(&self) -> (u64, u64) {
        (self.keyspace.approximate_len() as u64, self.keyspace.disk_space())
    }

    /// Takes everything out.
    pub(crate) fn clear(&self) -> Result<(), StoreFault> {
        self.keyspace.clear().map_err(|error| StoreFault::new(&self.store, "written", &error))
    }

    /// An empty batch of writes, for this table and others of its directory.
    pub(crate) fn writes(&self) -> Writes {
        let batch = self.directory.inner.database.batch();
        Writes { directory: self.directory.clone(), batch, written: Vec::new(), store: self.store.clone() }
    }

    fn unread(&self, error: &fjall::Error) -> StoreFault {
        StoreFault::new(&self.store, "read", error)
    }
}

/// Entries of a table, in the order of their keys.
pub(crate) struct Rows<'a> {
    table: &'a Table,
    rows: fjall::Iter,
}

impl Iterator for Rows<'_> {
    type Item = Result<(Bytes, Bytes), StoreFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?.into_inner();
        let copied =
            |(key, value): fjall::KvPair| (Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value));
        Some(row.map(copied).map_err(|error| self.table.unread(&error)))
    }
}

/// Writes to tables of one directory that are made together or not at all.
pub(crate) struct Writes {
    directory: StateDirectory,
    batch: OwnedWriteBatch,
    /// Bytes, by table.
    written: Vec<(String, u64)>,
    /// A store that is written to.
    store: Text,
}

/// Bytes that an entry takes in a buffer beyond its key and value.
const ENTRY_OVERHEAD_BYTES: usize = 64;

impl Writes {
    /// Gives a key a value, or takes it out.
    pub(crate) fn put(&mut self, table: &Table, key: &[u8], value: Option<&[u8]>) {
        let size = key.len() + value.map_or(0, <[u8]>::len) + ENTRY_OVERHEAD_BYTES;
        match self.written.last_mut().filter(|(name, _)| *name == table.name) {
            Some((_, bytes)) => *bytes += size as u64,
            None => self.written.push((table.name.clone(), size as u64)),
        }
        match value {
            Some(value) => self.batch.insert(&table.keyspace, key, value),
            None => self.batch.remove(&table.keyspace, key),
        }
    }

    /// Makes them. What was written survives the process; a power cut may take the last of it back, in order.
    pub(crate) fn commit(self) -> Result<(), StoreFault> {
        let Self { directory, batch, written, store } = self;
        let unwritten = |error| StoreFault::new(&store, "written", &error);
        batch.commit().map_err(unwritten)?;
        let written: Vec<_> = written.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        directory.note_written(&written).map_err(unwritten)
    }
}
