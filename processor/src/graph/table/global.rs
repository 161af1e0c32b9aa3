//! Tables that a process holds whole.

use std::marker::PhantomData;

use bytes::Bytes;
use mainstem_client::Text;

use super::{aside::Keeper, view::View};
use crate::{
    graph::{NodeError, cells::stored, cx::Cx},
    record::Item,
    serdes::Serde,
    state::behind_time,
};

/// Keeps the last value of each key in a global table.
pub(crate) struct KeepGlobal<K, V> {
    table: Text,
    types: PhantomData<fn(K, V)>,
}

impl<K, V> KeepGlobal<K, V> {
    pub(crate) const fn new(table: Text) -> Self {
        Self { table, types: PhantomData }
    }
}

impl<K: Serde, V: Serde> Keeper for KeepGlobal<K, V> {
    type Key = K;
    type Value = V;

    fn keep(&self, item: Item<K, Option<V>>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let Item { key, value, time, .. } = item;
        let Some(key) = cx.needed_key(&key)? else { return Ok(()) };
        let value = value.map(|value| cx.value(&value)).transpose()?.flatten();
        let value = value.map(|value| behind_time(time, &value));
        cx.stores.globals().put(&self.table, Bytes::copy_from_slice(&key), value);
        Ok(())
    }
}

/// The values of a global table.
pub(crate) fn view<K, V: Serde>(table: Text) -> View<K, V> {
    std::sync::Arc::new(move |_, key, cx| {
        let found = cx.stores.globals().get(&table, key);
        found.map(|bytes| stored(&table, &bytes)).transpose()
    })
}
