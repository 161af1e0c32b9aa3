//! What a broker checks in the batch of a producer before it appends it (Kafka: `ProduceRequest.validateRecords`,
//! `UnifiedLog.analyzeAndValidateRecords`, `LogValidator`).
//!
//! One pass. Records that are not compressed are looked at where they lie; compressed ones go through a window, so
//! that a batch which yields much costs time, but not memory.

use std::{
    io::{self, BufRead, Read},
    ops::RangeInclusive,
};

use bytes::Bytes;

use super::{
    attributes::{Compression, TimestampType, UnknownCompressionError},
    batch::Batch,
    compression::{DecompressError, Decompressor, KEPT_BYTES_MAX, malformed},
    header::{BatchHeader, HeaderError, LENGTH, LENGTH_END, MAGIC_AT},
    record::{RecordError, RecordRef},
    varint::{VARINT_BYTES_MAX, take_varint},
};
use crate::{
    caps,
    error_code::ErrorCode,
    ids::{Offset, ProducerId, Timestamp},
};

/// Why a broker refuses a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidateError {
    /// There is no batch where one must be.
    #[error("there is no record batch")]
    NoBatch,
    /// A producer sends one batch for a partition, and nothing behind it.
    #[error("{0} bytes are left behind the record batch")]
    MoreThanOneBatch(usize),
    /// The bytes do not begin with a batch.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The bytes were changed on their way.
    #[error("checksum is {computed:#010x} instead of {stated:#010x}")]
    Checksum {
        /// What the header says.
        stated: u32,
        /// What the bytes have.
        computed: u32,
    },
    /// Offsets are the broker's to give.
    #[error("base offset is {0} instead of 0")]
    BaseOffset(Offset),
    /// The header counts no records, or other ones than it has offsets for.
    #[error("record count {count} does not fit the last offset delta {last_offset_delta}")]
    RecordCount {
        /// Records that the header counts.
        count: i32,
        /// The last offset that the header has, from 0.
        last_offset_delta: i32,
    },
    /// Control batches are the broker's to write.
    #[error("producers must not write control records")]
    Control,
    /// An idempotent producer numbers its records.
    #[error("batch of producer {0} has no sequence")]
    MissingSequence(ProducerId),
    /// Log append times are the broker's to set.
    #[error("producers must not set log append times")]
    LogAppendTime,
    /// The attributes name no compression.
    #[error(transparent)]
    Compression(#[from] UnknownCompressionError),
    /// The records do not decompress.
    #[error(transparent)]
    Decompress(#[from] DecompressError),
    /// A record is malformed.
    #[error("record {index}: {error}")]
    Record {
        /// The record, from 0.
        index: i32,
        /// What is wrong in it.
        error: RecordError,
    },
    /// Offsets within a batch rise by one.
    #[error("record {index} has the offset delta {offset_delta}")]
    OffsetDelta {
        /// The record, from 0.
        index: i32,
        /// What it says.
        offset_delta: i32,
    },
    /// A timestamp is too far from the broker's.
    #[error("record {index} has the timestamp {timestamp}, which is out of range")]
    Timestamp {
        /// The record, from 0.
        index: i32,
        /// What it says.
        timestamp: Timestamp,
    },
}

impl ValidateError {
    /// The code that the producer gets. What a repetition cannot mend is not retriable.
    #[must_use]
    pub const fn error_code(&self) -> ErrorCode {
        match self {
            // Of formats that there never were nothing else can be said.
            Self::Checksum { .. }
            | Self::Header(HeaderError::LengthTooSmall(_))
            | Self::Header(HeaderError::UnsupportedMagic(3..)) => ErrorCode::CORRUPT_MESSAGE,
            Self::LogAppendTime | Self::Timestamp { .. } => ErrorCode::INVALID_TIMESTAMP,
            Self::Compression(_) => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            // Java's producer splits the batch and sends the parts.
            Self::Decompress(DecompressError::TooLarge { .. }) => ErrorCode::MESSAGE_TOO_LARGE,
            _ => ErrorCode::INVALID_RECORD,
        }
    }

    /// Which record is wrong, from 0, where it is one (KIP-467: `RecordErrors` of the produce response).
    #[must_use]
    pub const fn record_index(&self) -> Option<i32> {
        match self {
            Self::Record { index, .. } | Self::OffsetDelta { index, .. } | Self::Timestamp { index, .. } => {
                Some(*index)
            }
            _ => None,
        }
    }
}

/// What may differ from topic to topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Timestamps that records may have, besides -1 for none.
    pub timestamps: RangeInclusive<Timestamp>,
    /// Bytes that the records may have when they are not compressed.
    pub decompressed_bytes_max: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            timestamps: Timestamp(i64::MIN)..=Timestamp(i64::MAX),
            decompressed_bytes_max: caps::DECOMPRESSED_BYTES_MAX,
        }
    }
}

