//! Where nodes leave their records for others.

use std::any::Any;

/// Where a node leaves its records: at one port (a vector), at two whose records differ (two vectors), at several
/// ([`Ports`]), or at none.
pub(crate) trait Outlet: Send + 'static {
    /// As [`super::operator::Operator::produced`].
    fn produced(&self, port: usize) -> usize;

    /// As [`super::operator::Operator::give`].
    fn give(&mut self, port: usize, to: &mut dyn Any, is_last: bool);

    /// As [`super::operator::Operator::clear`].
    fn clear(&mut self);
}

impl<T: Clone + Send + 'static> Outlet for Vec<T> {
    fn produced(&self, _: usize) -> usize {
        self.len()
    }

    fn give(&mut self, _: usize, to: &mut dyn Any, is_last: bool) {
        let Some(to) = to.downcast_mut::<Self>() else {
            unreachable!("the topology joins nodes of one type only");
        };
        if !is_last {
            to.extend_from_slice(self);
        } else if to.is_empty() {
            std::mem::swap(self, to);
        } else {
            to.append(self);
        }
    }

    fn clear(&mut self) {
        self.clear();
    }
}

/// Several ports.
pub(crate) struct Ports<T>(Vec<Vec<T>>);

impl<T> Ports<T> {
    pub(crate) fn new(count: usize) -> Self {
        Self((0..count).map(|_| Vec::new()).collect())
    }

    /// Leaves a record at a port, if there is one of that number.
    pub(crate) fn push(&mut self, port: usize, record: T) {
        if let Some(port) = self.0.get_mut(port) {
            port.push(record);
        }
    }
}

impl<T: Clone + Send + 'static> Outlet for Ports<T> {
    fn produced(&self, port: usize) -> usize {
        self.0.get(port).map_or(0, Vec::len)
    }

    fn give(&mut self, port: usize, to: &mut dyn Any, is_last: bool) {
        if let Some(port) = self.0.get_mut(port) {
            port.give(0, to, is_last);
        }
    }

    fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }
}

impl<T: Clone + Send + 'static, U: Clone + Send + 'static> Outlet for (Vec<T>, Vec<U>) {
    fn produced(&self, port: usize) -> usize {
        if port == 0 { self.0.len() } else { self.1.len() }
    }

    fn give(&mut self, port: usize, to: &mut dyn Any, is_last: bool) {
        if port == 0 { self.0.give(0, to, is_last) } else { self.1.give(0, to, is_last) }
    }

    fn clear(&mut self) {
        self.0.clear();
        self.1.clear();
    }
}

impl Outlet for () {
    fn produced(&self, _: usize) -> usize {
        0
    }

    fn give(&mut self, _: usize, _: &mut dyn Any, _: bool) {}

    fn clear(&mut self) {}
}
