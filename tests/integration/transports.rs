//! Both ways to this broker do what every transport has to do.

use std::sync::Arc;

use bytes::Bytes;
use mainstem::embed::LocalTransport;
use mainstem_client::{
    Admin, AdminConfig, Consumer, ConsumerConfig, NewTopic, Producer, ProducerConfig, ProducerRecord, Record,
    TcpConfig, TcpTransport, Transport,
    consumer::{OffsetReset, Polled},
    protocol::counting::codec_calls,
    testing::suite,
};

use crate::harness::{PATIENCE, TestBroker};

const RECORDS: usize = 300;
const RECORD_BYTES: usize = 1000;

#[tokio::test]
async fn the_way_within_the_process_is_a_transport() {
    let broker = TestBroker::start().await;
    suite::run(Arc::new(LocalTransport::new(broker.broker(), "suite"))).await;
}

#[tokio::test]
async fn the_way_over_tcp_is_a_transport() {
    let broker = TestBroker::start().await;
    let (_, address) = &broker.broker().listeners()[0];
    suite::run(Arc::new(TcpTransport::new(TcpConfig::bootstrap(&address.to_string())))).await;
}

#[tokio::test]
async fn within_the_process_there_is_no_codec_and_no_socket() {
    let broker = TestBroker::start().await;
    let before = codec_calls();
    write_and_read(&LocalTransport::new(broker.broker(), "counted"), "local").await;
    assert_eq!((codec_calls() - before, connections_accepted(&broker)), (0, 0));
    // What counts nothing there counts here, or it would prove nothing.
    let (_, address) = &broker.broker().listeners()[0];
    write_and_read(&TcpTransport::new(TcpConfig::bootstrap(&address.to_string())), "tcp").await;
    assert!(codec_calls() > before && connections_accepted(&broker) > 0);
}

#[tokio::test]
async fn within_the_process_records_lie_in_the_mapped_segment() {
    let broker = TestBroker::start().await;
    let records = write_and_read(&LocalTransport::new(broker.broker(), "mapped"), "mapped").await;
    let segments = mapped_segments();
    let is_mapped = |value: &Bytes| {
        let start = value.as_ptr().addr();
        segments
            .iter()
            .any(|segment| segment.contains(&start) && segment.contains(&(start + value.len() - 1)))
    };
    let values: Vec<_> = records.iter().filter_map(|record| record.value.as_ref()).collect();
    assert_eq!(values.len(), RECORDS);
    assert!(values.into_iter().all(is_mapped), "a record was copied on its way from {segments:x?}");
}

/// Everything that a client does: a topic, an idempotent producer, a member of a group, a commit.
async fn write_and_read(transport: &dyn Transport, topic: &'static str) -> Vec<Record> {
    Admin::new(transport, AdminConfig::default()).create_topic(NewTopic::new(topic, 1)).await.unwrap();
    let producer =
        Producer::new(transport, ProducerConfig { batch_bytes: RECORDS * 2000, ..ProducerConfig::default() });
    for _ in 0..RECORDS {
        drop(producer.send(ProducerRecord::new(topic).value(vec![7; RECORD_BYTES])).await.unwrap());
    }
    producer.close().await;
    let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::group(topic) };
    let mut consumer = Consumer::new(transport, config);
    consumer.subscribe([topic]).unwrap();
    let mut records = Vec::new();
    while records.len() < RECORDS {
        if let Polled::Records(batches) = consumer.poll(PATIENCE).await.unwrap() {
            records.extend(batches.into_iter().flat_map(|batch| batch.records));
        }
    }
    consumer.commit_consumed().await.unwrap();
    consumer.close().await;
    records
}

fn connections_accepted(broker: &TestBroker) -> u64 {
    let text = broker.broker().node().metrics.render().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("mainstem_connections_accepted_total "));
    line.unwrap().parse().unwrap()
}

/// Where this process has segments in its memory.
fn mapped_segments() -> Vec<std::ops::Range<usize>> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let segments = maps.lines().filter(|line| line.ends_with(".log"));
    segments.map(addresses).collect()
}

/// The range at the beginning of a line of `/proc/self/maps`.
fn addresses(line: &str) -> std::ops::Range<usize> {
    let address = |text| usize::from_str_radix(text, 16).unwrap();
    let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
    address(start)..address(end)
}
