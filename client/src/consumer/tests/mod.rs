//! The consumer against the fake broker.

mod cancel;
mod ends;
mod group;
mod holes;
mod modern;
mod resets;
mod schedules;

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use mainstem_protocol::{
    ApiKey, ErrorCode, Offset, PartitionId, ProducerEpoch, ProducerId, Sequence, Text, Timestamp,
    messages::{
        ConsumerGroupHeartbeatResponse, FetchResponse,
        fetch::{AbortedTransaction, FetchableTopicResponse, PartitionData},
    },
    records::{BatchBuilder, Compression, HeadersRef, NewRecord, ProducerStamp, Record, Records},
};

use super::{
    CommitError, ConsumeError, Consumer, ConsumerConfig, IsolationLevel, OffsetReset, PartitionRecord,
    PartitionRecords, Polled,
};
use crate::{
    OffsetSpec, TopicPartition,
    clock::Clock,
    producer::{Producer, ProducerConfig, ProducerRecord},
    testing::{FakeBroker, Trouble},
};

const LONG: Duration = Duration::from_secs(30);

fn broker(partitions: usize) -> FakeBroker {
    let broker = FakeBroker::new();
    broker.create_topic("t", partitions);
    broker
}

/// Produces numbers, `batch` records to a batch, the number also being the timestamp.
async fn produce(broker: &FakeBroker, partition: i32, numbers: std::ops::Range<i64>, batch: usize) {
    let config = ProducerConfig { linger: LONG, compression: Compression::Lz4, ..ProducerConfig::default() };
    let producer = Producer::new(broker, config);
    for (index, number) in numbers.enumerate() {
        let record = ProducerRecord::new("t").partition(partition).timestamp(Timestamp(number));
        drop(producer.send(record.value(number.to_string())).await.unwrap());
        if (index + 1) % batch == 0 {
            producer.flush().await;
        }
    }
    producer.close().await;
}

fn earliest() -> ConsumerConfig {
    ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() }
}

fn member() -> ConsumerConfig {
    ConsumerConfig { group_id: Some(Text::from_static("g")), ..earliest() }
}

