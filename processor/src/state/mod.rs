//! Stores, in memory or on disk, behind an overlay (what has not been committed), with changelogs that bring them back.
//!
//! - [`Store`]: one store; reads go through its overlay. [`Entries`]: its entries, one at a time.
//! - [`StateDirectory`]: where stores are kept that may be larger than memory.
//! - `committed`: the part behind the overlay: a map in memory, or a table on disk.
//! - `checkpoint`: how far into its changelog a store on disk is, and whether it can go on from there.
//! - [`StoreSpec`]: a store as a topology declares it; `description`: what a store says of itself, so that nobody reads it
//!   as something else ([`FormError`]).
//! - [`KeyValueStore`], [`ExpiringStore`], [`WindowStore`], [`SessionStore`], [`VersionedStore`] (`typed`): stores of keys and
//!   values with types.
//! - `globals`: tables that a process holds whole, for all of its tasks.
//! - `keys`: how keys are told apart: those of users from those of the runtime.
//! - [`StoreFault`], [`DirectoryError`]: what may be wrong with state on disk.

mod checkpoint;
mod committed;
mod description;
mod disk;
mod entries;
mod fault;
mod globals;
mod keys;
mod spec;
mod store;
mod typed;

use mainstem_client::Text;

pub(crate) use checkpoint::{Changelog, Checkpoint, Rebuild, Resume};
pub use description::FormError;
pub(crate) use description::{Description, Whose};
pub(crate) use disk::Place;
pub use disk::StateDirectory;
pub use entries::Entries;
pub use fault::{DirectoryError, StoreFault};
pub(crate) use globals::Globals;
pub(crate) use keys::{SystemKey, ordered, says_how_far, unordered};
pub use spec::StoreSpec;
pub(crate) use spec::{Form, KEY_VALUE};
pub use store::Store;
pub(crate) use store::Timer;
pub use typed::{
    ExpiringStore, KeyValueStore, Put, Session, SessionStore, TableStore, Version, VersionedStore,
    WindowStore,
};
pub(crate) use typed::{behind_time, with_time};

/// Where stores are kept. It is no part of what they are: one that moves is read from its changelog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// In memory: fast, and read from the changelog as a whole at each start.
    #[default]
    InMemory,
    /// In a [`StateDirectory`]: as large as the disk, and a start reads what came since the last commit alone.
    OnDisk,
}

/// The stores of a task, and the tables that it shares with others.
#[derive(Debug)]
pub(crate) struct Stores {
    all: Vec<(Text, Store)>,
    globals: Globals,
}

impl Stores {
    /// Empty ones in memory.
    pub(crate) fn new(names: impl IntoIterator<Item = Text>) -> Self {
        Self::of(names.into_iter().map(|name| (name, Store::default())).collect())
    }

    /// There is at least one.
    pub(crate) fn of(all: Vec<(Text, Store)>) -> Self {
        Self { all, globals: Globals::default() }
    }

    pub(crate) fn with_globals(self, globals: Globals) -> Self {
        Self { globals, ..self }
    }

    pub(crate) const fn globals(&self) -> &Globals {
        &self.globals
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

    /// Bytes that wait for a commit.
    pub(crate) fn uncommitted_bytes(&self) -> usize {
        self.all.iter().map(|(_, store)| store.uncommitted_bytes()).sum()
    }

    /// Why one of them could not be read, if so: nothing that came of it counts.
    pub(crate) fn fault(&self) -> Option<&StoreFault> {
        self.all.iter().find_map(|(_, store)| store.fault())
    }

    /// Makes everything that waits part of the stores, which are in memory and so refuse nothing.
    pub(crate) fn apply(&mut self) {
        self.all.iter_mut().for_each(|(_, store)| store.apply(None, &mut None));
    }

    /// Makes everything that waits part of the stores: the changelogs have it, up to these offsets. Those on disk are
    /// written together or not at all.
    pub(crate) fn commit(
        &mut self,
        checkpoint: impl Fn(&str) -> Option<Checkpoint>,
    ) -> Result<(), StoreFault> {
        let mut writes = None;
        for (name, store) in &mut self.all {
            let checkpoint = if store.is_on_disk() { checkpoint(name) } else { None };
            store.apply(checkpoint.as_ref(), &mut writes);
        }
        writes.map_or(Ok(()), disk::Writes::commit)
    }
}
