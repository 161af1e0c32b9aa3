//! A stream whose records each take what a table holds when they come.

use super::{Joiner, Pair, Side, in_order, is_missing, lookup::Lookup};
use crate::{
    Data,
    graph::{NodeError, aggregate::Updated, cx::Cx},
    record::Item,
    serdes::Serde,
};

/// A node that looks up the value of each record's key. The table is its first parent: of what one record has led to,
/// the update comes before those who look for it. An update by itself leads to nothing.
pub(crate) struct StreamTable<K, V, T, O> {
    join: Joiner<K, V, T, O>,
    table: Lookup<K, T>,
}

impl<K: Serde, V: Serde, T: Data, O: Data> StreamTable<K, V, T, O> {
    pub(crate) const fn new(join: Joiner<K, V, T, O>, table: Lookup<K, T>) -> Self {
        Self { join, table }
    }

    /// A record without a key finds nothing, which is a result of a left join (KIP-962); one without a value is none.
    fn take(
        &mut self,
        item: Item<K, V>,
        out: &mut Vec<Item<K, O>>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        if is_missing(&item.value) {
            cx.counts.leave_out_valueless();
            return Ok(());
        }
        let bytes = cx.key(&item.key)?;
        let found = match &bytes {
            Some(bytes) => self.table.get(&item.key, bytes, cx)?.as_ref().map(|(value, _)| value),
            None => None,
        };
        let Item { key, value, time, headers, watermark, order } = item;
        match (self.join)(&key, Some(&value), found) {
            Some(value) => out.push(Item { key, value, time, headers, watermark, order }),
            None => cx.counts.errors += u64::from(bytes.is_none()),
        }
        Ok(())
    }
}

impl<K: Serde, V: Serde, T: Data, O: Data> Pair for StreamTable<K, V, T, O> {
    type Left = Updated<K, T>;
    type Right = Item<K, V>;
    type Out = Vec<Item<K, O>>;

    fn run(
        &mut self,
        updates: &mut Vec<Updated<K, T>>,
        records: &mut Vec<Item<K, V>>,
        out: &mut Vec<Item<K, O>>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        in_order(updates, records).try_for_each(|side| match side {
            Side::Left(update) => {
                cx.key(&update.key)?.iter().for_each(|key| self.table.forget(key));
                Ok(())
            }
            Side::Right(record) => self.take(record, out, cx),
        })
    }
}
