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

/// The same, where a record may take the value out.
pub(crate) type Fold<K, V, A> = Arc<dyn Fn(&K, V, Option<A>) -> Option<A> + Send + Sync>;

/// A node that keeps a value for each key.
pub(crate) struct Aggregate<K, V, A> {
    fold: Fold<K, V, A>,
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
    /// Whether other nodes look into the store, which must be up to date whenever they may.
    pub(crate) is_viewed: bool,
}

impl<K: Serde, V: Data, A: Serde> Aggregate<K, V, A> {
    pub(crate) const fn new(fold: Fold<K, V, A>, cells: Cells<A>, passing: Passing) -> Self {
        Self { fold, cells, passing }
    }

    fn take(&mut self, item: Item<K, V>, out: &mut Updates<K, A>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let Some(bytes) = cx.needed_key(&item.key)? else { return Ok(()) };
        let seen = Seen::of(&item);
        let Item { key, value, .. } = item;
        let (fold, Passing { is_eager, sends_old, .. }) = (&self.fold, self.passing);
        let (mut old, mut had_one) = (None, false);
        let change = |before: Option<A>| {
            had_one = before.is_some();
            old = if is_eager && sends_old { before.clone() } else { None };
            fold(&key, value, before)
        };
        let show = |cell: &Cell<A>| is_eager.then(|| (cell.value.clone(), cell.seen));
        let shown = self.cells.update(&bytes, seen, cx, change, show)?;
        let shown = shown.filter(|(new, _)| had_one || new.is_some());
        out.extend(shown.map(|(new, seen)| result(key, Update { old, new }, seen)));
        if self.cells.is_full() { self.commit(out, cx) } else { Ok(()) }
    }
}

impl Passing {
    pub(crate) const fn of(setting: &Setting) -> Self {
        Self { is_eager: setting.is_eager, sends_old: setting.sends_old, is_viewed: setting.is_viewed }
    }

    /// Writes back what has changed, and passes it on where that was not done with each change.
    pub(crate) fn write_back<K: Serde, A: Serde>(
        self,
        cells: &mut Cells<A>,
        out: &mut Updates<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let store = cells.store().clone();
        cells.write_back(cx, self.sends_old && !self.is_eager, |cell, old| {
            if !self.is_eager {
                let stored = |cause| NodeError::Stored { store: store.clone(), cause };
                let key = K::decode(Some(&cell.key)).map_err(stored)?;
                out.push(result(key, Update { old, new: cell.value.clone() }, cell.seen));
            }
            Ok(())
        })
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
        input.drain(..).try_for_each(|item| self.take(item, out, cx))?;
        if self.passing.is_viewed { self.commit(out, cx) } else { Ok(()) }
    }

    fn commit(&mut self, out: &mut Updates<K, A>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.passing.write_back(&mut self.cells, out, cx)
    }
}
