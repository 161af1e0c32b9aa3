//! Puts a topology together, and sees whether it is one.

use std::{collections::HashMap, sync::Arc};

use mainstem_client::{Record, Text};

use super::{KeptWindows, Kind, Make, Node, Parent, SourceSpec, Topology, TopologyError, co_partitioned};
use crate::{
    InputRecord, Processor, StoreSpec,
    graph::{
        custom::Custom,
        operator::{node, node_with},
        outlet::Ports,
        sink::Sink,
    },
    state::KEY_VALUE,
};

/// Puts a topology together node by node, with processors of the low-level interface. What does not fit is found by
/// [`Self::build`], so that nodes may be added in any order.
///
/// ```
/// use mainstem_processor::{TopologyBuilder, TopologyError};
/// # use mainstem_processor::{Context, InputBatch, ProcessResult, Processor};
/// # struct Count;
/// # impl Processor for Count {
/// #     fn process(&mut self, _: &InputBatch, _: &mut Context<'_>) -> ProcessResult { Ok(()) }
/// # }
/// let builder = TopologyBuilder::new("word-count")
///     .source("words", "words-topic")
///     .processor("count", ["words"], ["counts"], || Count)
///     .sink("out", "counts-topic", ["count"]);
/// let error = builder.clone().build().unwrap_err();
/// assert_eq!(error.to_string(), "node count uses the store counts, which is not there; the stores are none");
/// assert!(builder.store("counts").build().is_ok());
/// ```
#[derive(Clone)]
pub struct TopologyBuilder {
    name: Text,
    nodes: Vec<Node>,
    stores: Vec<StoreSpec>,
    /// The formats of the keys of sources.
    keys: Vec<(Text, Text)>,
    fault: Option<TopologyError>,
}

impl TopologyBuilder {
    /// A topology of that name, without nodes.
    #[must_use]
    pub fn new(name: impl Into<Text>) -> Self {
        Self { name: name.into(), nodes: Vec::new(), stores: Vec::new(), keys: Vec::new(), fault: None }
    }

    /// Reads a topic.
    #[must_use]
    pub fn source(self, name: impl Into<Text>, topic: impl Into<Text>) -> Self {
        self.source_with(name, topic, SourceSpec::new())
    }

    /// Reads a topic whose records say themselves when they happened.
    #[must_use]
    pub fn source_with_time(
        self,
        name: impl Into<Text>,
        topic: impl Into<Text>,
        event_time: impl Fn(&Record) -> mainstem_client::Timestamp + Send + Sync + 'static,
    ) -> Self {
        self.source_with(name, topic, SourceSpec::new().event_time(event_time))
    }

    /// Reads a topic as `spec` says.
    #[must_use]
    pub fn source_with(mut self, name: impl Into<Text>, topic: impl Into<Text>, spec: SourceSpec) -> Self {
        self.add(spec.node(name.into(), topic.into()));
        self
    }

    /// Says in which format a source has its keys, as [`crate::Serde::format`] names it. Where records of several sources meet
    /// in a node that keeps something, the topology is refused if their keys are in different formats: 5 in four bytes and 5 in
    /// eight are two keys, in two partitions. Sources of which nothing is said are not compared. (Typed streams need not say
    /// it: their types do.)
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{Serde, TopologyBuilder};
    /// # use mainstem_processor::{Context, InputBatch, ProcessResult, Processor};
    /// # struct Sum;
    /// # impl Processor for Sum {
    /// #     fn process(&mut self, _: &InputBatch, _: &mut Context<'_>) -> ProcessResult { Ok(()) }
    /// # }
    /// let builder = TopologyBuilder::new("balances")
    ///     .source("deposits", "deposits-topic")
    ///     .keys("deposits", i64::format())
    ///     .source("purchases", "purchases-topic")
    ///     .processor("sum", ["deposits", "purchases"], ["balances"], || Sum)
    ///     .store("balances");
    /// assert!(builder.clone().keys("purchases", i64::format()).build().is_ok());
    /// let error = builder.keys("purchases", Text::format()).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "node sum needs its topics co-partitioned, but the keys of deposits are i64 and those of purchases are text: \
    ///      the same key has other bytes there, and lies in another partition; write both in one format"
    /// );
    /// ```
    #[must_use]
    pub fn keys(mut self, source: impl Into<Text>, format: impl Into<Text>) -> Self {
        self.keys.push((source.into(), format.into()));
        self
    }

