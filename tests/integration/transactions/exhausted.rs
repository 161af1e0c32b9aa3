//! The last epoch of a producer id: whoever has it goes on under another id, and its last transaction is whole.

use std::{path::Path, sync::Arc};

use mainstem_protocol::{
    Timestamp,
    formats::transactions::{TransactionLogKey, TransactionLogValue, status},
    records::{Batch, BatchBuilder, Compression, NewRecord, ProducerStamp},
};
use mainstem_storage::{AppendGroup, Options, Store, SystemClock, disk::RealDisk};

use super::*;

/// The last epoch that a producer is given (Kafka: `TransactionMetadata.isEpochExhausted`).
const LAST: ProducerEpoch = ProducerEpoch(i16::MAX - 1);

/// A producer that has the last epoch, as Kafka would have stored it.
async fn exhausted(generation: Generation) -> (TestBroker, Producer) {
    let (broker, _) = start().await;
    let producer = Producer::new(&broker, generation).await;
    let id = producer.id;
    let broker = broker.restart_after(move |directory| store_last_epoch(directory, id)).await;
    let client = broker.connect().await;
    (broker, Producer { client, epoch: LAST, ..producer })
}

fn store_last_epoch(directory: &Path, id: ProducerId) {
    let clock = Arc::new(SystemClock::default());
    let options = Options { journal_bytes: 16 << 20, ..Options::default() };
    let (store, _) = Store::open(options, Arc::new(RealDisk::new(directory)), clock).unwrap();
    let value = TransactionLogValue {
        producer_id: id,
        producer_epoch: LAST,
        transaction_timeout_ms: 60_000,
        transaction_status: status::EMPTY,
        transaction_partitions: None,
        transaction_last_update_timestamp_ms: Timestamp(1_700_000_000_000),
        transaction_start_timestamp_ms: Timestamp(-1),
        previous_producer_id: ProducerId::NONE,
        next_producer_id: ProducerId::NONE,
        client_transaction_version: 0,
        next_producer_epoch: ProducerEpoch::NONE,
    };
    let topics = store.topics();
    let topic = topics.named("__transaction_state").unwrap();
    let mut group = AppendGroup::single(topic.id, partition(topic.partitions.len()), record(&value));
    store.make_room(&mut group).unwrap();
    store.append(&group).unwrap().wait().unwrap();
    store.shutdown().unwrap();
}

fn record(value: &TransactionLogValue) -> Batch {
    let key = TransactionLogKey { transactional_id: ID }.to_bytes().unwrap();
    let value = value.to_bytes(1).unwrap();
    let mut builder = BatchBuilder::new(Compression::None);
    let timestamp = Timestamp(1_700_000_000_000);
    builder
        .append(&NewRecord { timestamp, key: Some(&key), value: Some(&value), ..NewRecord::default() })
        .unwrap();
    Batch::split_from(&mut builder.seal(&ProducerStamp::NONE).unwrap()).unwrap()
}

/// Where Kafka keeps the transactional id: by Java's hash of it.
fn partition(partitions: usize) -> PartitionId {
    let hash = ID.bytes().fold(0_i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte)));
    PartitionId(hash.unsigned_abs() as i32 % partitions as i32)
}

#[tokio::test]
async fn producer_that_comes_behind_the_last_epoch_gets_another_id() {
    for generation in [FIRST, SECOND] {
        let (broker, mut old) = exhausted(generation).await;
        let mut new = Producer::new(&broker, generation).await;
        assert!(new.id != old.id && new.epoch == ProducerEpoch(0), "{:?} {:?}", new.id, new.epoch);
        assert_eq!(old.add(0).await, ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        let late = old.produce(0, "late").await;
        assert_eq!(late, ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        assert_eq!(new.write(0, "kept").await, ErrorCode::NONE);
        assert_eq!(new.end(true).await, ErrorCode::NONE);
        assert_eq!(stable(&mut broker.connect().await, 0).await, (2, 0));
    }
}

#[tokio::test]
async fn transaction_in_the_last_epoch_of_the_first_generation_is_whole_and_so_are_those_behind_it() {
    let (broker, mut producer) = exhausted(FIRST).await;
    let mut reader = broker.connect().await;
    for end in [2, 4] {
        assert_eq!(producer.write(0, "kept").await, ErrorCode::NONE);
        assert_eq!(producer.end(true).await, ErrorCode::NONE);
        assert_eq!((producer.epoch, stable(&mut reader, 0).await), (LAST, (end, 0)));
    }
}

#[tokio::test]
async fn end_in_the_last_epoch_of_the_second_generation_gives_the_producer_another_id() {
    for committed in [true, false] {
        let (broker, mut producer) = exhausted(SECOND).await;
        let mut reader = broker.connect().await;
        let before = (producer.id, producer.epoch);
        assert_eq!(producer.write(0, "last").await, ErrorCode::NONE);
        let first = producer.ask_end(committed).await;
        assert_eq!((first.error_code, first.producer_epoch), (ErrorCode::NONE, ProducerEpoch(0)));
        assert_ne!(first.producer_id, before.0);
        assert_eq!(producer.ask_end(committed).await, first, "a repeat gets the same answer");
        assert_eq!(stable(&mut reader, 0).await, (2, usize::from(!committed)));
        // What comes late of the id before is refused.
        assert_eq!(producer.produce(0, "late").await, ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        (producer.id, producer.epoch, producer.sequences) = (first.producer_id, first.producer_epoch, [0; 2]);
        assert_eq!(producer.write(0, "next").await, ErrorCode::NONE);
        assert_eq!(producer.end(true).await, ErrorCode::NONE);
        assert_eq!(stable(&mut reader, 0).await.0, 4);
    }
}

#[tokio::test]
async fn open_transaction_in_the_last_epoch_is_aborted_whole_before_somebody_takes_over() {
    for generation in [FIRST, SECOND] {
        let (broker, mut old) = exhausted(generation).await;
        assert_eq!(old.write(0, "lost").await, ErrorCode::NONE);
        let new = Producer::new(&broker, generation).await;
        assert!(new.id != old.id && new.epoch == ProducerEpoch(0), "{:?} {:?}", new.id, new.epoch);
        assert_eq!(stable(&mut broker.connect().await, 0).await, (2, 1), "aborted");
    }
}
