//! One batch in memory, and the way through several of them.

use bytes::Bytes;

use super::{
    attributes::{Compression, TimestampType, UnknownCompressionError},
    compression::{DecompressError, Decompressor},
    crc::crc32c,
    header::{ATTRIBUTES, BatchHeader, HEADER_BYTES, HeaderError},
    record::{Record, RecordError, RecordRef},
};
use crate::ids::{Offset, Timestamp};

/// Why the records of a batch cannot be got at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The attributes name no compression.
    #[error(transparent)]
    Compression(#[from] UnknownCompressionError),
    /// The records do not decompress.
    #[error(transparent)]
    Decompress(#[from] DecompressError),
}

/// A whole batch. Shares the memory it was found in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    header: BatchHeader,
    bytes: Bytes,
}

impl Batch {
    /// Takes the first batch off the front of `bytes`. The checksum is not looked at.
    ///
    /// # Errors
    /// Where there is no header, or the batch does not end within `bytes`; `bytes` are left alone then.
    pub fn split_from(bytes: &mut Bytes) -> Result<Self, HeaderError> {
        let header = BatchHeader::parse(bytes)?;
        if header.size() > bytes.len() {
            return Err(HeaderError::Truncated { wanted: header.size(), left: bytes.len() });
        }
        Ok(Self { header, bytes: bytes.split_to(header.size()) })
    }

    /// What the batch says about itself.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Header and records as they stand on the wire.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Header and records as they stand on the wire.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The records as they stand on the wire, compressed or not.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        self.bytes.slice(HEADER_BYTES..)
    }

    /// Whether the checksum is that of the bytes.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.computed_crc() == self.header.crc
    }

    /// The checksum that the bytes have.
    pub(super) fn computed_crc(&self) -> u32 {
        crc32c(&self.bytes[ATTRIBUTES..])
    }

    /// Decompresses the records, where they are compressed; they may have `limit` bytes.
    ///
    /// # Errors
    /// Where the compression is not known, or the data is malformed or too much.
    pub fn open(&self, decompressor: &mut Decompressor, limit: usize) -> Result<OpenBatch, OpenError> {
        let compression = self.header.attributes.compression()?;
        let records = match compression {
            Compression::None => self.payload(),
            _ => decompressor.decompress(compression, &self.payload(), limit)?,
        };
        Ok(OpenBatch { header: self.header, records })
    }
}

/// A batch whose records lie open.
#[derive(Clone, Debug)]
pub struct OpenBatch {
    header: BatchHeader,
    records: Bytes,
}

impl OpenBatch {
    /// What the batch says about itself.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The records as they lie in the batch, in order: as many as the header counts, and no bytes behind them. Ends
    /// after the first error.
    #[must_use]
    pub fn refs(&self) -> RecordRefs<'_> {
        RecordRefs { bytes: &self.records, left: self.header.record_count }
    }

    /// The records with their places in the log; they share the memory of the batch. Ends after the first error.
    pub fn records(&self) -> impl Iterator<Item = Result<Record, RecordError>> {
        self.refs().map(|record| {
            let record = record?;
            Ok(Record::share(&self.records, record, self.offset(&record), self.timestamp(&record)))
        })
    }

    /// As [`Self::records`], for whoever goes on later.
    #[must_use]
    pub const fn into_records(self) -> IntoRecords {
        IntoRecords { left: self.header.record_count, batch: self, position: 0 }
    }

    /// Where a record of this batch lies in the partition.
    #[must_use]
    pub const fn offset(&self, record: &RecordRef<'_>) -> Offset {
        self.header.base_offset.plus(record.offset_delta as i64)
    }

    /// The timestamp of a record of this batch: its own, or with `LogAppendTime` that of the batch.
    #[must_use]
    pub const fn timestamp(&self, record: &RecordRef<'_>) -> Timestamp {
        match self.header.attributes.timestamp_type() {
            TimestampType::CreateTime => {
                Timestamp(self.header.base_timestamp.0.wrapping_add(record.timestamp_delta))
            }
            TimestampType::LogAppendTime => self.header.max_timestamp,
        }
    }
}

/// See [`OpenBatch::refs`].
#[derive(Clone, Debug)]
pub struct RecordRefs<'a> {
    bytes: &'a [u8],
    left: i32,
}

impl<'a> Iterator for RecordRefs<'a> {
    type Item = Result<RecordRef<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            let trailing = !std::mem::take(&mut self.bytes).is_empty();
            return trailing.then_some(Err(RecordError::BatchTrailing));
        }
        let record = RecordRef::split_from(&mut self.bytes);
        self.left -= 1;
        if record.is_err() {
            *self = Self { bytes: &[], left: 0 };
        }
        Some(record)
    }
}

/// See [`OpenBatch::into_records`].
#[derive(Clone, Debug)]
pub struct IntoRecords {
    batch: OpenBatch,
    position: usize,
    left: i32,
}

impl IntoRecords {
    /// What the batch says about itself.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.batch.header
    }

    /// Records that were not gone through yet, as far as the header says.
    #[must_use]
    pub const fn left(&self) -> usize {
        if self.left > 0 { self.left as usize } else { 0 }
    }
}

impl Iterator for IntoRecords {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Self { batch, position, left } = self;
        let memory = &batch.records;
        let mut refs = RecordRefs { bytes: memory.get(*position..).unwrap_or_default(), left: *left };
        let next = refs.next();
        (*position, *left) = (memory.len() - refs.bytes.len(), refs.left);
        let share = |record| Record::share(memory, record, batch.offset(&record), batch.timestamp(&record));
        next.map(|record| record.map(share))
    }
}

/// What becomes of a batch at the end that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// It is passed over: brokers cut a fetch response where its limit falls.
    Skip,
    /// It is an error.
    Report,
}

/// The whole batches in `bytes`, in order; ends after the first error.
///
/// The checksums are not looked at. A batch without records (compaction keeps some for their header) is a batch.
#[must_use]
pub const fn batches(bytes: Bytes, tail: Tail) -> Batches {
    Batches { bytes, tail }
}

/// See [`batches`].
#[derive(Clone, Debug)]
pub struct Batches {
    bytes: Bytes,
    tail: Tail,
}

impl Batches {
    /// What was not gone through yet: after the last batch, the truncated tail.
    #[must_use]
    pub const fn rest(&self) -> &Bytes {
        &self.bytes
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, HeaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        match (Batch::split_from(&mut self.bytes), self.tail) {
            (Ok(batch), _) => Some(Ok(batch)),
            (Err(HeaderError::Truncated { .. }), Tail::Skip) => None,
            (Err(error), _) => {
                self.bytes.clear();
                Some(Err(error))
            }
        }
    }
}
