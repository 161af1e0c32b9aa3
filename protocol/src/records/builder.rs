//! Puts a batch together, record by record.
//!
//! The records gather in one buffer behind room for the header. When the batch is sealed they are compressed
//! together, and the header is written last, with the checksum over everything.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    attributes::{Attributes, Compression},
    compression::{CompressError, Compressor, KEPT_BYTES_MAX},
    crc::crc32c,
    header::{ATTRIBUTES, BatchHeader, HEADER_BYTES, LENGTH_END},
    record::{HeadersRef, RecordRef},
};
use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// A batch cannot take a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("batch has no room for a record of {record_bytes} bytes")]
pub struct AppendError {
    /// Bytes of the record, not compressed.
    pub record_bytes: usize,
}

/// A record that has no place in a log yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewRecord<'a> {
    /// When it happened.
    pub timestamp: Timestamp,
    /// The key, where there is one.
    pub key: Option<&'a [u8]>,
    /// The value; none for a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: HeadersRef<'a>,
}

/// Who writes a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerStamp {
    /// The producer, where it is idempotent.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// The sequence of the first record.
    pub base_sequence: Sequence,
    /// Whether the batch belongs to a transaction.
    pub transactional: bool,
}

impl ProducerStamp {
    /// A producer without an identity.
    pub const NONE: Self = Self {
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
        base_sequence: Sequence::NONE,
        transactional: false,
    };
}

impl Default for ProducerStamp {
    fn default() -> Self {
        Self::NONE
    }
}

/// Builds batch after batch with the same buffers.
#[derive(Debug)]
pub struct BatchBuilder {
    compression: Compression,
    compressor: Compressor,
    ratio: CompressionRatio,
    buffer: BytesMut,
    last_bytes: usize,
    count: i32,
    base_timestamp: Timestamp,
    max_timestamp: Timestamp,
}

