//! The transactional producer against the fake broker, in both generations of the protocol.

mod failures;

use std::{collections::HashMap, time::Duration};

use mainstem_protocol::{
    ApiKey, ErrorCode, Offset, ProducerId,
    records::{Decompressor, EndTxnMarker},
};

use super::*;
use crate::{
    producer::ProduceError,
    testing::{FakeBroker, FakeCluster, Hesitant, RELEASES, Trouble, interrupted},
    transport::TransportError,
};

/// Levels of `transaction.version`, with one for a cluster that has never heard of it.
const FIRST: i16 = 0;
const SECOND: i16 = 2;

fn broker(level: i16) -> FakeBroker {
    let broker = FakeBroker::new();
    broker.create_topic("t", 3);
    broker.finalize_transaction_version(level);
    broker
}

/// One of each generation.
fn brokers() -> [FakeBroker; 2] {
    [FIRST, SECOND].map(broker)
}

fn impatient() -> ProducerConfig {
    ProducerConfig { max_block: Duration::from_secs(3), ..ProducerConfig::default() }
}

async fn producer(transport: &dyn Transport) -> TransactionalProducer {
    let producer = TransactionalProducer::new(transport, impatient(), TransactionConfig::new("x"));
    producer.init_transactions().await.unwrap();
    producer
}

fn record(partition: i32, value: &str) -> ProducerRecord {
    ProducerRecord::new("t").partition(partition).value(value.to_owned())
}

async fn send(producer: &TransactionalProducer, partition: i32, value: &str) {
    drop(producer.send(record(partition, value)).await.unwrap());
}

/// A producer in a transaction, with one record that is on its way to the first partition.
async fn begun(transport: &dyn Transport, value: &str) -> TransactionalProducer {
    let producer = producer(transport).await;
    producer.begin().unwrap();
    send(&producer, 0, value).await;
    producer
}

/// As [`begun`]; the record is in the log.
async fn written(transport: &dyn Transport, value: &str) -> TransactionalProducer {
    let producer = begun(transport, value).await;
    producer.flush().await;
    producer
}

/// A transaction of one record that is committed.
async fn commit(producer: &TransactionalProducer, partition: i32, value: &str) {
    producer.begin().unwrap();
    send(producer, partition, value).await;
    producer.commit().await.unwrap();
}

fn offset(partition: i32, offset: i64) -> [(TopicPartition, OffsetAndMetadata); 1] {
    [(TopicPartition::new("t", partition), Offset(offset).into())]
}

/// What those see who read committed records, and how many markers there are.
fn committed(broker: &FakeBroker, partition: i32) -> (Vec<String>, usize) {
    let (mut open, mut seen, mut markers) = (HashMap::<ProducerId, Vec<String>>::new(), Vec::new(), 0);
    for batch in broker.batches("t", partition) {
        let header = *batch.header();
        assert!(header.attributes.is_transactional(), "every record here is sent in a transaction");
        let opened = batch.open(&mut Decompressor::new(), 1 << 20).unwrap();
        let ours = open.entry(header.producer_id).or_default();
        for record in opened.refs().map(Result::unwrap) {
            if header.attributes.is_control() {
                let done = std::mem::take(ours);
                let marker = EndTxnMarker::parse(record.key, record.value).unwrap();
                seen.extend(done.into_iter().filter(|_| marker.committed));
                markers += 1;
            } else {
                ours.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
            }
        }
    }
    (seen, markers)
}

fn remedy(result: Result<(), TransactionError>) -> Remedy {
    result.unwrap_err().remedy()
}

#[tokio::test(start_paused = true)]
async fn committed_records_count_and_aborted_ones_do_not() {
    for level in [FIRST, SECOND] {
        let broker = broker(level);
        let producer = producer(&broker).await;
        commit(&producer, 0, "a").await;
        producer.begin().unwrap();
        send(&producer, 0, "b").await;
        producer.flush().await;
        producer.abort().await.unwrap();
        commit(&producer, 0, "c").await;
        assert_eq!(committed(&broker, 0), (vec!["a".to_owned(), "c".to_owned()], 3), "level {level}");
    }
}