    /// Calls a processor with the records of the nodes `parents`; it may use `stores`, and forwards to the nodes that
    /// name it as their parent. `factory` makes one instance for each task, and another one whenever a task starts
    /// again.
    #[must_use]
    pub fn processor<P: Processor + 'static, const N: usize, const S: usize>(
        self,
        name: impl Into<Text>,
        parents: [&str; N],
        stores: [&str; S],
        factory: impl Fn() -> P + Send + Sync + 'static,
    ) -> Self {
        let stores = stores.into_iter().map(Text::from).collect();
        self.processor_of(name.into(), &parents, stores, Arc::new(move || Box::new(factory())))
    }

    pub(crate) fn processor_of(
        mut self,
        name: Text,
        parents: &[&str],
        stores: Vec<Text>,
        factory: Arc<dyn Fn() -> Box<dyn Processor> + Send + Sync>,
    ) -> Self {
        let names = stores.clone();
        let make: Make = Arc::new(move |setting| {
            let out = Ports::new(setting.children.len());
            node_with(Custom::new(factory(), names.clone(), setting.children.clone()), out)
        });
        let node = Node::new(name, Kind::Processor, self.parents(parents), make);
        // A processor may look at the watermark at any time.
        self.add(Node { stores, is_custom: true, is_timed: true, ..node });
        self
    }

    /// Writes what the nodes `parents` give to a topic.
    #[must_use]
    pub fn sink<const N: usize>(
        mut self,
        name: impl Into<Text>,
        topic: impl Into<Text>,
        parents: [&str; N],
    ) -> Self {
        let topic: Text = topic.into();
        let (kind, to) = (Kind::Sink { topic: topic.clone(), is_repartition: false }, topic);
        let make: Make = Arc::new(move |_| node(Sink::<InputRecord>::new(to.clone())));
        let parents = self.parents(&parents);
        self.add(Node::new(name.into(), kind, parents, make));
        self
    }

    /// Adds a store: a name, or what else there is to say about it. Its changelog is the topic `NAME-STORE-changelog`.
    #[must_use]
    pub fn store(mut self, store: impl Into<StoreSpec>) -> Self {
        self.add_store(store);
        self
    }

    fn parents(&self, names: &[&str]) -> Vec<Parent> {
        names.iter().map(|name| Parent::only(*name)).collect()
    }

    pub(crate) const fn name(&self) -> &Text {
        &self.name
    }

    pub(crate) fn has(&self, node: &str) -> bool {
        self.nodes.iter().any(|known| known.name == node)
    }

    pub(crate) fn add(&mut self, node: Node) {
        if self.has(&node.name) {
            self.refuse(TopologyError::DuplicateNode { node: node.name.clone() });
        }
        self.nodes.push(node);
    }

    pub(crate) fn add_store(&mut self, store: impl Into<StoreSpec>) {
        let store = store.into();
        if self.stores.iter().any(|known| known.name == store.name) {
            self.refuse(TopologyError::DuplicateStore { store: store.name.clone() });
        }
        self.stores.push(store);
    }

    /// The windows by which the results of a node are kept: its own, or those of all that it takes from.
    pub(crate) fn windows_of(&self, node: &str) -> Option<KeptWindows> {
        let node = self.nodes.iter().find(|known| known.name == node)?;
        let of_parents = || {
            let windows: Option<Vec<_>> =
                node.parents.iter().map(|parent| self.windows_of(&parent.name)).collect();
            windows?.into_iter().max_by_key(|windows| windows.closes_after_ms)
        };
        node.windows.or_else(of_parents)
    }

    /// Gives a node another name; those that take from it follow.
    pub(crate) fn rename(&mut self, from: &str, to: &Text) {
        if self.has(to) {
            self.refuse(TopologyError::DuplicateNode { node: to.clone() });
        }
        for node in &mut self.nodes {
            if node.name == from {
                node.name = to.clone();
            }
            for parent in &mut node.parents {
                if parent.name == from {
                    parent.name = to.clone();
                }
            }
        }
    }

    /// Has a node told which value a key of a table had before.
    pub(crate) fn want_old(&mut self, node: &str) {
        self.nodes.iter_mut().filter(|known| known.name == node).for_each(|node| node.wants_old = true);
    }

    /// The first fault is the one that is told.
    pub(crate) fn refuse(&mut self, fault: TopologyError) {
        self.fault.get_or_insert(fault);
    }

    /// The topology.
    ///
    /// # Errors
    /// Where the nodes make none.
    pub fn build(self) -> Result<Topology, TopologyError> {
        match &self.fault {
            Some(fault) => return Err(fault.clone()),
            None => self.check()?,
        }
        let Self { name, mut nodes, stores, keys, fault: _ } = self;
        keys.into_iter().try_for_each(|(source, keys)| tell_keys(&mut nodes, source, keys))?;
        let topology = Topology::new(name, sorted(nodes)?, stores);
        co_partitioned::check(&topology)?;
        Ok(topology)
    }

    fn check(&self) -> Result<(), TopologyError> {
        named(&self.name, "topology")?;
        self.stores.iter().try_for_each(|store| named(&store.name, "store"))?;
        self.nodes.iter().try_for_each(|node| self.check_node(node))?;
        self.check_topics()?;
        let is_used = |store: &&Text| self.nodes.iter().any(|node| node.stores.contains(store));
        match self.stores.iter().map(|store| &store.name).find(|store| !is_used(store)) {
            Some(store) => Err(TopologyError::UnusedStore { store: store.clone() }),
            None => Ok(()),
        }
    }

    fn check_node(&self, node: &Node) -> Result<(), TopologyError> {
        let is_source = matches!(node.kind, Kind::Source { .. });
        if node.parents.is_empty() && !is_source {
            return Err(TopologyError::NoParent { node: node.name.clone() });
        }
        for parent in &node.parents {
            self.check_parent(&node.name, &parent.name)?;
        }
        node.stores.iter().try_for_each(|store| self.check_store(node, store))
    }

    fn check_store(&self, node: &Node, store: &Text) -> Result<(), TopologyError> {
        let Some(spec) = self.stores.iter().find(|known| known.name == *store) else {
            return Err(TopologyError::UnknownStore {
                node: node.name.clone(),
                store: store.clone(),
                known: listed(self.stores.iter().map(|store| &store.name)),
            });
        };
        let is_kept = self.nodes.iter().any(|other| other.may_keep(store));
        if node.is_process && is_kept && spec.form.kind != KEY_VALUE {
            let (node, store, kind) = (node.name.clone(), store.clone(), spec.form.kind.clone());
            return Err(TopologyError::NotATable { node, store, kind });
        }
        Ok(())
    }

    fn check_parent(&self, node: &Text, parent: &Text) -> Result<(), TopologyError> {
        let (node, parent) = (node.clone(), parent.clone());
        match self.nodes.iter().find(|known| known.name == parent).map(|known| &known.kind) {
            None => {
                let known = listed(self.nodes.iter().map(|known| &known.name));
                Err(TopologyError::UnknownParent { node, parent, known })
            }
            Some(Kind::Sink { .. } | Kind::Sinks) => Err(TopologyError::SinkAsParent { node, parent }),
            Some(_) => Ok(()),
        }
    }

    fn check_topics(&self) -> Result<(), TopologyError> {
        let mut sources: HashMap<&Text, &Text> = HashMap::new();
        for node in &self.nodes {
            let Kind::Source { topic, .. } = &node.kind else { continue };
            if let Some(other) = sources.insert(topic, &node.name) {
                let (node, other, topic) = (node.name.clone(), other.clone(), topic.clone());
                return Err(TopologyError::SourceTwice { node, other, topic });
            }
        }
        let none = || TopologyError::NoSource { topology: self.name.clone() };
        if sources.is_empty() { Err(none()) } else { Ok(()) }
    }
}

