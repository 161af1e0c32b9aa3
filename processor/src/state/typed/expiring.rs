//! A value for each key, for a while.
//!
//! ```text
//! 'v' key                      -> time (8 bytes, sorted) value
//! 'x' time (8 bytes, sorted) key -> nothing: the order in which they expire
//! ```

use std::{marker::PhantomData, time::Duration};

use bytes::{Bytes, BytesMut};
use mainstem_client::{Text, Timestamp};

use super::parts::{EXPIRED_AT_ONCE_MAX, Types, key_bytes, millis, time, too_old};
use crate::{
    StoreSpec,
    serdes::{Serde, SerdeError},
    state::{Store, ordered},
};

const VALUE: u8 = b'v';
const EXPIRY: u8 = b'x';

/// A value for each key, which is forgotten once the time of the store has come so much further than that of the value.
/// By event time alone, so that the same records lead to the same store whenever they are worked through.
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::Text;
/// use mainstem_processor::state::{ExpiringStore, Store};
///
/// let mut store = Store::default();
/// let mut seen = ExpiringStore::<Text, i64>::over(&mut store, Duration::from_secs(60));
/// let (anna, ben) = (Text::from("anna"), Text::from("ben"));
/// seen.put(&anna, &1, 0.into())?;
/// seen.put(&ben, &1, 59_999.into())?;
/// assert_eq!(seen.get(&anna)?, Some(1));
/// seen.observe(60_000.into());
/// assert_eq!((seen.get(&anna)?, seen.get(&ben)?), (None, Some(1)));
/// # Ok::<(), mainstem_processor::SerdeError>(())
/// ```
#[derive(Debug)]
pub struct ExpiringStore<'a, K, V> {
    store: &'a mut Store,
    kept_ms: i64,
    types: Types<K, V>,
}

impl<'a, K: Serde, V: Serde> ExpiringStore<'a, K, V> {
    /// The declaration of such a store.
    #[must_use]
    pub fn spec(name: impl Into<Text>) -> StoreSpec {
        StoreSpec::new(name).kind("expiring").keys(K::format()).values(V::format())
    }

    /// A view of a store whose values live so long, at least a millisecond. It may be longer or shorter than before.
    #[must_use]
    pub fn over(store: &'a mut Store, time_to_live: Duration) -> Self {
        Self { store, kept_ms: millis(time_to_live), types: PhantomData }
    }

    /// The value of a key, unless it has expired.
    ///
    /// # Errors
    /// Where the store holds something else, or the key has no bytes.
    pub fn get(&self, key: &K) -> Result<Option<V>, SerdeError> {
        let Some((at, value)) = self.found(&key_bytes(key)?)? else { return Ok(None) };
        if at <= self.too_old() { Ok(None) } else { V::decode(Some(&value)).map(Some) }
    }

    /// Gives a key a value that is of a time. One that has expired already is not kept: that is `false`.
    ///
    /// # Errors
    /// Where the store holds something else, or key or value have no bytes.
    pub fn put(&mut self, key: &K, value: &V, at: Timestamp) -> Result<bool, SerdeError> {
        self.observe(at);
        let key = key_bytes(key)?;
        if at <= self.too_old() {
            return Ok(false);
        }
        self.take_out(&key)?;
        if let Some(value) = value.encode(&mut BytesMut::new())? {
            self.store.put(&value_key(&key), [&ordered(at.0)[..], &value].concat());
            self.store.put(&expiry_key(at, &key), Bytes::new());
        }
        Ok(true)
    }

    /// Takes a key out.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn delete(&mut self, key: &K) -> Result<(), SerdeError> {
        self.take_out(&key_bytes(key)?)
    }

    /// Notes that time has come so far, and takes out some of what has expired.
    pub fn observe(&mut self, at: Timestamp) {
        self.store.observe(at);
        let mut end = vec![EXPIRY];
        end.extend(ordered(self.too_old().0.saturating_add(1)));
        let expired = self.store.entries(&[EXPIRY], &end).take(EXPIRED_AT_ONCE_MAX);
        for (entry, _) in expired.collect::<Vec<_>>() {
            self.store.delete(&entry);
            self.store.delete(&value_key(&entry[1 + 8..]));
        }
    }

    fn too_old(&self) -> Timestamp {
        too_old(self.store.observed(), self.kept_ms)
    }

    fn found(&self, key: &[u8]) -> Result<Option<(Timestamp, Bytes)>, SerdeError> {
        let Some(value) = self.store.get(&value_key(key)) else { return Ok(None) };
        let (at, rest) = time(&value)?;
        Ok(Some((at, value.slice_ref(rest))))
    }

    fn take_out(&mut self, key: &[u8]) -> Result<(), SerdeError> {
        if let Some((before, _)) = self.found(key)? {
            self.store.delete(&expiry_key(before, key));
            self.store.delete(&value_key(key));
        }
        Ok(())
    }
}

fn value_key(key: &[u8]) -> Vec<u8> {
    [&[VALUE], key].concat()
}

fn expiry_key(at: Timestamp, key: &[u8]) -> Vec<u8> {
    [&[EXPIRY], &ordered(at.0)[..], key].concat()
}