#[tokio::test(start_paused = true)]
async fn transaction_ends_in_all_its_partitions_and_in_no_other() {
    for broker in brokers() {
        let producer = producer(&broker).await;
        producer.begin().unwrap();
        for number in 0..50 {
            send(&producer, number % 2, "x").await;
        }
        producer.commit().await.unwrap();
        let counts = [0, 1, 2]
            .map(|partition| (committed(&broker, partition).0.len(), committed(&broker, partition).1));
        assert_eq!(counts, [(25, 1), (25, 1), (0, 0)]);
    }
}

#[tokio::test(start_paused = true)]
async fn partitions_are_added_by_requests_in_the_first_generation_alone() {
    let asked = async |level| {
        let broker = broker(level);
        let producer = producer(&broker).await;
        for _ in 0..2 {
            producer.begin().unwrap();
            for partition in [0, 1, 0, 1] {
                send(&producer, partition, "x").await;
            }
            producer.commit().await.unwrap();
        }
        let newest = |key| {
            broker.requests().iter().filter(|(asked, _)| *asked == key).map(|(_, version)| *version).max()
        };
        let versions = (newest(ApiKey::Produce), newest(ApiKey::EndTxn));
        (broker.asked(ApiKey::AddPartitionsToTxn), versions, broker.transactional_epoch("x"))
    };
    // Both partitions at once, and once in each transaction.
    assert_eq!(asked(FIRST).await, (2, (Some(11), Some(4)), Some(0)));
    assert_eq!(asked(SECOND).await, (0, (Some(12), Some(5)), Some(2)));
}

#[tokio::test(start_paused = true)]
async fn no_broker_hears_of_a_transaction_without_records() {
    for broker in brokers() {
        let producer = producer(&broker).await;
        producer.begin().unwrap();
        producer.commit().await.unwrap();
        producer.begin().unwrap();
        producer.abort().await.unwrap();
        assert_eq!(broker.asked(ApiKey::EndTxn), 0);
        commit(&producer, 0, "a").await;
    }
}

#[tokio::test(start_paused = true)]
async fn offsets_are_committed_with_the_transaction_and_not_before() {
    for level in [FIRST, SECOND] {
        let broker = broker(level);
        let producer = producer(&broker).await;
        let group = GroupMetadata::of_group("g");
        producer.begin().unwrap();
        producer.send_offsets_to_transaction(&offset(0, 7), &group).await.unwrap();
        producer.abort().await.unwrap();
        assert_eq!(broker.committed("g", "t", 0), None);
        producer.begin().unwrap();
        producer.send_offsets_to_transaction(&offset(0, 8), &group).await.unwrap();
        assert_eq!(broker.committed("g", "t", 0), None);
        producer.commit().await.unwrap();
        assert_eq!(broker.committed("g", "t", 0), Some(8));
        assert_eq!(broker.asked(ApiKey::AddOffsetsToTxn), if level == FIRST { 2 } else { 0 });
    }
}

#[tokio::test(start_paused = true)]
async fn records_that_wait_are_given_up_when_their_transaction_is_aborted() {
    let broker = broker(SECOND);
    let config = ProducerConfig { linger: Duration::from_secs(60), ..impatient() };
    let producer = TransactionalProducer::new(&broker, config, TransactionConfig::new("x"));
    producer.init_transactions().await.unwrap();
    producer.begin().unwrap();
    let ticket = producer.send(record(0, "never")).await.unwrap();
    producer.abort().await.unwrap();
    assert!(matches!(ticket.await, Err(ProduceError::Aborted(_))));
    assert_eq!(broker.asked(ApiKey::Produce), 0);
}

#[tokio::test(start_paused = true)]
async fn calls_out_of_turn_say_what_is_to_be_done_first() {
    let broker = broker(SECOND);
    let producer = TransactionalProducer::new(&broker, impatient(), TransactionConfig::new("x"));
    let error = producer.begin().unwrap_err();
    assert_eq!(error.to_string(), "begin is out of turn: call init_transactions first");
    producer.init_transactions().await.unwrap();
    assert_eq!(remedy(producer.init_transactions().await), Remedy::Mend);
    assert_eq!(producer.send(record(0, "a")).await.unwrap_err().remedy(), Remedy::Mend);
    assert_eq!(remedy(producer.commit().await), Remedy::Mend);
    assert_eq!(remedy(producer.abort().await), Remedy::Mend);
    commit(&producer, 0, "a").await;
}

