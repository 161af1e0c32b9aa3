//! Nodes that make a table of records: each is the value of its key from then on.

use crate::{
    graph::{
        NodeError,
        aggregate::{Passing, Updates, result},
        cells::{Cells, Seen},
        cx::Cx,
        operator::Logic,
        table::update::Update,
    },
    record::{Item, Ordered},
    serdes::Serde,
};

/// What a record says of a table; none where it has no key.
pub(crate) type Says<I, K, V> = fn(I) -> Option<Item<K, Option<V>>>;

/// A node that keeps the last value of each key. The last one is that which came last, also where it bears an earlier
/// time (Kafka Streams: `KTableSource`).
pub(crate) struct Keep<I, K, V> {
    says: Says<I, K, V>,
    cells: Cells<V>,
    passing: Passing,
}

impl<I, K: Serde, V: Serde> Keep<I, K, V> {
    pub(crate) const fn new(says: Says<I, K, V>, cells: Cells<V>, passing: Passing) -> Self {
        Self { says, cells, passing }
    }

    fn take(&mut self, record: I, out: &mut Updates<K, V>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let item = (self.says)(record);
        let bytes = item.as_ref().map(|item| cx.key(&item.key)).transpose()?;
        let (Some(item), Some(bytes)) = (item, bytes.flatten()) else {
            cx.counts.errors += 1;
            return Ok(());
        };
        put(&mut self.cells, self.passing, item, &bytes, out, cx)
    }
}

/// Puts a value in place of the one that its key had, and passes on that this is so.
pub(crate) fn put<K: Serde, V: Serde>(
    cells: &mut Cells<V>,
    passing: Passing,
    item: Item<K, Option<V>>,
    bytes: &[u8],
    out: &mut Updates<K, V>,
    cx: &mut Cx<'_>,
) -> Result<(), NodeError> {
    let (seen, new) = (Seen::of(&item), item.value.filter(|value| !value.is_null()));
    let Passing { is_eager, sends_old, .. } = passing;
    let shown = if is_eager { new.clone() } else { None };
    let old = cells.put(bytes, seen, cx, new)?;
    if is_eager && (old.is_some() || shown.is_some()) {
        let old = if sends_old { old } else { None };
        out.push(result(item.key, Update { old, new: shown }, seen));
    }
    if cells.is_full() { passing.write_back(cells, out, cx) } else { Ok(()) }
}

impl<I: Ordered + Send + 'static, K: Serde, V: Serde> Logic for Keep<I, K, V> {
    type In = I;
    type Out = Updates<K, V>;

    fn run(&mut self, input: &mut Vec<I>, out: &mut Updates<K, V>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        input.drain(..).try_for_each(|record| self.take(record, out, cx))?;
        if self.passing.is_viewed { self.commit(out, cx) } else { Ok(()) }
    }

    fn commit(&mut self, out: &mut Updates<K, V>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.passing.write_back(&mut self.cells, out, cx)
    }
}
