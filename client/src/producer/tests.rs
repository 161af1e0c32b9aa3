//! The producer against the fake broker.

mod slow;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey, ErrorCode, Offset, Text,
    messages::{
        ProduceResponse,
        produce::{BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse},
    },
    records::{Compression, Decompressor, Record},
};

use super::{Acks, ProduceError, Producer, ProducerConfig, ProducerRecord, SendError};
use crate::testing::{FakeBroker, Hesitant, Trouble, interrupted};

fn broker(partitions: usize) -> FakeBroker {
    let broker = FakeBroker::new();
    broker.create_topic("t", partitions);
    broker
}

fn eager() -> ProducerConfig {
    ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::default() }
}

fn producer(broker: &FakeBroker, config: ProducerConfig) -> Producer {
    Producer::new(broker, config)
}

fn record(value: &str) -> ProducerRecord {
    ProducerRecord::new("t").partition(0).value(Bytes::copy_from_slice(value.as_bytes()))
}

fn stored(broker: &FakeBroker, partition: i32) -> Vec<Record> {
    let open = |batch: mainstem_protocol::records::Batch| {
        let open = batch.open(&mut Decompressor::new(), 1 << 20).unwrap();
        open.records().map(Result::unwrap).collect::<Vec<_>>()
    };
    broker.batches("t", partition).into_iter().flat_map(open).collect()
}

fn values(broker: &FakeBroker) -> Vec<String> {
    let text = |record: Record| String::from_utf8(record.value.unwrap().to_vec()).unwrap();
    stored(broker, 0).into_iter().map(text).collect()
}

fn refusal(code: ErrorCode) -> Trouble {
    refused(PartitionProduceResponse { error_code: code, ..Default::default() })
}

fn refused(partition: PartitionProduceResponse) -> Trouble {
    let topic = TopicProduceResponse {
        name: Text::from_static("t"),
        partition_responses: vec![partition],
        ..Default::default()
    };
    Trouble::Answer(ProduceResponse { responses: vec![topic], ..Default::default() }.into())
}

/// Sends values one by one, each stored before the next is sent.
async fn one_by_one(producer: &Producer, values: &[&str]) -> Vec<i64> {
    let mut offsets = Vec::new();
    for value in values {
        offsets.push(producer.send(record(value)).await.unwrap().await.unwrap().offset.0);
    }
    offsets
}

