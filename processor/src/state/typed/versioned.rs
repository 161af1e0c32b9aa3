//! Every value that a key had, and from when to when (KIP-889).
//!
//! ```text
//! 'v' closed key, time (8 bytes, sorted downwards) -> until (8 bytes, sorted), 1 value or 0
//! 'x' since when it may be forgotten (8 bytes, sorted) the key of the version -> nothing
//! ```
//!
//! The versions of a key stand together, the latest in front. Each says until when it holds, the latest until the end of
//! time. That a key is gone is a version too, without a value.

use std::{marker::PhantomData, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use mainstem_client::{Text, Timestamp};

use super::parts::{EXPIRED_AT_ONCE_MAX, Types, close, key_bytes, millis, open, time, too_old};
use crate::{
    StoreSpec,
    serdes::{Serde, SerdeError},
    state::{Store, ordered},
    watermark::END,
};

const VERSION: u8 = b'v';
const EXPIRY: u8 = b'x';

/// A value, and from when to when it is that of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version<V> {
    /// The value.
    pub value: V,
    /// From then on, that moment included.
    pub from: Timestamp,
    /// Up to then, that moment not included; none where no later value is known.
    pub until: Option<Timestamp>,
}

/// What became of a value that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is the latest of its key.
    Latest,
    /// A later one is there already: it holds until then.
    Until(Timestamp),
    /// It is older than the history goes, and was not kept.
    TooOld,
}

/// Every value that a key had, and from when to when, as far back as the store's history goes; the latest for ever.
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::Text;
/// use mainstem_processor::state::{Put, Store, VersionedStore};
///
/// let mut store = Store::default();
/// let mut prices = VersionedStore::<Text, i64>::over(&mut store, Duration::from_secs(3600));
/// let tea = Text::from("tea");
/// prices.put(&tea, Some(&100), 10.into())?;
/// prices.put(&tea, Some(&120), 30.into())?;
/// // What was late takes its place between the others.
/// assert_eq!(prices.put(&tea, Some(&110), 20.into())?, Put::Until(30.into()));
/// let at = |time: i64| prices.get_as_of(&tea, time.into()).map(|found| found.map(|version| version.value));
/// assert_eq!((at(9)?, at(19)?, at(29)?, at(99)?), (None, Some(100), Some(110), Some(120)));
/// # Ok::<(), mainstem_processor::SerdeError>(())
/// ```
#[derive(Debug)]
pub struct VersionedStore<'a, K, V> {
    store: &'a mut Store,
    kept_ms: i64,
    types: Types<K, V>,
}

/// A version as it is kept; null where the key is gone.
struct Kept {
    from: Timestamp,
    until: Timestamp,
    value: Option<Bytes>,
}

impl Kept {
    fn read(entry: &Bytes, value: &Bytes) -> Result<Self, SerdeError> {
        let (_, rest) = open(&entry[1..])?;
        let from = Timestamp(!time(rest)?.0.0);
        let (until, rest) = time(value)?;
        let value = match rest.split_first() {
            Some((1, rest)) => Some(value.slice_ref(rest)),
            Some((0, [])) => None,
            _ => return Err(SerdeError::other("a version that is neither there nor gone")),
        };
        Ok(Self { from, until, value })
    }

    fn bytes(&self) -> Bytes {
        let length = self.value.as_ref().map_or(0, Bytes::len);
        let mut bytes = BytesMut::with_capacity(8 + 1 + length);
        bytes.put_slice(&ordered(self.until.0));
        bytes.put_u8(self.value.is_some().into());
        bytes.put_slice(self.value.as_deref().unwrap_or_default());
        bytes.freeze()
    }

    /// From when on nobody may ask for it any more, once the history ends there.
    fn expiry(&self) -> Option<Timestamp> {
        match (&self.value, self.until) {
            (Some(_), END) => None,
            (None, END) => Some(self.from),
            (_, until) => Some(until),
        }
    }

    fn holds_at(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.until
    }
}

impl<'a, K: Serde, V: Serde> VersionedStore<'a, K, V> {
    /// The declaration of such a store.
    #[must_use]
    pub fn spec(name: impl Into<Text>) -> StoreSpec {
        StoreSpec::new(name).kind("versioned").keys(K::format()).values(V::format())
    }

    /// A view of a store whose history goes back so far from the store's time, at least a millisecond. It may be longer or
    /// shorter than before.
    #[must_use]
    pub fn over(store: &'a mut Store, history: Duration) -> Self {
        Self { store, kept_ms: millis(history), types: PhantomData }
    }

    /// The latest value of a key.
    ///
    /// # Errors
    /// Where the store holds something else, or the key has no bytes.
    pub fn get(&self, key: &K) -> Result<Option<Version<V>>, SerdeError> {
        let latest = self.at(&versions_of(key)?, END)?;
        shown(latest.filter(|kept| kept.until == END))
    }

