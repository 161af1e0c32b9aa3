//! Partitions that a group shares out, in both protocols.

use mainstem_client::{
    ConsumerConfig, NewTopic,
    consumer::{Assignor, GroupProtocol, LeaveMode},
};

use crate::{
    member::{Member, settings, until_read, until_shared},
    scene::{SESSION, Scene, numbers, until},
};

const PARTITIONS: i32 = 4;

/// Ten records for each partition, of which there are so many by then.
async fn feed(scene: &Scene, total: &mut usize) -> usize {
    for partition in 0..PARTITIONS {
        scene.produce(partition, numbers(0..10)).await;
    }
    *total += 10 * PARTITIONS as usize;
    *total
}

/// A second member joins, the first leaves, a third is silent until its session is over, and a fourth goes on where the
/// second has ended.
async fn life(test: &str, change: impl Fn(ConsumerConfig) -> ConsumerConfig) {
    let scene = Scene::with_topic(test, PARTITIONS).await;
    let start = || Member::start(&scene, change(settings(&scene)));
    let mut total = 0;
    let first = start();
    until_shared(&scene, PARTITIONS, &[&first]).await;
    let second = start();
    until_shared(&scene, PARTITIONS, &[&first, &second]).await;
    until_read(feed(&scene, &mut total).await, &[&first, &second]).await;
    check_protocol(&scene, change(settings(&scene)).group_protocol).await;
    let read = first.told(|told| told.records.len());
    first.leave(LeaveMode::Default).await;
    until_shared(&scene, PARTITIONS, &[&second]).await;
    until_read(feed(&scene, &mut total).await - read, &[&second]).await;
    let third = start();
    until_shared(&scene, PARTITIONS, &[&second, &third]).await;
    third.leave(LeaveMode::Remain).await;
    until_shared(&scene, PARTITIONS, &[&second]).await;
    until_read(feed(&scene, &mut total).await - read, &[&second]).await;
    second.leave(LeaveMode::Default).await;
    feed(&scene, &mut total).await;
    let fourth = start();
    until_read(10 * PARTITIONS as usize, &[&fourth]).await;
    fourth.leave(LeaveMode::Default).await;
}

/// Only a group of the newer protocol has epochs.
async fn check_protocol(scene: &Scene, expected: GroupProtocol) {
    let found = scene.admin.describe_group(&scene.topic).await.unwrap();
    assert_eq!(found.epochs.is_some(), expected == GroupProtocol::Consumer, "{found:?}");
}

#[tokio::test]
async fn members_share_by_range() {
    life("range", |config| ConsumerConfig { assignors: vec![Assignor::Range], ..config }).await;
}

#[tokio::test]
async fn members_share_in_turn() {
    life("roundrobin", |config| ConsumerConfig { assignors: vec![Assignor::RoundRobin], ..config }).await;
}

#[tokio::test]
async fn members_share_stickily() {
    life("sticky", |config| ConsumerConfig { assignors: vec![Assignor::Sticky], ..config }).await;
}

#[tokio::test]
async fn members_share_cooperatively() {
    life("cooperative", |config| ConsumerConfig { assignors: vec![Assignor::CooperativeSticky], ..config })
        .await;
}

/// What stays with a member never leaves it.
#[tokio::test]
async fn cooperative_member_keeps_what_stays() {
    let scene = Scene::with_topic("keeps", PARTITIONS).await;
    let config = || ConsumerConfig { assignors: vec![Assignor::CooperativeSticky], ..settings(&scene) };
    let first = Member::start(&scene, config());
    until_shared(&scene, PARTITIONS, &[&first]).await;
    let second = Member::start(&scene, config());
    until_shared(&scene, PARTITIONS, &[&first, &second]).await;
    let kept = first.owned();
    let history = first.told(|told| told.history.clone());
    assert!(history.iter().skip(1).all(|owned| owned.is_superset(&kept)), "{history:?}");
    first.leave(LeaveMode::Default).await;
    second.leave(LeaveMode::Default).await;
}

/// A member that comes back within its session has what it had, and the other one hears nothing of it.
async fn static_member(test: &str, change: impl Fn(ConsumerConfig) -> ConsumerConfig) {
    let scene = Scene::with_topic(test, PARTITIONS).await;
    let config = |id: &str| {
        let named = ConsumerConfig { group_instance_id: Some(id.to_owned().into()), ..settings(&scene) };
        change(ConsumerConfig { session_timeout: 5 * SESSION, ..named })
    };
    let first = Member::start(&scene, config("one"));
    let second = Member::start(&scene, config("two"));
    until_shared(&scene, PARTITIONS, &[&first, &second]).await;
    let (had, heard) = (first.owned(), second.told(|told| told.history.len()));
    first.leave(LeaveMode::Default).await;
    let again = Member::start(&scene, config("one"));
    until("the partitions are back", async || again.owned() == had).await;
    until_read(feed(&scene, &mut 0).await, &[&again, &second]).await;
    assert_eq!(second.told(|told| told.history.len()), heard);
    again.leave(LeaveMode::Leave).await;
    until_shared(&scene, PARTITIONS, &[&second]).await;
    second.leave(LeaveMode::Leave).await;
}

#[tokio::test]
async fn static_member_of_a_classic_group_comes_back_unnoticed() {
    static_member("static", |config| config).await;
}

fn by_the_broker(config: ConsumerConfig) -> ConsumerConfig {
    ConsumerConfig { group_protocol: GroupProtocol::Consumer, ..config }
}

/// Whether the broker speaks the newer protocol.
fn has_consumer_groups() -> bool {
    let without = std::env::var("CONFORMANCE_WITHOUT").unwrap_or_default();
    if without == "consumer-groups" {
        eprintln!("SKIPPED: the broker does not speak the newer protocol of groups");
    }
    without != "consumer-groups"
}

#[tokio::test]
async fn members_share_as_the_broker_says() {
    if !has_consumer_groups() {
        return;
    }
    life("consumer", by_the_broker).await;
}

#[tokio::test]
async fn members_share_by_the_range_of_the_broker() {
    if !has_consumer_groups() {
        return;
    }
    life("consumer-range", |config| ConsumerConfig {
        server_assignor: Some("range".into()),
        ..by_the_broker(config)
    })
    .await;
}

#[tokio::test]
async fn static_member_of_a_consumer_group_comes_back_unnoticed() {
    if !has_consumer_groups() {
        return;
    }
    static_member("consumer-static", by_the_broker).await;
}

/// An expression that the broker evaluates.
#[tokio::test]
async fn member_with_an_expression_reads_what_it_finds() {
    if !has_consumer_groups() {
        return;
    }
    let scene = Scene::with_topic("pattern", PARTITIONS).await;
    scene.create(NewTopic::new(format!("{}-more", scene.topic), 1)).await;
    let mut consumer = scene.consumer(by_the_broker(settings(&scene)));
    consumer.subscribe_pattern(format!("{}.?", &scene.topic[..scene.topic.len() - 1])).unwrap();
    let member = Member::with(consumer);
    until_shared(&scene, PARTITIONS, &[&member]).await;
    until_read(feed(&scene, &mut 0).await, &[&member]).await;
    member.leave(LeaveMode::Default).await;
}
