//! Records of a test.

use bytes::{Bytes, BytesMut};
use mainstem_client::{Headers, Record, Timestamp};

use crate::serdes::{Serde, SerdeError};

/// What a test may use as a key or value: every [`Serde`], and text as it stands in the source.
pub trait Encode {
    /// Its bytes; `None` is null.
    ///
    /// # Errors
    /// Where it has none.
    fn to_bytes(&self) -> Result<Option<Bytes>, SerdeError>;
}

impl<T: Serde> Encode for T {
    fn to_bytes(&self) -> Result<Option<Bytes>, SerdeError> {
        self.encode(&mut BytesMut::new())
    }
}

impl Encode for &str {
    fn to_bytes(&self) -> Result<Option<Bytes>, SerdeError> {
        Ok(Some(Bytes::copy_from_slice(self.as_bytes())))
    }
}

/// A record that came out of a topology, or goes into one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRecord<K, V> {
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Its partition; for a record that goes in, none to have it chosen by the key.
    pub partition: Option<i32>,
    /// Its headers.
    pub headers: Headers,
}

impl<K, V> TestRecord<K, V> {
    /// A record without headers, for the partition of its key.
    pub fn new(key: K, value: V, timestamp: i64) -> Self {
        Self { key, value, timestamp: Timestamp(timestamp), partition: None, headers: Headers::default() }
    }

    /// The same, for a certain partition.
    #[must_use]
    pub fn partition(self, partition: i32) -> Self {
        Self { partition: Some(partition), ..self }
    }

    /// The value of the last header of that name, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let value = self.headers.last(name.as_bytes())??;
        Some(String::from_utf8_lossy(&value).into_owned())
    }
}

impl<K: Serde, V: Serde> TestRecord<K, V> {
    /// A record as it stands in a partition of a topic.
    ///
    /// # Errors
    /// Where its key or value is something else.
    pub fn decoded(partition: i32, record: &Record) -> Result<Self, SerdeError> {
        Ok(Self {
            key: K::decode(record.key.as_ref())?,
            value: V::decode(record.value.as_ref())?,
            timestamp: record.timestamp,
            partition: Some(partition),
            headers: record.headers.clone(),
        })
    }
}