fn t(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn reader(broker: &FakeBroker, config: ConsumerConfig) -> Consumer {
    let mut consumer = Consumer::new(broker, config);
    consumer.assign([t(0)]);
    consumer
}

fn numbers(records: &[PartitionRecords]) -> Vec<i64> {
    let number =
        |record: &Record| std::str::from_utf8(record.value.as_ref().unwrap()).unwrap().parse().unwrap();
    records.iter().flat_map(|batch| &batch.records).map(number).collect()
}

/// Polls until there are as many records, whatever else happens.
async fn read(consumer: &mut Consumer, count: usize) -> Vec<i64> {
    let mut all = Vec::new();
    while all.len() < count {
        match consumer.poll(LONG).await.unwrap() {
            Polled::Records(records) => all.extend(numbers(&records)),
            Polled::Nothing => panic!("only {all:?}"),
            _ => {}
        }
    }
    all
}

fn range(range: std::ops::Range<i64>) -> Vec<i64> {
    range.collect()
}

#[tokio::test(start_paused = true)]
async fn records_come_in_order_and_go_on_as_they_are_produced() {
    let broker = broker(1);
    produce(&broker, 0, 0..100, 7).await;
    let mut consumer = reader(&broker, earliest());
    assert_eq!(read(&mut consumer, 100).await, range(0..100));
    assert_eq!(consumer.position(&t(0)), Some(Offset(100)));
    assert!(matches!(consumer.poll(Duration::from_secs(1)).await, Ok(Polled::Nothing)));
    produce(&broker, 0, 100..150, 7).await;
    assert_eq!(read(&mut consumer, 50).await, range(100..150));
}

#[tokio::test(start_paused = true)]
async fn poll_takes_no_more_records_than_it_may_and_leaves_the_position_behind_them() {
    let broker = broker(1);
    produce(&broker, 0, 0..30, 10).await;
    let mut consumer = reader(&broker, ConsumerConfig { poll_records: 11, ..earliest() });
    for expected in [0..11, 11..22, 22..30] {
        let end = Offset(expected.end);
        let Polled::Records(records) = consumer.poll(LONG).await.unwrap() else { panic!("no records") };
        assert_eq!(numbers(&records), range(expected));
        assert_eq!((records[0].next_offset, consumer.position(&t(0))), (end, Some(end)));
    }
}

#[tokio::test(start_paused = true)]
async fn next_hands_out_one_record_and_moves_the_position_by_one() {
    let broker = broker(1);
    produce(&broker, 0, 0..30, 10).await;
    broker.compact_away("t", 0, 10);
    let mut consumer = reader(&broker, earliest());
    for number in (0..10).chain(20..30) {
        let PartitionRecord { partition, record } = consumer.next().await.unwrap();
        assert_eq!((partition, record.offset), (t(0), Offset(number)));
        assert_eq!(consumer.position(&t(0)), Some(Offset(number + 1)));
    }
}

#[tokio::test(start_paused = true)]
async fn partition_that_is_added_is_read_though_others_always_have_records() {
    let broker = broker(2);
    produce(&broker, 0, 0..1000, 1).await;
    produce(&broker, 1, 1000..1001, 1).await;
    for one_by_one in [false, true] {
        let config = ConsumerConfig { poll_records: 1, partition_bytes_max: 1, ..earliest() };
        let mut consumer = reader(&broker, config);
        read(&mut consumer, 1).await;
        consumer.assign([t(0), t(1)]);
        let mut before = 0;
        while if one_by_one {
            consumer.next().await.unwrap().partition == t(0)
        } else {
            read(&mut consumer, 1).await != [1000]
        } {
            before += 1;
        }
        assert!(before < 20, "{before} records came first");
    }
}

#[tokio::test(start_paused = true)]
async fn stream_can_be_dropped_and_begun_again() {
    use futures_util::{StreamExt, TryStreamExt};
    let broker = broker(2);
    produce(&broker, 0, 0..30, 10).await;
    produce(&broker, 1, 30..60, 10).await;
    let mut consumer = Consumer::new(&broker, earliest());
    consumer.assign([t(0), t(1)]);
    let mut seen = Vec::new();
    for _ in 0..6 {
        let records: Vec<_> = consumer.stream().take(10).try_collect().await.unwrap();
        seen.extend(records.into_iter().map(|record| (record.partition.partition.0, record.record.offset.0)));
    }
    seen.sort_unstable();
    let expected = (0..2).flat_map(|partition| (0..30).map(move |offset| (partition, offset)));
    assert_eq!(seen, expected.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn no_more_is_fetched_ahead_than_the_settings_have_room_for() {
    let broker = broker(4);
    for partition in 0..4 {
        produce(&broker, partition, 0..100, 1).await;
    }
    let batch = broker.batches("t", 0)[50].bytes().len();
    let config = ConsumerConfig {
        partition_bytes_max: batch,
        prefetch_bytes: 2 * batch,
        poll_records: 1,
        ..earliest()
    };
    let mut consumer = Consumer::new(&broker, config);
    consumer.assign((0..4).map(t));
    let mut all = Vec::new();
    while all.len() < 400 {
        all.extend(read(&mut consumer, 1).await);
        assert!(consumer.fetcher.ready.len() <= 4 * 2);
        let held: usize = consumer.fetcher.ready.iter().map(|fetched| fetched.bytes).sum();
        // The fake broker answers with a batch of each partition that is asked for; that much may come on top.
        assert!(held <= (2 + 4) * batch, "{held} bytes are held");
    }
    all.sort_unstable();
    assert!(all.chunks(4).enumerate().all(|(number, four)| four == [number as i64; 4]));
}

#[tokio::test(start_paused = true)]
async fn records_that_nobody_takes_hold_up_no_other_partition() {
    let broker = broker(2);
    produce(&broker, 0, 0..100, 1).await;
    let config = ConsumerConfig { prefetch_bytes: 1, poll_records: 1, partition_bytes_max: 1, ..earliest() };
    let mut consumer = Consumer::new(&broker, config);
    consumer.assign([t(0), t(1)]);
    assert_eq!(read(&mut consumer, 1).await, [0]);
    consumer.pause(&t(0));
    produce(&broker, 1, 100..110, 1).await;
    assert_eq!(read(&mut consumer, 10).await, range(100..110));
    consumer.resume(&t(0));
    assert_eq!(read(&mut consumer, 99).await, range(1..100));
}

#[tokio::test(start_paused = true)]
async fn offsets_may_skip() {
    let broker = broker(1);
    produce(&broker, 0, 0..30, 10).await;
    broker.compact_away("t", 0, 10);
    let mut consumer = reader(&broker, earliest());
    assert_eq!(read(&mut consumer, 20).await, [range(0..10), range(20..30)].concat());
    consumer.seek(&t(0), Offset(15));
    assert_eq!(read(&mut consumer, 10).await, range(20..30));
}

#[tokio::test(start_paused = true)]
async fn reading_may_begin_within_a_batch() {
    let broker = broker(1);
    produce(&broker, 0, 0..30, 10).await;
    let mut consumer = reader(&broker, earliest());
    consumer.seek(&t(0), Offset(17));
    assert_eq!(read(&mut consumer, 13).await, range(17..30));
}

#[tokio::test(start_paused = true)]
async fn seek_makes_what_is_on_its_way_worthless() {
    let broker = broker(1);
    produce(&broker, 0, 0..30, 10).await;
    let mut consumer = reader(&broker, ConsumerConfig { poll_records: 10, ..earliest() });
    assert_eq!(read(&mut consumer, 10).await, range(0..10));
    consumer.seek(&t(0), Offset(0));
    assert_eq!(read(&mut consumer, 30).await, range(0..30));
}

#[tokio::test(start_paused = true)]
async fn paused_partition_waits_and_loses_nothing() {
    let broker = broker(1);
    produce(&broker, 0, 0..20, 10).await;
    let mut consumer = reader(&broker, ConsumerConfig { poll_records: 1, ..earliest() });
    read(&mut consumer, 10).await;
    consumer.pause(&t(0));
    assert!(matches!(consumer.poll(LONG).await, Ok(Polled::Nothing)));
    consumer.resume(&t(0));
    assert_eq!(read(&mut consumer, 10).await, range(10..20));
}

/// A clock that stands.
#[derive(Debug)]
struct Fixed(Timestamp);

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        self.0
    }
}

#[tokio::test(start_paused = true)]
async fn reading_begins_where_the_settings_say() {
    let broker = broker(1);
    produce(&broker, 0, 0..30, 10).await;
    for (offset_reset, expected) in [
        (OffsetReset::Earliest, 0..31),
        (OffsetReset::Latest, 30..31),
        (OffsetReset::Timestamp(Timestamp(15)), 10..31),
        (OffsetReset::Timestamp(Timestamp(1_000)), 30..31),
        (OffsetReset::Duration(Duration::from_millis(5)), 10..31),
        (OffsetReset::Duration(Duration::from_secs(1_000)), 0..31),
    ] {
        let clock = Arc::new(Fixed(Timestamp(20)));
        let mut consumer =
            reader(&broker, ConsumerConfig { offset_reset, clock, ..ConsumerConfig::default() });
        consumer.poll(Duration::ZERO).await.unwrap();
        while consumer.position(&t(0)).is_none() {
            consumer.poll(Duration::from_millis(1)).await.unwrap();
        }
        let start = expected.start;
        assert_eq!(consumer.position(&t(0)).unwrap().0, start, "{offset_reset:?}");
    }
    let mut consumer =
        reader(&broker, ConsumerConfig { offset_reset: OffsetReset::Fail, ..ConsumerConfig::default() });
    assert!(matches!(consumer.poll(LONG).await, Err(ConsumeError::NoOffset { .. })));
}

#[tokio::test(start_paused = true)]
async fn offset_that_is_gone_is_replaced_as_the_settings_say() {
    let broker = broker(1);
    produce(&broker, 0, 0..30, 10).await;
    broker.trim("t", 0, 20);
    let mut consumer = reader(&broker, earliest());
    consumer.seek(&t(0), Offset(5));
    assert_eq!(read(&mut consumer, 10).await, range(20..30));
    let mut strict = reader(&broker, ConsumerConfig { offset_reset: OffsetReset::Fail, ..earliest() });
    strict.seek(&t(0), Offset(5));
    assert!(matches!(strict.poll(LONG).await, Err(ConsumeError::OutOfRange { offset: Offset(5), .. })));
}

fn fetch_answer(error_code: ErrorCode, records: Bytes) -> Trouble {
    let data = PartitionData {
        partition_index: PartitionId(0),
        error_code,
        records: Some(Records::Bytes(records)),
        ..PartitionData::default()
    };
    let topic = FetchableTopicResponse {
        topic: Text::from_static("t"),
        partitions: vec![data],
        ..Default::default()
    };
    Trouble::Answer(FetchResponse { responses: vec![topic], ..FetchResponse::default() }.into())
}

/// The first of two batches with its transaction aborted, as a broker tells it.
fn aborted_answer(broker: &FakeBroker) -> Trouble {
    let (producer_id, producer_epoch) = (ProducerId(9), ProducerEpoch(0));
    let mut records = BatchBuilder::new(Compression::None);
    for _ in 0..10 {
        let value = Some(&b"-1"[..]);
        records
            .append(&NewRecord { timestamp: Timestamp(0), key: None, value, headers: HeadersRef::EMPTY })
            .unwrap();
    }
    let stamp =
        ProducerStamp { producer_id, producer_epoch, base_sequence: Sequence(0), transactional: true };
    let mut bytes = BytesMut::from(&records.seal(&stamp).unwrap()[..]);
    bytes.extend_from_slice(broker.batches("t", 0)[1].bytes());
    let data = PartitionData {
        records: Some(Records::Bytes(bytes.freeze())),
        aborted_transactions: Some(vec![AbortedTransaction { producer_id, first_offset: Offset(0) }]),
        ..PartitionData::default()
    };
    let topic = FetchableTopicResponse { topic: "t".into(), partitions: vec![data], ..Default::default() };
    Trouble::Answer(FetchResponse { responses: vec![topic], ..FetchResponse::default() }.into())
}

#[tokio::test(start_paused = true)]
async fn records_of_aborted_transactions_are_left_out_only_where_that_is_wanted() {
    let broker = broker(1);
    produce(&broker, 0, 0..20, 10).await;
    for (isolation, first) in [
        (IsolationLevel::ReadUncommitted, [vec![-1; 10], range(10..20)].concat()),
        (IsolationLevel::ReadCommitted, range(10..20)),
    ] {
        broker.trouble(ApiKey::Fetch, aborted_answer(&broker));
        let mut consumer = reader(&broker, ConsumerConfig { isolation, ..earliest() });
        assert_eq!(read(&mut consumer, first.len()).await, first, "{isolation:?}");
        assert_eq!(consumer.position(&t(0)), Some(Offset(20)));
    }
}

#[tokio::test(start_paused = true)]
async fn damaged_batch_is_reported_after_everything_before_it() {
    let broker = broker(1);
    produce(&broker, 0, 0..20, 10).await;
    let batches = broker.batches("t", 0);
    let mut damaged = BytesMut::from([batches[0].bytes().as_ref(), batches[1].bytes()].concat().as_slice());
    *damaged.last_mut().unwrap() ^= 1;
    broker.trouble(ApiKey::Fetch, fetch_answer(ErrorCode::NONE, damaged.freeze()));
    let mut consumer = reader(&broker, earliest());
    assert_eq!(read(&mut consumer, 10).await, range(0..10));
    for _ in 0..2 {
        let error = consumer.poll(LONG).await.unwrap_err();
        assert!(matches!(error, ConsumeError::Damaged { offset: Offset(10), .. }), "{error}");
    }
    consumer.seek(&t(0), Offset(10));
    assert_eq!(read(&mut consumer, 10).await, range(10..20));
}

#[tokio::test(start_paused = true)]
async fn lost_fetches_and_moved_leaders_are_tried_again() {
    let broker = broker(1);
    produce(&broker, 0, 0..20, 10).await;
    broker.trouble(ApiKey::Fetch, Trouble::LostBefore);
    broker.trouble(ApiKey::Fetch, fetch_answer(ErrorCode::NOT_LEADER_OR_FOLLOWER, Bytes::new()));
    assert_eq!(read(&mut reader(&broker, earliest()), 20).await, range(0..20));
}

#[tokio::test(start_paused = true)]
async fn what_a_broker_found_damaged_is_reported() {
    let broker = broker(1);
    produce(&broker, 0, 0..20, 10).await;
    broker.trouble(ApiKey::Fetch, fetch_answer(ErrorCode::CORRUPT_MESSAGE, Bytes::new()));
    let mut consumer = reader(&broker, earliest());
    let error = consumer.poll(LONG).await.unwrap_err();
    assert!(matches!(error, ConsumeError::Damaged { offset: Offset(0), .. }), "{error}");
    consumer.seek(&t(0), Offset(10));
    assert_eq!(read(&mut consumer, 10).await, range(10..20));
}

#[tokio::test(start_paused = true)]
async fn refused_partition_is_reported() {
    let broker = broker(1);
    broker.trouble(ApiKey::Fetch, fetch_answer(ErrorCode::TOPIC_AUTHORIZATION_FAILED, Bytes::new()));
    let error = reader(&broker, earliest()).poll(LONG).await.unwrap_err();
    assert!(matches!(error, ConsumeError::Refused { .. }) && !error.is_retriable());
}

#[tokio::test(start_paused = true)]
async fn ends_and_beginnings_are_known() {
    let broker = broker(1);
    produce(&broker, 0, 0..30, 10).await;
    broker.trim("t", 0, 10);
    let consumer = reader(&broker, earliest());
    assert_eq!(consumer.end_offsets(&[t(0)]).await.unwrap()[&t(0)], Offset(30));
    assert_eq!(consumer.beginning_offsets(&[t(0)]).await.unwrap()[&t(0)], Offset(10));
    let found = consumer.offsets(&[t(0)], OffsetSpec::Timestamp(Timestamp(15))).await.unwrap();
    assert_eq!(found[&t(0)], Offset(10));
    assert_eq!(consumer.partitions("t").await.unwrap(), [t(0)]);
}

#[tokio::test]
async fn consumer_works_over_tcp() {
    let broker = broker(2);
    let served = crate::testing::serve(&broker, 4).await.unwrap();
    let transport = crate::TcpTransport::new(crate::TcpConfig::bootstrap(&served.address));
    produce(&broker, 0, 0..1000, 10).await;
    let mut consumer = Consumer::new(&transport, ConsumerConfig { poll_records: 100, ..member() });
    consumer.subscribe(["t"]).unwrap();
    assert_eq!(read(&mut consumer, 500).await, range(0..500));
    served.disconnect_all();
    assert_eq!(read(&mut consumer, 500).await, range(500..1000));
    consumer.commit_consumed().await.unwrap();
    consumer.close().await;
    assert_eq!(broker.committed("g", "t", 0), Some(1000));
}
