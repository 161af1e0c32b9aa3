//! DescribeProducers: who writes into a partition.

use mainstem_protocol::{
    ErrorCode, Offset, PartitionId, ProducerId, Text,
    messages::{
        DescribeProducersRequest,
        describe_producers::{PartitionResponse, TopicRequest},
    },
};

use crate::harness::{Client, TestBroker, idempotent_batch};

async fn describe(client: &mut Client, topic: &str, partition: i32) -> PartitionResponse {
    let topics =
        vec![TopicRequest { name: Text::from(topic), partition_indexes: vec![PartitionId(partition)] }];
    let mut response = client.ask(0, DescribeProducersRequest { topics }).await;
    let mut answered = response.topics.remove(0);
    assert_eq!((&*answered.name, answered.partitions.len()), (topic, 1));
    answered.partitions.remove(0)
}

#[tokio::test]
async fn producers_of_a_partition_are_told_with_their_last_sequence_over_a_restart() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("orders", 1, &[]).await;
    for sequence in [0, 2] {
        let produced = client.produce("orders", 0, idempotent_batch(7, 3, sequence, &[b"a", b"b"])).await;
        assert_eq!(produced.error_code, ErrorCode::NONE);
    }
    let broker = broker.restart().await;
    let answered = describe(&mut broker.connect().await, "orders", 0).await;
    assert_eq!((answered.error_code, answered.partition_index), (ErrorCode::NONE, PartitionId(0)));
    let [producer] = &answered.active_producers[..] else { panic!("one producer: {answered:?}") };
    assert_eq!((producer.producer_id, producer.producer_epoch), (ProducerId(7), 3));
    assert_eq!((producer.last_sequence, producer.coordinator_epoch), (3, -1));
    assert_eq!(producer.current_txn_start_offset, Offset::NONE);
}

#[tokio::test]
async fn producers_of_what_does_not_exist_are_refused_with_the_code_of_kafka() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("orders", 1, &[]).await;
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    for (topic, partition, code) in [
        ("orders", 1, unknown),
        ("orders", -1, unknown),
        ("invoices", 0, unknown),
        ("not a topic", 0, ErrorCode::INVALID_TOPIC_EXCEPTION),
    ] {
        let answered = describe(&mut client, topic, partition).await;
        assert_eq!(answered.error_code, code, "{topic}-{partition}");
        assert!(answered.error_message.is_some() && answered.active_producers.is_empty());
    }
}
