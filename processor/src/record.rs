//! Records as processors see them.

use bytes::Bytes;
use mainstem_client::{Headers, Record, Timestamp, TopicPartition};

/// Records of one partition, in order.
#[derive(Clone, Debug)]
pub struct InputBatch {
    /// The partition.
    pub partition: TopicPartition,
    /// The records; at least one.
    pub records: Vec<InputRecord>,
}

/// A record, and the time at which it is seen.
#[derive(Clone, Debug)]
pub struct InputRecord {
    /// The record.
    pub record: Record,
    /// When it happened.
    pub event_time: Timestamp,
    /// The watermark when the record came: what the records before it say about time. Whether a record is late is
    /// decided by this and not by the end of its batch, so that it does not depend on how input is cut into batches.
    pub watermark: Timestamp,
}

/// A record for an output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputRecord {
    /// The key, which also chooses the partition.
    pub key: Option<Bytes>,
    /// The value; none for a tombstone.
    pub value: Option<Bytes>,
    /// When it happened. The same input must lead to the same time here, so this is never the clock's.
    pub timestamp: Timestamp,
    /// The headers.
    pub headers: Headers,
}

impl OutputRecord {
    /// Bytes of key and value.
    pub(crate) fn size(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        length(&self.key) + length(&self.value)
    }
}
