//! Global tables: those that a process holds once, whole, for all of its tasks.
//!
//! One reader per table writes, tasks read; a lock is held for one key. While a table is read from its topic's beginning, what
//! is read is kept apart, so that nobody sees half of it: before the first time that is done no task works, and later ones
//! leave the table as it was until then.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;
use mainstem_client::Text;

/// The global tables of a process, by the names of their stores. Copies are the same tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Globals {
    tables: Arc<Vec<(Text, RwLock<Table>)>>,
}

/// Values by key.
pub(crate) type Entries = HashMap<Bytes, Bytes>;

#[derive(Debug, Default)]
struct Table {
    entries: Entries,
    /// What is to take the place of the entries.
    building: Option<Entries>,
}

impl Globals {
    pub(crate) fn new(names: impl IntoIterator<Item = Text>) -> Self {
        Self { tables: Arc::new(names.into_iter().map(|name| (name, RwLock::default())).collect()) }
    }

    pub(crate) fn get(&self, table: &str, key: &[u8]) -> Option<Bytes> {
        self.read(table)?.entries.get(key).cloned()
    }

    /// Gives a key a value, or takes it out. Neither may hold on to the memory of a record.
    pub(crate) fn put(&self, table: &str, key: Bytes, value: Option<Bytes>) {
        let Some(mut table) = self.write(table) else { return };
        let Table { entries, building } = &mut *table;
        let entries = building.as_mut().unwrap_or(entries);
        match value {
            Some(value) => entries.insert(key, value),
            None => entries.remove(&key),
        };
    }

    /// The table is read from its beginning.
    pub(crate) fn begin(&self, table: &str) {
        if let Some(mut table) = self.write(table) {
            table.building = Some(Entries::new());
        }
    }

    /// It is there, whole. Hands back what it was, which may be much: it is let go when nobody has to wait for that.
    #[must_use]
    pub(crate) fn complete(&self, table: &str) -> Option<Entries> {
        let mut table = self.write(table)?;
        let entries = table.building.take()?;
        Some(std::mem::replace(&mut table.entries, entries))
    }

    /// All entries, in the order of their keys; none where there is no such table.
    pub(crate) fn entries(&self, table: &str) -> Option<Vec<(Bytes, Bytes)>> {
        let table = self.read(table)?;
        let mut entries: Vec<_> =
            table.entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        entries.sort();
        Some(entries)
    }

    fn of(&self, table: &str) -> Option<&RwLock<Table>> {
        self.tables.iter().find(|(name, _)| name == table).map(|(_, table)| table)
    }

    fn read(&self, table: &str) -> Option<RwLockReadGuard<'_, Table>> {
        Some(self.of(table)?.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, table: &str) -> Option<RwLockWriteGuard<'_, Table>> {
        Some(self.of(table)?.write().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_seen_whole_or_as_it_was() {
        let globals = Globals::new(["t".into()]);
        let put = |key: &'static str, value: Option<&'static str>| {
            globals.put("t", key.into(), value.map(Bytes::from));
        };
        globals.begin("t");
        put("a", Some("1"));
        assert_eq!(globals.get("t", b"a"), None);
        assert_eq!(globals.complete("t"), Some(Entries::new()));
        put("b", Some("2"));
        assert_eq!((globals.get("t", b"a"), globals.get("t", b"b")), (Some("1".into()), Some("2".into())));
        globals.begin("t");
        put("a", None);
        put("c", Some("3"));
        assert_eq!(globals.get("t", b"a"), Some("1".into()));
        let before = Entries::from([("a".into(), "1".into()), ("b".into(), "2".into())]);
        assert_eq!(globals.complete("t"), Some(before));
        assert_eq!(globals.entries("t"), Some(vec![("c".into(), "3".into())]));
        assert_eq!(globals.complete("t"), None);
        assert_eq!((globals.get("u", b"a"), globals.entries("u")), (None, None));
    }
}
