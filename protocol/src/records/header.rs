//! The header of a batch (Kafka: `DefaultRecordBatch`), all numbers big-endian:
//!
//! ```text
//!  at  size                        at  size
//!   0     8  base offset           27     8  base timestamp, or delete horizon
//!   8     4  length from here on   35     8  max timestamp
//!  12     4  leader epoch          43     8  producer id
//!  16     1  magic, 2              51     2  producer epoch
//!  17     4  CRC-32C of 21..       53     4  base sequence
//!  21     2  attributes            57     4  record count
//!  23     4  last offset delta     61        records
//! ```
//!
//! The checksum begins behind what a broker changes in every batch: base offset and leader epoch are patched
//! without it.

use super::{
    attributes::{Attributes, TimestampType},
    crc::{crc32c, crc32c_combine},
};
use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// Bytes before the records.
pub const HEADER_BYTES: usize = 61;

/// Bytes before those that the length field counts.
pub const LENGTH_END: usize = 12;

/// The batch format that is spoken; 0 and 1 went away with Kafka 4.0 (KIP-724).
pub const MAGIC: u8 = 2;

pub(super) const LENGTH: usize = 8;
const LEADER_EPOCH: usize = 12;
pub(super) const MAGIC_AT: usize = 16;
const CRC: usize = 17;
/// Where the attributes stand, and what the checksum covers begins.
pub(super) const ATTRIBUTES: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;
const BASE_TIMESTAMP: usize = 27;
const MAX_TIMESTAMP: usize = 35;
const PRODUCER_ID: usize = 43;
const PRODUCER_EPOCH: usize = 51;
const BASE_SEQUENCE: usize = 53;
const RECORD_COUNT: usize = 57;

/// Why bytes do not begin with the header of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The bytes end before the batch does.
    #[error("batch ends too early: {wanted} bytes wanted, {left} left")]
    Truncated {
        /// Bytes that the header or the whole batch needs.
        wanted: usize,
        /// Bytes that there are.
        left: usize,
    },
    /// A batch shorter than its header.
    #[error("batch length {0} is less than that of a header")]
    LengthTooSmall(i32),
    /// A format other than 2.
    #[error("batch format {0} is not supported")]
    UnsupportedMagic(u8),
}

