//! Record batches, right and wrong.

use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use mainstem_protocol::{
    ProducerEpoch, ProducerId, Sequence, Timestamp,
    records::builder::write_header,
    records::{
        Attributes, BatchBuilder, BatchHeader, Compression, Headers, NewRecord, ProducerStamp,
        header::HEADER_BYTES,
    },
};

use crate::{chance::Chance, side::Side};

/// The time of records, the same in all of a run.
static NOW: LazyLock<i64> =
    LazyLock::new(|| std::time::UNIX_EPOCH.elapsed().expect("the clock is set").as_millis() as i64);

pub(crate) fn now() -> i64 {
    *NOW
}

/// What a batch is to hold.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) compression: Compression,
    pub(crate) records: Vec<RecordSpec>,
    pub(crate) producer: Option<Producer>,
    pub(crate) flaw: Flaw,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordSpec {
    key: Option<&'static str>,
    value: Option<usize>,
    has_headers: bool,
    /// Milliseconds from now.
    age: i64,
}

/// The idempotent producer of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Producer {
    pub(crate) slot: usize,
    pub(crate) sequence: i32,
    /// Added to the epoch that the producer has.
    pub(crate) epoch: i16,
    pub(crate) transactional: bool,
}

/// What is wrong with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    Empty,
    Garbage(usize),
    Checksum,
    Magic(u8),
    /// Added to the count in the header.
    Count(i32),
    LastOffsetDelta(i32),
    /// The length in the header.
    Length(i32),
    /// Bytes that are missing at the end.
    Cut(usize),
    Tail(usize),
    Twice,
    /// Attributes to set, the checksum being right.
    Attributes(i16),
    BaseOffset(i64),
    MaxTimestamp(i64),
    BaseTimestamp(i64),
    /// Producer id, epoch and sequence.
    Stamp(i64, i16, i32),
    /// A byte of the records is another, the checksum being right.
    Record(usize),
    NoRecords,
}

impl Flaw {
    /// Whether it may be that no batch can be read.
    pub(crate) const fn is_unreadable(self) -> bool {
        matches!(self, Self::Garbage(_) | Self::Magic(_) | Self::Length(_))
    }
}

const FLAWS: &[Flaw] = &[
    Flaw::Empty,
    Flaw::Garbage(1),
    Flaw::Garbage(12),
    Flaw::Garbage(60),
    Flaw::Garbage(100),
    Flaw::Checksum,
    Flaw::Magic(0),
    Flaw::Magic(1),
    Flaw::Magic(3),
    Flaw::Magic(255),
    Flaw::Count(1),
    Flaw::Count(-1),
    Flaw::Count(-1000),
    Flaw::Count(i32::MAX - 5),
    Flaw::LastOffsetDelta(1),
    Flaw::LastOffsetDelta(-1),
    Flaw::LastOffsetDelta(1000),
    Flaw::Length(0),
    Flaw::Length(-1),
    Flaw::Length(48),
    Flaw::Length(i32::MAX),
    Flaw::Cut(1),
    Flaw::Cut(20),
    Flaw::Tail(1),
    Flaw::Tail(70),
    Flaw::Twice,
    Flaw::Attributes(5),
    Flaw::Attributes(6),
    Flaw::Attributes(7),
    Flaw::Attributes(16),
    Flaw::Attributes(32),
    Flaw::Attributes(64),
    Flaw::Attributes(128),
    Flaw::Attributes(0x4000),
    Flaw::BaseOffset(77),
    Flaw::BaseOffset(-5),
    Flaw::MaxTimestamp(-1),
    Flaw::MaxTimestamp(-7),
    Flaw::MaxTimestamp(i64::MAX),
    Flaw::BaseTimestamp(-1),
    Flaw::BaseTimestamp(i64::MAX),
    Flaw::Stamp(-1, 0, 0),
    Flaw::Stamp(5_000_000, -1, 0),
    Flaw::Stamp(5_000_000, 0, -1),
    Flaw::Stamp(5_000_001, 0, 0),
    Flaw::Stamp(5_000_002, 0, 5),
    Flaw::Stamp(-2, -1, -1),
    Flaw::Record(0),
    Flaw::Record(1),
    Flaw::Record(2),
    Flaw::Record(5),
    Flaw::Record(9),
    Flaw::NoRecords,
];

impl Spec {
    /// One good record in a batch with the flaw of that number.
    pub(crate) fn flawed(number: usize) -> Self {
        let record = RecordSpec { key: Some("k"), value: Some(1), has_headers: false, age: 0 };
        let flaw = FLAWS[number % FLAWS.len()];
        Self { compression: Compression::None, records: vec![record], producer: None, flaw }
    }

