//! A node that tells its two parents apart.

use std::any::Any;

use crate::{
    graph::{NodeError, cx::Cx, operator::Operator, outlet::Outlet},
    record::Ordered,
};

/// What such a node does with its records. As [`crate::graph::operator::Logic`], with two vectors, each in the order of
/// coming.
pub(crate) trait Pair: Send + 'static {
    type Left: Ordered + Send + 'static;
    type Right: Ordered + Send + 'static;
    type Out: Outlet + Default;

    /// Works through everything that came in, and leaves nothing of it.
    fn run(
        &mut self,
        left: &mut Vec<Self::Left>,
        right: &mut Vec<Self::Right>,
        out: &mut Self::Out,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError>;

    /// As [`Operator::goes_on`].
    fn goes_on(&self) -> bool {
        false
    }

    /// The watermark has risen.
    fn watermark(&mut self, _out: &mut Self::Out, _cx: &mut Cx<'_>) -> Result<(), NodeError> {
        Ok(())
    }

    /// A commit is about to be made: what is at hand goes to the stores.
    fn commit(&mut self, _cx: &mut Cx<'_>) -> Result<(), NodeError> {
        Ok(())
    }
}

/// Where a record came in.
pub(crate) enum Side<L, R> {
    Left(L),
    Right(R),
}

/// What came in on both sides, in the order of its coming; of what one record has led to, the left side first.
pub(crate) fn in_order<'a, L: Ordered, R: Ordered>(
    left: &'a mut Vec<L>,
    right: &'a mut Vec<R>,
) -> impl Iterator<Item = Side<L, R>> + 'a {
    let (mut left, mut right) = (left.drain(..).peekable(), right.drain(..).peekable());
    std::iter::from_fn(move || {
        let next_right = right.peek().map_or(u64::MAX, Ordered::order);
        match left.next_if(|left| left.order() <= next_right) {
            Some(left) => Some(Side::Left(left)),
            None => right.next().map(Side::Right),
        }
    })
}

/// What a node does, with what has come in and what goes out.
struct Junction<P: Pair> {
    logic: P,
    left: Vec<P::Left>,
    right: Vec<P::Right>,
    out: P::Out,
}

/// A node of its own for some logic: its first parent gives to the left, its second one to the right.
pub(crate) fn node<P: Pair>(logic: P) -> Box<dyn Operator> {
    Box::new(Junction { logic, left: Vec::new(), right: Vec::new(), out: P::Out::default() })
}

impl<P: Pair> Operator for Junction<P> {
    fn pending(&self) -> usize {
        self.left.len() + self.right.len()
    }

    fn input(&mut self, inlet: usize) -> &mut dyn Any {
        if inlet == 0 { &mut self.left } else { &mut self.right }
    }

    fn arrange(&mut self) {
        self.left.sort_by_key(Ordered::order);
        self.right.sort_by_key(Ordered::order);
    }

    fn run(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.logic.run(&mut self.left, &mut self.right, &mut self.out, cx)
    }

    fn goes_on(&self) -> bool {
        self.logic.goes_on()
    }

    fn watermark(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.logic.watermark(&mut self.out, cx)
    }

    fn commit(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.logic.commit(cx)
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