impl std::fmt::Debug for TopologyBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopologyBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Bytes that a name may have: topics have up to 249, and what is put behind it takes the rest.
const NAME_BYTES_MAX: usize = 200;

pub(crate) fn named(name: &Text, kind: &'static str) -> Result<(), TopologyError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len());
    if fits && name.bytes().all(is_allowed) {
        Ok(())
    } else {
        Err(TopologyError::BadName { kind, name: name.clone() })
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a Text>) -> String {
    let names: Vec<&str> = names.map(|name| &**name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Tells a source in which format its keys are.
fn tell_keys(nodes: &mut [Node], source: Text, keys: Text) -> Result<(), TopologyError> {
    let known = listed(nodes.iter().filter(|node| node.topic().is_some()).map(|node| &node.name));
    match nodes.iter_mut().find(|node| node.topic().is_some() && node.name == source) {
        Some(node) => {
            node.keys = keys;
            Ok(())
        }
        None => Err(TopologyError::UnknownSource { node: source, keys, known }),
    }
}

/// The nodes, each behind its parents, else in the order in which they were added.
fn sorted(mut left: Vec<Node>) -> Result<Vec<Node>, TopologyError> {
    let mut sorted: Vec<Node> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let is_there = |parent: &Parent| sorted.iter().any(|node| node.name == parent.name);
        let Some(next) = left.iter().position(|node| node.parents.iter().all(is_there)) else {
            return Err(cycle(&left));
        };
        sorted.push(left.remove(next));
    }
    Ok(sorted)
}

/// All of `left` wait for one another: going from parent to parent leads back to where one has been.
fn cycle(left: &[Node]) -> TopologyError {
    let mut path: Vec<&Text> = vec![&left[0].name];
    loop {
        let last = path[path.len() - 1];
        let node = left.iter().find(|node| node.name == *last);
        let mut parents = node.into_iter().flat_map(|node| &node.parents);
        let waiting = |parent: &&Parent| left.iter().any(|node| node.name == parent.name);
        let Some(next) = parents.find(waiting).map(|parent| &parent.name) else {
            unreachable!("a node that waits for nobody is no part of a cycle");
        };
        if let Some(at) = path.iter().position(|seen| *seen == next) {
            let mut round: Vec<&str> = path[at..].iter().rev().map(|name| &***name).collect();
            round.push(round[0]);
            return TopologyError::Cycle { node: next.clone(), path: round.join(" -> ") };
        }
        path.push(next);
    }
}