impl BatchBuilder {
    /// A builder of batches that are compressed so.
    #[must_use]
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            compressor: Compressor::new(),
            ratio: CompressionRatio::default(),
            buffer: BytesMut::new(),
            last_bytes: 0,
            count: 0,
            base_timestamp: Timestamp::NONE,
            max_timestamp: Timestamp::NONE,
        }
    }

    /// Whether nothing was appended.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Records appended.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Bytes that the batch would have if it were sealed now: exact without compression, otherwise expected from the
    /// batches before.
    #[must_use]
    pub fn estimated_size(&self) -> usize {
        self.estimate(self.buffer.len())
    }

    /// Bytes that the batch would have without compression.
    #[must_use]
    pub fn uncompressed_size(&self) -> usize {
        self.buffer.len().max(HEADER_BYTES)
    }

    /// What [`Self::estimated_size`] would be with one more record.
    #[must_use]
    pub fn estimated_size_with(&self, record: &NewRecord<'_>) -> usize {
        self.estimate(self.buffer.len().max(HEADER_BYTES) + self.place(record).size())
    }

    fn estimate(&self, bytes: usize) -> usize {
        match (self.compression, bytes.checked_sub(HEADER_BYTES)) {
            (_, None) => HEADER_BYTES,
            (Compression::None, _) => bytes,
            (_, Some(records)) => HEADER_BYTES + self.ratio.expect(records),
        }
    }

    /// Appends a record; the first one gives the batch its base timestamp.
    ///
    /// # Errors
    /// Where the batch would be longer than its length field can say, compression or not.
    pub fn append(&mut self, record: &NewRecord<'_>) -> Result<(), AppendError> {
        if self.is_empty() {
            self.start(record.timestamp);
        }
        let placed = self.place(record);
        let record_bytes = placed.size();
        if record_bytes > i32::MAX as usize - self.buffer.len() || self.count == i32::MAX {
            return Err(AppendError { record_bytes });
        }
        self.buffer.reserve(record_bytes);
        placed.put(&mut self.buffer);
        self.count += 1;
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        Ok(())
    }

    fn start(&mut self, base_timestamp: Timestamp) {
        self.buffer.clear();
        // The next batch is likely to be as long as the last one.
        self.buffer.reserve(self.last_bytes.clamp(HEADER_BYTES, KEPT_BYTES_MAX));
        self.buffer.put_bytes(0, HEADER_BYTES);
        self.base_timestamp = base_timestamp;
        self.max_timestamp = base_timestamp;
    }

    const fn place<'a>(&self, record: &NewRecord<'a>) -> RecordRef<'a> {
        let NewRecord { timestamp, key, value, headers } = *record;
        let base = if self.is_empty() { timestamp } else { self.base_timestamp };
        let timestamp_delta = timestamp.0.wrapping_sub(base.0);
        RecordRef { timestamp_delta, offset_delta: self.count, key, value, headers }
    }

    /// Ends the batch and begins the next one. There are no bytes where there is no record.
    ///
    /// # Errors
    /// Where compression runs out of memory; the records stay.
    pub fn seal(&mut self, stamp: &ProducerStamp) -> Result<Bytes, CompressError> {
        if self.is_empty() {
            return Ok(Bytes::new());
        }
        let header = self.header(stamp);
        self.last_bytes = self.buffer.len();
        let bytes = match self.compression {
            Compression::None => self.seal_plain(&header),
            _ => self.seal_compressed(&header)?,
        };
        self.count = 0;
        Ok(bytes)
    }

    /// Forgets the records.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.count = 0;
    }

    const fn header(&self, stamp: &ProducerStamp) -> BatchHeader {
        let ProducerStamp { producer_id, producer_epoch, base_sequence, transactional } = *stamp;
        BatchHeader {
            base_offset: Offset::ZERO,
            length: 0,
            leader_epoch: LeaderEpoch::NONE,
            crc: 0,
            attributes: Attributes::new(self.compression).with_transactional(transactional),
            last_offset_delta: self.count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id,
            producer_epoch,
            base_sequence,
            record_count: self.count,
        }
    }

    fn seal_plain(&mut self, header: &BatchHeader) -> Bytes {
        let mut batch = self.buffer.split();
        write_header(&mut batch, header);
        batch.freeze()
    }

    fn seal_compressed(&mut self, header: &BatchHeader) -> Result<Bytes, CompressError> {
        let records = self.buffer.get(HEADER_BYTES..).unwrap_or_default();
        let mut batch = Vec::with_capacity(self.estimated_size());
        batch.resize(HEADER_BYTES, 0);
        self.compressor.compress(self.compression, records, &mut batch)?;
        self.ratio.observe(records.len(), batch.len() - HEADER_BYTES);
        write_header(&mut batch, header);
        self.buffer.clear();
        Ok(batch.into())
    }
}

/// Writes `header` over the first 61 bytes of `batch`, with the length and the checksum that the batch has.
///
/// # Panics
/// Where `batch` is shorter than a header.
pub fn write_header(batch: &mut [u8], header: &BatchHeader) {
    let header = BatchHeader { length: (batch.len() - LENGTH_END) as i32, ..*header };
    batch[..HEADER_BYTES].copy_from_slice(&header.encode());
    let crc = crc32c(&batch[ATTRIBUTES..]);
    batch[..HEADER_BYTES].copy_from_slice(&BatchHeader { crc, ..header }.encode());
}

/// How much smaller batches get, as the batches before tell: quick to expect less of compression, slow to expect more
/// (Kafka: `CompressionRatioEstimator`).
#[derive(Debug)]
struct CompressionRatio(f64);

impl Default for CompressionRatio {
    fn default() -> Self {
        Self(1.0)
    }
}

impl CompressionRatio {
    const WORSE: f64 = 0.05;
    const BETTER: f64 = 0.005;
    const SAFETY: f64 = 1.05;

    fn expect(&self, bytes: usize) -> usize {
        (bytes as f64 * self.0 * Self::SAFETY) as usize
    }

    fn observe(&mut self, before: usize, after: usize) {
        let seen = after as f64 / before.max(1) as f64;
        self.0 = if seen > self.0 { seen.max(self.0 + Self::WORSE) } else { seen.max(self.0 - Self::BETTER) };
    }
}

#[cfg(test)]
mod tests;
