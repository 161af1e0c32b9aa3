//! Drops records from batches, as compaction does (Kafka: `MemoryRecords.filterTo`).
//!
//! Whatever is dropped, offsets and sequences stay as they are: the base offset, the offset of the last record and
//! the base sequence are those of the batch as it was, so the next fetch and the next duplicate find their places.

use bytes::Bytes;

use super::{
    attributes::{Attributes, Compression, TimestampType},
    batch::{Batch, OpenBatch, OpenError},
    builder::write_header,
    compression::{CompressError, Compressor, Decompressor, KEPT_BYTES_MAX},
    header::{BatchHeader, HEADER_BYTES},
    record::{RecordError, RecordRef},
};
use crate::{caps, ids::Timestamp};

/// Why a batch cannot be filtered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The records cannot be got at.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A record is malformed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// What is left cannot be compressed.
    #[error(transparent)]
    Compress(#[from] CompressError),
}

/// What is left of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filtered {
    /// Every record, and nothing was to be noted: the batch stays as it is.
    Unchanged,
    /// Some records, in a batch of their own.
    Rewritten(Bytes),
    /// No record. Whoever needs the header all the same takes [`header_alone`].
    Nothing,
}

/// Whether a batch notes from when on what it holds may go (KIP-534). The first note counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Horizon {
    /// It does not.
    #[default]
    Unset,
    /// This time, where a tombstone is among the records that stay.
    Tombstones(Timestamp),
    /// This time, whatever stays.
    Batch(Timestamp),
}

impl Horizon {
    const fn of(self, has_tombstones: bool) -> Option<Timestamp> {
        match self {
            Self::Batch(horizon) => Some(horizon),
            Self::Tombstones(horizon) if has_tombstones => Some(horizon),
            Self::Unset | Self::Tombstones(_) => None,
        }
    }
}

/// Filters batch after batch with the same buffers.
#[derive(Debug, Default)]
pub struct Filter {
    decompressor: Decompressor,
    compressor: Compressor,
    records: Vec<u8>,
    /// Which records of the batch stay.
    stays: Vec<bool>,
}