#[tokio::test(start_paused = true)]
async fn record_that_is_not_taken_leaves_the_transaction_as_it_was() {
    let broker = broker(SECOND);
    let producer = producer(&broker).await;
    producer.begin().unwrap();
    let huge = ProducerRecord::new("t").partition(0).value(vec![0; 2 << 20]);
    let error = producer.send(huge).await.unwrap_err();
    assert!(matches!(error, TransactionError::Send(SendError::TooLarge { .. })), "{error}");
    send(&producer, 0, "a").await;
    producer.commit().await.unwrap();
    assert_eq!(committed(&broker, 0).0, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn closing_aborts_what_is_open() {
    for broker in brokers() {
        let producer = written(&broker, "a").await;
        assert!(broker.is_ongoing("x"));
        producer.close().await;
        assert!(!broker.is_ongoing("x"));
        assert_eq!(committed(&broker, 0), (vec![], 1));
    }
}

#[tokio::test(start_paused = true)]
async fn commit_that_was_given_up_can_be_called_again() {
    for level in [FIRST, SECOND] {
        for polls in 1..15 {
            let broker = broker(level);
            let producer = begun(&Hesitant(broker.transport()), "a").await;
            let result = interrupted(polls, producer.commit()).await;
            match result {
                Some(result) => result.unwrap(),
                None => producer.commit().await.unwrap(),
            }
            assert_eq!(committed(&broker, 0), (vec!["a".to_owned()], 1));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn brokers_of_every_release_take_transactions() {
    for release in RELEASES {
        let broker = broker(FIRST);
        broker.speak_as(release);
        let producer = producer(&broker).await;
        commit(&producer, 0, "a").await;
        producer.begin().unwrap();
        send(&producer, 0, "b").await;
        producer.flush().await;
        producer.send_offsets_to_transaction(&offset(0, 1), &GroupMetadata::of_group("g")).await.unwrap();
        producer.abort().await.unwrap();
        commit(&producer, 0, "c").await;
        assert_eq!(committed(&broker, 0).0, ["a", "c"], "{release}");
    }
}

#[tokio::test]
async fn transactions_go_on_where_the_coordinator_has_gone() {
    for level in [FIRST, SECOND] {
        let cluster = FakeCluster::start(3).await.unwrap();
        let broker = cluster.broker();
        broker.create_topic("t", 3);
        broker.finalize_transaction_version(level);
        let producer = producer(&cluster.transport()).await;
        for (round, node) in [1, 2, 0, 1].into_iter().enumerate() {
            producer.begin().unwrap();
            for partition in 0..3 {
                send(&producer, partition, &round.to_string()).await;
            }
            broker.move_coordinator("x", cluster.node(node));
            broker.move_leader("t", 0, cluster.node(node));
            producer.send_offsets_to_transaction(&offset(0, 1), &GroupMetadata::of_group("g")).await.unwrap();
            broker.move_coordinator("g", cluster.node(node));
            producer.commit().await.unwrap();
        }
        for partition in 0..3 {
            assert_eq!(committed(broker, partition).0, ["0", "1", "2", "3"]);
        }
    }
}

/// What is borrowed by a future must not keep it from being a task's.
async fn as_in_a_task<T>(what: impl Future<Output = T> + Send) -> T {
    what.await
}

async fn all_calls(producer: &TransactionalProducer) -> Result<(), TransactionError> {
    producer.init_transactions().await?;
    producer.begin()?;
    drop(producer.send(record(0, "a")).await?);
    producer.send_offsets_to_transaction(&offset(0, 1), &GroupMetadata::of_group("g")).await?;
    producer.commit().await?;
    producer.begin()?;
    drop(producer.send(record(0, "b")).await?);
    producer.abort().await
}

#[tokio::test(start_paused = true)]
async fn calls_can_be_made_by_a_task_that_others_wait_for() {
    let broker = broker(SECOND);
    as_in_a_task(async move {
        let producer = TransactionalProducer::new(&broker, impatient(), TransactionConfig::new("x"));
        all_calls(&producer).await.unwrap();
        assert_eq!(committed(&broker, 0).0, ["a"]);
    })
    .await;
}
