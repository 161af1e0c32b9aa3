//! What our client produces in transactions.

use mainstem_client::{
    ConsumerConfig, NewTopic, Node, Offset, ProducerConfig, ProducerRecord, TopicPartition,
    TransactionalProducer, Transport, TransportError,
    consumer::{GroupMetadata, IsolationLevel},
    producer::{Remedy, TransactionConfig, TransactionError},
    protocol::ApiKey,
};

use crate::{
    member::settings,
    scene::{Scene, earliest, numbers, take, values},
};

/// A topic on a broker that keeps transactions; none where it does not.
async fn scene(test: &str, partitions: i32) -> Option<Scene> {
    let scene = Scene::with_topic(test, partitions).await;
    match scene.transport.versions(Node::Any, ApiKey::EndTxn).await {
        Err(TransportError::Unsupported { .. }) => {
            eprintln!("SKIPPED: the broker keeps no transactions");
            None
        }
        versions => versions.map(|_| Some(scene)).unwrap(),
    }
}

async fn producer(scene: &Scene) -> TransactionalProducer {
    let transactions = TransactionConfig::new(scene.topic.clone());
    let producer = TransactionalProducer::new(&scene.transport, ProducerConfig::default(), transactions);
    producer.init_transactions().await.unwrap();
    producer
}

async fn send(producer: &TransactionalProducer, topic: &str, partition: i32, values: Vec<String>) {
    for value in values {
        let record = ProducerRecord::new(topic.to_owned()).partition(partition).value(value);
        drop(producer.send(record).await.unwrap());
    }
}

/// Reads so many records of a partition.
async fn read(
    scene: &Scene,
    partition: TopicPartition,
    isolation: IsolationLevel,
    count: usize,
) -> Vec<String> {
    let mut reader = scene.consumer(ConsumerConfig { isolation, ..earliest() });
    reader.assign([partition]);
    values(&take(&mut reader, count).await)
}

#[tokio::test]
async fn own_transactions_count_when_they_are_committed() {
    let Some(scene) = scene("txn-commit", 3).await else { return };
    let producer = producer(&scene).await;
    for (first, commits) in [(0, true), (10, false), (20, true), (30, false), (40, true)] {
        producer.begin().unwrap();
        for partition in 0..3 {
            send(&producer, &scene.topic, partition, numbers(first..first + 10)).await;
        }
        // What is aborted has been written.
        producer.flush().await;
        if commits { producer.commit().await } else { producer.abort().await }.unwrap();
    }
    let committed = [numbers(0..10), numbers(20..30), numbers(40..50)].concat();
    for partition in 0..3 {
        let partition = scene.partition(partition);
        assert_eq!(read(&scene, partition.clone(), IsolationLevel::ReadCommitted, 30).await, committed);
        assert_eq!(read(&scene, partition, IsolationLevel::ReadUncommitted, 50).await, numbers(0..50));
    }
    producer.close().await;
}

#[tokio::test]
async fn small_transactions_follow_each_other_at_once() {
    let Some(scene) = scene("txn-small", 1).await else { return };
    let producer = producer(&scene).await;
    for number in 0..50 {
        producer.begin().unwrap();
        send(&producer, &scene.topic, 0, vec![number.to_string()]).await;
        producer.commit().await.unwrap();
    }
    assert_eq!(read(&scene, scene.partition(0), IsolationLevel::ReadCommitted, 50).await, numbers(0..50));
}

#[tokio::test]
async fn own_offsets_go_with_the_transaction() {
    let Some(scene) = scene("txn-offsets", 1).await else { return };
    let producer = producer(&scene).await;
    let group = GroupMetadata::of_group(scene.topic.clone());
    for (offset, commits) in [(3, true), (5, false)] {
        producer.begin().unwrap();
        let offsets = [(scene.partition(0), Offset(offset).into())];
        producer.send_offsets_to_transaction(&offsets, &group).await.unwrap();
        if commits { producer.commit().await } else { producer.abort().await }.unwrap();
    }
    // What is pending is not told, so that the answer is there once the markers are.
    let reader =
        scene.consumer(ConsumerConfig { isolation: IsolationLevel::ReadCommitted, ..settings(&scene) });
    let committed = reader.committed(&[scene.partition(0)]).await.unwrap();
    assert_eq!(committed[&scene.partition(0)], Offset(3));
}

#[tokio::test]
async fn what_is_read_is_written_on_once_though_every_other_transaction_is_aborted() {
    let Some(scene) = scene("txn-once", 1).await else { return };
    let target = format!("{}-out", scene.topic);
    scene.create(NewTopic::new(target.clone(), 1)).await;
    scene.produce(0, numbers(0..60)).await;
    let producer = producer(&scene).await;
    let mut consumer = scene.consumer(ConsumerConfig { poll_records: 10, ..settings(&scene) });
    consumer.subscribe([scene.topic.clone()]).unwrap();
    let (mut done, mut aborts) = (0, true);
    while done < 60 {
        let records = take(&mut consumer, 10).await;
        let next = records.last().unwrap().offset.next();
        producer.begin().unwrap();
        send(&producer, &target, 0, values(&records)).await;
        let group = consumer.group_metadata().unwrap();
        let offsets = [(scene.partition(0), next.into())];
        producer.send_offsets_to_transaction(&offsets, &group).await.unwrap();
        if aborts {
            producer.abort().await.unwrap();
            consumer.seek(&scene.partition(0), Offset(done));
        } else {
            producer.commit().await.unwrap();
            done = next.0;
        }
        aborts = !aborts;
    }
    let target = TopicPartition::new(target, 0);
    assert_eq!(read(&scene, target, IsolationLevel::ReadCommitted, 60).await, numbers(0..60));
    consumer.close().await;
}

#[tokio::test]
async fn producer_that_was_replaced_is_fenced() {
    let Some(scene) = scene("txn-fenced", 1).await else { return };
    let old = producer(&scene).await;
    old.begin().unwrap();
    send(&old, &scene.topic, 0, vec!["old".to_owned()]).await;
    old.flush().await;
    // Takes over, and aborts what is open.
    let new = producer(&scene).await;
    let mut error = old.commit().await.unwrap_err();
    if error.remedy() == Remedy::Abort {
        error = old.abort().await.unwrap_err();
    }
    assert!(matches!(error, TransactionError::Fenced { .. }), "{error}");
    new.begin().unwrap();
    send(&new, &scene.topic, 0, vec!["new".to_owned()]).await;
    new.commit().await.unwrap();
    assert_eq!(read(&scene, scene.partition(0), IsolationLevel::ReadCommitted, 1).await, ["new"]);
}

#[tokio::test]
async fn refused_record_costs_its_transaction_and_no_other_one() {
    let Some(scene) = scene("txn-refused", 1).await else { return };
    let topic = format!("{}-small", scene.topic);
    scene.create(NewTopic::new(topic.clone(), 1).config("max.message.bytes", "1000")).await;
    let producer = producer(&scene).await;
    for (value, commits) in [("a".to_owned(), true), ("x".repeat(2000), false), ("b".to_owned(), true)] {
        producer.begin().unwrap();
        send(&producer, &topic, 0, vec![value]).await;
        match producer.commit().await {
            Ok(()) => assert!(commits),
            Err(error) => {
                assert!(!commits && error.remedy() == Remedy::Abort, "{error}");
                producer.abort().await.unwrap();
            }
        }
    }
    let partition = TopicPartition::new(topic, 0);
    assert_eq!(read(&scene, partition, IsolationLevel::ReadCommitted, 2).await, ["a", "b"]);
}