/// Sends values as fast as the producer takes them.
async fn many(producer: &Producer, count: usize) -> Vec<Result<Offset, ProduceError>> {
    let mut tickets = Vec::new();
    for number in 0..count {
        tickets.push(producer.send(record(&number.to_string())).await.unwrap());
    }
    let mut results = Vec::new();
    for ticket in tickets {
        results.push(ticket.await.map(|receipt| receipt.offset));
    }
    results
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn receipts_say_where_the_records_are() {
    let broker = broker(1);
    let producer = producer(&broker, eager());
    assert_eq!(one_by_one(&producer, &["a", "b", "c"]).await, [0, 1, 2]);
    let offsets = many(&producer, 100).await;
    let offsets: Vec<_> = offsets.into_iter().map(|offset| offset.unwrap().0).collect();
    assert_eq!(offsets, (3..103).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn every_compression_keeps_keys_values_and_order() {
    for compression in Compression::ALL {
        let broker = broker(1);
        let producer = producer(&broker, ProducerConfig { compression, ..ProducerConfig::default() });
        assert!(many(&producer, 500).await.into_iter().all(|result| result.is_ok()));
        assert_eq!(values(&broker), numbers(500));
        assert!(broker.batches("t", 0)[0].header().attributes.compression() == Ok(compression));
    }
}

#[tokio::test(start_paused = true)]
async fn records_that_linger_share_a_batch() {
    let broker = broker(1);
    let producer = producer(&broker, ProducerConfig::default());
    many(&producer, 50).await;
    assert_eq!(broker.batches("t", 0).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn batch_leaves_when_its_time_is_over_and_not_much_before() {
    let broker = broker(1);
    let linger = Duration::from_millis(40);
    let producer = producer(&broker, ProducerConfig { linger, ..ProducerConfig::default() });
    let before = tokio::time::Instant::now();
    producer.send(record("a")).await.unwrap().await.unwrap();
    // Timers are as fine as a millisecond, and a record waits no longer than what is set.
    assert!((39..=40).contains(&before.elapsed().as_millis()), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn full_batch_is_followed_by_the_next() {
    let broker = broker(1);
    let producer = producer(&broker, ProducerConfig { batch_bytes: 200, ..ProducerConfig::default() });
    many(&producer, 50).await;
    let batches = broker.batches("t", 0);
    assert!(batches.len() > 1 && batches.iter().all(|batch| batch.bytes().len() <= 200));
    assert_eq!(values(&broker), numbers(50));
}

#[tokio::test(start_paused = true)]
async fn record_whose_answer_was_lost_is_stored_once() {
    let broker = broker(1);
    broker.trouble(ApiKey::Produce, Trouble::LostAfter);
    let producer = producer(&broker, eager());
    assert_eq!(one_by_one(&producer, &["a", "b"]).await, [0, 1]);
    assert_eq!(values(&broker), ["a", "b"]);
    assert_eq!(broker.asked(ApiKey::Produce), 3);
}

#[tokio::test(start_paused = true)]
async fn order_survives_any_loss() {
    for troubles in 1..40_u32 {
        let broker = broker(1);
        for at in 0..6 {
            broker.trouble(
                ApiKey::Produce,
                match (troubles >> at) & 1 {
                    0 => Trouble::LostAfter,
                    _ => Trouble::LostBefore,
                },
            );
        }
        let producer = producer(&broker, ProducerConfig { batch_bytes: 150, ..eager() });
        assert!(many(&producer, 60).await.into_iter().all(|result| result.is_ok()));
        assert_eq!(values(&broker), numbers(60), "troubles {troubles:b}");
    }
}

#[tokio::test(start_paused = true)]
async fn leader_is_asked_for_again_when_it_has_moved() {
    let broker = broker(1);
    broker.trouble(ApiKey::Produce, refusal(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    let producer = producer(&broker, eager());
    assert_eq!(one_by_one(&producer, &["a"]).await, [0]);
    assert_eq!(broker.asked(ApiKey::Metadata), 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_refused_batch_the_producer_goes_on_under_the_next_epoch() {
    let broker = broker(1);
    let producer = producer(&broker, eager());
    one_by_one(&producer, &["a"]).await;
    broker.trouble(ApiKey::Produce, refusal(ErrorCode::MESSAGE_TOO_LARGE));
    let refused = producer.send(record("b")).await.unwrap().await.unwrap_err();
    assert!(matches!(&refused, ProduceError::Refused { code: ErrorCode::MESSAGE_TOO_LARGE, .. }));
    assert!(!refused.is_retriable());
    assert_eq!(one_by_one(&producer, &["c", "d"]).await, [1, 2]);
    assert_eq!(values(&broker), ["a", "c", "d"]);
    let last = *broker.batches("t", 0).last().unwrap().header();
    assert_eq!((last.producer_epoch.0, last.base_sequence.0), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn refused_batch_names_the_record_that_is_at_fault() {
    let broker = broker(1);
    let named = |batch_index, message: &'static str| BatchIndexAndErrorMessage {
        batch_index,
        batch_index_error_message: Some(Text::from_static(message)),
    };
    broker.trouble(
        ApiKey::Produce,
        refused(PartitionProduceResponse {
            error_code: ErrorCode::INVALID_RECORD,
            record_errors: vec![named(2, "no key"), named(3, "no key either")],
            error_message: Some(Text::from_static("some records are invalid")),
            ..Default::default()
        }),
    );
    let producer = producer(&broker, ProducerConfig::default());
    let mut tickets = Vec::new();
    for value in ["a", "b", "c", "d"] {
        tickets.push(producer.send(record(value)).await.unwrap());
    }
    let places: Vec<_> = tickets.iter().map(super::Ticket::place).collect();
    assert_eq!(places, [0, 1, 2, 3]);
    for ticket in tickets {
        let error = ticket.await.unwrap_err();
        assert!(matches!(error, ProduceError::Refused { record: Some(2), .. }), "{error:?}");
        assert_eq!(error.to_string(), "t-0 refused the batch: INVALID_RECORD (no key)");
    }
}

#[tokio::test(start_paused = true)]
async fn record_that_cannot_be_delivered_fails_when_its_time_is_up() {
    let broker = broker(1);
    let config = ProducerConfig { delivery_timeout: Duration::from_secs(3), ..eager() };
    let producer = producer(&broker, config);
    for _ in 0..100 {
        broker.trouble(ApiKey::Produce, Trouble::LostBefore);
    }
    let error = producer.send(record("a")).await.unwrap().await.unwrap_err();
    assert!(matches!(error, ProduceError::TimedOut { .. }), "{error}");
    assert!(error.is_retriable());
}

#[tokio::test(start_paused = true)]
async fn record_that_is_refused_until_its_time_is_up_fails_with_the_reason() {
    let broker = broker(1);
    let config = ProducerConfig { delivery_timeout: Duration::from_secs(3), ..eager() };
    let producer = producer(&broker, config);
    for _ in 0..1000 {
        broker.trouble(ApiKey::Produce, refusal(ErrorCode::KAFKA_STORAGE_ERROR));
    }
    let error = producer.send(record("a")).await.unwrap().await.unwrap_err();
    assert!(matches!(error, ProduceError::TimedOut { .. }), "{error}");
    assert!(error.to_string().ends_with("KAFKA_STORAGE_ERROR"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn without_a_producer_id_records_fail() {
    let broker = broker(1);
    let denied = mainstem_protocol::messages::InitProducerIdResponse {
        error_code: ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
        ..Default::default()
    };
    broker.trouble(ApiKey::InitProducerId, Trouble::Answer(denied.into()));
    let error = producer(&broker, eager()).send(record("a")).await.unwrap();
    // The producer is gone by now, or has failed the record: either way the ticket resolves.
    assert!(error.await.is_err());
    let producer = producer(&broker, ProducerConfig { idempotent: false, ..eager() });
    assert_eq!(one_by_one(&producer, &["a"]).await, [0]);
}

#[tokio::test(start_paused = true)]
async fn without_acks_offsets_are_not_known() {
    let broker = broker(1);
    let producer = producer(&broker, ProducerConfig { acks: Acks::None, ..eager() });
    assert_eq!(one_by_one(&producer, &["a"]).await, [Offset::NONE.0]);
    assert_eq!(values(&broker), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn full_buffer_holds_up_further_records() {
    let broker = broker(1);
    let config = ProducerConfig {
        buffer_bytes: 100,
        linger: Duration::from_secs(600),
        max_block: Duration::from_secs(1),
        ..ProducerConfig::default()
    };
    let producer = producer(&broker, config);
    let first = producer.send(record(&"x".repeat(40))).await.unwrap();
    let error = producer.send(record(&"y".repeat(40))).await.unwrap_err();
    assert!(matches!(error, SendError::NoRoom { .. }) && error.is_retriable());
    producer.flush().await;
    first.await.unwrap();
    let third = producer.send(record(&"z".repeat(40))).await.unwrap();
    producer.close().await;
    assert_eq!(third.await.unwrap().offset, Offset(1));
}

#[tokio::test(start_paused = true)]
async fn flush_sends_what_lingers() {
    let broker = broker(1);
    let config = ProducerConfig { linger: Duration::from_secs(600), ..ProducerConfig::default() };
    let producer = producer(&broker, config);
    let ticket = producer.send(record("a")).await.unwrap();
    producer.flush().await;
    assert_eq!(values(&broker), ["a"]);
    assert_eq!(ticket.await.unwrap().offset, Offset(0));
}

#[tokio::test(start_paused = true)]
async fn dropped_producer_fails_what_was_not_flushed() {
    let broker = broker(1);
    let config = ProducerConfig { linger: Duration::from_secs(600), ..ProducerConfig::default() };
    let producer = producer(&broker, config);
    let ticket = producer.send(record("a")).await.unwrap();
    drop(producer);
    assert!(matches!(ticket.await, Err(ProduceError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn keys_go_where_java_sends_them_and_the_rest_moves_on() {
    let broker = broker(4);
    let producer = producer(&broker, ProducerConfig { batch_bytes: 120, ..eager() });
    let ticket = producer.send(ProducerRecord::new("t").key("foobar").value("v")).await.unwrap();
    assert_eq!(ticket.partition().partition, super::partition_of_key(b"foobar", 4));
    for _ in 0..40 {
        drop(producer.send(ProducerRecord::new("t").value("no key, but some bytes")).await.unwrap());
    }
    producer.flush().await;
    assert!((0..4).all(|partition| !broker.batches("t", partition).is_empty()));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_is_refused_at_once() {
    let broker = broker(2);
    let config = ProducerConfig { request_bytes_max: 100, max_block: Duration::from_secs(1), ..eager() };
    let producer = producer(&broker, config);
    let large = producer.send(record(&"x".repeat(100))).await.unwrap_err();
    assert!(matches!(large, SendError::TooLarge { .. }) && !large.is_retriable());
    let beyond = producer.send(record("a").partition(2)).await.unwrap_err();
    assert!(matches!(beyond, SendError::NoSuchPartition { count: 2, .. }), "{beyond}");
    let unknown = producer.send(ProducerRecord::new("nowhere")).await.unwrap_err();
    assert!(unknown.is_retriable(), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn sends_that_are_dropped_take_no_record_and_leave_no_hole() {
    let broker = broker(1);
    // Room for two records: sends wait for the topic first, then for room.
    let config = ProducerConfig { buffer_bytes: 100, ..eager() };
    let producer = Producer::new(&Hesitant(broker.transport()), config);
    for number in 0..50 {
        let send = async |polls| interrupted(polls, producer.send(record(&number.to_string()))).await;
        for polls in 1.. {
            if let Some(ticket) = send(polls).await {
                drop(ticket.unwrap());
                break;
            }
        }
    }
    producer.close().await;
    assert_eq!(values(&broker), numbers(50));
}

#[tokio::test(start_paused = true)]
async fn flushes_and_tickets_may_be_waited_for_again() {
    let broker = broker(1);
    let config = ProducerConfig { linger: Duration::from_secs(600), ..ProducerConfig::default() };
    let producer = Producer::new(&Hesitant(broker.transport()), config);
    let mut ticket = producer.send(record("a")).await.unwrap();
    assert!(interrupted(1, ticket.receipt()).await.is_none());
    assert!(interrupted(1, &mut ticket).await.is_none());
    assert!(interrupted(1, producer.flush()).await.is_none());
    // A flush that was given up hurries nobody.
    assert!(tokio::time::timeout(Duration::from_secs(60), ticket.receipt()).await.is_err());
    producer.flush().await;
    assert_eq!(ticket.receipt().await.unwrap().offset, Offset(0));
    assert_eq!((&mut ticket).await.unwrap(), ticket.await.unwrap());
    assert_eq!(values(&broker), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn producer_whose_sequence_is_refused_twice_goes_on_under_the_next_epoch() {
    for code in [ErrorCode::UNKNOWN_PRODUCER_ID, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER] {
        let broker = broker(1);
        let producer = producer(&broker, ProducerConfig { batch_bytes: 150, in_flight_max: 1, ..eager() });
        one_by_one(&producer, &["before"]).await;
        // The batch is refused, and again when it is alone on its way; only then it gets other numbers (KIP-360).
        broker.trouble(ApiKey::Produce, refusal(code));
        broker.trouble(ApiKey::Produce, refusal(code));
        assert!(many(&producer, 60).await.into_iter().all(|result| result.is_ok()), "{code}");
        assert_eq!(values(&broker), [vec!["before".to_owned()], numbers(60)].concat(), "{code}");
        let headers: Vec<_> = broker.batches("t", 0).iter().map(|batch| *batch.header()).collect();
        let epochs: Vec<_> = headers.iter().map(|header| header.producer_epoch.0).collect();
        assert_eq!((epochs[0], epochs[1], headers[1].base_sequence.0), (0, 1, 0), "{code}");
        assert!(epochs[1..].iter().all(|epoch| *epoch == 1), "{code}");
    }
}

#[tokio::test]
async fn producer_works_over_tcp() {
    let broker = broker(1);
    let served = crate::testing::serve(&broker, 4).await.unwrap();
    let transport = crate::TcpTransport::new(crate::TcpConfig::bootstrap(&served.address));
    let producer = Arc::new(Producer::new(&transport, ProducerConfig { batch_bytes: 300, ..eager() }));
    assert!(many(&producer, 2000).await.into_iter().all(|result| result.is_ok()));
    served.disconnect_all();
    assert!(many(&producer, 2000).await.into_iter().all(|result| result.is_ok()));
    assert_eq!(values(&broker), [numbers(2000), numbers(2000)].concat());
}

#[tokio::test(start_paused = true)]
async fn partitions_that_are_added_are_found_in_time() {
    let broker = FakeBroker::new();
    broker.create_topic("t", 1);
    let producer = Producer::new(&broker, eager());
    producer.send(ProducerRecord::new("t").value("v")).await.unwrap().await.unwrap();
    broker.create_topic("t", 3);
    let before = broker.asked(ApiKey::Metadata);
    tokio::time::sleep(ProducerConfig::default().metadata_age_max + Duration::from_secs(1)).await;
    assert_eq!(broker.asked(ApiKey::Metadata), before + 1);
    let record = ProducerRecord::new("t").partition(2).value("v");
    assert!(producer.send(record).await.unwrap().await.is_ok());
}
