//! Values of a store that are at hand: decoded, and changed many times before they are written back at a commit. A
//! word that is counted a thousand times between two commits is encoded once, and goes to the changelog once.
//!
//! In the store a value stands behind the largest time of the records that it was made from, eight bytes, big-endian.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use mainstem_client::{Text, Timestamp};

use super::{NodeError, cx::Cx};
use crate::{
    caps,
    record::Item,
    serdes::Serde,
    state::{Store, behind_time, with_time},
};

/// When a record was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) time: Timestamp,
    pub(crate) watermark: Timestamp,
    pub(crate) order: u64,
}

impl Seen {
    pub(crate) const fn of<K, V>(item: &Item<K, V>) -> Self {
        Self { time: item.time, watermark: item.watermark, order: item.order }
    }
}

/// A value at hand.
#[derive(Debug)]
pub(crate) struct Cell<A> {
    pub(crate) key: Bytes,
    pub(crate) value: Option<A>,
    /// The largest time of the records in it, and when the last of them was seen.
    pub(crate) seen: Seen,
    is_changed: bool,
    /// Whether it is shown that the value is gone also where none stood in the store.
    is_told: bool,
}

/// Values at hand.
pub(crate) struct Cells<A> {
    store: Text,
    cells: HashMap<Bytes, Cell<A>>,
    changed: Vec<Bytes>,
}

impl<A: Serde> Cells<A> {
    pub(crate) fn new(store: Text) -> Self {
        Self { store, cells: HashMap::new(), changed: Vec::new() }
    }

    pub(crate) const fn store(&self) -> &Text {
        &self.store
    }

    /// Whether so much is changed that it should be written back before the next commit.
    pub(crate) const fn is_full(&self) -> bool {
        self.changed.len() >= caps::CHANGED_CELLS_MAX
    }

    /// Changes the value of a key, and shows it.
    pub(crate) fn change<T>(
        &mut self,
        key: &[u8],
        seen: Seen,
        cx: &mut Cx<'_>,
        change: impl FnOnce(Option<A>) -> A,
        show: impl FnOnce(&Cell<A>) -> T,
    ) -> Result<T, NodeError> {
        self.update(key, seen, cx, |before| Some(change(before)), show)
    }

    /// The same, where the change may take the value out.
    pub(crate) fn update<T>(
        &mut self,
        key: &[u8],
        seen: Seen,
        cx: &mut Cx<'_>,
        change: impl FnOnce(Option<A>) -> Option<A>,
        show: impl FnOnce(&Cell<A>) -> T,
    ) -> Result<T, NodeError> {
        if let Some(cell) = self.cells.get_mut(key) {
            cell.change(seen, &mut self.changed, change);
            return Ok(show(cell));
        }
        let mut cell = self.load(key, seen, cx)?;
        cell.change(seen, &mut self.changed, change);
        let shown = show(&cell);
        self.cells.insert(cell.key.clone(), cell);
        Ok(shown)
    }

    /// Puts a value in place of the one before, which it returns, whatever their times are.
    pub(crate) fn put(
        &mut self,
        key: &[u8],
        seen: Seen,
        cx: &mut Cx<'_>,
        value: Option<A>,
    ) -> Result<Option<A>, NodeError> {
        if let Some(cell) = self.cells.get_mut(key) {
            return Ok(cell.put(seen, &mut self.changed, value));
        }
        let mut cell = self.load(key, seen, cx)?;
        let before = cell.put(seen, &mut self.changed, value);
        self.cells.insert(cell.key.clone(), cell);
        Ok(before)
    }

    fn load(&self, key: &[u8], seen: Seen, cx: &mut Cx<'_>) -> Result<Cell<A>, NodeError> {
        let stored = cx.store(&self.store).get(key);
        let (value, time) = match stored {
            Some(bytes) => {
                let (value, time) = self.read(&bytes)?;
                (Some(value), time)
            }
            None => (None, seen.time),
        };
        // The key must not hold on to the memory of the record that it comes from.
        let key = Bytes::copy_from_slice(key);
        Ok(Cell { key, value, seen: Seen { time, ..seen }, is_changed: false, is_told: false })
    }

