//! DeleteRecords: logs that begin later, and what is asked of them then.

use mainstem_protocol::{
    ErrorCode, Offset, PartitionId, Text, Timestamp,
    messages::{
        DeleteRecordsRequest, ListOffsetsRequest,
        delete_records::{DeleteRecordsPartition, DeleteRecordsTopic},
        list_offsets::{ListOffsetsPartition, ListOffsetsTopic},
    },
};

use crate::harness::{Client, TestBroker, batch, bytes_of};

const EARLIEST: Timestamp = Timestamp(-2);

fn request(topic: &str, offsets: &[(i32, i64)]) -> DeleteRecordsRequest {
    let partition = |&(partition, offset): &(i32, i64)| DeleteRecordsPartition {
        partition_index: PartitionId(partition),
        offset: Offset(offset),
    };
    let partitions = offsets.iter().map(partition).collect();
    let topics = vec![DeleteRecordsTopic { name: Text::from(topic), partitions }];
    DeleteRecordsRequest { topics, timeout_ms: 1000 }
}

/// Code and low watermark of each partition.
async fn delete(client: &mut Client, topic: &str, offsets: &[(i32, i64)]) -> Vec<(ErrorCode, i64)> {
    let response = client.ask(2, request(topic, offsets)).await;
    let [answered] = &response.topics[..] else { panic!("one topic: {response:?}") };
    assert_eq!(&*answered.name, topic);
    answered.partitions.iter().map(|partition| (partition.error_code, partition.low_watermark.0)).collect()
}

async fn earliest(client: &mut Client, topic: &str) -> Offset {
    let partition = ListOffsetsPartition { timestamp: EARLIEST, ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: Text::from(topic), partitions: vec![partition] }];
    let response = client.ask(5, ListOffsetsRequest { topics, ..Default::default() }).await;
    response.topics[0].partitions[0].offset
}

/// Ten records in batches of two, of a partition whose segments hold two batches.
async fn ten_records(broker: &TestBroker, topic: &str, configs: &[(&str, &str)]) -> Client {
    let mut client = broker.connect().await;
    client.create_topic(topic, 2, &[&[("segment.bytes", "1048576")], configs].concat()).await;
    let value = vec![b'a'; 200 * 1024];
    for _ in 0..5 {
        let produced = client.produce(topic, 0, batch(&[&value, &value])).await;
        assert_eq!(produced.error_code, ErrorCode::NONE);
    }
    client
}

#[tokio::test]
async fn records_before_an_offset_go_and_stay_gone() {
    let broker = TestBroker::start().await;
    let mut client = ten_records(&broker, "orders", &[]).await;
    assert_eq!(delete(&mut client, "orders", &[(0, 5)]).await, [(ErrorCode::NONE, 5)]);
    assert_eq!(earliest(&mut client, "orders").await, Offset(5));
    assert_eq!(client.fetch("orders", 0, 4).await.error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    assert!(!bytes_of(&client.fetch("orders", 0, 5).await).is_empty());
    let broker = broker.restart().await;
    let mut client = broker.connect().await;
    assert_eq!(earliest(&mut client, "orders").await, Offset(5));
    assert_eq!(client.fetch("orders", 0, 4).await.error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
}

#[tokio::test]
async fn minus_one_deletes_all_that_is_visible() {
    let broker = TestBroker::start().await;
    let mut client = ten_records(&broker, "orders", &[]).await;
    let deleted = delete(&mut client, "orders", &[(0, -1), (1, -1)]).await;
    assert_eq!(deleted, [(ErrorCode::NONE, 10), (ErrorCode::NONE, 0)]);
    assert_eq!(earliest(&mut client, "orders").await, Offset(10));
    let next = client.produce("orders", 0, batch(&[b"c"])).await;
    assert_eq!((next.base_offset, next.log_start_offset), (Offset(10), Offset(10)));
}

#[tokio::test]
async fn what_is_deleted_already_is_no_error() {
    let broker = TestBroker::start().await;
    let mut client = ten_records(&broker, "orders", &[]).await;
    delete(&mut client, "orders", &[(0, 6)]).await;
    for offset in [0, 3, 6] {
        assert_eq!(delete(&mut client, "orders", &[(0, offset)]).await, [(ErrorCode::NONE, 6)]);
    }
}

#[tokio::test]
async fn offsets_beyond_the_log_are_refused_and_others_of_the_request_are_not() {
    let broker = TestBroker::start().await;
    let mut client = ten_records(&broker, "orders", &[]).await;
    let out_of_range = (ErrorCode::OFFSET_OUT_OF_RANGE, -1);
    let unknown = (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1);
    for beyond in [11, -2] {
        let deleted = delete(&mut client, "orders", &[(0, beyond), (1, 1), (7, 0)]).await;
        assert_eq!(deleted, [out_of_range, out_of_range, unknown]);
    }
    // Of a partition that is named twice the last offset counts (Kafka: `KafkaApis.handleDeleteRecordsRequest`).
    let deleted = delete(&mut client, "orders", &[(0, 11), (1, 1), (0, 4), (7, 0)]).await;
    assert_eq!(deleted, [(ErrorCode::NONE, 4), out_of_range, unknown]);
    assert_eq!(delete(&mut client, "nothing", &[(0, 0)]).await, [unknown]);
}

#[tokio::test]
async fn topics_that_are_compacted_alone_are_not_cut() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("compacted", 1, &[("cleanup.policy", "compact")]).await;
    client.create_topic("both", 1, &[("cleanup.policy", "compact,delete")]).await;
    let refused = (ErrorCode::POLICY_VIOLATION, -1);
    assert_eq!(delete(&mut client, "compacted", &[(0, -1)]).await, [refused]);
    assert_eq!(delete(&mut client, "both", &[(0, -1)]).await, [(ErrorCode::NONE, 0)]);
    let internal = (ErrorCode::INVALID_TOPIC_EXCEPTION, -1);
    assert_eq!(delete(&mut client, "__consumer_offsets", &[(0, -1)]).await, [internal]);
}

#[tokio::test]
async fn every_version_deletes_records() {
    let broker = TestBroker::start().await;
    let mut client = ten_records(&broker, "orders", &[]).await;
    for version in 0..=2 {
        let response = client.ask(version, request("orders", &[(0, 2 + i64::from(version))])).await;
        assert_eq!(response.topics[0].partitions[0].low_watermark, Offset(2 + i64::from(version)));
    }
}