/// What a pass over the records of a batch found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Records; as many as the header says.
    pub record_count: i32,
    /// The largest timestamp of a record, -1 where none has one. The header may say otherwise, and is wrong then.
    pub max_timestamp: Timestamp,
    /// The first record with that timestamp, from 0.
    pub max_timestamp_index: i32,
    /// The first record without a key, from 0: a compacted topic refuses the batch.
    pub first_without_key: Option<i32>,
    /// Bytes of the records when they are not compressed.
    pub records_bytes: usize,
}

/// The one batch that a producer may send for a partition. Checksum and records are not looked at.
///
/// # Errors
/// Where there is no whole batch, or another one behind it.
pub fn only_batch(mut records: Bytes) -> Result<Batch, ValidateError> {
    if records.is_empty() {
        return Err(ValidateError::NoBatch);
    }
    check_front(&records)?;
    let batch = Batch::split_from(&mut records)?;
    check_behind(&records)?;
    Ok(batch)
}

/// Too few bytes for another batch are left out of the log (Kafka: `ByteBufferLogInputStream.nextBatch`,
/// `UnifiedLog.trimInvalidBytes`).
fn check_behind(rest: &[u8]) -> Result<(), ValidateError> {
    let Some(length) = rest.get(LENGTH..).and_then(<[u8]>::first_chunk) else { return Ok(()) };
    let length = i32::from_be_bytes(*length);
    if length < OLDEST_LENGTH_MIN {
        return Err(HeaderError::LengthTooSmall(length).into());
    }
    match rest.get(MAGIC_AT) {
        Some(magic @ 3..) => Err(HeaderError::UnsupportedMagic(*magic).into()),
        Some(_) if rest.len() - LENGTH_END >= length as usize => {
            Err(ValidateError::MoreThanOneBatch(rest.len()))
        }
        _ => Ok(()),
    }
}

/// A length that no batch of any format has is told before the format, of which it may say nothing
/// (Kafka: `ByteBufferLogInputStream.nextBatchSize`).
fn check_front(records: &[u8]) -> Result<(), HeaderError> {
    let Some(length) = records.get(LENGTH..).and_then(<[u8]>::first_chunk) else { return Ok(()) };
    let length = i32::from_be_bytes(*length);
    if length < OLDEST_LENGTH_MIN { Err(HeaderError::LengthTooSmall(length)) } else { Ok(()) }
}

/// Bytes behind the length field of the smallest message that there ever was, of format 0.
const OLDEST_LENGTH_MIN: i32 = 14;

/// Checks batch after batch with the same buffers.
#[derive(Debug, Default)]
pub struct Validator {
    decompressor: Decompressor,
    carry: Vec<u8>,
}

impl Validator {
    /// A validator. Buffers come when they are needed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks everything that a producer's batch must keep to: checksum, header, each record.
    ///
    /// # Errors
    /// Where it does not; [`ValidateError::error_code`] is what the producer gets.
    pub fn check(&mut self, batch: &Batch, rules: &Rules) -> Result<Summary, ValidateError> {
        let header = batch.header();
        check_checksum(batch)?;
        check_header(header)?;
        let payload = batch.payload();
        let mut pass = Pass::new(header, rules, self.carry_of_few_bytes());
        match header.attributes.compression()? {
            // Slices are sources themselves: the compiler makes a tight loop of them.
            Compression::None => pass.run(Compression::None, &mut &payload[..])?,
            compression => {
                let limit = rules.decompressed_bytes_max;
                let mut stream = self.decompressor.stream(compression, &payload, limit)?;
                pass.run(compression, &mut stream)?;
            }
        }
        let Pass { summary, carry, .. } = pass;
        self.carry = carry;
        Ok(summary)
    }

    fn carry_of_few_bytes(&mut self) -> Vec<u8> {
        let mut carry = std::mem::take(&mut self.carry);
        carry.clear();
        carry.shrink_to(KEPT_BYTES_MAX);
        carry
    }
}

fn check_checksum(batch: &Batch) -> Result<(), ValidateError> {
    let (stated, computed) = (batch.header().crc, batch.computed_crc());
    if stated == computed { Ok(()) } else { Err(ValidateError::Checksum { stated, computed }) }
}

fn check_header(header: &BatchHeader) -> Result<(), ValidateError> {
    let BatchHeader { base_offset, record_count: count, last_offset_delta, .. } = *header;
    if base_offset != Offset::ZERO {
        return Err(ValidateError::BaseOffset(base_offset));
    }
    if count <= 0 || last_offset_delta != count - 1 {
        return Err(ValidateError::RecordCount { count, last_offset_delta });
    }
    if header.attributes.is_control() {
        return Err(ValidateError::Control);
    }
    if header.producer_id.is_some() && header.base_sequence.0 < 0 {
        return Err(ValidateError::MissingSequence(header.producer_id));
    }
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        return Err(ValidateError::LogAppendTime);
    }
    Ok(())
}

/// One way through the records of a batch.
struct Pass<'a> {
    header: &'a BatchHeader,
    rules: &'a Rules,
    summary: Summary,
    carry: Vec<u8>,
}

