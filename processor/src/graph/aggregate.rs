//! Nodes that keep a value for each key.

use std::sync::Arc;

use super::{
    NodeError,
    cells::{Cell, Cells, Seen},
    cx::Cx,
    operator::Logic,
};
use crate::{Data, record::Item, serdes::Serde};

/// What a record makes of the value of its key; there is none before the first.
pub(crate) type Change<K, V, A> = Arc<dyn Fn(&K, V, Option<A>) -> A + Send + Sync>;

/// A node that keeps a value for each key.
pub(crate) struct Aggregate<K, V, A> {
    change: Change<K, V, A>,
    cells: Cells<A>,
    /// Whether each change is passed on, rather than the last of each key at a commit.
    is_eager: bool,
}

impl<K: Serde, V: Data, A: Serde> Aggregate<K, V, A> {
    pub(crate) const fn new(change: Change<K, V, A>, cells: Cells<A>, is_eager: bool) -> Self {
        Self { change, cells, is_eager }
    }

    fn take(
        &mut self,
        item: Item<K, V>,
        out: &mut Vec<Item<K, A>>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let unwritable = |cause| NodeError::Unwritable { part: "key", cause };
        let Some(bytes) = item.key.encode(cx.buffer()).map_err(unwritable)? else {
            cx.counts.errors += 1;
            return Ok(());
        };
        let seen = Seen::of(&item);
        let Item { key, value, .. } = item;
        let (change, is_eager) = (&self.change, self.is_eager);
        let change = |before| change(&key, value, before);
        let show =
            |cell: &Cell<A>| if is_eager { cell.value.clone().map(|value| (value, cell.seen)) } else { None };
        let shown = self.cells.change(&bytes, seen, cx, change, show)?;
        out.extend(shown.map(|(value, seen)| result(key, value, seen)));
        if self.cells.is_full() { self.commit(out, cx) } else { Ok(()) }
    }
}

/// A result bears the largest time of the records in it.
pub(crate) fn result<K, A>(key: K, value: A, seen: Seen) -> Item<K, A> {
    let Seen { time, watermark, order } = seen;
    Item { key, value, time, headers: Default::default(), watermark, order }
}

impl<K: Serde, V: Data, A: Serde> Logic for Aggregate<K, V, A> {
    type In = Item<K, V>;
    type Out = Vec<Item<K, A>>;

    fn run(
        &mut self,
        input: &mut Vec<Item<K, V>>,
        out: &mut Vec<Item<K, A>>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        input.drain(..).try_for_each(|item| self.take(item, out, cx))
    }

    fn commit(&mut self, out: &mut Vec<Item<K, A>>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let Self { cells, is_eager, .. } = self;
        let store = cells.store().clone();
        cells.write_back(cx, |cell| {
            if let (false, Some(value)) = (*is_eager, &cell.value) {
                let stored = |cause| NodeError::Stored { store: store.clone(), cause };
                let key = K::decode(Some(&cell.key)).map_err(stored)?;
                out.push(result(key, value.clone(), cell.seen));
            }
            Ok(())
        })
    }
}
