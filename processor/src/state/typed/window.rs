//! Values by key and time.
//!
//! ```text
//! part (8 bytes, sorted) closed key, time (8 bytes, sorted) -> value
//! ```

use std::{marker::PhantomData, time::Duration};

use bytes::{Bytes, BytesMut};
use mainstem_client::{Text, Timestamp};

use super::parts::{Parts, Types, close, key_bytes, open, time};
use crate::{
    StoreSpec,
    serdes::{Serde, SerdeError},
    state::{Store, ordered},
};

/// Values by key and time, such as the starts of windows. What is older than the store's time less the retention is
/// forgotten, and what comes for such a time is not kept.
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::Text;
/// use mainstem_processor::state::{Store, WindowStore};
///
/// let mut store = Store::default();
/// let mut visits = WindowStore::<Text, i64>::over(&mut store, Duration::from_secs(3600));
/// let anna = Text::from("anna");
/// for (minute, count) in [(0, 3), (5, 1), (9, 7)] {
///     visits.put(&anna, (minute * 60_000).into(), &count)?;
/// }
/// let in_between = visits.fetch(&anna, 60_000.into(), 540_000.into())?;
/// assert_eq!(in_between, [(300_000.into(), 1), (540_000.into(), 7)]);
/// # Ok::<(), mainstem_processor::SerdeError>(())
/// ```
#[derive(Debug)]
pub struct WindowStore<'a, K, V> {
    store: &'a mut Store,
    parts: Parts,
    types: Types<K, V>,
}

impl<'a, K: Serde, V: Serde> WindowStore<'a, K, V> {
    /// The declaration of such a store. The retention shapes its keys: a store with another one is refused.
    #[must_use]
    pub fn spec(name: impl Into<Text>, retention: Duration) -> StoreSpec {
        Parts::new(retention).spec::<K, V>(name.into(), "window-plain")
    }

    /// A view of a store with the retention that it was declared with, at least a millisecond.
    #[must_use]
    pub fn over(store: &'a mut Store, retention: Duration) -> Self {
        Self { store, parts: Parts::new(retention), types: PhantomData }
    }

    /// Gives a key a value at a time; one that is written as null takes it out. What is too old is not kept: that is
    /// `false`.
    ///
    /// # Errors
    /// Where key or value have no bytes.
    pub fn put(&mut self, key: &K, at: Timestamp, value: &V) -> Result<bool, SerdeError> {
        self.observe(at);
        if at <= self.too_old() {
            return Ok(false);
        }
        let entry = self.entry(&key_bytes(key)?, at);
        match value.encode(&mut BytesMut::new())? {
            Some(value) => self.store.put(&entry, value),
            None => self.store.delete(&entry),
        }
        Ok(true)
    }

    /// The value of a key at a time.
    ///
    /// # Errors
    /// Where the store holds something else, or the key has no bytes.
    pub fn get(&self, key: &K, at: Timestamp) -> Result<Option<V>, SerdeError> {
        if at <= self.too_old() {
            return Ok(None);
        }
        let value = self.store.get(&self.entry(&key_bytes(key)?, at));
        value.map(|value| V::decode(Some(&value))).transpose()
    }

    /// The values of a key between two times, both included, in the order of times.
    ///
    /// # Errors
    /// Where the store holds something else, or the key has no bytes.
    pub fn fetch(&self, key: &K, from: Timestamp, to: Timestamp) -> Result<Vec<(Timestamp, V)>, SerdeError> {
        let (key, from) = (key_bytes(key)?, self.first(from));
        let mut found = Vec::new();
        for part in self.parts.between(from, to, self.store.observed()) {
            let at = |time: Timestamp| entry(part, &key, time);
            let end = [&at(to)[..], &[0]].concat();
            for (entry, value) in self.store.entries(&at(from), &end) {
                let (_, time) = split(&entry)?;
                found.push((time, V::decode(Some(&value))?));
            }
        }
        Ok(found)
    }

    /// The values of all keys between two times, both included, in the order of times and then of the keys' bytes.
    ///
    /// # Errors
    /// Where the store holds something else.
    pub fn fetch_all(&self, from: Timestamp, to: Timestamp) -> Result<Vec<(K, Timestamp, V)>, SerdeError> {
        let (from, mut found) = (self.first(from), Vec::new());
        for part in self.parts.between(from, to, self.store.observed()) {
            let end = Parts::prefix(part.saturating_add(1));
            for (entry, value) in self.store.entries(&Parts::prefix(part), &end) {
                let (key, time) = split(&entry)?;
                if (from..=to).contains(&time) {
                    found.push((time, key, value));
                }
            }
        }
        found.sort();
        found
            .into_iter()
            .map(|(time, key, value)| Ok((K::decode(Some(&key))?, time, V::decode(Some(&value))?)))
            .collect()
    }

    /// Notes that time has come so far, and takes out some of what is too old.
    pub fn observe(&mut self, at: Timestamp) {
        self.parts.observe(self.store, at);
    }

    fn too_old(&self) -> Timestamp {
        self.parts.too_old(self.store.observed())
    }

    /// The first time from there on that is not too old.
    fn first(&self, from: Timestamp) -> Timestamp {
        from.max(Timestamp(self.too_old().0.saturating_add(1)))
    }

    fn entry(&self, key: &[u8], at: Timestamp) -> Vec<u8> {
        let mut entry = self.parts.begin(at);
        close(&mut entry, key);
        entry.extend(ordered(at.0));
        entry
    }
}

fn entry(part: i64, key: &[u8], at: Timestamp) -> Vec<u8> {
    let mut entry = Parts::prefix(part);
    close(&mut entry, key);
    entry.extend(ordered(at.0));
    entry
}

fn split(entry: &Bytes) -> Result<(Bytes, Timestamp), SerdeError> {
    let (_, rest) = time(entry)?;
    let (key, rest) = open(rest)?;
    Ok((key, time(rest)?.0))
}
