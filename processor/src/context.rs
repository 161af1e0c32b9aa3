//! What a processor can do while it works.

use std::time::Duration;

use mainstem_client::{Text, Timestamp};

use crate::{
    OutputRecord, TooManyTimers,
    state::{Store, Stores},
    wall_clock::WallTimers,
};

/// A processor asked for an output or a store that it is not connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the processor has no {kind} {name}; it has {has}")]
pub struct UnknownName {
    /// Output or store.
    pub kind: &'static str,
    /// What it was called.
    pub name: String,
    /// What there is.
    pub has: String,
}

impl UnknownName {
    fn new(kind: &'static str, name: &str, known: &[Text]) -> Self {
        let has = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Self { kind, name: name.to_owned(), has }
    }
}

/// A processor asked for a store that it cannot write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoStore {
    /// There is none, or it is not connected to it.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// It is a table's.
    #[error("the store {store} is that of a table, which alone writes it; look into it by Context::table")]
    OfTable {
        /// The store.
        store: String,
    },
}

/// Outputs, stores and time of the task that calls a processor.
#[derive(Debug)]
pub struct Context<'a> {
    pub(crate) stores: &'a mut Stores,
    /// Timers that go by the clock.
    pub(crate) wall: &'a mut WallTimers,
    /// None of the node's timers is in front of this.
    pub(crate) next_timer: &'a mut Timestamp,
    /// The node that is called; its timers bear its name.
    pub(crate) node: &'a Text,
    /// The stores that the node is connected to.
    pub(crate) store_names: &'a [Text],
    /// Those of them that tables write.
    pub(crate) table_names: &'a [Text],
    /// The nodes behind it.
    pub(crate) outputs: &'a [Text],
    /// Records, with the number of the node that they go to.
    pub(crate) forwarded: &'a mut Vec<(usize, OutputRecord)>,
    pub(crate) late: &'a mut u64,
    pub(crate) watermark: Timestamp,
    pub(crate) stream_time: Timestamp,
}

impl Context<'_> {
    /// Gives a record to the node of that name behind this one: a sink, or another processor.
    ///
    /// # Errors
    /// Where no such node stands behind this one.
    pub fn forward(&mut self, output: &str, record: OutputRecord) -> Result<(), UnknownName> {
        let index = self.outputs.iter().position(|name| name == output);
        let index = index.ok_or_else(|| UnknownName::new("output", output, self.outputs))?;
        self.forwarded.push((index, record));
        Ok(())
    }

    /// A store of the task, to read and write.
    ///
    /// # Errors
    /// Where the node is not connected to such a store, or it is that of a table of typed streams: see [`Self::table`].
    pub fn store(&mut self, name: &str) -> Result<&mut Store, NoStore> {
        if self.table_names.iter().any(|table| table == name) {
            return Err(NoStore::OfTable { store: name.to_owned() });
        }
        let unknown = || UnknownName::new("store", name, self.store_names);
        let is_connected = self.store_names.iter().any(|known| known == name);
        let store = self.stores.get_mut(name).filter(|_| is_connected);
        Ok(store.ok_or_else(unknown)?)
    }

    /// A store of the task, to look into: above all that of a table of typed streams, which
    /// [`crate::state::TableStore`] reads.
    ///
    /// # Errors
    /// Where the node is not connected to such a store.
    pub fn table(&self, name: &str) -> Result<&Store, UnknownName> {
        let is_connected = self.store_names.iter().any(|known| known == name);
        let store = self.stores.get(name).filter(|_| is_connected);
        store.ok_or_else(|| UnknownName::new("store", name, self.store_names))
    }

    /// Has [`crate::Processor::on_timer`] called with `key` once the watermark of the node, [`Self::watermark`], reaches `at`:
    /// behind windows that wait for late records that is as much later. A timer of the same time and key is the same timer.
    pub fn schedule(&mut self, at: Timestamp, key: &[u8]) {
        self.stores.first_mut().put_timer(at, self.node, key);
        *self.next_timer = at.min(*self.next_timer);
    }

    /// Takes a timer back.
    pub fn cancel(&mut self, at: Timestamp, key: &[u8]) {
        self.stores.first_mut().delete_timer(at, self.node, key);
    }

    /// Has [`crate::Processor::on_wall_clock`] called with `key` after so long by the clock, at least a millisecond, and
    /// as soon as the task has the time. A timer of the same key is the same timer, and set anew. It goes off once: one
    /// that is to come back is set again when it does.
    ///
    /// These timers are no part of the state: after a restart they are gone, and [`crate::Processor::on_start`] is
    /// where they are set again.
    ///
    /// # Errors
    /// Where the task waits for [`crate::caps::WALL_CLOCK_TIMERS_MAX`] such timers already.
    pub fn schedule_wall_clock(&mut self, after: Duration, key: &[u8]) -> Result<(), TooManyTimers> {
        self.wall.put(after, self.node, key)
    }

    /// Takes a timer by the clock back.
    pub fn cancel_wall_clock(&mut self, key: &[u8]) {
        self.wall.delete(self.node, key);
    }

    /// How far time has come: no record before this is waited for. [`i64::MIN`] before any record, [`i64::MAX`] after
    /// the last. While a batch is worked through it is that of the record before the batch;
    /// [`crate::InputRecord::watermark`] is that of each record. A timer of a processor of a stream sees its own time, however
    /// far the record has jumped that let it go off.
    #[must_use]
    pub const fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// The largest time that any record had; [`i64::MIN`] before any record.
    #[must_use]
    pub const fn stream_time(&self) -> Timestamp {
        self.stream_time
    }

    /// Counts a record that came too late and was dropped.
    pub const fn drop_late(&mut self) {
        *self.late += 1;
    }
}
