//! Stores in memory, behind an overlay (what has not been committed), with changelogs that bring them back.
//!
//! - [`Store`]: one store; reads go through its overlay.
//! - `keys`: how keys are told apart: those of users from those of the runtime.

mod keys;
mod store;

use mainstem_client::Text;

pub(crate) use keys::{SystemKey, ordered, says_how_far, unordered};
pub use store::Store;
pub(crate) use store::Timer;

/// The stores of a task.
#[derive(Debug)]
pub(crate) struct Stores {
    all: Vec<(Text, Store)>,
}

impl Stores {
    pub(crate) fn new(names: impl IntoIterator<Item = Text>) -> Self {
        Self { all: names.into_iter().map(|name| (name, Store::default())).collect() }
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Store> {
        self.all.iter_mut().find(|(known, _)| known == name).map(|(_, store)| store)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Store> {
        self.all.iter().find(|(known, _)| known == name).map(|(_, store)| store)
    }

    /// A store that the topology has seen to be there.
    pub(crate) fn declared_mut(&mut self, name: &str) -> &mut Store {
        match self.all.iter().position(|(known, _)| known == name) {
            Some(index) => &mut self.all[index].1,
            None => unreachable!("the topology has no store {name}"),
        }
    }

    /// The store that also keeps what the runtime must not forget. There always is one.
    pub(crate) fn first(&self) -> &Store {
        &self.all[0].1
    }

    pub(crate) fn first_mut(&mut self) -> &mut Store {
        &mut self.all[0].1
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Text, Store)> {
        self.all.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut (Text, Store)> {
        self.all.iter_mut()
    }

    /// Bytes that wait for a commit.
    pub(crate) fn uncommitted_bytes(&self) -> usize {
        self.all.iter().map(|(_, store)| store.uncommitted_bytes()).sum()
    }

    /// Makes everything that waits part of the stores: the changelogs have it.
    pub(crate) fn apply(&mut self) {
        self.all.iter_mut().for_each(|(_, store)| store.apply());
    }
}
