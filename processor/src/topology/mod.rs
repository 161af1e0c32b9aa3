//! What a topology is: named nodes that give records to one another, and the stores that they keep.
//!
//! - [`TopologyBuilder`]: puts one together by hand, with a [`SourceSpec`] for each topic that is read otherwise than by
//!   its records' timestamps; [`crate::StreamBuilder`] does the same from typed streams.
//! - [`TopologyError`]: why it is none.
//! - `describe`: a topology as text, as JSON and as a drawing.
//! - `co_partitioned`: what nodes must not ask for where their topics meet.
//! - `parts`: what of it can run by itself: the sub-topologies.
//! - `Plan`: how many tasks and partitions it takes on a cluster.

mod builder;
mod co_partitioned;
mod describe;
mod error;
mod node;
mod parts;
pub(crate) mod plan;
mod source;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc};

use mainstem_client::Text;

pub use builder::TopologyBuilder;
pub(crate) use builder::named;
pub use error::TopologyError;
pub(crate) use node::{KeptWindows, Kind, Layout, Make, Node, Parent, Setting};
pub(crate) use parts::Part;
pub use plan::PlanError;
pub(crate) use plan::{Plan, meetings};
pub use source::SourceSpec;

use crate::{
    StoreSpec,
    graph::{Graph, RunningNode, Wire},
    state::Globals,
};

/// Named nodes that give records to one another, known to fit together.
///
/// The name of the topology is the id of its group, and the first part of the names of its topics:
/// `NAME-STORE-changelog` and `NAME-NODE-repartition`. Nodes and stores are known by their names, never by their
/// place, so that a topology can grow without losing its state.
///
/// Printed, it looks as Kafka Streams prints one; [`Self::to_dot`] and [`Self::to_mermaid`] draw it, and [`Self::to_json`]
/// is for programs.
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::StreamBuilder;
///
/// let builder = StreamBuilder::new("shouting");
/// builder.stream::<(), Text>("words").map_values(|word| word.to_uppercase()).to("loud-words");
/// let topology = builder.build()?;
/// assert_eq!(
///     topology.to_string(),
///     "Topology: shouting\n\
///      \x20  Sub-topology: 0\n\
///      \x20   Source: words (topics: [words])\n\
///      \x20     --> words.map_values\n\
///      \x20   Processor: words.map_values (stores: [])\n\
///      \x20     --> loud-words.sink\n\
///      \x20     <-- words\n\
///      \x20   Sink: loud-words.sink (topic: loud-words)\n\
///      \x20     <-- words.map_values\n\n"
/// );
/// # Ok::<(), mainstem_processor::TopologyError>(())
/// ```
#[derive(Clone)]
pub struct Topology {
    inner: Arc<Inner>,
}

struct Inner {
    name: Text,
    /// Each behind its parents.
    nodes: Vec<Node>,
    parts: Vec<Part>,
    /// Those that were declared.
    stores: Vec<StoreSpec>,
}

/// A node that takes from another one.
#[derive(Clone, Copy, Debug)]
struct Child {
    node: usize,
    /// Where it does so.
    port: usize,
    /// Which of its parents that is.
    inlet: usize,
}

