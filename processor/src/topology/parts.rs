//! Sub-topologies: nodes that are joined by their edges or by a store, and so belong into one task. Where records go
//! through a repartition topic, one ends and another begins.

use mainstem_client::Text;

use super::{Kind, Node};
use crate::StoreSpec;

/// A sub-topology.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Its nodes, each behind its parents.
    pub(crate) nodes: Vec<usize>,
    /// Its stores; the first one also keeps what the runtime must not forget, so there always is one, with a changelog.
    pub(crate) stores: Vec<Text>,
    /// The global tables that it makes; where there are any it works once for all tasks, on all partitions.
    pub(crate) globals: Vec<Text>,
}

impl Part {
    pub(crate) const fn is_global(&self) -> bool {
        !self.globals.is_empty()
    }
}

/// What the store of a part is called that declares none with a changelog, behind the name of its first source.
const OWN_STORE: &str = "task";

pub(crate) fn of(nodes: &[Node], stores: &[StoreSpec]) -> Vec<Part> {
    let roots = roots(nodes);
    let mut order: Vec<usize> = Vec::new();
    for root in &roots {
        if !order.contains(root) {
            order.push(*root);
        }
    }
    let members = |root: usize| (0..nodes.len()).filter(|node| roots[*node] == root).collect();
    order.into_iter().map(|root| part(nodes, stores, members(root))).collect()
}

fn part(nodes: &[Node], specs: &[StoreSpec], members: Vec<usize>) -> Part {
    let mut stores: Vec<Text> = Vec::new();
    for store in members.iter().flat_map(|member| &nodes[*member].stores) {
        if !stores.contains(store) {
            stores.push(store.clone());
        }
    }
    let is_forgotten = |store: &Text| specs.iter().any(|spec| spec.name == *store && !spec.has_changelog);
    stores.sort_by_key(is_forgotten);
    if stores.first().is_none_or(is_forgotten) {
        let source = members.iter().map(|member| &nodes[*member]).find(|node| is_source(node));
        let name = source.map_or("", |source| &source.name);
        stores.insert(0, Text::from(format!("{name}-{OWN_STORE}")));
    }
    let made = members.iter().map(|member| &nodes[*member]).filter(|node| node.is_global);
    let globals = made.flat_map(|node| node.globals.clone()).collect();
    Part { nodes: members, stores, globals }
}

const fn is_source(node: &Node) -> bool {
    matches!(node.kind, Kind::Source { .. })
}

/// For each node the first one that it is joined with.
fn roots(nodes: &[Node]) -> Vec<usize> {
    let mut roots: Vec<usize> = (0..nodes.len()).collect();
    let is_joined = |left: &Node, right: &Node| {
        let is_parent = right.parents.iter().any(|parent| parent.name == left.name);
        is_parent || left.stores.iter().any(|store| right.stores.contains(store))
    };
    for right in 0..nodes.len() {
        for left in 0..right {
            if is_joined(&nodes[left], &nodes[right]) {
                let (low, high) = (roots[left].min(roots[right]), roots[left].max(roots[right]));
                roots.iter_mut().filter(|root| **root == high).for_each(|root| *root = low);
            }
        }
    }
    roots
}
