//! What the tests of storage share.

use bytes::{Bytes, BytesMut};
use mainstem_protocol::{
    LeaderEpoch, Offset, PartitionId, ProducerEpoch, ProducerId, Sequence, Timestamp, TopicId,
    records::{Attributes, Batch, BatchHeader, crc32c, header::HEADER_BYTES},
};

use crate::{
    AppendGroup, Store,
    store::{AppendError, NewTopic},
};

/// A batch of `count` records of filler with a right checksum; the producer is id, epoch and first sequence.
pub(crate) fn batch(count: usize, producer: Option<(i64, i16, i32)>) -> Batch {
    batch_at(count, producer, Timestamp(1_700_000_000_000))
}

/// As [`batch`], with its largest timestamp.
pub(crate) fn batch_at(count: usize, producer: Option<(i64, i16, i32)>, timestamp: Timestamp) -> Batch {
    sized_batch(count, count * 10, producer, timestamp)
}

/// As [`batch_at`], with so many bytes of records.
pub(crate) fn sized_batch(
    count: usize,
    bytes: usize,
    producer: Option<(i64, i16, i32)>,
    timestamp: Timestamp,
) -> Batch {
    let records: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
    let (id, epoch, sequence) = producer.unwrap_or((-1, -1, -1));
    sealed(Attributes(0), count, &records, (id, epoch, sequence), timestamp)
}

/// As [`batch`], in a transaction.
pub(crate) fn transactional(count: usize, producer: (i64, i16, i32)) -> Batch {
    let records = vec![7; count * 10];
    let attributes = Attributes(0).with_transactional(true);
    sealed(attributes, count, &records, producer, Timestamp(1_700_000_000_000))
}

fn sealed(
    attributes: Attributes,
    count: usize,
    records: &[u8],
    (id, epoch, sequence): (i64, i16, i32),
    timestamp: Timestamp,
) -> Batch {
    let mut header = BatchHeader {
        base_offset: Offset(0),
        length: (HEADER_BYTES - 12 + records.len()) as i32,
        leader_epoch: LeaderEpoch(-1),
        crc: 0,
        attributes,
        last_offset_delta: count as i32 - 1,
        base_timestamp: timestamp,
        max_timestamp: timestamp,
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: Sequence(sequence),
        record_count: count as i32,
    };
    let mut bytes = BytesMut::new();
    header.crc = crc32c(&[&header.encode()[21..], records].concat());
    bytes.extend_from_slice(&header.encode());
    bytes.extend_from_slice(records);
    let mut bytes: Bytes = bytes.freeze();
    Batch::split_from(&mut bytes).unwrap()
}

/// A topic of one partition, in a store without threads.
pub(crate) fn topic(store: &Store, name: &str, overrides: &[(&str, &str)]) -> TopicId {
    let overrides = overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let new = NewTopic { name: name.to_owned(), partitions: 1, overrides, keyed: false };
    let (id, ticket) = store.create_topic(new).unwrap();
    store.round().unwrap();
    ticket.wait().unwrap();
    id
}

/// Appends to the first partition, and commits.
pub(crate) fn append(store: &Store, topic: TopicId, batch: Batch) {
    let mut group = AppendGroup::single(topic, PartitionId(0), batch);
    while matches!(store.append(&group), Err(AppendError::NoRoom)) {
        store.make_room(&mut group).unwrap();
    }
    store.round().unwrap();
}
