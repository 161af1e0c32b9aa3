//! Nodes that keep a value for each key.

use std::sync::Arc;

use super::{
    NodeError,
    cells::{Cell, Cells, Seen},
    cx::Cx,
    operator::Logic,
    table::update::Update,
};
use crate::{Data, record::Item, serdes::Serde, topology::Setting};

/// What a record makes of the value of its key; there is none before the first.
pub(crate) type Change<K, V, A> = Arc<dyn Fn(&K, V, Option<A>) -> A + Send + Sync>;

/// A node that keeps a value for each key.
pub(crate) struct Aggregate<K, V, A> {
    change: Change<K, V, A>,
    cells: Cells<A>,
    passing: Passing,
}

/// What a node that keeps values passes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passing {
    /// Whether each change is passed on, rather than the last of each key at a commit.
    pub(crate) is_eager: bool,
    /// Whether the value goes along that there was before.
    pub(crate) sends_old: bool,
}

impl<K: Serde, V: Data, A: Serde> Aggregate<K, V, A> {
    pub(crate) const fn new(change: Change<K, V, A>, cells: Cells<A>, passing: Passing) -> Self {
        Self { change, cells, passing }
    }

    fn take(&mut self, item: Item<K, V>, out: &mut Updates<K, A>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let unwritable = |cause| NodeError::Unwritable { part: "key", cause };
        let Some(bytes) = item.key.encode(cx.buffer()).map_err(unwritable)? else {
            cx.counts.errors += 1;
            return Ok(());
        };
        let seen = Seen::of(&item);
        let Item { key, value, .. } = item;
        let (change, Passing { is_eager, sends_old }) = (&self.change, self.passing);
        let mut old = None;
        let change = |before: Option<A>| {
            old = if is_eager && sends_old { before.clone() } else { None };
            change(&key, value, before)
        };
        let show =
            |cell: &Cell<A>| if is_eager { cell.value.clone().map(|value| (value, cell.seen)) } else { None };
        let shown = self.cells.change(&bytes, seen, cx, change, show)?;
        out.extend(shown.map(|(value, seen)| result(key, Update { old, new: Some(value) }, seen)));
        if self.cells.is_full() { self.commit(out, cx) } else { Ok(()) }
    }
}

impl Passing {
    pub(crate) const fn of(setting: &Setting) -> Self {
        Self { is_eager: setting.is_eager, sends_old: setting.sends_old }
    }

    /// Whether the old value must be looked up when a commit passes on the last change.
    pub(crate) const fn reads_old(self) -> bool {
        self.sends_old && !self.is_eager
    }
}

/// A record of a table.
pub(crate) type Updated<K, A> = Item<K, Update<A>>;

/// What nodes that keep values leave for others.
pub(crate) type Updates<K, A> = Vec<Updated<K, A>>;

/// A result bears the largest time of the records in it.
pub(crate) fn result<K, A>(key: K, value: A, seen: Seen) -> Item<K, A> {
    let Seen { time, watermark, order } = seen;
    Item { key, value, time, headers: Default::default(), watermark, order }
}

impl<K: Serde, V: Data, A: Serde> Logic for Aggregate<K, V, A> {
    type In = Item<K, V>;
    type Out = Updates<K, A>;

    fn run(
        &mut self,
        input: &mut Vec<Item<K, V>>,
        out: &mut Updates<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        input.drain(..).try_for_each(|item| self.take(item, out, cx))
    }

    fn commit(&mut self, out: &mut Updates<K, A>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let Self { cells, passing, .. } = self;
        let store = cells.store().clone();
        cells.write_back(cx, passing.reads_old(), |cell, old| {
            if !passing.is_eager {
                let stored = |cause| NodeError::Stored { store: store.clone(), cause };
                let key = K::decode(Some(&cell.key)).map_err(stored)?;
                out.push(result(key, Update { old, new: cell.value.clone() }, cell.seen));
            }
            Ok(())
        })
    }
}
