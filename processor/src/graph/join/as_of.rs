//! What a table held when the records of a stream happened.

use std::{marker::PhantomData, time::Duration};

use mainstem_client::Text;

use super::{Joiner, is_missing};
use crate::{
    Data,
    graph::{NodeError, cx::Cx, table::aside::Keeper},
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

/// Keeps every value of each key, with its time.
pub(crate) struct Versions<K, V> {
    history: History,
    types: PhantomData<fn(K, V)>,
}

impl<K, V> Versions<K, V> {
    pub(crate) const fn new(history: History) -> Self {
        Self { history, types: PhantomData }
    }
}

impl<K: Serde, V: Serde> Keeper for Versions<K, V> {
    type Key = K;
    type Value = V;

    /// What is older than the history goes is late.
    fn keep(&self, item: Item<K, Option<V>>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let Item { key, value, time, .. } = item;
        let mut versions = VersionedStore::over(cx.store(&self.history.store), self.history.length);
        let put = self.history.read(versions.put(&key, value.as_ref(), time))?;
        cx.counts.late += u64::from(put == Put::TooOld);
        Ok(())
    }
}

/// Looks up the value that a record's key had at the record's time.
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
