//! What goes in comes out.

use mainstem_client::{
    Compression, ErrorCode, NewTopic, Offset, ProducerConfig, ProducerRecord, Timestamp,
    producer::{Acks, ProduceError},
};

use crate::scene::{Scene, numbers, send, take, text, values};

#[tokio::test]
async fn every_compression_brings_back_what_was_sent() {
    for (partition, compression) in (0..).zip(Compression::ALL) {
        let scene = Scene::with_topic(&format!("compression-{partition}"), 1).await;
        let producer = scene.producer(ProducerConfig { compression, ..ProducerConfig::default() });
        let record = |value| ProducerRecord::new(scene.topic.clone()).partition(0).value(value);
        send(&producer, numbers(0..2000).into_iter().map(record)).await;
        let read = take(&mut scene.reader(&[0]), 2000).await;
        assert_eq!(values(&read), numbers(0..2000), "{compression:?}");
    }
}

#[tokio::test]
async fn idempotent_records_get_consecutive_offsets() {
    let scene = Scene::with_topic("idempotent", 1).await;
    let config = ProducerConfig { idempotent: true, batch_bytes: 256, ..ProducerConfig::default() };
    let producer = scene.producer(config);
    let record = |value| ProducerRecord::new(scene.topic.clone()).partition(0).value(value);
    let offsets = send(&producer, numbers(0..1000).into_iter().map(record)).await;
    assert_eq!(offsets, (0..1000).map(Offset).collect::<Vec<_>>());
}

#[tokio::test]
async fn fewer_acks_lose_nothing_where_nothing_fails() {
    let scene = Scene::with_topic("acks", 1).await;
    for (acks, range) in [(Acks::None, 0..100), (Acks::Leader, 100..200), (Acks::All, 200..300)] {
        let config = ProducerConfig { acks, idempotent: acks == Acks::All, ..ProducerConfig::default() };
        let producer = scene.producer(config);
        for value in numbers(range) {
            let record = ProducerRecord::new(scene.topic.clone()).partition(0).value(value);
            drop(producer.send(record).await.unwrap());
        }
        producer.close().await;
    }
    // What nobody acknowledges may still be on its way when the next producer, on a connection of its own, is heard.
    let mut read = values(&take(&mut scene.reader(&[0]), 300).await);
    let mut sent = numbers(0..300);
    read.sort_unstable();
    sent.sort_unstable();
    assert_eq!(read, sent);
}

#[tokio::test]
async fn headers_and_nulls_come_back_as_they_were() {
    let scene = Scene::with_topic("headers", 1).await;
    let headers = [("a", Some("1")), ("a", None), ("b", Some("")), ("a", Some("2"))];
    let headers = headers.map(|(key, value)| (key.as_bytes(), value.map(str::as_bytes)));
    let headers = mainstem_client::Headers::new(headers).unwrap();
    let new = || ProducerRecord::new(scene.topic.clone()).partition(0).headers(headers.clone());
    let records = [new().key("key").value("value"), new().value("no key"), new().key("no value"), new()];
    let records = records.into_iter().chain([new().key("").value("")]);
    send(&scene.producer(ProducerConfig::default()), records).await;
    let read = take(&mut scene.reader(&[0]), 5).await;
    let told: Vec<_> = read.iter().map(|record| (record.key.clone(), record.value.clone())).collect();
    let expected =
        [(Some("key"), Some("value")), (None, Some("no key")), (Some("no value"), None), (None, None)];
    let expected = expected.into_iter().chain([(Some(""), Some(""))]);
    let expected: Vec<_> =
        expected.map(|(key, value)| (key.map(Into::into), value.map(Into::into))).collect();
    assert_eq!(told, expected);
    assert!(read.iter().all(|record| record.headers == headers));
}

#[tokio::test]
async fn records_keep_the_time_of_their_producer() {
    let scene = Scene::new("create-time");
    scene.create(NewTopic::new(scene.topic.clone(), 1).config("retention.ms", "-1")).await;
    let record =
        |stamp| ProducerRecord::new(scene.topic.clone()).partition(0).value("v").timestamp(Timestamp(stamp));
    send(&scene.producer(ProducerConfig::default()), [3000, 1000, 2000].map(record)).await;
    let read = take(&mut scene.reader(&[0]), 3).await;
    assert_eq!(read.iter().map(|record| record.timestamp.0).collect::<Vec<_>>(), [3000, 1000, 2000]);
}

#[tokio::test]
async fn records_get_the_time_of_the_broker_where_the_topic_wants_it() {
    let scene = Scene::new("append-time");
    let topic = NewTopic::new(scene.topic.clone(), 1).config("message.timestamp.type", "LogAppendTime");
    scene.create(topic).await;
    let producer = scene.producer(ProducerConfig::default());
    let record = ProducerRecord::new(scene.topic.clone()).partition(0).value("v").timestamp(Timestamp(1000));
    let receipt = producer.send(record).await.unwrap().receipt().await.unwrap();
    assert!(receipt.log_append_time.0 > 1_600_000_000_000, "{receipt:?}");
    let read = take(&mut scene.reader(&[0]), 1).await;
    assert_eq!(read[0].timestamp, receipt.log_append_time);
}

#[tokio::test]
async fn large_record_comes_back_whole_and_a_larger_one_is_refused() {
    let scene = Scene::new("large");
    scene.create(NewTopic::new(scene.topic.clone(), 1).config("max.message.bytes", "2000000")).await;
    let config = ProducerConfig { request_bytes_max: 8 << 20, ..ProducerConfig::default() };
    let producer = scene.producer(config);
    let record = |bytes: usize| {
        ProducerRecord::new(scene.topic.clone()).partition(0).value("abcdefgh".repeat(bytes / 8))
    };
    send(&producer, [record(1 << 20)]).await;
    let refused = producer.send(record(4 << 20)).await.unwrap().receipt().await.unwrap_err();
    assert!(
        matches!(refused, ProduceError::Refused { code: ErrorCode::MESSAGE_TOO_LARGE, .. }),
        "{refused:?}"
    );
    let read = take(&mut scene.reader(&[0]), 1).await;
    assert_eq!(text(read[0].value.as_ref()), "abcdefgh".repeat((1 << 20) / 8));
}
