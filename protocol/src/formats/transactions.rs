//! The records of `__transaction_state` as Kafka writes them: a key that names the transaction, and its state, or no
//! value where its transactional id has expired (schemas: `transaction-coordinator/src/main/resources/common/message`).

use bytes::Bytes;

use super::value;
use crate::{
    PartitionId, ProducerEpoch, ProducerId, Text, Timestamp,
    messages::{
        Message,
        describe::{self, message, structure},
    },
    wire::{DecodeError, EncodeError},
};

message! {
    /// Names a transaction.
    #[derive(Eq, Hash)]
    TransactionLogKey [0..=0, flexible 0x7fff..] {
        transactional_id: Text,
    }
}

message! {
    /// The state of a transaction.
    TransactionLogValue [0..=1, flexible 1..] {
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        transaction_timeout_ms: i32,
        // As `TransactionState` numbers them: see [`status`].
        transaction_status: i8,
        // Null where nothing is open.
        transaction_partitions: Option<Vec<PartitionsSchema>> [0.., default Some(Default::default())],
        transaction_last_update_timestamp_ms: Timestamp,
        transaction_start_timestamp_ms: Timestamp,
        // The id of the transaction before, where the end of that one gave the producer another.
        previous_producer_id: ProducerId [1.., tag 0, default ProducerId::NONE],
        // What the producer gets, or got, when this transaction ends.
        next_producer_id: ProducerId [1.., tag 1, default ProducerId::NONE],
        client_transaction_version: i16 [1.., tag 2],
        next_producer_epoch: ProducerEpoch [1.., tag 3, default ProducerEpoch::NONE],
    }
}

structure! {
    /// Partitions of a topic.
    PartitionsSchema {
        topic: Text,
        partition_ids: Vec<PartitionId>,
    }
}

/// The numbers of `transaction_status` (Kafka: `TransactionState`).
pub mod status {
    pub const EMPTY: i8 = 0;
    pub const ONGOING: i8 = 1;
    pub const PREPARE_COMMIT: i8 = 2;
    pub const PREPARE_ABORT: i8 = 3;
    pub const COMPLETE_COMMIT: i8 = 4;
    pub const COMPLETE_ABORT: i8 = 5;
    pub const DEAD: i8 = 6;
    pub const PREPARE_EPOCH_FENCE: i8 = 7;
}

value! {
    // As from transaction.version 1 on; before it, Kafka writes 0.
    TransactionLogValue = 1,
}

impl TransactionLogKey {
    /// The only version there is.
    const VERSION: i16 = 0;

    /// Reads the key of a record.
    ///
    /// # Errors
    /// [`DecodeError::UnknownVersion`] for kinds that are not known here, which a reader passes over; others where the
    /// bytes are no key.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, DecodeError> {
        let (version, rest) = super::split_version(bytes)?;
        Self::decode(rest, version)
    }

    /// Writes the key of a record.
    ///
    /// # Errors
    /// Where the transactional id is too long.
    pub fn to_bytes(&self) -> Result<Bytes, EncodeError> {
        super::with_version(self, Self::VERSION)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn partitions() -> impl Strategy<Value = Option<Vec<PartitionsSchema>>> {
        let ids = prop::collection::vec(any::<i32>().prop_map(PartitionId), 0..5);
        let topic = (".{0,9}", ids)
            .prop_map(|(topic, partition_ids)| PartitionsSchema { topic: topic.into(), partition_ids });
        prop::option::of(prop::collection::vec(topic, 0..4))
    }

    fn value() -> impl Strategy<Value = TransactionLogValue> {
        (any::<[i64; 5]>(), any::<[i16; 3]>(), any::<i32>(), 0..8_i8, partitions()).prop_map(
            |(longs, [epoch, version, next_epoch], timeout, transaction_status, transaction_partitions)| {
                let [id, previous, next, updated, started] = longs;
                TransactionLogValue {
                    producer_id: ProducerId(id),
                    producer_epoch: ProducerEpoch(epoch),
                    transaction_timeout_ms: timeout,
                    transaction_status,
                    transaction_partitions,
                    transaction_last_update_timestamp_ms: Timestamp(updated),
                    transaction_start_timestamp_ms: Timestamp(started),
                    previous_producer_id: ProducerId(previous),
                    next_producer_id: ProducerId(next),
                    client_transaction_version: version,
                    next_producer_epoch: ProducerEpoch(next_epoch),
                }
            },
        )
    }

    fn in_version(mut value: TransactionLogValue, version: i16) -> TransactionLogValue {
        if version < 1 {
            value.previous_producer_id = ProducerId::NONE;
            value.next_producer_id = ProducerId::NONE;
            value.client_transaction_version = 0;
            value.next_producer_epoch = ProducerEpoch::NONE;
        }
        value
    }

    proptest! {
        #[test]
        fn key_survives_the_log(id in ".{0,20}") {
            let key = TransactionLogKey { transactional_id: id.into() };
            prop_assert_eq!(TransactionLogKey::from_bytes(key.to_bytes().unwrap()), Ok(key));
        }

        #[test]
        fn state_survives_the_log(value in value(), version in 0..=1_i16) {
            let bytes = value.to_bytes(version).unwrap();
            prop_assert_eq!(TransactionLogValue::from_bytes(bytes), Ok(in_version(value, version)));
        }
    }

    fn open() -> TransactionLogValue {
        TransactionLogValue {
            producer_id: ProducerId(0x0102),
            producer_epoch: ProducerEpoch(3),
            transaction_timeout_ms: 0x0405,
            transaction_status: status::ONGOING,
            transaction_partitions: Some(vec![PartitionsSchema {
                topic: "t".into(),
                partition_ids: vec![PartitionId(6)],
            }]),
            transaction_last_update_timestamp_ms: Timestamp(7),
            transaction_start_timestamp_ms: Timestamp(8),
            previous_producer_id: ProducerId(9),
            next_producer_id: ProducerId(10),
            client_transaction_version: 2,
            next_producer_epoch: ProducerEpoch(11),
        }
    }

    #[test]
    fn key_has_the_bytes_of_kafkas_schema() {
        let key = TransactionLogKey { transactional_id: "ab".into() };
        assert_eq!(&key.to_bytes().unwrap()[..], b"\0\0\0\x02ab");
    }

    #[test]
    fn state_has_the_bytes_of_kafkas_schema() {
        let check = |version: i16, bytes: &[u8]| assert_eq!(&open().to_bytes(version).unwrap()[..], bytes);
        let v0 = b"\0\0\0\0\0\0\0\0\x01\x02\0\x03\0\0\x04\x05\x01\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x06\
            \0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x08";
        check(0, v0);
        let v1 = b"\0\x01\0\0\0\0\0\0\x01\x02\0\x03\0\0\x04\x05\x01\x02\x02t\x02\0\0\0\x06\0\
            \0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x08\
            \x04\0\x08\0\0\0\0\0\0\0\x09\x01\x08\0\0\0\0\0\0\0\x0a\x02\x02\0\x02\x03\x02\0\x0b";
        check(1, v1);
    }

    #[test]
    fn tags_at_their_default_are_not_written() {
        let value = in_version(open(), 0);
        assert!(value.to_bytes(1).unwrap().ends_with(b"\0\0\0\x08\0"));
    }

    #[test]
    fn key_of_an_unknown_kind_says_which() {
        let key = TransactionLogKey::from_bytes(Bytes::from_static(b"\0\x09\0\x01t"));
        assert_eq!(key, Err(DecodeError::UnknownVersion(9)));
    }
}
