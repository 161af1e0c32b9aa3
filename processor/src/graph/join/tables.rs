//! Two tables, key by key.

use bytes::Bytes;
use mainstem_client::Timestamp;

use super::{Joiner, Pair, Side, in_order, lookup::Lookup};
use crate::{
    Data,
    graph::{
        NodeError,
        aggregate::{Updated, Updates},
        cx::Cx,
        table::{
            update::Update,
            view::{Found, View},
        },
    },
    record::Item,
    serdes::Serde,
};

/// A node that puts the value of each key on one side together with that on the other, whenever one of them changes.
/// Results bear the later of the two times.
pub(crate) struct Tables<K, L, R, O> {
    join: Joiner<K, L, R, O>,
    left: Lookup<K, L>,
    right: Lookup<K, R>,
}

impl<K: Serde, L: Data, R: Data, O: Data> Tables<K, L, R, O> {
    pub(crate) const fn new(join: Joiner<K, L, R, O>, left: Lookup<K, L>, right: Lookup<K, R>) -> Self {
        Self { join, left, right }
    }

    fn on_left(
        &mut self,
        item: Updated<K, L>,
        out: &mut Updates<K, O>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let Some(bytes) = cx.key(&item.key)? else { return Ok(()) };
        note(&mut self.left, &bytes, &item);
        let right = self.right.get(&item.key, &bytes, cx)?;
        out.extend(joined(item, right, |key, left, right| (self.join)(key, left, right)));
        Ok(())
    }

    fn on_right(
        &mut self,
        item: Updated<K, R>,
        out: &mut Updates<K, O>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let Some(bytes) = cx.key(&item.key)? else { return Ok(()) };
        note(&mut self.right, &bytes, &item);
        let left = self.left.get(&item.key, &bytes, cx)?;
        out.extend(joined(item, left, |key, right, left| (self.join)(key, left, right)));
        Ok(())
    }
}

/// Notes an update that has come.
fn note<K, V: Clone>(table: &mut Lookup<K, V>, bytes: &Bytes, item: &Updated<K, V>) {
    if table.passes(bytes) {
        table.pass(bytes.clone(), item.value.new.clone().map(|new| (new, item.time)));
    } else {
        table.forget(bytes);
    }
}

/// Where one record changes both tables, the table holds already what is still to come: until it does, what counts is
/// what was there before. (It is taken to bear the time of that record; the result that follows at once bears its own.)
fn begin<K: Serde, V: Clone>(
    table: &mut Lookup<K, V>,
    updates: &[Updated<K, V>],
    cx: &mut Cx<'_>,
) -> Result<(), NodeError> {
    for item in updates {
        if let Some(bytes) = cx.key(&item.key)?.filter(|bytes| !table.passes(bytes)) {
            table.pass(bytes, item.value.old.clone().map(|old| (old, item.time)));
        }
    }
    Ok(())
}

/// What an update of one side is to the join, given the other one's value: nothing where there was and is no result.
fn joined<K, V, T, O>(
    item: Updated<K, V>,
    other: &Found<T>,
    join: impl Fn(&K, Option<&V>, Option<&T>) -> Option<O>,
) -> Option<Updated<K, O>> {
    let Item { key, value, time, headers, watermark, order } = item;
    let with = other.as_ref().map(|(value, _)| value);
    let (old, new) = (join(&key, value.old.as_ref(), with), join(&key, value.new.as_ref(), with));
    let time = other.as_ref().map_or(time, |(_, other)| time.max(*other));
    let is_some = old.is_some() || new.is_some();
    is_some.then_some(Item { key, value: Update { old, new }, time, headers, watermark, order })
}

/// How others look into the join of two tables.
pub(crate) fn view<K: 'static, L: 'static, R: 'static, O: 'static>(
    join: Joiner<K, L, R, O>,
    left: View<K, L>,
    right: View<K, R>,
) -> View<K, O> {
    std::sync::Arc::new(move |key: &K, bytes: &Bytes, cx: &mut Cx<'_>| {
        let (left, right) = (left(key, bytes, cx)?, right(key, bytes, cx)?);
        let value = join(key, left.as_ref().map(|(value, _)| value), right.as_ref().map(|(value, _)| value));
        let times = [left.map(|(_, time)| time), right.map(|(_, time)| time)];
        let time = times.into_iter().flatten().max().unwrap_or(Timestamp(i64::MIN));
        Ok(value.map(|value| (value, time)))
    })
}

impl<K: Serde, L: Data, R: Data, O: Data> Pair for Tables<K, L, R, O> {
    type Left = Updated<K, L>;
    type Right = Updated<K, R>;
    type Out = Updates<K, O>;

    fn run(
        &mut self,
        left: &mut Vec<Updated<K, L>>,
        right: &mut Vec<Updated<K, R>>,
        out: &mut Updates<K, O>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        if !left.is_empty() && !right.is_empty() {
            begin(&mut self.left, left, cx)?;
            begin(&mut self.right, right, cx)?;
        }
        in_order(left, right).try_for_each(|side| match side {
            Side::Left(item) => self.on_left(item, out, cx),
            Side::Right(item) => self.on_right(item, out, cx),
        })?;
        self.left.settle();
        self.right.settle();
        Ok(())
    }
}
