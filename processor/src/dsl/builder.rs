//! Where a program begins.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstem_client::Text;

use super::{Input, Stream};
use crate::{
    Topology, TopologyBuilder, TopologyError,
    serdes::Serde,
    topology::{Kind, Make, Node, Parent},
};

/// Begins streams, and makes a topology of what becomes of them.
///
/// Counting words, with the result kept up to date in a topic:
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::{StreamBuilder, TestDriver};
///
/// let builder = StreamBuilder::new("word-count");
/// builder
///     .stream::<(), Text>("lines")
///     .flat_map_values(|line| line.split_whitespace().map(Text::from).collect::<Vec<_>>())
///     .group_by(|_, word| word.clone())
///     .count("counts")
///     .to("word-counts");
///
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// driver.pipe("lines", (), "to be or not to be", 0)?;
/// let counts = driver.read_table::<String, i64>("word-counts")?;
/// assert_eq!((counts["to"], counts["or"]), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct StreamBuilder {
    draft: Draft,
}

impl StreamBuilder {
    /// A program of that name, which is also the id of its group and the first part of the names of its topics.
    #[must_use]
    pub fn new(name: impl Into<Text>) -> Self {
        Self { draft: Draft(Arc::new(Mutex::new(TopologyBuilder::new(name)))) }
    }

    /// The records of a topic. The task fails at a record whose key or value does not parse; [`Self::stream_with`]
    /// can do otherwise.
    #[must_use]
    pub fn stream<K: Serde, V: Serde>(&self, topic: impl Into<Text>) -> Stream<K, V> {
        self.stream_with(topic, Input::new())
    }

    /// The records of a topic, read as `input` says.
    #[must_use]
    pub fn stream_with<K: Serde, V: Serde>(
        &self,
        topic: impl Into<Text>,
        input: Input<K, V>,
    ) -> Stream<K, V> {
        let node = input.into_node(topic.into(), false);
        let name = node.name.clone();
        self.draft.check::<K, V>(&name);
        self.draft.lock().add(node);
        Stream::new(self.draft.clone(), Parent::only(name), false)
    }

    pub(super) const fn draft(&self) -> &Draft {
        &self.draft
    }

    /// The topology of everything that was said so far.
    ///
    /// # Errors
    /// Where it is none.
    pub fn build(&self) -> Result<Topology, TopologyError> {
        self.draft.lock().clone().build()
    }
}

/// A topology in the making, shared by all streams of a program.
#[derive(Clone, Debug)]
pub(crate) struct Draft(Arc<Mutex<TopologyBuilder>>);

impl Draft {
    pub(crate) fn lock(&self) -> MutexGuard<'_, TopologyBuilder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees whether keys and values can be read and written at all.
    pub(crate) fn check<K: Serde, V: Serde>(&self, node: &Text) {
        let faults = [("keys", K::fault()), ("values", V::fault())];
        for (part, fault) in faults {
            if let Some(fault) = fault {
                self.lock().refuse(TopologyError::BadFormat { node: node.clone(), part, fault });
            }
        }
    }

    /// Adds a node that does something behind others, under the name that follows from that.
    pub(crate) fn step(&self, parents: Vec<Parent>, what: &str, make: Make) -> Parent {
        let behind = parents.first().map_or("", |parent| &*parent.name);
        let name = self.free(&format!("{behind}.{what}"));
        self.lock().add(Node::new(name.clone(), Kind::Processor, parents, make));
        Parent::only(name)
    }

    /// The name, or the first one with a number behind it that is not taken.
    pub(crate) fn free(&self, name: &str) -> Text {
        let draft = self.lock();
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.to_owned()).chain(numbered).find(|name| !draft.has(name));
        Text::from(free.unwrap_or_default())
    }
}
