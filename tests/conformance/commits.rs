//! How far a group is.

use std::{sync::Arc, time::Duration};

use mainstem_client::{
    ConsumerConfig, LeaderEpoch, Offset, TopicPartition,
    consumer::{LeaveMode, OffsetAndMetadata, Rebalance, RebalanceListener},
    transport::BoxFuture,
};

use crate::{
    member::{Member, settings, until_shared},
    scene::{Scene, numbers, take, until, values},
};

#[tokio::test]
async fn committed_offset_comes_back_with_what_was_said() {
    let scene = Scene::with_topic("metadata", 1).await;
    let mut consumer = scene.consumer(settings(&scene));
    consumer.assign([scene.partition(0)]);
    let said =
        OffsetAndMetadata { offset: Offset(7), leader_epoch: LeaderEpoch(0), metadata: "half way".into() };
    consumer.commit(&[(scene.partition(0), said.clone())]).await.unwrap();
    let committed = consumer.committed_with_metadata(&[scene.partition(0)]).await.unwrap();
    assert_eq!(committed[&scene.partition(0)], said);
}

#[tokio::test]
async fn member_goes_on_where_the_last_one_has_committed() {
    let scene = Scene::with_topic("restart", 1).await;
    scene.produce(0, numbers(0..100)).await;
    let mut first = scene.consumer(ConsumerConfig { poll_records: 30, ..settings(&scene) });
    first.subscribe([scene.topic.clone()]).unwrap();
    assert_eq!(values(&take(&mut first, 30).await), numbers(0..30));
    first.commit_consumed().await.unwrap();
    first.close().await;
    let mut second = scene.consumer(settings(&scene));
    second.subscribe([scene.topic.clone()]).unwrap();
    assert_eq!(values(&take(&mut second, 70).await), numbers(30..100));
    second.close().await;
}

#[tokio::test]
async fn positions_are_committed_as_time_goes_by() {
    let scene = Scene::with_topic("auto", 1).await;
    scene.produce(0, numbers(0..10)).await;
    let auto_commit_interval = Some(Duration::from_millis(100));
    let member = Member::start(&scene, ConsumerConfig { auto_commit_interval, ..settings(&scene) });
    until("ten records are committed", async || committed(&scene).await == Some(Offset(10))).await;
    member.leave(LeaveMode::Default).await;
}

async fn committed(scene: &Scene) -> Option<Offset> {
    let offsets = scene.admin.list_group_offsets(&scene.topic).await.unwrap();
    offsets.get(&scene.partition(0)).map(|committed| committed.offset)
}

/// Commits what was consumed as soon as partitions go.
struct CommitsFirst;

impl RebalanceListener for CommitsFirst {
    fn revoked<'a>(&'a self, consumer: &'a mut Rebalance<'_>, _: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
        Box::pin(async move { consumer.commit_consumed().await.unwrap() })
    }
}

#[tokio::test]
async fn listener_commits_before_partitions_go() {
    let scene = Scene::with_topic("listener", 2).await;
    scene.produce(0, numbers(0..10)).await;
    let mut consumer = scene.consumer(settings(&scene));
    consumer.on_rebalance(CommitsFirst);
    consumer.subscribe([scene.topic.clone()]).unwrap();
    let first = Member::with(consumer);
    until_shared(&scene, 2, &[&first]).await;
    until("ten records are read", async || first.told(|told| told.records.len()) == 10).await;
    assert_eq!(committed(&scene).await, None);
    let second = Member::start(&scene, settings(&scene));
    until_shared(&scene, 2, &[&first, &second]).await;
    assert_eq!(committed(&scene).await, Some(Offset(10)));
    first.leave(LeaveMode::Default).await;
    second.leave(LeaveMode::Default).await;
}

/// Begins each new partition at an offset of its own choice.
struct BeginsAt(Arc<Offset>);

impl RebalanceListener for BeginsAt {
    fn assigned<'a>(
        &'a self,
        consumer: &'a mut Rebalance<'_>,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        partitions.iter().for_each(|partition| consumer.seek(partition, *self.0));
        Box::pin(async {})
    }
}

#[tokio::test]
async fn listener_says_where_new_partitions_begin() {
    let scene = Scene::with_topic("begins", 1).await;
    scene.produce(0, numbers(0..10)).await;
    let mut consumer = scene.consumer(settings(&scene));
    consumer.on_rebalance(BeginsAt(Arc::new(Offset(6))));
    consumer.subscribe([scene.topic.clone()]).unwrap();
    assert_eq!(values(&take(&mut consumer, 4).await), numbers(6..10));
    consumer.close().await;
}
