//! A record on its way to a topic.

use bytes::Bytes;
use mainstem_protocol::{PartitionId, Text, Timestamp, records::Headers};

/// Bytes that a record takes at most beyond its key, value and headers: lengths, deltas, attributes.
const OVERHEAD_BYTES_MAX: usize = 48;

/// Bytes that a header takes at most beyond its key and value.
const HEADER_OVERHEAD_BYTES_MAX: usize = 10;

/// A record that has no place in a log yet.
///
/// ```
/// let record = mainstem_client::ProducerRecord::new("greetings").key("en").value("hello");
/// assert_eq!(record.key.as_deref(), Some(b"en".as_slice()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerRecord {
    /// The topic that it goes to.
    pub topic: Text,
    /// The partition that it goes to; none to have it chosen by the key.
    pub partition: Option<PartitionId>,
    /// When it happened; none for now.
    pub timestamp: Option<Timestamp>,
    /// The key, where it has one.
    pub key: Option<Bytes>,
    /// The value; none for a tombstone.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Headers,
}

impl ProducerRecord {
    /// A record without key and value.
    ///
    /// ```
    /// let tombstone = mainstem_client::ProducerRecord::new("greetings").key("en");
    /// assert_eq!(tombstone.value, None);
    /// ```
    #[must_use]
    pub fn new(topic: impl Into<Text>) -> Self {
        Self { topic: topic.into(), ..Self::default() }
    }

    /// The same, with a value.
    ///
    /// ```
    /// let record = mainstem_client::ProducerRecord::new("greetings").value("hello");
    /// assert_eq!(record.value.as_deref(), Some(b"hello".as_slice()));
    /// ```
    #[must_use]
    pub fn value(self, value: impl Into<Bytes>) -> Self {
        Self { value: Some(value.into()), ..self }
    }

    /// The same, with a key.
    ///
    /// ```
    /// let record = mainstem_client::ProducerRecord::new("greetings").key(vec![1, 2]).value("hello");
    /// assert_eq!(record.key.as_deref(), Some([1, 2].as_slice()));
    /// ```
    #[must_use]
    pub fn key(self, key: impl Into<Bytes>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// The same, for a certain partition.
    ///
    /// ```
    /// use mainstem_client::{PartitionId, ProducerRecord};
    ///
    /// assert_eq!(ProducerRecord::new("greetings").partition(1).partition, Some(PartitionId(1)));
    /// ```
    #[must_use]
    pub fn partition(self, partition: i32) -> Self {
        Self { partition: Some(PartitionId(partition)), ..self }
    }

    /// The same, at a certain time.
    ///
    /// ```
    /// use mainstem_client::{ProducerRecord, Timestamp};
    ///
    /// let record = ProducerRecord::new("greetings").timestamp(Timestamp(1_700_000_000_000)).value("hello");
    /// # assert!(record.timestamp.is_some());
    /// ```
    #[must_use]
    pub fn timestamp(self, timestamp: Timestamp) -> Self {
        Self { timestamp: Some(timestamp), ..self }
    }

    /// The same, with headers.
    ///
    /// ```
    /// use mainstem_client::{Headers, ProducerRecord};
    ///
    /// let headers = Headers::new([(b"language".as_slice(), Some(b"en".as_slice()))]).expect("they fit");
    /// let record = ProducerRecord::new("greetings").headers(headers).value("hello");
    /// assert_eq!(record.headers.len(), 1);
    /// ```
    #[must_use]
    pub fn headers(self, headers: Headers) -> Self {
        Self { headers, ..self }
    }

    /// Bytes that the record takes at most, before compression.
    pub(super) fn size_max(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        OVERHEAD_BYTES_MAX + length(&self.key) + length(&self.value) + self.headers_size_max()
    }

    fn headers_size_max(&self) -> usize {
        let value = |value: Option<&[u8]>| value.map_or(0, <[u8]>::len);
        let headers = self.headers.as_ref().iter();
        headers.map(|header| HEADER_OVERHEAD_BYTES_MAX + header.0.len() + value(header.1)).sum()
    }
}
