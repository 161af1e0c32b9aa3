//! What is drawn of a topology, in whatever language.

use std::fmt;

use mainstem_client::Text;

use super::Topology;
use crate::topology::{Kind, Node};

/// Something that is drawn, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point<'a> {
    Node(&'a Text),
    Store(&'a Text),
    Topic(&'a Text),
}

/// What lies between two points: records that go from one to the other, or a node's use of its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) from: Point<'a>,
    pub(super) to: Point<'a>,
}

impl fmt::Display for Point<'_> {
    /// Nodes bear their names; stores and topics may have the same ones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "{name}"),
            Self::Store(name) => write!(f, "store {name}"),
            Self::Topic(name) => write!(f, "topic {name}"),
        }
    }
}

impl Topology {
    /// All lines, node by node: to its children, to its stores, to or from its topic.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        (0..self.nodes().len()).flat_map(|index| {
            let node = &self.nodes()[index];
            let from = Point::Node(&node.name);
            let children =
                self.child_nodes(index).map(move |child| Line { from, to: Point::Node(&child.name) });
            let stores = node.all_stores().map(move |store| Line { from, to: Point::Store(store) });
            children.chain(stores).chain(topic(node))
        })
    }

    /// The stores that a part draws: those that users have declared.
    pub(super) fn drawn_stores(&self, part: usize) -> impl Iterator<Item = &Text> {
        let part = &self.parts()[part];
        part.stores.iter().filter(|store| self.store(store).is_some()).chain(&part.globals)
    }
}

fn topic(node: &Node) -> Option<Line<'_>> {
    let this = Point::Node(&node.name);
    match &node.kind {
        Kind::Source { topic, .. } => Some(Line { from: Point::Topic(topic), to: this }),
        Kind::Sink { topic, .. } => Some(Line { from: this, to: Point::Topic(topic) }),
        Kind::Processor | Kind::Sinks => None,
    }
}
