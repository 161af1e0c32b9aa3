//! A node at work: the same for all of them, around the logic that is each one's own.

use std::any::Any;

use mainstem_client::{Record, Timestamp, TopicPartition};

use super::{NodeError, cx::Cx, outlet::Outlet, times::Met};
use crate::record::Ordered;

/// A node at work, whatever its records are. They come in and go out by vectors, whose type parent and child agree upon.
pub(crate) trait Operator: Send {
    /// Records that wait for [`Self::run`].
    fn pending(&self) -> usize;

    /// The vector that takes those of a parent: all of them into one, unless the node tells its parents apart.
    fn input(&mut self, inlet: usize) -> &mut dyn Any;

    /// When a record of a topic happened, by which it is merged with those of other topics; none where it does not parse,
    /// and an error where it cannot be read yet. The same records come back, in their order, to be worked through.
    fn look_ahead(
        &mut self,
        record: &Record,
        _partition: &TopicPartition,
        _met: Met,
    ) -> Result<Option<Timestamp>, NodeError> {
        Ok(Some(record.timestamp))
    }

    /// Sorts what came from several parents.
    fn arrange(&mut self);

    /// Works through everything that waits.
    fn run(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError>;

    /// The task begins; nothing has come in yet.
    fn start(&mut self, _cx: &mut Cx<'_>) -> Result<(), NodeError> {
        Ok(())
    }

    /// Whether it has not come to the end of what came in, and waits for [`Self::run`] once others have taken what it has
    /// left so far.
    fn goes_on(&self) -> bool {
        false
    }

    /// The watermark has risen.
    fn watermark(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError>;

    /// A commit is about to be made.
    fn commit(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError>;

    /// A timer goes off that goes by the clock: what that says, and the timer's key.
    fn wall_clock(&mut self, _alarm: (Timestamp, &[u8]), _cx: &mut Cx<'_>) -> Result<(), NodeError> {
        Ok(())
    }

    /// Records that wait at a port to be given on.
    fn produced(&self, port: usize) -> usize;

    /// Gives them to a child; a copy where this is not the last one.
    fn give(&mut self, port: usize, to: &mut dyn Any, is_last: bool);

    /// Drops what no child has taken.
    fn clear(&mut self);
}

/// What a node does with its records.
pub(crate) trait Logic: Send + 'static {
    type In: Ordered + Send + 'static;
    type Out: Outlet;

    /// As [`Operator::look_ahead`].
    fn look_ahead(
        &mut self,
        record: &Record,
        _partition: &TopicPartition,
        _met: Met,
    ) -> Result<Option<Timestamp>, NodeError> {
        Ok(Some(record.timestamp))
    }

    /// Works through everything that came in, and leaves nothing of it.
    fn run(
        &mut self,
        input: &mut Vec<Self::In>,
        out: &mut Self::Out,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError>;

    /// As [`Operator::start`].
    fn start(&mut self, _out: &mut Self::Out, _cx: &mut Cx<'_>) -> Result<(), NodeError> {
        Ok(())
    }

    /// The watermark has risen.
    fn watermark(&mut self, _out: &mut Self::Out, _cx: &mut Cx<'_>) -> Result<(), NodeError> {
        Ok(())
    }

    /// A commit is about to be made.
    fn commit(&mut self, _out: &mut Self::Out, _cx: &mut Cx<'_>) -> Result<(), NodeError> {
        Ok(())
    }

    /// As [`Operator::wall_clock`].
    fn wall_clock(
        &mut self,
        _alarm: (Timestamp, &[u8]),
        _out: &mut Self::Out,
        _cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        Ok(())
    }
}

/// What a node does, with what has come in and what goes out.
struct Station<L: Logic> {
    logic: L,
    input: Vec<L::In>,
    out: L::Out,
}

/// A node of its own for some logic.
pub(crate) fn node<L: Logic>(logic: L) -> Box<dyn Operator>
where
    L::Out: Default,
{
    node_with(logic, L::Out::default())
}

/// The same, with the places where its records go out.
pub(crate) fn node_with<L: Logic>(logic: L, out: L::Out) -> Box<dyn Operator> {
    Box::new(Station { logic, input: Vec::new(), out })
}

impl<L: Logic> Operator for Station<L> {
    fn pending(&self) -> usize {
        self.input.len()
    }

    fn input(&mut self, _: usize) -> &mut dyn Any {
        &mut self.input
    }

    fn look_ahead(
        &mut self,
        record: &Record,
        partition: &TopicPartition,
        met: Met,
    ) -> Result<Option<Timestamp>, NodeError> {
        self.logic.look_ahead(record, partition, met)
    }

    fn arrange(&mut self) {
        if !self.input.is_sorted_by_key(Ordered::order) {
            // Those that one record led to stay as they are.
            self.input.sort_by_key(Ordered::order);
        }
    }

    fn run(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.logic.run(&mut self.input, &mut self.out, cx)
    }

    fn start(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.logic.start(&mut self.out, cx)
    }

    fn watermark(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.logic.watermark(&mut self.out, cx)
    }

    fn commit(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.logic.commit(&mut self.out, cx)
    }

    fn wall_clock(&mut self, alarm: (Timestamp, &[u8]), cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.logic.wall_clock(alarm, &mut self.out, cx)
    }

    fn produced(&self, port: usize) -> usize {
        self.out.produced(port)
    }

    fn give(&mut self, port: usize, to: &mut dyn Any, is_last: bool) {
        self.out.give(port, to, is_last);
    }

    fn clear(&mut self) {
        self.out.clear();
    }
}