/// What a batch says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record; of the first that there was, where compaction dropped some.
    pub base_offset: Offset,
    /// Bytes behind the length field; at least 49.
    pub length: i32,
    /// The epoch of the leader that appended the batch.
    pub leader_epoch: LeaderEpoch,
    /// The CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Compression and flags.
    pub attributes: Attributes,
    /// The offset of the last record, counted from the base offset. Survives compaction.
    pub last_offset_delta: i32,
    /// What the timestamps of records are counted from; with a delete horizon it is that horizon.
    pub base_timestamp: Timestamp,
    /// The largest timestamp of the records.
    pub max_timestamp: Timestamp,
    /// The producer, where it is idempotent.
    pub producer_id: ProducerId,
    /// The producer's epoch.
    pub producer_epoch: ProducerEpoch,
    /// The sequence of the first record.
    pub base_sequence: Sequence,
    /// Records in the batch; 0 where compaction kept the header alone.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, which need not hold the records. The checksum is not looked at.
    ///
    /// # Errors
    /// Where the bytes are too few, the format is not 2, or the length leaves no room for a header.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let truncated = HeaderError::Truncated { wanted: HEADER_BYTES, left: bytes.len() };
        let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(truncated)?;
        let parsed = Self::read(header);
        if header[MAGIC_AT] != MAGIC {
            return Err(HeaderError::UnsupportedMagic(header[MAGIC_AT]));
        }
        if parsed.length < (HEADER_BYTES - LENGTH_END) as i32 {
            return Err(HeaderError::LengthTooSmall(parsed.length));
        }
        Ok(parsed)
    }

    fn read(header: &[u8; HEADER_BYTES]) -> Self {
        Self {
            base_offset: Offset(i64::from_be_bytes(field(header, 0))),
            length: i32::from_be_bytes(field(header, LENGTH)),
            leader_epoch: LeaderEpoch(i32::from_be_bytes(field(header, LEADER_EPOCH))),
            crc: u32::from_be_bytes(field(header, CRC)),
            attributes: Attributes(i16::from_be_bytes(field(header, ATTRIBUTES))),
            last_offset_delta: i32::from_be_bytes(field(header, LAST_OFFSET_DELTA)),
            base_timestamp: Timestamp(i64::from_be_bytes(field(header, BASE_TIMESTAMP))),
            max_timestamp: Timestamp(i64::from_be_bytes(field(header, MAX_TIMESTAMP))),
            producer_id: ProducerId(i64::from_be_bytes(field(header, PRODUCER_ID))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(field(header, PRODUCER_EPOCH))),
            base_sequence: Sequence(i32::from_be_bytes(field(header, BASE_SEQUENCE))),
            record_count: i32::from_be_bytes(field(header, RECORD_COUNT)),
        }
    }

    /// The header as it stands on the wire and on disk.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        put(&mut header, 0, self.base_offset.0.to_be_bytes());
        put(&mut header, LENGTH, self.length.to_be_bytes());
        put(&mut header, LEADER_EPOCH, self.leader_epoch.0.to_be_bytes());
        put(&mut header, MAGIC_AT, [MAGIC]);
        put(&mut header, CRC, self.crc.to_be_bytes());
        put(&mut header, ATTRIBUTES, self.attributes.0.to_be_bytes());
        put(&mut header, LAST_OFFSET_DELTA, self.last_offset_delta.to_be_bytes());
        put(&mut header, BASE_TIMESTAMP, self.base_timestamp.0.to_be_bytes());
        put(&mut header, MAX_TIMESTAMP, self.max_timestamp.0.to_be_bytes());
        put(&mut header, PRODUCER_ID, self.producer_id.0.to_be_bytes());
        put(&mut header, PRODUCER_EPOCH, self.producer_epoch.0.to_be_bytes());
        put(&mut header, BASE_SEQUENCE, self.base_sequence.0.to_be_bytes());
        put(&mut header, RECORD_COUNT, self.record_count.to_be_bytes());
        header
    }

    /// Bytes of the whole batch, header and records.
    #[must_use]
    pub const fn size(&self) -> usize {
        LENGTH_END.saturating_add_signed(self.length as isize)
    }

    /// Bytes of the records, as they are compressed.
    #[must_use]
    pub const fn records_size(&self) -> usize {
        self.size().saturating_sub(HEADER_BYTES)
    }

    /// The offset of the last record.
    #[must_use]
    pub const fn last_offset(&self) -> Offset {
        self.base_offset.plus(self.last_offset_delta as i64)
    }

    /// The offset behind the batch.
    #[must_use]
    pub const fn next_offset(&self) -> Offset {
        self.last_offset().next()
    }

    /// The sequence of the last record; none where the batch has no sequence.
    #[must_use]
    pub const fn last_sequence(&self) -> Sequence {
        if self.base_sequence.0 < 0 || self.last_offset_delta < 0 {
            return Sequence::NONE;
        }
        self.base_sequence.plus(self.last_offset_delta)
    }

    /// The time from which the batch's tombstones and markers may be dropped (KIP-534).
    #[must_use]
    pub fn delete_horizon(&self) -> Option<Timestamp> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp)
    }
}

/// Gives a batch its place in the log. The checksum does not cover it.
pub fn patch_base_offset(header: &mut [u8; HEADER_BYTES], base_offset: Offset) {
    put(header, 0, base_offset.0.to_be_bytes());
}

/// Notes under which leadership a batch was appended. The checksum does not cover it.
pub fn patch_leader_epoch(header: &mut [u8; HEADER_BYTES], leader_epoch: LeaderEpoch) {
    put(header, LEADER_EPOCH, leader_epoch.0.to_be_bytes());
}

/// Replaces the largest timestamp and says whose it is: the producer's where the header had it wrong, the broker's
/// for `LogAppendTime`. The checksum stays right if it was right before; the records are not needed for that.
pub fn patch_timestamp(
    header: &mut [u8; HEADER_BYTES],
    timestamp_type: TimestampType,
    max_timestamp: Timestamp,
) {
    let before = crc32c(&header[ATTRIBUTES..]);
    let attributes = Attributes(i16::from_be_bytes(field(header, ATTRIBUTES)));
    put(header, ATTRIBUTES, attributes.with_timestamp_type(timestamp_type).0.to_be_bytes());
    put(header, MAX_TIMESTAMP, max_timestamp.0.to_be_bytes());
    repair_crc(header, before);
}

