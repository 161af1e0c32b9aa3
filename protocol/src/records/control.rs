//! Control records: what brokers write into a partition for the clients' machinery, not for applications.
//!
//! The key of a control record is `i16` version and `i16` type; the value depends on the type. The marker that ends a
//! transaction (KIP-98) has `i16` version and `i32` coordinator epoch.

use bytes::Bytes;

use super::{
    attributes::{Attributes, Compression},
    builder::write_header,
    header::{BatchHeader, HEADER_BYTES},
    record::{HeadersRef, RecordRef},
};
use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// Kafka writes version 0 of keys and values, and reads later ones as far as it knows them.
const VERSION: [u8; 2] = [0, 0];

/// Why a record is no control record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The key has fewer than four bytes, or is null.
    #[error("key of a control record is too short")]
    ShortKey,
    /// The value has fewer than six bytes, or is null.
    #[error("value of a transaction marker is too short")]
    ShortValue,
    /// A version below zero.
    #[error("control record has the version {0}")]
    Version(i16),
    /// Another control record than a transaction marker.
    #[error("control record is no transaction marker")]
    NoMarker,
}

/// What a control record is for (Kafka: `ControlRecordType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlType {
    /// A transaction was aborted.
    Abort,
    /// A transaction was committed.
    Commit,
    /// Something of Kafka's own consensus, or newer than this: to be passed over.
    Other(i16),
}

impl ControlType {
    /// Reads the key of a control record.
    ///
    /// # Errors
    /// Where the key is null or too short, or its version is below zero.
    pub fn from_key(key: Option<&[u8]>) -> Result<Self, ControlError> {
        let [v0, v1, t0, t1] = *key.and_then(<[u8]>::first_chunk).ok_or(ControlError::ShortKey)?;
        check_version([v0, v1])?;
        Ok(match i16::from_be_bytes([t0, t1]) {
            0 => Self::Abort,
            1 => Self::Commit,
            other => Self::Other(other),
        })
    }

    const fn id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::Other(id) => id,
        }
    }
}

/// The end of a transaction in one partition (Kafka: `EndTransactionMarker`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EndTxnMarker {
    /// Whether it was committed; otherwise it was aborted.
    pub committed: bool,
    /// The epoch of the coordinator that decided it.
    pub coordinator_epoch: i32,
}

impl EndTxnMarker {
    /// Reads key and value of a control record.
    ///
    /// # Errors
    /// Where it is another control record, or malformed.
    pub fn parse(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Self, ControlError> {
        let committed = match ControlType::from_key(key)? {
            ControlType::Abort => false,
            ControlType::Commit => true,
            ControlType::Other(_) => return Err(ControlError::NoMarker),
        };
        let [v0, v1, epoch @ ..] =
            value.and_then(<[u8]>::first_chunk::<6>).ok_or(ControlError::ShortValue)?;
        check_version([*v0, *v1])?;
        Ok(Self { committed, coordinator_epoch: i32::from_be_bytes(*epoch) })
    }

    /// The batch that puts the marker into a partition: one record, transactional, without a sequence.
    #[must_use]
    pub fn to_batch(
        &self,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        timestamp: Timestamp,
    ) -> Bytes {
        let mut batch = vec![0; HEADER_BYTES];
        self.put(&mut batch);
        write_header(&mut batch, &marker_header(producer_id, producer_epoch, timestamp));
        batch.into()
    }

    fn put(&self, batch: &mut Vec<u8>) {
        let control_type = if self.committed { ControlType::Commit } else { ControlType::Abort };
        let key = [VERSION, control_type.id().to_be_bytes()].concat();
        let value = [&VERSION[..], &self.coordinator_epoch.to_be_bytes()].concat();
        let record = RecordRef {
            timestamp_delta: 0,
            offset_delta: 0,
            key: Some(&key),
            value: Some(&value),
            headers: HeadersRef::EMPTY,
        };
        record.put(batch);
    }
}

const fn marker_header(
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    timestamp: Timestamp,
) -> BatchHeader {
    BatchHeader {
        base_offset: Offset::ZERO,
        length: 0,
        leader_epoch: LeaderEpoch::NONE,
        crc: 0,
        attributes: Attributes::new(Compression::None).with_transactional(true).with_control(true),
        last_offset_delta: 0,
        base_timestamp: timestamp,
        max_timestamp: timestamp,
        producer_id,
        producer_epoch,
        base_sequence: Sequence::NONE,
        record_count: 1,
    }
}

const fn check_version(version: [u8; 2]) -> Result<(), ControlError> {
    match i16::from_be_bytes(version) {
        version @ ..0 => Err(ControlError::Version(version)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};

    #[test]
    fn marker_has_the_bytes_of_kafka() {
        let marker = EndTxnMarker { committed: true, coordinator_epoch: 7 };
        let batch = marker.to_batch(ProducerId(9), ProducerEpoch(2), Timestamp(1000));
        assert_eq!(batch[61..], *b"\x20\x00\x00\x00\x08\x00\x00\x00\x01\x0c\x00\x00\x00\x00\x00\x07\x00");
        assert_eq!(batch[21..23], [0, 0b11_0000]);
    }

    #[test]
    fn marker_reads_back_from_its_batch() {
        for committed in [true, false] {
            let marker = EndTxnMarker { committed, coordinator_epoch: -3 };
            let mut bytes = marker.to_batch(ProducerId(9), ProducerEpoch(2), Timestamp(1000));
            let batch = Batch::split_from(&mut bytes).unwrap();
            assert!(batch.is_intact());
            assert_eq!(batch.header().base_sequence, Sequence::NONE);
            let open = batch.open(&mut Decompressor::new(), 100).unwrap();
            let record = open.refs().next().unwrap().unwrap();
            assert_eq!(EndTxnMarker::parse(record.key, record.value), Ok(marker));
        }
    }

    #[test]
    fn other_control_records_are_told_apart() {
        assert_eq!(ControlType::from_key(Some(&[0, 0, 0, 2])), Ok(ControlType::Other(2)));
        assert_eq!(ControlType::from_key(Some(&[0, 5, 0, 1, 9])), Ok(ControlType::Commit));
        assert_eq!(EndTxnMarker::parse(Some(&[0, 0, 0, 2]), None), Err(ControlError::NoMarker));
    }

    #[test]
    fn malformed_control_records_are_refused() {
        assert_eq!(ControlType::from_key(None), Err(ControlError::ShortKey));
        assert_eq!(ControlType::from_key(Some(&[0, 0, 0])), Err(ControlError::ShortKey));
        assert_eq!(ControlType::from_key(Some(&[0xff, 0xff, 0, 0])), Err(ControlError::Version(-1)));
        let value = Some(&[0; 5][..]);
        assert_eq!(EndTxnMarker::parse(Some(&[0; 4]), value), Err(ControlError::ShortValue));
        let value = Some(&[0x80, 0, 0, 0, 0, 0][..]);
        assert_eq!(EndTxnMarker::parse(Some(&[0; 4]), value), Err(ControlError::Version(i16::MIN)));
    }
}
