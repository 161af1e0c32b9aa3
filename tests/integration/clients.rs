//! Our producer, consumer and admin against our broker, over TCP and within the process: the same tests for both ways.

use std::{sync::Arc, time::Duration};

use mainstem::embed::LocalTransport;
use mainstem_client::{
    Admin, AdminConfig, Compression, Consumer, ConsumerConfig, ErrorCode, NewTopic, Offset, Producer,
    ProducerConfig, ProducerRecord, TcpConfig, TcpTransport, TopicPartition, Transport,
    consumer::{OffsetReset, Polled},
};

use crate::harness::{PATIENCE, TestBroker};

const RECORDS: usize = 3_000;

/// Runs a test over both ways, each with a broker of its own.
async fn both<F: Future<Output = ()>>(test: impl Fn(Arc<dyn Transport>) -> F) {
    let broker = TestBroker::start().await;
    test(Arc::new(LocalTransport::new(broker.broker(), "test"))).await;
    let broker = TestBroker::start().await;
    test(tcp(&broker)).await;
}

fn tcp(broker: &TestBroker) -> Arc<dyn Transport> {
    let (_, address) = &broker.broker().listeners()[0];
    Arc::new(TcpTransport::new(TcpConfig::bootstrap(&address.to_string())))
}

async fn create(transport: &dyn Transport, topic: &'static str, partitions: i32) {
    let admin = Admin::new(transport, AdminConfig::default());
    let new = NewTopic::new(topic, partitions).config("flush.messages", "9223372036854775807");
    admin.create_topic(new).await.unwrap();
}

async fn produce(transport: &dyn Transport, topic: &'static str, compression: Compression) {
    let producer = Producer::new(transport, ProducerConfig { compression, ..ProducerConfig::default() });
    let mut tickets = Vec::with_capacity(RECORDS);
    for number in 0..RECORDS {
        let record = ProducerRecord::new(topic).key(format!("key {}", number % 17)).value(number.to_string());
        tickets.push(producer.send(record).await.unwrap());
    }
    producer.flush().await;
    for ticket in tickets {
        ticket.await.unwrap();
    }
}

fn earliest() -> ConsumerConfig {
    ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() }
}

fn member() -> ConsumerConfig {
    ConsumerConfig {
        group_id: Some("readers".into()),
        heartbeat_interval: Duration::from_millis(50),
        ..earliest()
    }
}

/// Reads records until there are so many: key, number and offset of each.
async fn read(consumer: &mut Consumer, count: usize) -> Vec<(String, usize, i64)> {
    let mut all = Vec::new();
    while all.len() < count {
        match consumer.poll(PATIENCE).await.unwrap() {
            Polled::Records(batches) => {
                all.extend(batches.iter().flat_map(|batch| &batch.records).map(|record| {
                    let text = |bytes: &Option<bytes::Bytes>| {
                        String::from_utf8(bytes.clone().unwrap().to_vec()).unwrap()
                    };
                    (text(&record.key), text(&record.value).parse().unwrap(), record.offset.0)
                }))
            }
            Polled::Nothing => panic!("only {} records", all.len()),
            _ => {}
        }
    }
    all
}

#[tokio::test]
async fn every_compression_brings_back_what_was_sent() {
    both(|transport| async move {
        for (compression, topic) in
            Compression::ALL.into_iter().zip(["none", "gzip", "snappy", "lz4", "zstd"])
        {
            create(transport.as_ref(), topic, 3).await;
            produce(transport.as_ref(), topic, compression).await;
            let mut consumer = Consumer::new(transport.as_ref(), earliest());
            consumer.assign(consumer.partitions(topic).await.unwrap());
            check(&read(&mut consumer, RECORDS).await);
        }
    })
    .await;
}

/// Each number is there once, and those of one key are in order.
fn check(read: &[(String, usize, i64)]) {
    let mut numbers: Vec<_> = read.iter().map(|(_, number, _)| *number).collect();
    for key in 0..17 {
        let of_key = read.iter().filter(|(read, ..)| *read == format!("key {key}"));
        let of_key: Vec<_> = of_key.map(|(_, number, _)| *number).collect();
        assert!(of_key.is_sorted(), "key {key}");
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..RECORDS).collect::<Vec<_>>());
}