/// A checksum is linear: what changes in it depends on the bits that changed and on how many bytes follow them.
fn repair_crc(header: &mut [u8; HEADER_BYTES], before: u32) {
    let records = BatchHeader::read(header).records_size();
    let crc = u32::from_be_bytes(field(header, CRC));
    let changed = before ^ crc32c(&header[ATTRIBUTES..]);
    put(header, CRC, crc32c_combine(changed, crc, records).to_be_bytes());
}

fn field<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}

fn put<const N: usize>(header: &mut [u8; HEADER_BYTES], at: usize, bytes: [u8; N]) {
    header[at..at + N].copy_from_slice(&bytes);
}

#[cfg(test)]
mod tests {
    use super::{super::Compression, *};

    fn header() -> BatchHeader {
        BatchHeader {
            base_offset: Offset(0x0102_0304_0506_0708),
            length: 49 + 9,
            leader_epoch: LeaderEpoch(0x1112_1314),
            crc: 0,
            attributes: Attributes::new(Compression::Lz4).with_transactional(true),
            last_offset_delta: 4,
            base_timestamp: Timestamp(1_700_000_000_000),
            max_timestamp: Timestamp(1_700_000_000_007),
            producer_id: ProducerId(77),
            producer_epoch: ProducerEpoch(3),
            base_sequence: Sequence(i32::MAX - 1),
            record_count: 5,
        }
    }

    fn sealed() -> ([u8; HEADER_BYTES], &'static [u8]) {
        let records = b"123456789";
        let crc = crc32c(&[&header().encode()[ATTRIBUTES..], records].concat());
        (BatchHeader { crc, ..header() }.encode(), records)
    }

    #[test]
    fn header_reads_back_as_written() {
        assert_eq!(BatchHeader::parse(&header().encode()), Ok(header()));
    }

    #[test]
    fn header_stands_where_kafka_puts_it() {
        let bytes = header().encode();
        assert_eq!(bytes[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(bytes[8..12], [0, 0, 0, 58]);
        assert_eq!(bytes[12..17], [0x11, 0x12, 0x13, 0x14, 2]);
        assert_eq!(bytes[21..27], [0, 0b1_0011, 0, 0, 0, 4]);
        assert_eq!(bytes[43..], [0, 0, 0, 0, 0, 0, 0, 77, 0, 3, 0x7f, 0xff, 0xff, 0xfe, 0, 0, 0, 5]);
    }

    #[test]
    fn derived_numbers_follow_from_the_fields() {
        let header = BatchHeader { base_offset: Offset(100), ..header() };
        assert_eq!((header.size(), header.records_size()), (70, 9));
        assert_eq!((header.last_offset(), header.next_offset()), (Offset(104), Offset(105)));
        assert_eq!(header.last_sequence(), Sequence(2));
        assert_eq!(header.delete_horizon(), None);
    }

    #[test]
    fn bytes_that_are_no_header_are_refused() {
        let bytes = header().encode();
        let with = |at: usize, value: u8| {
            let mut bytes = bytes;
            bytes[at] = value;
            BatchHeader::parse(&bytes)
        };
        assert_eq!(BatchHeader::parse(&bytes[..60]), Err(HeaderError::Truncated { wanted: 61, left: 60 }));
        assert_eq!(with(16, 1), Err(HeaderError::UnsupportedMagic(1)));
        assert_eq!(with(11, 48), Err(HeaderError::LengthTooSmall(48)));
        assert!(matches!(with(8, 0x80), Err(HeaderError::LengthTooSmall(..0))));
    }

    #[test]
    fn place_and_epoch_are_patched_without_the_checksum() {
        let (mut bytes, _) = sealed();
        let before = BatchHeader::parse(&bytes).unwrap();
        patch_base_offset(&mut bytes, Offset(9));
        patch_leader_epoch(&mut bytes, LeaderEpoch(8));
        let expected = BatchHeader { base_offset: Offset(9), leader_epoch: LeaderEpoch(8), ..before };
        assert_eq!(BatchHeader::parse(&bytes), Ok(expected));
    }

    #[test]
    fn timestamp_patch_keeps_the_checksum_right() {
        let (mut bytes, records) = sealed();
        patch_timestamp(&mut bytes, TimestampType::LogAppendTime, Timestamp(i64::MAX - 5));
        let header = BatchHeader::parse(&bytes).unwrap();
        assert_eq!(header.attributes.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(header.max_timestamp, Timestamp(i64::MAX - 5));
        assert_eq!(header.crc, crc32c(&[&bytes[ATTRIBUTES..], records].concat()));
    }
}