/// Why a pass ends early.
enum PassError {
    Source(io::Error),
    Record(RecordError),
    TooLarge,
}

impl From<io::Error> for PassError {
    fn from(error: io::Error) -> Self {
        Self::Source(error)
    }
}

impl From<RecordError> for PassError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl<'a> Pass<'a> {
    const fn new(header: &'a BatchHeader, rules: &'a Rules, carry: Vec<u8>) -> Self {
        let summary = Summary {
            record_count: header.record_count,
            max_timestamp: Timestamp::NONE,
            max_timestamp_index: 0,
            first_without_key: None,
            records_bytes: 0,
        };
        Self { header, rules, summary, carry }
    }

    fn run(&mut self, compression: Compression, source: &mut impl BufRead) -> Result<(), ValidateError> {
        for index in 0..self.header.record_count {
            let facts = self.read(source).map_err(|error| self.explain(compression, index, error))?;
            self.note(index, facts)?;
        }
        let at_end = source.fill_buf().map(<[u8]>::is_empty);
        match at_end.map_err(PassError::Source) {
            Ok(true) => Ok(()),
            Ok(false) => Err(PassError::Record(RecordError::BatchTrailing)),
            Err(error) => Err(error),
        }
        .map_err(|error| self.explain(compression, self.header.record_count - 1, error))
    }

    fn explain(&self, compression: Compression, index: i32, error: PassError) -> ValidateError {
        match error {
            PassError::Record(error) => ValidateError::Record { index, error },
            PassError::Source(error) => malformed(compression, &error).into(),
            PassError::TooLarge => {
                DecompressError::TooLarge { limit: self.rules.decompressed_bytes_max }.into()
            }
        }
    }

    /// Nearly every record lies whole in the source's buffer; one that does not is put together in `carry`.
    fn read(&mut self, source: &mut impl BufRead) -> Result<Facts, PassError> {
        let buffered = source.fill_buf()?;
        if let Some(size) = whole_record(buffered) {
            self.count(size)?;
            let facts = Facts::of(buffered)?;
            source.consume(size);
            return Ok(facts);
        }
        self.carry_over(source)?;
        Ok(Facts::of(&self.carry)?)
    }

    fn carry_over(&mut self, source: &mut impl BufRead) -> Result<(), PassError> {
        self.carry.clear();
        read_varint(source, &mut self.carry)?;
        let length = take_varint(&mut &self.carry[..]).map_err(RecordError::from)?;
        let length = usize::try_from(length).map_err(|_| RecordError::NegativeLength(length))?;
        // Grows with what comes, not with what is promised; one byte more than allowed is enough to notice.
        let allowed = self.rules.decompressed_bytes_max - self.summary.records_bytes;
        source.take(length.min(allowed.saturating_add(1)) as u64).read_to_end(&mut self.carry)?;
        self.count(self.carry.len())
    }

    const fn count(&mut self, bytes: usize) -> Result<(), PassError> {
        self.summary.records_bytes = self.summary.records_bytes.saturating_add(bytes);
        if self.summary.records_bytes > self.rules.decompressed_bytes_max {
            return Err(PassError::TooLarge);
        }
        Ok(())
    }

    fn note(&mut self, index: i32, facts: Facts) -> Result<(), ValidateError> {
        let Facts { timestamp_delta, offset_delta, has_key } = facts;
        if offset_delta != index {
            return Err(ValidateError::OffsetDelta { index, offset_delta });
        }
        let timestamp = Timestamp(self.header.base_timestamp.0.wrapping_add(timestamp_delta));
        if timestamp != Timestamp::NONE && !self.rules.timestamps.contains(&timestamp) {
            return Err(ValidateError::Timestamp { index, timestamp });
        }
        if timestamp > self.summary.max_timestamp {
            (self.summary.max_timestamp, self.summary.max_timestamp_index) = (timestamp, index);
        }
        if !has_key && self.summary.first_without_key.is_none() {
            self.summary.first_without_key = Some(index);
        }
        Ok(())
    }
}

/// What is of interest in a record.
struct Facts {
    timestamp_delta: i64,
    offset_delta: i32,
    has_key: bool,
}

impl Facts {
    fn of(mut bytes: &[u8]) -> Result<Self, RecordError> {
        let RecordRef { timestamp_delta, offset_delta, key, .. } = RecordRef::split_from(&mut bytes)?;
        Ok(Self { timestamp_delta, offset_delta, has_key: key.is_some() })
    }
}

/// Bytes of the record at the front, if all of it is there.
fn whole_record(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    let length = usize::try_from(take_varint(&mut rest).ok()?).ok()?;
    (length <= rest.len()).then(|| bytes.len() - rest.len() + length)
}

/// Moves the bytes of a varint over; stops where the source ends.
fn read_varint(source: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<()> {
    while bytes.len() < VARINT_BYTES_MAX && bytes.last().is_none_or(|byte| byte & 0x80 != 0) {
        let Some(byte) = source.fill_buf()?.first().copied() else {
            return Ok(());
        };
        source.consume(1);
        bytes.push(byte);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
