//! What a node can do, and what it works with.

use std::any::Any;

use bytes::{Bytes, BytesMut};
use mainstem_client::{Text, Timestamp, TopicPartition};

use super::NodeError;
use crate::{
    NodeCounts,
    record::{Emitted, Ordered},
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

/// A node's work. Records come in and go out by vectors, whose type parent and child agree upon.
pub(crate) trait Operator: Send {
    /// Records that wait for [`Self::run`].
    fn pending(&self) -> usize;

    /// The vector that takes them.
    fn input(&mut self) -> &mut dyn Any;

    /// Sorts what came from several parents.
    fn arrange(&mut self);

    /// Works through everything that waits.
    fn run(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError>;

    /// The watermark has risen.
    fn watermark(&mut self, _cx: &mut Cx<'_>) -> Result<(), NodeError> {
        Ok(())
    }

    /// A commit is about to be made.
    fn commit(&mut self, _cx: &mut Cx<'_>) -> Result<(), NodeError> {
        Ok(())
    }

    /// A timer goes off.
    fn timer(&mut self, _at: Timestamp, _key: &Bytes, _cx: &mut Cx<'_>) -> Result<(), NodeError> {
        Ok(())
    }

    /// Records that wait at a port to be given on.
    fn produced(&self, port: usize) -> usize;

    /// Gives them to a child; a copy where this is not the last one.
    fn give(&mut self, port: usize, to: &mut dyn Any, is_last: bool);

    /// Drops what no child has taken.
    fn clear(&mut self);
}

/// Gives records to a child.
pub(crate) fn give<T: Clone + 'static>(from: &mut Vec<T>, to: &mut dyn Any, is_last: bool) {
    let Some(to) = to.downcast_mut::<Vec<T>>() else {
        unreachable!("the topology joins nodes of one type only");
    };
    if !is_last {
        to.extend_from_slice(from);
    } else if to.is_empty() {
        std::mem::swap(from, to);
    } else {
        to.append(from);
    }
}

/// Sorts records of several parents as they came; those of one record stay as they are.
pub(crate) fn arrange<T: Ordered>(records: &mut [T]) {
    if !records.is_sorted_by_key(Ordered::order) {
        records.sort_by_key(Ordered::order);
    }
}
