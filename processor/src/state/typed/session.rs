//! Values by key and the stretch of time that they are of.
//!
//! ```text
//! part of the end (8 bytes, sorted) closed key, end (8 bytes, sorted) start (8 bytes, sorted) -> value
//! ```

use std::{marker::PhantomData, ops::Range, time::Duration};

use bytes::{Bytes, BytesMut};
use mainstem_client::{Text, Timestamp};

use super::parts::{Parts, Types, close, key_bytes, open, time};
use crate::{
    StoreSpec,
    serdes::{Serde, SerdeError},
    state::{Store, ordered},
};

/// A stretch of time of a key: from its first record to its last, both included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session<K, V> {
    /// The time of its last record.
    pub end: Timestamp,
    /// The time of its first record.
    pub start: Timestamp,
    /// Whose it is.
    pub key: K,
    /// What is kept of it.
    pub value: V,
}

/// Values by key and the stretch of time that they are of. Those that ended before the store's time less the retention
/// are forgotten, and what comes for such a stretch is not kept.
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::Text;
/// use mainstem_processor::state::{Session, SessionStore, Store};
///
/// let mut store = Store::default();
/// let mut sessions = SessionStore::<Text, i64>::over(&mut store, Duration::from_secs(3600));
/// let (anna, gap) = (Text::from("anna"), 10);
/// sessions.put(&Session { key: anna.clone(), start: 0.into(), end: 4.into(), value: 2 })?;
/// sessions.put(&Session { key: anna.clone(), start: 30.into(), end: 40.into(), value: 5 })?;
/// // A record at 14 joins what ended not more than a gap before it, and began not more than a gap behind it.
/// let near = sessions.find(&anna, (14 - gap).into(), (14 + gap).into())?;
/// assert_eq!(near.iter().map(|session| session.value).collect::<Vec<_>>(), [2]);
/// # Ok::<(), mainstem_processor::SerdeError>(())
/// ```
#[derive(Debug)]
pub struct SessionStore<'a, K, V> {
    store: &'a mut Store,
    parts: Parts,
    types: Types<K, V>,
}

impl<'a, K: Serde, V: Serde> SessionStore<'a, K, V> {
    /// The declaration of such a store. The retention shapes its keys: a store with another one is refused.
    #[must_use]
    pub fn spec(name: impl Into<Text>, retention: Duration) -> StoreSpec {
        Parts::new(retention).spec::<K, V>(name.into(), "session-plain")
    }

    /// A view of a store with the retention that it was declared with, at least a millisecond.
    #[must_use]
    pub fn over(store: &'a mut Store, retention: Duration) -> Self {
        Self { store, parts: Parts::new(retention), types: PhantomData }
    }

    /// Keeps a session, in place of one of the same key, start and end; a value that is written as null takes it out.
    /// What ended too long ago is not kept: that is `false`.
    ///
    /// # Errors
    /// Where key or value have no bytes.
    pub fn put(&mut self, session: &Session<K, V>) -> Result<bool, SerdeError> {
        let Session { end, start, key, value } = session;
        self.observe(*end);
        if *end <= self.too_old() {
            return Ok(false);
        }
        let entry = self.entry(&key_bytes(key)?, *start, *end);
        match value.encode(&mut BytesMut::new())? {
            Some(value) => self.store.put(&entry, value),
            None => self.store.delete(&entry),
        }
        Ok(true)
    }

    /// Takes a session out.
    ///
    /// # Errors
    /// Where the key has no bytes.
    pub fn remove(&mut self, key: &K, start: Timestamp, end: Timestamp) -> Result<(), SerdeError> {
        let entry = self.entry(&key_bytes(key)?, start, end);
        self.store.delete(&entry);
        Ok(())
    }

    /// The value of a session.
    ///
    /// # Errors
    /// Where the store holds something else, or the key has no bytes.
    pub fn get(&self, key: &K, start: Timestamp, end: Timestamp) -> Result<Option<V>, SerdeError> {
        if end <= self.too_old() {
            return Ok(None);
        }
        let value = self.store.get(&self.entry(&key_bytes(key)?, start, end));
        value.map(|value| V::decode(Some(&value))).transpose()
    }

    /// The sessions of a key that end at `earliest_end` or later and begin at `latest_start` or earlier, in the order of
    /// their ends and then of their starts.
    ///
    /// # Errors
    /// Where the store holds something else, or the key has no bytes.
    pub fn find(
        &self,
        key: &K,
        earliest_end: Timestamp,
        latest_start: Timestamp,
    ) -> Result<Vec<Session<K, V>>, SerdeError> {
        let from = key_bytes(key)?;
        let mut first = Vec::new();
        close(&mut first, &from);
        // Behind the key there are sixteen bytes.
        let behind = [&first[..], &[0xff; 17]].concat();
        self.found(&first, &behind, earliest_end, latest_start)
    }

    /// The sessions of the keys from one up to, and without, another that end at `earliest_end` or later and begin at
    /// `latest_start` or earlier, in the order of ends, starts and keys' bytes.
    ///
    /// # Errors
    /// Where the store holds something else, or the keys have no bytes.
    pub fn find_in(
        &self,
        keys: Range<&K>,
        earliest_end: Timestamp,
        latest_start: Timestamp,
    ) -> Result<Vec<Session<K, V>>, SerdeError> {
        let (mut first, mut behind) = (Vec::new(), Vec::new());
        close(&mut first, &key_bytes(keys.start)?);
        close(&mut behind, &key_bytes(keys.end)?);
        self.found(&first, &behind, earliest_end, latest_start)
    }

    fn found(
        &self,
        first: &[u8],
        behind: &[u8],
        earliest_end: Timestamp,
        latest_start: Timestamp,
    ) -> Result<Vec<Session<K, V>>, SerdeError> {
        let (observed, mut found) = (self.store.observed(), Vec::new());
        let earliest_end = earliest_end.max(Timestamp(self.too_old().0.saturating_add(1)));
        for part in self.parts.between(earliest_end, observed, observed) {
            let bound = |key: &[u8]| [&Parts::prefix(part), key].concat();
            for (entry, value) in self.store.entries(&bound(first), &bound(behind)) {
                let (key, start, end) = split(&entry)?;
                if end >= earliest_end && start <= latest_start {
                    found.push((end, start, key, value));
                }
            }
        }
        found.sort();
        let decoded = |(end, start, key, value): (_, _, Bytes, Bytes)| {
            Ok(Session { end, start, key: K::decode(Some(&key))?, value: V::decode(Some(&value))? })
        };
        found.into_iter().map(decoded).collect()
    }

    /// Notes that time has come so far, and takes out some of what is too old.
    pub fn observe(&mut self, at: Timestamp) {
        self.parts.observe(self.store, at);
    }

    fn too_old(&self) -> Timestamp {
        self.parts.too_old(self.store.observed())
    }

    fn entry(&self, key: &[u8], start: Timestamp, end: Timestamp) -> Vec<u8> {
        let mut entry = self.parts.begin(end);
        close(&mut entry, key);
        entry.extend(ordered(end.0));
        entry.extend(ordered(start.0));
        entry
    }
}

/// Key, start and end.
fn split(entry: &Bytes) -> Result<(Bytes, Timestamp, Timestamp), SerdeError> {
    let (_, rest) = time(entry)?;
    let (key, rest) = open(rest)?;
    let (end, rest) = time(rest)?;
    Ok((key, time(rest)?.0, end))
}