#[tokio::test]
async fn group_goes_on_where_it_was() {
    both(|transport| async move {
        create(transport.as_ref(), "t", 1).await;
        produce(transport.as_ref(), "t", Compression::None).await;
        let mut first = Consumer::new(transport.as_ref(), ConsumerConfig { poll_records: 100, ..member() });
        first.subscribe(["t"]).unwrap();
        let before = read(&mut first, 100).await.len();
        first.commit_consumed().await.unwrap();
        first.close().await;
        // A poll brings whole batches, perhaps all there were: so there is more to come.
        produce(transport.as_ref(), "t", Compression::None).await;
        let mut second = Consumer::new(transport.as_ref(), member());
        second.subscribe(["t"]).unwrap();
        let after = read(&mut second, 2 * RECORDS - before).await;
        assert_eq!(after[0].2, before as i64);
        second.close().await;
    })
    .await;
}

#[tokio::test]
async fn two_members_share_and_one_takes_over() {
    both(|transport| async move {
        create(transport.as_ref(), "t", 4).await;
        let mut first = Consumer::new(transport.as_ref(), member());
        first.subscribe(["t"]).unwrap();
        until_assigned(&mut first, 4).await;
        let mut second = Consumer::new(transport.as_ref(), member());
        second.subscribe(["t"]).unwrap();
        tokio::join!(until_assigned(&mut first, 2), until_assigned(&mut second, 2));
        let mut all = [first.assignment(), second.assignment()].concat();
        all.sort();
        assert_eq!(all, (0..4).map(|partition| TopicPartition::new("t", partition)).collect::<Vec<_>>());
        second.close().await;
        until_assigned(&mut first, 4).await;
        first.close().await;
    })
    .await;
}

async fn until_assigned(consumer: &mut Consumer, count: usize) {
    loop {
        match consumer.poll(PATIENCE).await.unwrap() {
            Polled::Assigned(partitions) if partitions.len() == count => return,
            Polled::Nothing => panic!("not assigned"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn positions_by_time_and_by_name() {
    both(|transport| async move {
        create(transport.as_ref(), "t", 1).await;
        let producer = Producer::new(transport.as_ref(), ProducerConfig::default());
        for time in [10, 20, 30] {
            let record = ProducerRecord::new("t").partition(0).timestamp(time.into()).value("v");
            producer.send(record).await.unwrap().await.unwrap();
        }
        let (consumer, partition) =
            (Consumer::new(transport.as_ref(), earliest()), TopicPartition::new("t", 0));
        let at =
            async |spec| consumer.offsets(std::slice::from_ref(&partition), spec).await.unwrap()[&partition];
        use mainstem_client::OffsetSpec::{Earliest, Latest, Timestamp};
        assert_eq!(at(Earliest).await, Offset(0));
        assert_eq!(at(Latest).await, Offset(3));
        assert_eq!(at(Timestamp(15.into())).await, Offset(1));
        assert_eq!(at(Timestamp(31.into())).await, Offset::NONE);
    })
    .await;
}

#[tokio::test]
async fn admin_says_what_there_is() {
    both(|transport| async move {
        let admin = Admin::new(transport.as_ref(), AdminConfig::default());
        admin.create_topic(NewTopic::new("t", 2).config("retention.ms", "-1")).await.unwrap();
        let again = admin.create_topic(NewTopic::new("t", 2)).await.unwrap_err();
        assert_eq!(again.code(), Some(ErrorCode::TOPIC_ALREADY_EXISTS));
        let configs = admin.describe_topic_configs("t").await.unwrap();
        let retention = configs.iter().find(|config| config.name == "retention.ms").unwrap();
        assert_eq!(retention.value.as_deref(), Some("-1"));
        assert_eq!(admin.describe_topic("t").await.unwrap().partitions.len(), 2);
        assert_eq!(admin.describe_cluster().await.unwrap().brokers.len(), 1);
        admin.delete_topic("t").await.unwrap();
        let gone = admin.describe_topic("t").await.unwrap_err();
        assert_eq!(gone.code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    })
    .await;
}

#[tokio::test]
async fn topics_come_to_be_when_they_are_written() {
    both(|transport| async move {
        let producer = Producer::new(transport.as_ref(), ProducerConfig::default());
        let receipt = producer.send(ProducerRecord::new("new").value("v")).await.unwrap().await.unwrap();
        assert_eq!(receipt.offset, Offset(0));
    })
    .await;
}