    pub(crate) fn any(chance: &mut Chance) -> Self {
        let codecs =
            [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
        let compression = chance.mostly(&[Compression::None], 3, &codecs);
        let count = chance.between(1, 4) as usize;
        let records = chance.several(count, RecordSpec::any);
        let flaw = chance.mostly(&[Flaw::None], 4, FLAWS);
        let spec = Self { compression, records, producer: None, flaw };
        // Of several things that are wrong, either may be told.
        if flaw == Flaw::None { spec } else { spec.with_good_records() }
    }

    /// The same number of records, with nothing wrong in them.
    pub(crate) fn with_good_records(mut self) -> Self {
        for record in &mut self.records {
            record.age = record.age.clamp(-60_000, 5);
            record.value = record.value.map(|bytes| bytes.min(100));
        }
        self
    }

    pub(crate) fn bytes(&self, side: &Side) -> Bytes {
        match self.flaw {
            Flaw::Empty => Bytes::new(),
            Flaw::Garbage(bytes) => vec![0xab; bytes].into(),
            flaw => spoil(&self.batch(side), flaw),
        }
    }

    fn batch(&self, side: &Side) -> Bytes {
        let mut builder = BatchBuilder::new(self.compression);
        for record in &self.records {
            let value = record.value.map(|bytes| vec![b'v'; bytes]);
            let headers =
                Headers::new([(&b"h"[..], Some(&b"1"[..])), (b"h", None)]).filter(|_| record.has_headers);
            let new = NewRecord {
                timestamp: Timestamp(now() + record.age),
                key: record.key.map(str::as_bytes),
                value: value.as_deref(),
                headers: headers.as_ref().map_or_else(Default::default, Headers::as_ref),
            };
            builder.append(&new).expect("a batch has room");
        }
        builder.seal(&self.stamp(side)).expect("the records can be compressed")
    }

    fn stamp(&self, side: &Side) -> ProducerStamp {
        let Some(Producer { slot, sequence, epoch, transactional }) = self.producer else {
            return ProducerStamp::NONE;
        };
        let (producer_id, current) = side.producer(slot);
        ProducerStamp {
            producer_id,
            producer_epoch: ProducerEpoch(current.0.wrapping_add(epoch)),
            base_sequence: Sequence(sequence),
            transactional,
        }
    }
}

impl RecordSpec {
    fn any(chance: &mut Chance) -> Self {
        Self {
            key: chance.one_of(&[None, Some("k"), Some("kk"), Some("")]),
            value: chance.mostly(&[None, Some(0), Some(1), Some(40)], 40, &[Some(2_000), Some(1_100_000)]),
            has_headers: chance.once_in(4),
            age: chance.mostly(&[0, 1, -1, 5, -60_000], 20, &[7_200_000, -86_400_000]),
        }
    }
}

fn spoil(batch: &Bytes, flaw: Flaw) -> Bytes {
    let mut bytes = BytesMut::from(&batch[..]);
    let header = BatchHeader::parse(batch).expect("a batch was made");
    match flaw {
        Flaw::None | Flaw::Empty | Flaw::Garbage(_) => {}
        Flaw::Checksum => bytes[17] ^= 1,
        Flaw::Magic(magic) => bytes[16] = magic,
        Flaw::Length(length) => bytes[8..12].copy_from_slice(&length.to_be_bytes()),
        Flaw::Cut(missing) => bytes.truncate(batch.len() - missing),
        Flaw::Tail(more) => bytes.resize(batch.len() + more, 0),
        Flaw::Twice => bytes.extend_from_slice(batch),
        Flaw::NoRecords => {
            bytes.truncate(HEADER_BYTES);
            write_header(&mut bytes, &BatchHeader { record_count: 0, last_offset_delta: 0, ..header });
        }
        Flaw::Record(at) => {
            let last = bytes.len() - 1;
            bytes[(HEADER_BYTES + at).min(last)] ^= 0x11;
            write_header(&mut bytes, &header);
        }
        flaw => write_header(&mut bytes, &with_flaw(header, flaw)),
    }
    bytes.freeze()
}

fn with_flaw(header: BatchHeader, flaw: Flaw) -> BatchHeader {
    match flaw {
        Flaw::Count(more) => BatchHeader { record_count: header.record_count.wrapping_add(more), ..header },
        Flaw::LastOffsetDelta(more) => {
            BatchHeader { last_offset_delta: header.last_offset_delta.wrapping_add(more), ..header }
        }
        Flaw::Attributes(bits) => {
            BatchHeader { attributes: Attributes(header.attributes.0 | bits), ..header }
        }
        Flaw::BaseOffset(offset) => BatchHeader { base_offset: offset.into(), ..header },
        Flaw::MaxTimestamp(time) => BatchHeader { max_timestamp: Timestamp(time), ..header },
        Flaw::BaseTimestamp(time) => BatchHeader { base_timestamp: Timestamp(time), ..header },
        Flaw::Stamp(id, epoch, sequence) => BatchHeader {
            producer_id: ProducerId(id),
            producer_epoch: ProducerEpoch(epoch),
            base_sequence: Sequence(sequence),
            ..header
        },
        _ => header,
    }
}
