//! Nodes that keep nothing: filter, map and their like.

use std::{any::Any, sync::Arc};

use super::{
    NodeError,
    operator::{Cx, Operator, arrange, give},
};
use crate::record::Ordered;

/// What such a node does with a batch: takes everything out of the first vector and leaves results in the second.
pub(crate) type Step<T, U> = Arc<dyn Fn(&mut Vec<T>, &mut Vec<U>) + Send + Sync>;

/// A node that keeps nothing.
pub(crate) struct Stateless<T, U> {
    step: Step<T, U>,
    input: Vec<T>,
    output: Vec<U>,
}

impl<T, U> Stateless<T, U> {
    pub(crate) const fn new(step: Step<T, U>) -> Self {
        Self { step, input: Vec::new(), output: Vec::new() }
    }
}

impl<T, U> Operator for Stateless<T, U>
where
    T: Ordered + Send + 'static,
    U: Clone + Send + 'static,
{
    fn pending(&self) -> usize {
        self.input.len()
    }

    fn input(&mut self) -> &mut dyn Any {
        &mut self.input
    }

    fn arrange(&mut self) {
        arrange(&mut self.input);
    }

    fn run(&mut self, _: &mut Cx<'_>) -> Result<(), NodeError> {
        (self.step)(&mut self.input, &mut self.output);
        self.input.clear();
        Ok(())
    }

    fn produced(&self, _: usize) -> usize {
        self.output.len()
    }

    fn give(&mut self, _: usize, to: &mut dyn Any, is_last: bool) {
        give(&mut self.output, to, is_last);
    }

    fn clear(&mut self) {
        self.output.clear();
    }
}

/// Chooses a port for each record.
pub(crate) type Choose<T> = Arc<dyn Fn(&T) -> Option<usize> + Send + Sync>;

/// A node that shares its records out: each goes to one port, or nowhere.
pub(crate) struct Split<T> {
    choose: Choose<T>,
    input: Vec<T>,
    ports: Vec<Vec<T>>,
}

impl<T> Split<T> {
    pub(crate) fn new(choose: Choose<T>, ports: usize) -> Self {
        Self { choose, input: Vec::new(), ports: (0..ports).map(|_| Vec::new()).collect() }
    }
}

impl<T: Ordered + Clone + Send + 'static> Operator for Split<T> {
    fn pending(&self) -> usize {
        self.input.len()
    }

    fn input(&mut self) -> &mut dyn Any {
        &mut self.input
    }

    fn arrange(&mut self) {
        arrange(&mut self.input);
    }

    fn run(&mut self, _: &mut Cx<'_>) -> Result<(), NodeError> {
        for item in self.input.drain(..) {
            if let Some(port) = (self.choose)(&item).and_then(|port| self.ports.get_mut(port)) {
                port.push(item);
            }
        }
        Ok(())
    }

    fn produced(&self, port: usize) -> usize {
        self.ports.get(port).map_or(0, Vec::len)
    }

    fn give(&mut self, port: usize, to: &mut dyn Any, is_last: bool) {
        if let Some(port) = self.ports.get_mut(port) {
            give(port, to, is_last);
        }
    }

    fn clear(&mut self) {
        self.ports.iter_mut().for_each(Vec::clear);
    }
}