    /// The value that a key had at a time. A time before the history is not known, unless the latest value held then
    /// already.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn get_as_of(&self, key: &K, time: Timestamp) -> Result<Option<Version<V>>, SerdeError> {
        let prefix = versions_of(key)?;
        let Some(found) = self.at(&prefix, time)?.filter(|kept| kept.holds_at(time)) else {
            return Ok(None);
        };
        let is_known = found.until == END || time >= self.history_begin();
        shown(Some(found).filter(|_| is_known))
    }

    /// Gives a key a value, or takes it out, from a time on until the next one that is known.
    ///
    /// # Errors
    /// Where the store holds something else, or key or value have no bytes.
    pub fn put(&mut self, key: &K, value: Option<&V>, from: Timestamp) -> Result<Put, SerdeError> {
        self.observe(from);
        if from < self.history_begin() {
            return Ok(Put::TooOld);
        }
        let value = match value {
            Some(value) => value.encode(&mut BytesMut::new())?,
            None => None,
        };
        let prefix = versions_of(key)?;
        let before = self.at(&prefix, from)?.filter(|before| before.holds_at(from));
        let until = match &before {
            Some(before) => before.until,
            None => self.next(&prefix, from)?.map_or(END, |next| next.from),
        };
        if let Some(before) = before.filter(|before| before.from < from) {
            self.replace(&prefix, Kept { until: from, ..before });
        }
        self.replace(&prefix, Kept { from, until, value });
        Ok(if until == END { Put::Latest } else { Put::Until(until) })
    }

    /// Notes that time has come so far, and takes out some of what lies before the history.
    pub fn observe(&mut self, at: Timestamp) {
        self.store.observe(at);
        let mut end = vec![EXPIRY];
        end.extend(ordered(self.history_begin().0.saturating_add(1)));
        let expired = self.store.entries(&[EXPIRY], &end).take(EXPIRED_AT_ONCE_MAX);
        for (entry, _) in expired.collect::<Vec<_>>() {
            self.store.delete(&entry);
            self.store.delete(&entry[1 + 8..]);
        }
    }

    /// The first time that may be asked for and put.
    fn history_begin(&self) -> Timestamp {
        too_old(self.store.observed(), self.kept_ms)
    }

    /// The latest version of those that begin at a time or before.
    fn at(&self, prefix: &[u8], at: Timestamp) -> Result<Option<Kept>, SerdeError> {
        let found = self.store.entries(&version(prefix, at), &behind(prefix)).next();
        found.map(|(entry, value)| Kept::read(&entry, &value)).transpose()
    }

    /// The first version of those that begin behind a time.
    fn next(&self, prefix: &[u8], time: Timestamp) -> Result<Option<Kept>, SerdeError> {
        let last = self.store.entries(prefix, &version(prefix, time)).last();
        last.map(|(entry, value)| Kept::read(&entry, &value)).transpose()
    }

    /// Writes a version in place of the one of its time.
    fn replace(&mut self, prefix: &[u8], kept: Kept) {
        let entry = version(prefix, kept.from);
        let old = self.store.get(&entry).and_then(|old| Kept::read(&entry.clone().into(), &old).ok());
        if let Some(expiry) = old.and_then(|old| old.expiry()) {
            self.store.delete(&expiry_key(expiry, &entry));
        }
        if let Some(expiry) = kept.expiry() {
            self.store.put(&expiry_key(expiry, &entry), Bytes::new());
        }
        self.store.put(&entry, kept.bytes());
    }
}

fn shown<V: Serde>(kept: Option<Kept>) -> Result<Option<Version<V>>, SerdeError> {
    let Some(Kept { from, until, value: Some(value) }) = kept else { return Ok(None) };
    let until = Some(until).filter(|until| *until != END);
    Ok(Some(Version { value: V::decode(Some(&value))?, from, until }))
}

/// What the versions of a key begin with.
fn versions_of<K: Serde>(key: &K) -> Result<Vec<u8>, SerdeError> {
    let mut prefix = vec![VERSION];
    close(&mut prefix, &key_bytes(key)?);
    Ok(prefix)
}

fn version(prefix: &[u8], from: Timestamp) -> Vec<u8> {
    [prefix, &ordered(!from.0)].concat()
}

/// Behind all versions of a key.
fn behind(prefix: &[u8]) -> Vec<u8> {
    [prefix, &[0xff; 9]].concat()
}

fn expiry_key(at: Timestamp, version: &[u8]) -> Vec<u8> {
    [&[EXPIRY], &ordered(at.0)[..], version].concat()
}
