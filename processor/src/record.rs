//! Records as processors see them.

use bytes::Bytes;
use mainstem_client::{Headers, PartitionId, Record, Text, Timestamp, TopicPartition};

/// Records of one partition, in order.
#[derive(Clone, Debug)]
pub struct InputBatch {
    /// The partition; for a processor behind another one, that of the records which led to these.
    pub partition: TopicPartition,
    /// The records; at least one.
    pub records: Vec<InputRecord>,
}

/// A record, and the time at which it is seen.
#[derive(Clone, Debug)]
pub struct InputRecord {
    /// The record. Its offset is [`mainstem_client::Offset::NONE`] where another processor has made it.
    pub record: Record,
    /// When it happened.
    pub event_time: Timestamp,
    /// The watermark when the record came: what the records before it say about time. Whether a record is late is
    /// decided by this and not by the end of its batch, so that it does not depend on how input is cut into batches.
    pub watermark: Timestamp,
    /// Its place among all records that the task has seen.
    pub(crate) order: u64,
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

/// A record between two typed nodes.
#[derive(Clone, Debug)]
pub(crate) struct Item<K, V> {
    pub(crate) key: K,
    pub(crate) value: V,
    pub(crate) time: Timestamp,
    pub(crate) headers: Headers,
    /// As [`InputRecord::watermark`]: the task's, which that of a node may be behind.
    pub(crate) watermark: Timestamp,
    /// As [`InputRecord::order`].
    pub(crate) order: u64,
}

impl<K, V> Item<K, V> {
    /// The same record with another key and value.
    pub(crate) fn with<K2, V2>(self, change: impl FnOnce(K, V) -> (K2, V2)) -> Item<K2, V2> {
        let Self { key, value, time, headers, watermark, order } = self;
        let (key, value) = change(key, value);
        Item { key, value, time, headers, watermark, order }
    }
}

/// What has a place among all records that a task has seen.
pub(crate) trait Ordered {
    fn order(&self) -> u64;
}

impl<K, V> Ordered for Item<K, V> {
    fn order(&self) -> u64 {
        self.order
    }
}

impl Ordered for InputRecord {
    fn order(&self) -> u64 {
        self.order
    }
}

impl Ordered for Record {
    /// Those of a batch come from one partition.
    fn order(&self) -> u64 {
        self.offset.0.cast_unsigned()
    }
}

/// Bytes of a record's key and value.
pub(crate) fn record_bytes(record: &Record) -> usize {
    let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
    length(&record.key) + length(&record.value)
}

/// A record on its way to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Emitted {
    pub(crate) topic: Text,
    /// None to have it chosen by the key.
    pub(crate) partition: Option<PartitionId>,
    pub(crate) record: OutputRecord,
}

impl Emitted {
    /// Bytes of key and value.
    pub(crate) fn size(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        length(&self.record.key) + length(&self.record.value)
    }
}
