//! Partitions that a consumer chose.

use std::time::Duration;

use mainstem_client::{
    ConsumerConfig, NewTopic, Offset, OffsetSpec, ProducerConfig, ProducerRecord, Timestamp,
    consumer::{OffsetReset, Polled},
};

use crate::scene::{Scene, numbers, send, take, values};

/// A time in which a record would have come that must not come.
const QUIET: Duration = Duration::from_millis(700);

/// Three records of the times 1000, 2000 and 3000.
async fn timed(test: &str) -> Scene {
    let scene = Scene::new(test);
    scene.create(NewTopic::new(scene.topic.clone(), 1).config("retention.ms", "-1")).await;
    let record = |stamp: i64| {
        let record = ProducerRecord::new(scene.topic.clone()).partition(0).value(stamp.to_string());
        record.timestamp(Timestamp(stamp))
    };
    let producer = scene.producer(ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::default() });
    for stamp in [1000, 2000, 3000] {
        send(&producer, [record(stamp)]).await;
    }
    scene
}

#[tokio::test]
async fn seek_goes_back_and_forth() {
    let scene = Scene::with_topic("seek", 1).await;
    scene.produce(0, numbers(0..100)).await;
    let mut reader = scene.reader(&[0]);
    assert_eq!(values(&take(&mut reader, 100).await), numbers(0..100));
    reader.seek(&scene.partition(0), Offset(40));
    assert_eq!(values(&take(&mut reader, 60).await), numbers(40..100));
    assert_eq!(reader.position(&scene.partition(0)), Some(Offset(100)));
    assert_eq!(reader.high_watermark(&scene.partition(0)), Some(Offset(100)));
}

#[tokio::test]
async fn seek_to_a_time_begins_with_its_first_record() {
    let scene = timed("seek-time").await;
    let mut reader = scene.reader(&[0]);
    reader.seek_to(&scene.partition(0), OffsetSpec::Timestamp(Timestamp(1500)));
    assert_eq!(values(&take(&mut reader, 2).await), ["2000", "3000"]);
}

#[tokio::test]
async fn paused_partition_brings_nothing_until_it_is_resumed() {
    let scene = Scene::with_topic("pause", 2).await;
    let mut reader = scene.reader(&[0, 1]);
    reader.pause(&scene.partition(0));
    scene.produce(0, numbers(0..10)).await;
    scene.produce(1, numbers(10..20)).await;
    assert_eq!(values(&take(&mut reader, 10).await), numbers(10..20));
    assert!(matches!(reader.poll(QUIET).await.unwrap(), Polled::Nothing));
    reader.resume(&scene.partition(0));
    assert_eq!(values(&take(&mut reader, 10).await), numbers(0..10));
}

#[tokio::test]
async fn offsets_are_found_by_time() {
    let scene = timed("offsets").await;
    let cases = [
        (OffsetSpec::Earliest, 0),
        (OffsetSpec::Latest, 3),
        (OffsetSpec::MaxTimestamp, 2),
        (OffsetSpec::Timestamp(Timestamp(1500)), 1),
        (OffsetSpec::Timestamp(Timestamp(3000)), 2),
    ];
    for (spec, expected) in cases {
        let found = scene.admin.list_offsets(&[(scene.partition(0), spec)]).await.unwrap();
        assert_eq!(found[&scene.partition(0)].offset, Offset(expected), "{spec:?}");
    }
    let later = [(scene.partition(0), OffsetSpec::Timestamp(Timestamp(4000)))];
    let found = scene.admin.list_offsets(&later).await.unwrap();
    assert!(found.values().all(|found| found.offset < Offset::ZERO), "{found:?}");
}

#[tokio::test]
async fn reader_without_offsets_begins_where_it_was_told() {
    let scene = timed("reset").await;
    let resets = [
        (OffsetReset::Earliest, vec!["1000", "2000", "3000", "new"]),
        (OffsetReset::Timestamp(Timestamp(2500)), vec!["3000", "new"]),
    ];
    scene.produce(0, ["new".to_owned()]).await;
    for (offset_reset, expected) in resets {
        let mut reader = scene.consumer(ConsumerConfig { offset_reset, ..ConsumerConfig::default() });
        reader.assign([scene.partition(0)]);
        assert_eq!(values(&take(&mut reader, expected.len()).await), expected);
    }
    let mut reader = scene.consumer(ConsumerConfig::default());
    reader.assign([scene.partition(0)]);
    assert!(matches!(reader.poll(QUIET).await.unwrap(), Polled::Nothing));
    scene.produce(0, ["newest".to_owned()]).await;
    assert_eq!(values(&take(&mut reader, 1).await), ["newest"]);
}

/// A fetch session names only what has changed: nothing may be forgotten of what comes, goes and comes back.
#[tokio::test]
async fn reader_of_many_partitions_hears_of_the_few_that_have_news() {
    let scene = Scene::with_topic("session", 40).await;
    let all: Vec<i32> = (0..40).collect();
    let mut reader = scene.reader(&all);
    for round in 0..10 {
        let partition = round * 7 % 40;
        scene.produce(partition, [format!("round {round}")]).await;
        assert_eq!(values(&take(&mut reader, 1).await), [format!("round {round}")]);
    }
    reader.assign((0..20).map(|number| scene.partition(number)));
    scene.produce(30, ["unheard".to_owned()]).await;
    scene.produce(3, ["heard".to_owned()]).await;
    let heard = take(&mut reader, 1).await;
    assert!(!values(&heard).contains(&"unheard".to_owned()), "{heard:?}");
    reader.assign([scene.partition(30)]);
    reader.seek(&scene.partition(30), Offset(0));
    assert_eq!(values(&take(&mut reader, 1).await), ["unheard"]);
    reader.close().await;
}