impl Filter {
    /// A filter. Buffers come when they are needed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Drops the records that are not to be kept.
    ///
    /// # Errors
    /// Where the batch is malformed, or compression runs out of memory.
    pub fn filter(
        &mut self,
        batch: &Batch,
        horizon: Horizon,
        mut keep: impl FnMut(&OpenBatch, &RecordRef<'_>) -> bool,
    ) -> Result<Filtered, FilterError> {
        let open = batch.open(&mut self.decompressor, caps::DECOMPRESSED_BYTES_MAX)?;
        let has_tombstones = self.choose(&open, &mut keep)?;
        if !self.stays.contains(&true) {
            return Ok(Filtered::Nothing);
        }
        let horizon = horizon.of(has_tombstones).filter(|_| batch.header().delete_horizon().is_none());
        if horizon.is_none() && !self.stays.contains(&false) {
            return Ok(Filtered::Unchanged);
        }
        let header = self.gather(&open, horizon)?;
        Ok(Filtered::Rewritten(self.seal(&header)?))
    }

    /// Asks which records stay; yields whether a tombstone is among them.
    fn choose(
        &mut self,
        open: &OpenBatch,
        keep: &mut impl FnMut(&OpenBatch, &RecordRef<'_>) -> bool,
    ) -> Result<bool, RecordError> {
        let mut has_tombstones = false;
        self.stays.clear();
        for record in open.refs() {
            let record = record?;
            let stays = keep(open, &record);
            has_tombstones |= stays && record.value.is_none();
            self.stays.push(stays);
        }
        Ok(has_tombstones)
    }

    /// Puts the records that stay into `records`; yields the header that goes with them.
    fn gather(&mut self, open: &OpenBatch, horizon: Option<Timestamp>) -> Result<BatchHeader, RecordError> {
        let mut header = header_with(open.header(), horizon);
        let shift = open.header().base_timestamp.0.wrapping_sub(header.base_timestamp.0);
        self.records.clear();
        self.records.shrink_to(KEPT_BYTES_MAX);
        for (record, _) in open.refs().zip(&self.stays).filter(|(_, stays)| **stays) {
            let record = record?;
            header.record_count += 1;
            header.max_timestamp = header.max_timestamp.max(open.timestamp(&record));
            let timestamp_delta = record.timestamp_delta.wrapping_add(shift);
            RecordRef { timestamp_delta, ..record }.put(&mut self.records);
        }
        Ok(header)
    }

    fn seal(&mut self, header: &BatchHeader) -> Result<Bytes, FilterError> {
        let compression = header.attributes.compression().map_err(OpenError::from)?;
        let mut batch = vec![0; HEADER_BYTES];
        self.compressor.compress(compression, &self.records, &mut batch)?;
        write_header(&mut batch, header);
        Ok(batch.into())
    }
}

/// The header of a batch that has no records yet. Its largest timestamp is that of the records that stay, or with
/// `LogAppendTime` that of the batch.
fn header_with(header: &BatchHeader, horizon: Option<Timestamp>) -> BatchHeader {
    let is_own_time = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
    BatchHeader {
        attributes: header
            .attributes
            .with_delete_horizon(horizon.or_else(|| header.delete_horizon()).is_some()),
        base_timestamp: horizon.unwrap_or(header.base_timestamp),
        max_timestamp: if is_own_time { header.max_timestamp } else { Timestamp(i64::MIN) },
        record_count: 0,
        ..*header
    }
}

/// A batch without records that keeps what the header says: the last sequence of a producer, the end of the log.
#[must_use]
pub fn header_alone(header: &BatchHeader) -> Bytes {
    let plain = Attributes::new(Compression::None)
        .with_timestamp_type(header.attributes.timestamp_type())
        .with_transactional(header.attributes.is_transactional())
        .with_control(header.attributes.is_control());
    let base_timestamp = header.max_timestamp;
    let mut batch = vec![0; HEADER_BYTES];
    write_header(&mut batch, &BatchHeader { attributes: plain, base_timestamp, record_count: 0, ..*header });
    batch.into()
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};
    use crate::ids::{Offset, ProducerEpoch, ProducerId, Sequence};

    const STAMP: ProducerStamp = ProducerStamp {
        producer_id: ProducerId(4),
        producer_epoch: ProducerEpoch(1),
        base_sequence: Sequence(10),
        transactional: true,
    };

    /// Five records at the offsets 100 to 104 with the timestamps 1000 to 1004.
    fn batch(compression: Compression) -> Batch {
        let mut builder = BatchBuilder::new(compression);
        let headers = Headers::new([(&b"h"[..], None), (b"h", Some(&b"1"[..]))]).unwrap();
        for at in 0..5_u8 {
            let (key, value) = ([at], [at; 100]);
            let (timestamp, headers) = (Timestamp(1000 + i64::from(at)), headers.as_ref());
            let record = NewRecord { timestamp, key: Some(&key), value: Some(&value), headers };
            builder.append(&record).unwrap();
        }
        let mut bytes = builder.seal(&STAMP).unwrap().to_vec();
        header::patch_base_offset(bytes.first_chunk_mut().unwrap(), Offset(100));
        only_batch(bytes.into()).unwrap()
    }

    fn filter(batch: &Batch, horizon: Option<Timestamp>, kept: &[i64]) -> Filtered {
        let keep = |open: &OpenBatch, record: &RecordRef<'_>| kept.contains(&open.offset(record).0);
        let horizon = horizon.map_or(Horizon::Unset, Horizon::Batch);
        Filter::new().filter(batch, horizon, keep).unwrap()
    }

    fn records(batch: &Batch) -> Vec<Record> {
        let open = batch.open(&mut Decompressor::new(), 1 << 20).unwrap();
        open.records().collect::<Result<_, _>>().unwrap()
    }

    fn rewritten(filtered: Filtered) -> Batch {
        let Filtered::Rewritten(bytes) = filtered else { panic!("{filtered:?}") };
        only_batch(bytes).unwrap()
    }

    #[test]
    fn what_stays_keeps_its_place_and_its_time() {
        for compression in Compression::ALL {
            let before = batch(compression);
            for horizon in [None, Some(Timestamp(99_999))] {
                let after = rewritten(filter(&before, horizon, &[101, 103]));
                assert!(after.is_intact());
                let all = records(&before);
                assert_eq!(records(&after), [all[1].clone(), all[3].clone()]);
                assert_eq!(after.header().last_offset(), Offset(104));
                assert_eq!(after.header().last_sequence(), Sequence(14));
                assert_eq!(after.header().max_timestamp, Timestamp(1003));
                assert_eq!(after.header().delete_horizon(), horizon);
                assert_eq!(after.header().attributes.compression(), Ok(compression));
                assert!(after.header().attributes.is_transactional());
            }
        }
    }

    #[test]
    fn nothing_is_rewritten_where_everything_stays() {
        let all = [100, 101, 102, 103, 104];
        let before = batch(Compression::Lz4);
        assert_eq!(filter(&before, None, &all), Filtered::Unchanged);
        let noted = rewritten(filter(&before, Some(Timestamp(5)), &all));
        assert_eq!(records(&noted), records(&before));
        assert_eq!(filter(&noted, Some(Timestamp(7)), &all), Filtered::Unchanged, "the first horizon counts");
        let fewer = rewritten(filter(&noted, Some(Timestamp(7)), &[102]));
        assert_eq!(fewer.header().delete_horizon(), Some(Timestamp(5)));
        assert_eq!(records(&fewer), records(&before)[2..3]);
    }

    #[test]
    fn a_horizon_for_tombstones_is_noted_where_one_stays() {
        let mut builder = BatchBuilder::new(Compression::None);
        for (key, value) in [(b"a", Some(&b"1"[..])), (b"b", None)] {
            builder.append(&NewRecord { key: Some(key), value, ..NewRecord::default() }).unwrap();
        }
        let before = only_batch(builder.seal(&ProducerStamp::NONE).unwrap()).unwrap();
        let horizon = Horizon::Tombstones(Timestamp(77));
        let filter = |kept: &[i32]| {
            Filter::new().filter(&before, horizon, |_, it| kept.contains(&it.offset_delta)).unwrap()
        };
        assert_eq!(rewritten(filter(&[0, 1])).header().delete_horizon(), Some(Timestamp(77)));
        assert_eq!(rewritten(filter(&[1])).header().delete_horizon(), Some(Timestamp(77)));
        assert_eq!(rewritten(filter(&[0])).header().delete_horizon(), None);
    }

    #[test]
    fn a_header_alone_keeps_offsets_and_sequences() {
        let before = batch(Compression::Zstd);
        assert_eq!(filter(&before, None, &[]), Filtered::Nothing);
        let alone = only_batch(header_alone(before.header())).unwrap();
        assert!(alone.is_intact());
        assert_eq!(alone.bytes().len(), 61);
        assert_eq!((alone.header().base_offset, alone.header().next_offset()), (Offset(100), Offset(105)));
        assert_eq!(alone.header().last_sequence(), Sequence(14));
        assert_eq!(records(&alone), []);
    }
}
