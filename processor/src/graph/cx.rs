//! What a node works with.

use bytes::BytesMut;
use mainstem_client::{Text, Timestamp, TopicPartition};

use crate::{
    NodeCounts,
    record::Emitted,
    serdes::make_room,
    state::{Store, Stores},
    watermark::TaskTime,
};

/// What a node works with.
pub(crate) struct Cx<'a> {
    pub(crate) node: &'a Text,
    pub(crate) stores: &'a mut Stores,
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

    /// Sends a record on its way to a topic.
    pub(crate) fn emit(&mut self, emitted: Emitted) {
        self.counts.records_out += 1;
        self.emitted.push(emitted);
    }
}
