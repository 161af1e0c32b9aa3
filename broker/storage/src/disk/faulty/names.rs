//! Folders: names that were changed, and names that are durable.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Component, Path},
};

use super::{super::not_found, Survival, chance::Chance, inode::Inode};

pub(super) type NodeId = u64;
pub(super) const ROOT: NodeId = 0;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Folder(Folder),
    File(Box<Inode>),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    pub(super) names: BTreeMap<String, NodeId>,
    /// The names as the medium has them; what differs is in [`Tree::pending`].
    names_medium: BTreeMap<String, NodeId>,
}

/// Names that change together: one, or two when something is renamed.
#[derive(Clone, Debug)]
struct Change {
    names: Vec<(NodeId, String, Option<NodeId>)>,
    /// The folder whose sync makes it durable.
    folder: NodeId,
}

#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pending: Vec<Change>,
    next: NodeId,
}

impl Node {
    fn survivor(&self, survival: Survival, chance: &mut Chance) -> Self {
        match self {
            Self::File(inode) => Self::File(Box::new(inode.survivor(survival, chance))),
            Self::Folder(Folder { names_medium, .. }) => {
                Self::Folder(Folder { names: names_medium.clone(), names_medium: names_medium.clone() })
            }
        }
    }
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            nodes: BTreeMap::from([(ROOT, Node::Folder(Folder::default()))]),
            pending: Vec::new(),
            next: ROOT + 1,
        }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<NodeId> {
        let mut node = ROOT;
        for name in components(path) {
            let folder = self.folder(node).ok_or(io::ErrorKind::NotADirectory)?;
            node = *folder.names.get(name).ok_or_else(|| not_found(path))?;
        }
        Ok(node)
    }

    /// The folder that holds `path`, and the name there.
    pub(super) fn place(&self, path: &Path) -> io::Result<(NodeId, String)> {
        let name = components(path).last().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = self.find(path.parent().unwrap_or_else(|| Path::new("")))?;
        self.folder(folder).ok_or(io::ErrorKind::NotADirectory)?;
        Ok((folder, name.to_owned()))
    }

    pub(super) fn folder(&self, node: NodeId) -> Option<&Folder> {
        match self.nodes.get(&node) {
            Some(Node::Folder(folder)) => Some(folder),
            _ => None,
        }
    }

    pub(super) fn inode(&self, node: NodeId) -> Option<&Inode> {
        match self.nodes.get(&node) {
            Some(Node::File(inode)) => Some(inode),
            _ => None,
        }
    }

    pub(super) fn inode_mut(&mut self, node: NodeId) -> Option<&mut Inode> {
        match self.nodes.get_mut(&node) {
            Some(Node::File(inode)) => Some(inode),
            _ => None,
        }
    }

    pub(super) fn add(&mut self, place: (NodeId, String), node: Node) -> NodeId {
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, node);
        self.change(place.0, vec![(place.0, place.1, Some(id))]);
        id
    }

    pub(super) fn remove(&mut self, place: (NodeId, String)) {
        self.change(place.0, vec![(place.0, place.1, None)]);
    }

    pub(super) fn rename(&mut self, source: (NodeId, String), target: (NodeId, String), node: NodeId) {
        let folder = target.0;
        self.change(folder, vec![(source.0, source.1, None), (target.0, target.1, Some(node))]);
    }

    fn change(&mut self, folder: NodeId, names: Vec<(NodeId, String, Option<NodeId>)>) {
        for (folder, name, node) in &names {
            let Some(Node::Folder(folder)) = self.nodes.get_mut(folder) else { continue };
            let before = set(&mut folder.names, name, *node);
            let gone = before.filter(|before| Some(*before) != *node);
            self.link(gone, false);
            self.link(*node, true);
        }
        self.pending.push(Change { names, folder });
    }

    fn link(&mut self, node: Option<NodeId>, linked: bool) {
        if let Some(inode) = node.and_then(|node| self.inode_mut(node)) {
            inode.linked = linked;
        }
    }

    /// Makes all names of one folder durable.
    pub(super) fn sync(&mut self, folder: NodeId) {
        let wanted = self.pending.iter().map(|change| change.folder == folder).collect();
        self.settle(wanted);
    }

    /// Makes the wanted changes durable, and with each those before it that concern the same names.
    fn settle(&mut self, mut wanted: Vec<bool>) {
        let mut needed = BTreeSet::new();
        for (change, wanted) in self.pending.iter().zip(&mut wanted).rev() {
            let names = || change.names.iter().map(|(folder, name, _)| (*folder, name.clone()));
            *wanted |= names().any(|name| needed.contains(&name));
            if *wanted {
                needed.extend(names());
            }
        }
        let mut wanted = wanted.into_iter();
        for change in std::mem::take(&mut self.pending) {
            if wanted.next() == Some(true) { self.make_durable(change) } else { self.pending.push(change) }
        }
    }

    fn make_durable(&mut self, change: Change) {
        for (folder, name, node) in change.names {
            if let Some(Node::Folder(folder)) = self.nodes.get_mut(&folder) {
                set(&mut folder.names_medium, &name, node);
            }
        }
    }

    /// The tree as a machine finds it after a power cut.
    pub(super) fn survivor(&self, survival: Survival, chance: &mut Chance) -> Self {
        let mut tree = self.clone();
        let wanted = self.pending.iter().map(|_| survival.happens(chance)).collect();
        tree.settle(wanted);
        tree.pending.clear();
        let reachable = tree.reachable();
        let nodes = tree.nodes.iter().filter(|(id, _)| reachable.contains(id));
        // In the order in which they were created: names may come from elsewhere than the seed.
        let nodes = nodes.map(|(id, node)| (*id, node.survivor(survival, chance))).collect();
        Self { nodes, pending: Vec::new(), next: self.next }
    }

    /// The nodes that the medium has names for.
    fn reachable(&self) -> BTreeSet<NodeId> {
        let mut found = BTreeSet::new();
        let mut open = vec![ROOT];
        while let Some(id) = open.pop() {
            found.insert(id);
            open.extend(self.folder(id).into_iter().flat_map(|folder| folder.names_medium.values().copied()));
        }
        found
    }

    pub(super) fn allocated(&self) -> u64 {
        self.inodes().map(Inode::allocated).sum()
    }

    fn inodes(&self) -> impl Iterator<Item = &Inode> {
        self.nodes.values().filter_map(|node| match node {
            Node::File(inode) => Some(&**inode),
            Node::Folder(_) => None,
        })
    }

    pub(super) fn inodes_mut(&mut self) -> impl Iterator<Item = &mut Inode> {
        self.nodes.values_mut().filter_map(|node| match node {
            Node::File(inode) => Some(&mut **inode),
            Node::Folder(_) => None,
        })
    }
}

fn set(names: &mut BTreeMap<String, NodeId>, name: &str, node: Option<NodeId>) -> Option<NodeId> {
    match node {
        Some(node) => names.insert(name.to_owned(), node),
        None => names.remove(name),
    }
}

fn components(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    })
}
