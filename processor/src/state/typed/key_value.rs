//! A value for each key.

use std::{marker::PhantomData, ops::Range};

use bytes::BytesMut;
use mainstem_client::Text;

use super::parts::{Types, key_bytes};
use crate::{
    StoreSpec,
    serdes::{Serde, SerdeError},
    state::Store,
};

/// A value for each key, in the order of the keys' bytes. A value that is written as null takes its key out.
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::state::{KeyValueStore, Store};
///
/// // In a processor: let mut counts = KeyValueStore::<Text, i64>::over(ctx.store("counts")?);
/// let mut store = Store::default();
/// let mut counts = KeyValueStore::<Text, i64>::over(&mut store);
/// let word = Text::from("stream");
/// let count = counts.get(&word)?.unwrap_or(0);
/// counts.put(&word, &(count + 1))?;
/// assert_eq!(counts.get(&word)?, Some(1));
/// # Ok::<(), mainstem_processor::SerdeError>(())
/// ```
#[derive(Debug)]
pub struct KeyValueStore<'a, K, V> {
    store: &'a mut Store,
    types: Types<K, V>,
}

impl<'a, K: Serde, V: Serde> KeyValueStore<'a, K, V> {
    /// The declaration of such a store.
    #[must_use]
    pub fn spec(name: impl Into<Text>) -> StoreSpec {
        StoreSpec::new(name).kind("key-value-plain").keys(K::format()).values(V::format())
    }

    /// A view of a store.
    #[must_use]
    pub const fn over(store: &'a mut Store) -> Self {
        Self { store, types: PhantomData }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// Where the store holds something else, or the key has no bytes.
    pub fn get(&self, key: &K) -> Result<Option<V>, SerdeError> {
        let value = self.store.get(&key_bytes(key)?);
        value.map(|value| V::decode(Some(&value))).transpose()
    }

    /// Gives a key a value.
    ///
    /// # Errors
    /// Where key or value have no bytes.
    pub fn put(&mut self, key: &K, value: &V) -> Result<(), SerdeError> {
        let key = key_bytes(key)?;
        match value.encode(&mut BytesMut::new())? {
            Some(value) => self.store.put(&key, value),
            None => self.store.delete(&key),
        }
        Ok(())
    }

    /// Gives a key a value unless it has one, which is returned.
    ///
    /// # Errors
    /// As [`Self::get`] and [`Self::put`].
    pub fn put_if_absent(&mut self, key: &K, value: &V) -> Result<Option<V>, SerdeError> {
        let found = self.get(key)?;
        if found.is_none() {
            self.put(key, value)?;
        }
        Ok(found)
    }

    /// Takes a key out; returns the value that it had.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn delete(&mut self, key: &K) -> Result<Option<V>, SerdeError> {
        let found = self.get(key)?;
        self.store.delete(&key_bytes(key)?);
        Ok(found)
    }

    /// The entries from one key up to, and without, another, in the order of the keys' bytes: read one at a time.
    ///
    /// # Errors
    /// Where the keys have no bytes; each entry where the store holds something else.
    pub fn range(
        &self,
        keys: Range<&K>,
    ) -> Result<impl Iterator<Item = Result<(K, V), SerdeError>>, SerdeError> {
        let entries = self.store.entries(&key_bytes(keys.start)?, &key_bytes(keys.end)?);
        Ok(entries.map(|(key, value)| Ok((K::decode(Some(&key))?, V::decode(Some(&value))?))))
    }

    /// All entries, in the order of the keys' bytes: read one at a time.
    ///
    /// # Errors
    /// Each entry where the store holds something else.
    pub fn all(&self) -> impl Iterator<Item = Result<(K, V), SerdeError>> {
        let entries = self.store.entries_from(b"");
        entries.map(|(key, value)| Ok((K::decode(Some(&key))?, V::decode(Some(&value))?)))
    }
}
