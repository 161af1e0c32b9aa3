//! How nodes look into tables: the value of a key as it is now, made of those in stores the way that the table is.

use std::sync::Arc;

use bytes::Bytes;
use mainstem_client::{Text, Timestamp};

use crate::{
    graph::{NodeError, cells::stored, cx::Cx},
    serdes::Serde,
};

/// A value, and the time that its update had.
pub(crate) type Found<V> = Option<(V, Timestamp)>;

/// Finds the value of a key, which comes with its bytes.
pub(crate) type View<K, V> =
    Arc<dyn Fn(&K, &Bytes, &mut Cx<'_>) -> Result<Found<V>, NodeError> + Send + Sync>;

/// The values of a store.
pub(crate) fn of_store<K, V: Serde>(name: Text) -> View<K, V> {
    Arc::new(move |_, key, cx| {
        let found = cx.store(&name).get(key);
        found.map(|bytes| stored(&name, &bytes)).transpose()
    })
}

/// What a table is that is made of another one, value by value.
pub(crate) fn mapped<K: 'static, V: 'static, U>(
    of: View<K, V>,
    map: impl Fn(&K, V) -> Option<U> + Send + Sync + 'static,
) -> View<K, U> {
    Arc::new(move |key, bytes, cx| {
        let found = of(key, bytes, cx)?;
        Ok(found.and_then(|(value, time)| Some((map(key, value)?, time))))
    })
}
