//! A stream whose records each take what a table held when they happened.

use std::{marker::PhantomData, time::Duration};

use mainstem_client::Text;

use super::{Joiner, Pair, is_missing};
use crate::{
    Data,
    graph::{NodeError, cx::Cx, operator::Logic},
    record::Item,
    serdes::{Serde, SerdeError},
    state::{Put, VersionedStore},
};

/// A store of versions.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) store: Text,
    pub(crate) length: Duration,
}

impl History {
    fn read<T>(&self, read: Result<T, SerdeError>) -> Result<T, NodeError> {
        read.map_err(|cause| NodeError::Stored { store: self.store.clone(), cause })
    }
}

/// A node that keeps every value of each key, with its time. It gives nothing to others, who look into its store.
pub(crate) struct Versions<K, V> {
    history: History,
    types: PhantomData<fn(K, V)>,
}

impl<K: Serde, V: Serde> Versions<K, V> {
    pub(crate) const fn new(history: History) -> Self {
        Self { history, types: PhantomData }
    }

    /// What is older than the history goes is late.
    fn take(&self, item: Item<Option<K>, Option<V>>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let Some(Item { key, value, time, .. }) = item.keyed() else {
            cx.counts.errors += 1;
            return Ok(());
        };
        let mut versions = VersionedStore::over(cx.store(&self.history.store), self.history.length);
        let put = self.history.read(versions.put(&key, value.as_ref(), time))?;
        cx.counts.late += u64::from(put == Put::TooOld);
        Ok(())
    }
}

impl<K: Serde, V: Serde> Logic for Versions<K, V> {
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

/// A node that looks up the value that each record's key had at the record's time.
pub(crate) struct AsOf<K, V, T, O> {
    join: Joiner<K, V, T, O>,
    history: History,
}

impl<K: Serde, V: Serde, T: Serde, O: Data> AsOf<K, V, T, O> {
    pub(crate) const fn new(join: Joiner<K, V, T, O>, history: History) -> Self {
        Self { join, history }
    }

    pub(crate) fn take(
        &self,
        item: Item<K, V>,
        out: &mut Vec<Item<K, O>>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        if is_missing(&item.value) {
            cx.counts.leave_out_valueless();
            return Ok(());
        }
        let has_key = cx.key(&item.key)?.is_some();
        let versions = VersionedStore::<K, T>::over(cx.store(&self.history.store), self.history.length);
        let found = if has_key { versions.get_as_of(&item.key, item.time) } else { Ok(None) };
        let found = self.history.read(found)?.map(|version| version.value);
        let Item { key, value, time, headers, watermark, order } = item;
        match (self.join)(&key, Some(&value), found.as_ref()) {
            Some(value) => out.push(Item { key, value, time, headers, watermark, order }),
            None => cx.counts.errors += u64::from(!has_key),
        }
        Ok(())
    }
}

impl<K: Serde, V: Serde, T: Serde, O: Data> Pair for AsOf<K, V, T, O> {
    type Left = Item<K, ()>;
    type Right = Item<K, V>;
    type Out = Vec<Item<K, O>>;

    fn run(
        &mut self,
        versions: &mut Vec<Item<K, ()>>,
        records: &mut Vec<Item<K, V>>,
        out: &mut Vec<Item<K, O>>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        versions.clear();
        records.drain(..).try_for_each(|item| self.take(item, out, cx))
    }
}
