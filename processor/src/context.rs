//! What a processor can do while it works.

use mainstem_client::{Text, Timestamp};

use crate::{
    OutputRecord,
    state::{Store, Stores},
};

/// A processor asked for an output or a store that its spec does not name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the processor has no {kind} {name}")]
pub struct UnknownName {
    /// Output or store.
    pub kind: &'static str,
    /// What it was called.
    pub name: String,
}

/// Outputs, stores and time of the task that calls a processor.
#[derive(Debug)]
pub struct Context<'a> {
    pub(crate) stores: &'a mut Stores,
    pub(crate) outputs: &'a [(Text, Text)],
    pub(crate) forwarded: &'a mut Vec<(Text, OutputRecord)>,
    pub(crate) late: &'a mut u64,
    pub(crate) watermark: Timestamp,
    pub(crate) stream_time: Timestamp,
}

impl Context<'_> {
    /// Writes a record to an output.
    ///
    /// # Errors
    /// Where the spec names no such output.
    pub fn forward(&mut self, output: &str, record: OutputRecord) -> Result<(), UnknownName> {
        let topic = self.outputs.iter().find(|(name, _)| name == output).map(|(_, topic)| topic.clone());
        let topic = topic.ok_or_else(|| UnknownName { kind: "output", name: output.to_owned() })?;
        self.forwarded.push((topic, record));
        Ok(())
    }

    /// A store of the task.
    ///
    /// # Errors
    /// Where the spec names no such store.
    pub fn store(&mut self, name: &str) -> Result<&mut Store, UnknownName> {
        self.stores.get_mut(name).ok_or_else(|| UnknownName { kind: "store", name: name.to_owned() })
    }

    /// Has [`crate::Processor::on_timer`] called with `key` once the watermark reaches `at`. A timer of the same
    /// time and key is the same timer.
    pub fn schedule(&mut self, at: Timestamp, key: &[u8]) {
        self.stores.first_mut().put_timer(at, key);
    }

    /// Takes a timer back.
    pub fn cancel(&mut self, at: Timestamp, key: &[u8]) {
        self.stores.first_mut().delete_timer(at, key);
    }

    /// How far time has come: no record before this is waited for. [`i64::MIN`] before any record, [`i64::MAX`] after
    /// the last. While a batch is worked through it is that of the record before the batch;
    /// [`crate::InputRecord::watermark`] is that of each record.
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
