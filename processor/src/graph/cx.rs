//! What a node works with.

use bytes::{Bytes, BytesMut};
use mainstem_client::{Text, Timestamp, TopicPartition};

use super::NodeError;
use crate::{
    NodeCounts,
    record::Emitted,
    serdes::{Serde, make_room},
    state::{Store, Stores},
    wall_clock::WallTimers,
    watermark::TaskTime,
};

/// What a node works with.
pub(crate) struct Cx<'a> {
    pub(crate) node: &'a Text,
    pub(crate) stores: &'a mut Stores,
    pub(crate) wall: &'a mut WallTimers,
    pub(crate) time: &'a mut TaskTime,
    /// Records for topics.
    pub(crate) emitted: &'a mut Vec<Emitted>,
    /// To build keys and values in; empty between two uses. See [`Self::buffer`].
    pub(crate) buffer: &'a mut BytesMut,
    /// The number of the next record that the task sees.
    pub(crate) order: &'a mut u64,
    /// Where the records at hand come from.
    pub(crate) partition: &'a TopicPartition,
    /// The node's watermark: before the batch at hand, or that which was just reached.
    pub(crate) watermark: Timestamp,
    /// How far that is behind the task's.
    pub(crate) delay_ms: i64,
    pub(crate) counts: &'a mut NodeCounts,
}

impl Cx<'_> {
    /// A store that the topology has seen to be there.
    pub(crate) fn store(&mut self, name: &str) -> &mut Store {
        self.stores.declared_mut(name)
    }

    /// Where keys and values are built, with room for them: most of them need no memory of their own so.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        make_room(self.buffer);
        self.buffer
    }

    /// The bytes of a key; none where it is null.
    pub(crate) fn key(&mut self, key: &impl Serde) -> Result<Option<Bytes>, NodeError> {
        key.encode(self.buffer()).map_err(|cause| NodeError::Unwritable { part: "key", cause })
    }

    /// The bytes of a key without which a record is left out, and counted as such.
    pub(crate) fn needed_key(&mut self, key: &impl Serde) -> Result<Option<Bytes>, NodeError> {
        let bytes = self.key(key)?;
        self.counts.errors += u64::from(bytes.is_none());
        Ok(bytes)
    }

    /// The bytes of a value; none where it is null.
    pub(crate) fn value(&mut self, value: &impl Serde) -> Result<Option<Bytes>, NodeError> {
        value.encode(self.buffer()).map_err(|cause| NodeError::Unwritable { part: "value", cause })
    }

    /// Sends a record on its way to a topic.
    pub(crate) fn emit(&mut self, emitted: Emitted) {
        self.counts.records_out += 1;
        self.emitted.push(emitted);
    }
}
