//! Nodes that keep nothing: filter, map and their like.

use std::sync::Arc;

use super::{NodeError, cx::Cx, operator::Logic, outlet::Ports};
use crate::record::Ordered;

/// What such a node does with a batch: takes everything out of the first vector and leaves results in the second.
pub(crate) type Step<T, U> = Arc<dyn Fn(&mut Vec<T>, &mut Vec<U>) + Send + Sync>;

/// A node that keeps nothing.
pub(crate) struct Stateless<T, U> {
    pub(crate) step: Step<T, U>,
}

impl<T, U> Logic for Stateless<T, U>
where
    T: Ordered + Send + 'static,
    U: Clone + Send + 'static,
{
    type In = T;
    type Out = Vec<U>;

    fn run(&mut self, input: &mut Vec<T>, out: &mut Vec<U>, _: &mut Cx<'_>) -> Result<(), NodeError> {
        (self.step)(input, out);
        input.clear();
        Ok(())
    }
}

/// Chooses a port for each record.
pub(crate) type Choose<T> = Arc<dyn Fn(&T) -> Option<usize> + Send + Sync>;

/// A node that shares its records out: each goes to one port, or nowhere.
pub(crate) struct Split<T> {
    pub(crate) choose: Choose<T>,
}

impl<T: Ordered + Clone + Send + 'static> Logic for Split<T> {
    type In = T;
    type Out = Ports<T>;

    fn run(&mut self, input: &mut Vec<T>, out: &mut Ports<T>, _: &mut Cx<'_>) -> Result<(), NodeError> {
        for item in input.drain(..) {
            if let Some(port) = (self.choose)(&item) {
                out.push(port, item);
            }
        }
        Ok(())
    }
}

/// What is done with each record where a stream ends.
pub(crate) type Look<T> = Arc<dyn Fn(&T) + Send + Sync>;

impl<T: Ordered + Send + 'static> Logic for Look<T> {
    type In = T;
    type Out = ();

    fn run(&mut self, input: &mut Vec<T>, (): &mut (), _: &mut Cx<'_>) -> Result<(), NodeError> {
        input.drain(..).for_each(|item| self(&item));
        Ok(())
    }
}