impl Topology {
    fn new(name: Text, nodes: Vec<Node>, stores: Vec<StoreSpec>) -> Self {
        let parts = parts::of(&nodes, &stores);
        Self { inner: Arc::new(Inner { name, nodes, parts, stores }) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Text {
        &self.inner.name
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.inner.nodes
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.inner.parts
    }

    /// The topics that it reads and does not write itself.
    #[must_use]
    pub fn input_topics(&self) -> Vec<Text> {
        self.topics(|kind| match kind {
            Kind::Source { topic, is_repartition: false } => Some(topic),
            _ => None,
        })
    }

    /// The topics that it writes for others.
    #[must_use]
    pub fn output_topics(&self) -> Vec<Text> {
        self.topics(|kind| match kind {
            Kind::Sink { topic, is_repartition: false } => Some(topic),
            _ => None,
        })
    }

    fn topics(&self, of: impl Fn(&Kind) -> Option<&Text>) -> Vec<Text> {
        self.nodes().iter().filter_map(|node| of(&node.kind)).cloned().collect()
    }

    /// What was declared of a store; nothing of those that the runtime adds.
    pub(crate) fn store(&self, name: &str) -> Option<&StoreSpec> {
        self.inner.stores.iter().find(|store| store.name == name)
    }

    /// Whether a store is written to a changelog, as those are that the runtime adds.
    pub(crate) fn has_changelog(&self, store: &str) -> bool {
        self.store(store).is_none_or(|store| store.has_changelog)
    }

    /// The global tables that it makes, without anything in them.
    pub(crate) fn globals(&self) -> Globals {
        Globals::new(self.parts().iter().flat_map(|part| part.globals.clone()))
    }

    /// The node that keeps a store, or the first of those that do.
    pub(crate) fn keeper(&self, store: &str) -> Option<&Node> {
        self.nodes().iter().find(|node| node.stores.iter().any(|name| name == store))
    }

    /// The node that asks for the number of partitions of a repartition topic, if one does.
    pub(crate) fn asker(&self, topic: &str) -> Option<&Node> {
        let mut asking = self.nodes().iter().filter(|node| node.partitions.is_some());
        asking.find(|node| node.topic().is_some_and(|read| read == topic))
    }

    /// The changelog of a store.
    #[must_use]
    pub fn changelog(&self, store: &str) -> Text {
        Text::from(format!("{}-{store}-changelog", self.inner.name))
    }

    /// The nodes of a part, ready to work in a task.
    pub(crate) fn graph(&self, part: &Part, plan: &Plan, task: i32) -> Graph {
        let place = |index: usize| part.nodes.iter().position(|member| *member == index);
        let is_fed_back = !plan::fed_back(self, part).is_empty();
        let running = part.nodes.iter().map(|index| {
            let children = self.children(*index);
            let node = &self.nodes()[*index];
            let setting = Setting {
                children: children.iter().map(|child| self.nodes()[child.node].name.clone()).collect(),
                is_eager: self.is_eager(*index),
                sends_old: self.sends_old(*index),
                is_viewed: self.is_viewed(*index),
                tables: self.tables_of(node),
                task,
                partitions: plan.repartitions(&node.kind),
                upstream: is_fed_back.then(|| self.upstream(*index)),
            };
            let wire = |(at, child): (usize, &Child)| {
                let Child { node, port, inlet } = *child;
                let is_last = children[at + 1..].iter().all(|later| later.port != port);
                place(node).map(|child| Wire { port, child, inlet, is_last })
            };
            RunningNode {
                name: node.name.clone(),
                operator: (node.make)(&setting),
                wires: children.iter().enumerate().filter_map(wire).collect(),
                merges: node.parents.len() > 1,
                delay_ms: self.delay_ms(*index),
                is_output: matches!(node.kind, Kind::Sink { is_repartition: false, .. } | Kind::Sinks),
                counts: Default::default(),
            }
        });
        Graph::new(running.collect())
    }

    /// The nodes that take from a node. Those behind a processor of the low-level interface have a port each.
    fn children(&self, index: usize) -> Vec<Child> {
        let Node { name, is_custom, .. } = &self.nodes()[index];
        let mut children = Vec::new();
        for (child, node) in self.nodes().iter().enumerate() {
            // A stream that is merged with itself takes from one node twice.
            let parents = node.parents.iter().enumerate().filter(|(_, parent)| parent.name == *name);
            for (inlet, parent) in parents {
                let own = parent.port.filter(|_| !is_custom);
                children.push(Child { node: child, port: own.unwrap_or(children.len()), inlet });
            }
        }
        children
    }

    /// The nodes that give to a node; one that gives to it twice is there twice.
    fn parents(&self, index: usize) -> impl Iterator<Item = usize> {
        let place = |parent: &Parent| self.nodes().iter().position(|node| node.name == parent.name);
        self.nodes()[index].parents.iter().filter_map(place)
    }

    /// A node and all from which something may come to it.
    fn lineage(&self, index: usize) -> BTreeSet<usize> {
        let mut lineage = BTreeSet::from([index]);
        for node in (0..=index).rev() {
            if lineage.contains(&node) {
                lineage.extend(self.parents(node));
            }
        }
        lineage
    }

    /// The sources whose records may lead to some of a node.
    pub(crate) fn sources_of(&self, index: usize) -> BTreeSet<usize> {
        let is_source = |node: &usize| matches!(self.nodes()[*node].kind, Kind::Source { .. });
        self.lineage(index).into_iter().filter(is_source).collect()
    }

    /// The topics whose records may lead to some of a node.
    fn upstream(&self, index: usize) -> Vec<Text> {
        let topic = |source: usize| self.nodes()[source].topic().cloned();
        self.sources_of(index).into_iter().filter_map(topic).collect()
    }

    /// Whether a part must take records one by one. A record may change a table and lead to another that looks into it,
    /// which must not find there what later records of its batch have made of it. And where time leads to records that
    /// meet others or look for them, as those of windows that close, they must come to their place among them. So must those
    /// that wait for their time to look into a table. And a processor sees what others have made of a store up to the record at
    /// hand.
    pub(crate) fn is_stepwise(&self, part: &Part) -> bool {
        let is_so = |index: usize| {
            self.meets_itself(index) || self.meets_what_time_leads_to(index) || self.shares_a_store(index)
        };
        part.nodes.iter().any(|index| is_so(*index))
    }

    /// Whether a node is a processor of a stream that uses a store which others use too: it works through a batch before or
    /// behind them, and would see of the store what no order of records makes of it.
    fn shares_a_store(&self, index: usize) -> bool {
        let node = &self.nodes()[index];
        let others = || self.nodes().iter().enumerate().filter(|(other, _)| *other != index);
        let is_shared = |store: &Text| others().any(|(_, other)| other.stores.contains(store));
        node.is_process && node.stores.iter().any(is_shared)
    }

    fn meets_itself(&self, index: usize) -> bool {
        let mut seen = BTreeSet::new();
        let mut sources = self.parents(index).flat_map(|parent| self.sources_of(parent));
        self.nodes()[index].looks_up && sources.any(|source| !seen.insert(source))
    }

    fn meets_what_time_leads_to(&self, index: usize) -> bool {
        let node = &self.nodes()[index];
        let meets_others = node.looks_up || node.parents.len() > 1;
        let waits_to_look = node.looks_up && node.is_timed;
        waits_to_look || (meets_others && self.parents(index).any(|parent| self.is_led_by_time(parent)))
    }

    /// Whether records of a node come about as time goes on, and not only by other records.
    fn is_led_by_time(&self, index: usize) -> bool {
        self.lineage(index).into_iter().any(|node| self.nodes()[node].is_timed)
    }

    /// How far the watermark of a node is behind that of its task: as long as the windows in front of it wait.
    fn delay_ms(&self, index: usize) -> i64 {
        let of = |parent| self.delay_ms(parent).saturating_add(self.nodes()[parent].delay_ms);
        self.parents(index).map(of).max().unwrap_or(0)
    }

    /// Whether a node must pass on each change at once: those behind it, also behind a repartition topic, go by the time
    /// or keep something, and what they make of the changes must not hang on when commits are made.
    fn is_eager(&self, index: usize) -> bool {
        let keeps = |node: &Node| node.is_timed || !node.stores.is_empty();
        let behind = |child: usize| keeps(&self.nodes()[child]) || self.is_eager(child);
        let children = self.children(index).into_iter().map(|child| child.node);
        children.chain(self.behind_repartition(index)).any(behind)
    }

    /// Whether a node must say which value a key had before: somebody behind it asks, before anybody keeps the value.
    fn sends_old(&self, index: usize) -> bool {
        let wants = |child: usize| {
            let node = &self.nodes()[child];
            node.wants_old || (node.stores.is_empty() && self.sends_old(child))
        };
        self.children(index).into_iter().any(|child| wants(child.node))
    }

    /// The stores that a processor of a stream names and that others keep.
    fn tables_of(&self, node: &Node) -> Vec<Text> {
        let is_kept = |store: &&Text| self.nodes().iter().any(|other| other.may_keep(store));
        let named = node.stores.iter().filter(|_| node.is_process);
        named.filter(is_kept).cloned().collect()
    }

    /// Whether others look into the store of a node, which is the first that it names.
    fn is_viewed(&self, index: usize) -> bool {
        let Some(own) = self.nodes()[index].stores.first() else { return false };
        let others = self.nodes().iter().enumerate().filter(|(other, _)| *other != index);
        others.flat_map(|(_, node)| &node.stores).any(|store| store == own)
    }

    /// The source that reads what a node writes to a repartition topic.
    fn behind_repartition(&self, index: usize) -> Option<usize> {
        let Kind::Sink { topic, is_repartition: true } = &self.nodes()[index].kind else { return None };
        let reads = |node: &Node| matches!(&node.kind, Kind::Source { topic: read, .. } if read == topic);
        self.nodes().iter().position(reads)
    }
}

impl std::fmt::Debug for Topology {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.nodes().iter().map(|node| &node.name).collect();
        f.debug_struct("Topology").field("name", self.name()).field("nodes", &names).finish()
    }
}
