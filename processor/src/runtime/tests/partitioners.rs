//! Topics whose keys must meet, written by one partitioner or by two (trap 31).

use mainstem_client::{Text, producer::partition_of_key};

use super::*;
use crate::{PlanError, Settings, StreamBuilder, Topology, runtime::run};

const PARTITIONS: usize = 4;

/// Where some other partitioner puts a key.
fn elsewhere(key: &[u8]) -> i32 {
    (partition_of_key(key, PARTITIONS).0 + 1) % PARTITIONS as i32
}

fn by_default(key: &[u8]) -> i32 {
    partition_of_key(key, PARTITIONS).0
}

async fn topic(broker: &FakeBroker, topic: &str, keys: usize, partition: fn(&[u8]) -> i32) {
    broker.create_topic(topic, PARTITIONS);
    let producer = Producer::new(broker, ProducerConfig::default());
    for key in (0..keys).map(|number| format!("key-{number}")) {
        let record = ProducerRecord::new(topic.to_owned()).partition(partition(key.as_bytes()));
        drop(producer.send(record.key(key).value("value")).await.unwrap());
    }
    producer.close().await;
}

/// Orders, joined with a table of customers.
fn joined(moves: bool) -> Topology {
    let builder = StreamBuilder::new("p");
    let (orders, customers) =
        (builder.stream::<Text, Text>("orders"), builder.table::<Text, Text>("customers"));
    let orders = if moves { orders.repartition("by-customer") } else { orders };
    orders.join_table(&customers, |_, order, _| order.clone()).to("out");
    builder.build().unwrap()
}

async fn refusal(broker: &FakeBroker, topology: Topology) -> Option<String> {
    broker.create_topic("out", 1);
    match run(topology, Settings::default(), broker.transport()).await {
        Ok(handle) => {
            handle.stop().await.unwrap();
            None
        }
        Err(StartError::Plan(error)) => {
            assert!(matches!(*error, PlanError::OtherPartitioner { .. }), "{error}");
            Some(error.to_string())
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn topics_of_two_partitioners_are_refused_with_the_node_and_what_to_do() {
    let broker = FakeBroker::new();
    topic(&broker, "orders", 100, elsewhere).await;
    topic(&broker, "customers", 100, by_default).await;
    let error = refusal(&broker, joined(false)).await.expect("it was started");
    assert_eq!(
        error,
        "node orders.join needs its topics co-partitioned, but the keys of orders are not in the partitions that \
         Kafka's default partitioner (murmur2) chooses, and those of customers are; have one partitioner write both \
         (librdkafka: partitioner=murmur2_random), or put a repartition in front of orders.join"
    );
    let settings = Settings { checks_partitioners: false, ..Settings::default() };
    let handle = run(joined(false), settings, broker.transport()).await.unwrap();
    handle.stop().await.unwrap();
}

#[tokio::test]
async fn topics_of_one_partitioner_are_joined_whichever_it_is() {
    for partition in [elsewhere, by_default] {
        let broker = FakeBroker::new();
        topic(&broker, "orders", 100, partition).await;
        topic(&broker, "customers", 100, partition).await;
        assert_eq!(refusal(&broker, joined(false)).await, None);
    }
}

#[tokio::test]
async fn nothing_is_concluded_from_a_few_keys_or_none() {
    let broker = FakeBroker::new();
    topic(&broker, "orders", 15, elsewhere).await;
    topic(&broker, "customers", 100, by_default).await;
    assert_eq!(refusal(&broker, joined(false)).await, None);
    let broker = FakeBroker::new();
    topic(&broker, "orders", 0, elsewhere).await;
    topic(&broker, "customers", 100, by_default).await;
    assert_eq!(refusal(&broker, joined(false)).await, None);
}

#[tokio::test]
async fn repartition_topic_has_the_default_partitioner() {
    let broker = FakeBroker::new();
    topic(&broker, "orders", 100, elsewhere).await;
    topic(&broker, "customers", 100, by_default).await;
    assert_eq!(refusal(&broker, joined(true)).await, None);
    let broker = FakeBroker::new();
    topic(&broker, "orders", 100, elsewhere).await;
    topic(&broker, "customers", 100, elsewhere).await;
    let error = refusal(&broker, joined(true)).await.expect("it was started");
    assert!(error.contains("but the keys of customers are not"), "{error}");
    assert!(error.contains("and those of p-by-customer-repartition are"), "{error}");
}
