//! Tables that a process holds whole.

use std::marker::PhantomData;

use bytes::Bytes;
use mainstem_client::Text;

use super::view::View;
use crate::{
    graph::{NodeError, cells::stored, cx::Cx, operator::Logic},
    record::Item,
    serdes::Serde,
    state::behind_time,
};

/// A node that keeps the last value of each key in a global table. It gives nothing to others, who look into it.
pub(crate) struct KeepGlobal<K, V> {
    table: Text,
    types: PhantomData<fn(K, V)>,
}

impl<K: Serde, V: Serde> KeepGlobal<K, V> {
    pub(crate) const fn new(table: Text) -> Self {
        Self { table, types: PhantomData }
    }

    fn take(&self, item: Item<Option<K>, Option<V>>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let Some(Item { key, value, time, .. }) = item.keyed() else {
            cx.counts.errors += 1;
            return Ok(());
        };
        let Some(key) = cx.needed_key(&key)? else { return Ok(()) };
        let value = value.map(|value| cx.value(&value)).transpose()?.flatten();
        let value = value.map(|value| behind_time(time, &value));
        cx.stores.globals().put(&self.table, Bytes::copy_from_slice(&key), value);
        Ok(())
    }
}

impl<K: Serde, V: Serde> Logic for KeepGlobal<K, V> {
    type In = Item<Option<K>, Option<V>>;
    type Out = Vec<Item<K, ()>>;

    fn run(
        &mut self,
        input: &mut Vec<Self::In>,
        _: &mut Self::Out,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        input.drain(..).try_for_each(|item| self.take(item, cx))
    }
}

/// The values of a global table.
pub(crate) fn view<K, V: Serde>(table: Text) -> View<K, V> {
    std::sync::Arc::new(move |_, key, cx| {
        let found = cx.stores.globals().get(&table, key);
        found.map(|bytes| stored(&table, &bytes)).transpose()
    })
}
