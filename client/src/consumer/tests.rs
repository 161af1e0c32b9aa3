//! The consumer against the fake broker.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use mainstem_protocol::{
    ApiKey, ErrorCode, Offset, PartitionId, Text, Timestamp,
    messages::{
        FetchResponse,
        fetch::{FetchableTopicResponse, PartitionData},
    },
    records::{Compression, Record, Records},
};

use super::{
    CommitError, ConsumeError, Consumer, ConsumerConfig, OffsetReset, PartitionRecord, PartitionRecords,
    Polled,
};
use crate::{
    OffsetSpec, TopicPartition,
    clock::Clock,
    producer::{Producer, ProducerConfig, ProducerRecord},
    testing::{FakeBroker, Hesitant, Trouble, interrupted},
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

async fn join(broker: &FakeBroker, config: ConsumerConfig) -> Consumer {
    let mut consumer = Consumer::new(broker, config);
    consumer.subscribe(["t"]).unwrap();
    consumer
}

async fn assigned(consumer: &mut Consumer) -> Vec<TopicPartition> {
    loop {
        if let Polled::Assigned(partitions) = consumer.poll(LONG).await.unwrap() {
            return partitions;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_member_gets_everything_and_goes_on_where_the_group_was() {
    let broker = broker(2);
    produce(&broker, 0, 0..20, 10).await;
    let mut consumer = join(&broker, member()).await;
    assert_eq!(assigned(&mut consumer).await, [t(0), t(1)]);
    assert_eq!(read(&mut consumer, 20).await, range(0..20));
    consumer.commit_consumed().await.unwrap();
    assert_eq!(broker.committed("g", "t", 0), Some(20));
    assert_eq!(consumer.committed(&[t(0), t(1)]).await.unwrap()[&t(0)], Offset(20));
    consumer.close().await;
    assert_eq!(broker.members("g"), 0);
    produce(&broker, 0, 20..40, 10).await;
    assert_eq!(read(&mut join(&broker, member()).await, 20).await, range(20..40));
}

#[tokio::test(start_paused = true)]
async fn second_member_shares_and_the_first_may_commit_before_that() {
    let broker = broker(2);
    produce(&broker, 0, 0..20, 10).await;
    let mut first = join(&broker, member()).await;
    assert_eq!(read(&mut first, 20).await, range(0..20));
    let mut second = join(&broker, member()).await;
    let joining = crate::task::spawn("second", async move {
        let partitions = assigned(&mut second).await;
        (second, partitions)
    });
    let revoked = loop {
        if let Polled::Revoked(partitions) = first.poll(LONG).await.unwrap() {
            break partitions;
        }
    };
    assert_eq!(revoked, [t(0), t(1)]);
    first.commit_consumed().await.unwrap();
    assert_eq!(assigned(&mut first).await, [t(0)]);
    let (second, partitions) = joining.await.unwrap();
    assert_eq!(partitions, [t(1)]);
    assert_eq!(broker.committed("g", "t", 0), Some(20));
    second.close().await;
    assert_eq!(assigned(&mut first).await, [t(0), t(1)]);
}

#[tokio::test(start_paused = true)]
async fn positions_are_committed_by_themselves_if_wanted() {
    let broker = broker(1);
    produce(&broker, 0, 0..20, 10).await;
    let config = ConsumerConfig { auto_commit_interval: Some(Duration::from_secs(5)), ..member() };
    let mut consumer = join(&broker, config).await;
    read(&mut consumer, 20).await;
    assert_eq!(broker.committed("g", "t", 0), None);
    consumer.poll(Duration::from_secs(6)).await.unwrap();
    consumer.poll(Duration::ZERO).await.unwrap();
    assert_eq!(broker.committed("g", "t", 0), Some(20));
    produce(&broker, 0, 20..30, 10).await;
    read(&mut consumer, 10).await;
    consumer.close().await;
    assert_eq!(broker.committed("g", "t", 0), Some(30));
}

#[tokio::test(start_paused = true)]
async fn member_that_does_not_poll_loses_its_partitions_and_cannot_commit() {
    let broker = broker(1);
    produce(&broker, 0, 0..20, 10).await;
    let config = ConsumerConfig { poll_interval_max: Duration::from_secs(10), ..member() };
    let mut consumer = join(&broker, config).await;
    read(&mut consumer, 20).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(broker.members("g"), 0);
    let mut other = join(&broker, member()).await;
    assigned(&mut other).await;
    let error = consumer.commit_consumed().await.unwrap_err();
    assert!(matches!(error, CommitError::NotMember { .. }) && !error.is_retriable());
    let lost = loop {
        if let Polled::Lost(partitions) = consumer.poll(LONG).await.unwrap() {
            break partitions;
        }
    };
    assert_eq!(lost, [t(0)]);
}

#[tokio::test(start_paused = true)]
async fn coordinator_that_is_not_there_yet_is_waited_for() {
    let broker = broker(1);
    for key in [ApiKey::FindCoordinator, ApiKey::JoinGroup, ApiKey::SyncGroup] {
        broker.trouble(key, Trouble::LostBefore);
    }
    let mut consumer = join(&broker, member()).await;
    assert_eq!(assigned(&mut consumer).await, [t(0)]);
}

#[tokio::test(start_paused = true)]
async fn consumer_without_a_group_commits_nothing() {
    let broker = broker(1);
    let mut consumer = reader(&broker, earliest());
    assert!(consumer.subscribe(["t"]).is_err());
    assert!(matches!(consumer.commit(&[(t(0), Offset(1))]).await, Err(CommitError::NoGroup)));
}

/// Polls, and is interrupted at the first await, the second, the third, until a poll gets through.
async fn poll_with_interruptions(consumer: &mut Consumer) -> Polled {
    for polls in 1.. {
        if let Some(polled) = interrupted(polls, consumer.poll(LONG)).await {
            return polled.unwrap();
        }
    }
    unreachable!("numbers do not end")
}

#[tokio::test(start_paused = true)]
async fn polls_that_are_dropped_lose_and_repeat_nothing() {
    let broker = broker(2);
    produce(&broker, 0, 0..50, 7).await;
    produce(&broker, 1, 50..100, 7).await;
    let config = ConsumerConfig { poll_records: 3, auto_commit_interval: Some(Duration::ZERO), ..member() };
    let mut consumer = Consumer::new(&Hesitant(broker.transport()), config);
    consumer.subscribe(["t"]).unwrap();
    let mut all = Vec::new();
    while all.len() < 100 {
        if let Polled::Records(records) = poll_with_interruptions(&mut consumer).await {
            all.extend(numbers(&records));
        }
    }
    all.sort_unstable();
    assert_eq!(all, range(0..100));
}

#[tokio::test(start_paused = true)]
async fn single_records_that_are_waited_for_in_vain_are_neither_lost_nor_repeated() {
    let broker = broker(1);
    produce(&broker, 0, 0..30, 4).await;
    let mut consumer = reader(&broker, earliest());
    let mut all = Vec::new();
    for polls in (1..5).cycle() {
        if let Some(record) = interrupted(polls, consumer.next()).await {
            all.push(record.unwrap().record.offset.0);
        }
        if all.len() == 30 {
            break;
        }
    }
    assert_eq!(all, range(0..30));
}

#[tokio::test(start_paused = true)]
async fn news_of_the_group_are_told_though_polls_are_dropped() {
    let broker = broker(2);
    produce(&broker, 0, 0..20, 10).await;
    // Commits are made before the news is told, so there is something to be interrupted at.
    let config = ConsumerConfig { auto_commit_interval: Some(Duration::from_secs(3600)), ..member() };
    let mut first = Consumer::new(&Hesitant(broker.transport()), config.clone());
    first.subscribe(["t"]).unwrap();
    assert_eq!(read(&mut first, 20).await, range(0..20));
    let mut second = join(&broker, config).await;
    let joining = crate::task::spawn("second", async move { assigned(&mut second).await });
    let mut told = Vec::new();
    while told.len() < 2 {
        match poll_with_interruptions(&mut first).await {
            Polled::Revoked(partitions) => told.push(("revoked", partitions)),
            Polled::Assigned(partitions) => told.push(("assigned", partitions)),
            _ => {}
        }
    }
    assert_eq!(told, [("revoked", vec![t(0), t(1)]), ("assigned", vec![t(0)])]);
    assert_eq!(joining.await.unwrap(), [t(1)]);
    assert_eq!(broker.committed("g", "t", 0), Some(20));
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