    /// A value as it stands in the store, with its time.
    pub(crate) fn read(&self, bytes: &Bytes) -> Result<(A, Timestamp), NodeError> {
        stored(&self.store, bytes)
    }

    /// Has it shown of a key at the next [`Self::write_back`] that its value is gone also where none stood in the store.
    pub(crate) fn tell(&mut self, key: &[u8]) {
        if let Some(cell) = self.cells.get_mut(key) {
            cell.is_told = cell.is_changed;
        }
    }

    /// Lets go of a key.
    pub(crate) fn forget(&mut self, key: &[u8]) {
        self.cells.remove(key);
    }

    /// Writes what has changed into the store, and shows it, in the order in which keys were first changed; if asked
    /// to, with the value that stood in the store. A value that came and went since is not shown.
    pub(crate) fn write_back(
        &mut self,
        cx: &mut Cx<'_>,
        reads_old: bool,
        mut show: impl FnMut(&Cell<A>, Option<A>) -> Result<(), NodeError>,
    ) -> Result<(), NodeError> {
        for key in self.changed.drain(..) {
            let Some(cell) = self.cells.get_mut(&key) else { continue };
            cell.is_changed = false;
            let bytes = cell.bytes(cx.buffer())?;
            cell.let_go_of_the_record(bytes.as_ref(), &self.store)?;
            let (is_gone, is_told) = (cell.value.is_none(), std::mem::take(&mut cell.is_told));
            let old = if reads_old || is_gone { cx.store(&self.store).get(&key) } else { None };
            if is_gone && old.is_none() && !is_told {
                continue;
            }
            put(cx.store(&self.store), &key, bytes);
            let old = old.filter(|_| reads_old).map(|old| stored(&self.store, &old)).transpose()?;
            show(cell, old.map(|(old, _)| old))?;
        }
        if self.cells.len() > caps::CELLS_MAX {
            self.cells.clear();
        }
        Ok(())
    }
}

impl<A: Serde> Cell<A> {
    fn change(&mut self, seen: Seen, changed: &mut Vec<Bytes>, change: impl FnOnce(Option<A>) -> Option<A>) {
        let before = self.value.take();
        // What was taken out says nothing about the time of what comes in its place, as if it had been read anew.
        let time = if before.is_some() { self.seen.time.max(seen.time) } else { seen.time };
        self.put(Seen { time, ..seen }, changed, change(before));
    }

    /// A value that is written as null is none.
    fn put(&mut self, seen: Seen, changed: &mut Vec<Bytes>, value: Option<A>) -> Option<A> {
        self.note(seen, changed);
        std::mem::replace(&mut self.value, value.filter(|value| !value.is_null()))
    }

    fn note(&mut self, seen: Seen, changed: &mut Vec<Bytes>) {
        self.seen = seen;
        if !self.is_changed {
            self.is_changed = true;
            changed.push(self.key.clone());
        }
    }

    /// The value must not hold on to the memory of the record that it comes from.
    fn let_go_of_the_record(&mut self, bytes: Option<&Bytes>, store: &Text) -> Result<(), NodeError> {
        if let (true, Some(bytes)) = (A::SHARES_MEMORY, bytes) {
            self.value = Some(stored(store, bytes)?.0);
        }
        Ok(())
    }

    /// As it stands in the store, in memory of its own; none where the value is null.
    fn bytes(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, NodeError> {
        let Some(value) = &self.value else { return Ok(None) };
        let value = value.encode(buffer).map_err(|cause| NodeError::Unwritable { part: "value", cause })?;
        Ok(value.map(|value| behind_time(self.seen.time, &value)))
    }
}

fn put(store: &mut Store, key: &[u8], value: Option<Bytes>) {
    match value {
        Some(value) => store.put(key, value),
        None => store.delete(key),
    }
}

/// A value as it stands in a store of that name, with its time.
pub(crate) fn stored<A: Serde>(store: &Text, bytes: &Bytes) -> Result<(A, Timestamp), NodeError> {
    with_time(bytes).map_err(|cause| NodeError::Stored { store: store.clone(), cause })
}
