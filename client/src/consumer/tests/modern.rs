//! Members of groups whose broker shares the partitions out (KIP-848).

use super::{
    super::{GroupError, GroupProtocol, LeaveMode},
    group::{Told, assigned, commit_answer, join, settle},
    *,
};

pub(super) fn modern() -> ConsumerConfig {
    ConsumerConfig { group_protocol: GroupProtocol::Consumer, ..member() }
}

#[tokio::test(start_paused = true)]
async fn member_of_a_modern_group_goes_on_reading_what_stays_and_lets_go_of_what_moves() {
    let broker = broker(2);
    produce(&broker, 0, 0..20, 10).await;
    produce(&broker, 1, 20..40, 10).await;
    let told = Told::default();
    let mut first = join(&broker, modern()).await;
    first.on_rebalance(told.clone());
    let mut all = read(&mut first, 40).await;
    all.sort_unstable();
    assert_eq!(all, range(0..40));
    let mut second = join(&broker, modern()).await;
    let joining = crate::task::spawn("second", async move {
        while assigned(&mut second).await.is_empty() {}
        second
    });
    let stays = loop {
        first.poll(Duration::from_secs(10)).await.unwrap();
        if let [stays] = &first.assignment()[..] {
            break stays.clone();
        }
    };
    let second = joining.await.unwrap();
    assert!(!second.assignment().contains(&stays));
    assert_eq!(first.position(&stays), Some(Offset(20)), "it was not read anew");
    assert_eq!(told.take().len(), 2);
    assert_eq!((broker.committed("g", "t", 0), broker.committed("g", "t", 1)), (Some(20), Some(20)));
    second.close().await;
    settle(&mut first, &[t(0), t(1)]).await;
    first.close().await;
    assert_eq!(broker.members("g"), 0);
}

#[tokio::test(start_paused = true)]
async fn member_of_a_modern_group_that_is_lost_joins_again_and_commits_in_its_newest_epoch() {
    let broker = broker(1);
    produce(&broker, 0, 0..20, 10).await;
    let mut consumer = join(&broker, modern()).await;
    assert_eq!(read(&mut consumer, 20).await, range(0..20));
    broker.expire("g", &broker.member_ids("g")[0]);
    while !matches!(consumer.poll(LONG).await, Ok(Polled::Lost(_))) {}
    let error = consumer.commit(&[(t(0), Offset(3))]).await.unwrap_err();
    assert!(matches!(error, CommitError::NotMember { .. }), "{error}");
    settle(&mut consumer, &[t(0)]).await;
    broker.trouble(ApiKey::OffsetCommit, commit_answer(ErrorCode::STALE_MEMBER_EPOCH));
    let asked = broker.asked(ApiKey::OffsetCommit);
    let committing = consumer.commit_consumed_async();
    while broker.asked(ApiKey::OffsetCommit) == asked {
        tokio::task::yield_now().await;
    }
    broker.create_topic("t", 2);
    settle(&mut consumer, &[t(0), t(1)]).await;
    committing.await.unwrap();
    assert_eq!(broker.committed("g", "t", 0), Some(20));
}

#[tokio::test(start_paused = true)]
async fn member_of_a_modern_group_looks_offsets_up_as_the_one_that_it_is_by_then() {
    let broker = broker(1);
    let mut consumer = join(&broker, modern()).await;
    settle(&mut consumer, &[t(0)]).await;
    consumer.commit(&[(t(0), Offset(3))]).await.unwrap();
    broker.expire("g", &broker.member_ids("g")[0]);
    let asked = broker.asked(ApiKey::OffsetFetch);
    assert_eq!(consumer.committed(&[t(0)]).await.unwrap()[&t(0)], Offset(3));
    assert!(broker.asked(ApiKey::OffsetFetch) > asked + 1, "the group has no such member at first");
    broker.offer(ApiKey::OffsetFetch, 0..=8);
    let asked = broker.asked(ApiKey::OffsetFetch);
    settle(&mut consumer, &[t(0)]).await;
    broker.expire("g", &broker.member_ids("g")[0]);
    assert_eq!(consumer.committed(&[t(0)]).await.unwrap()[&t(0)], Offset(3));
    assert_eq!(broker.asked(ApiKey::OffsetFetch), asked + 2, "an older broker is not told who asks");
}

#[tokio::test(start_paused = true)]
async fn member_of_a_modern_group_that_nobody_polls_leaves() {
    let broker = broker(1);
    let config = ConsumerConfig { poll_interval_max: Duration::from_secs(10), ..modern() };
    let mut consumer = join(&broker, config).await;
    settle(&mut consumer, &[t(0)]).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(broker.members("g"), 0);
    assert!(matches!(consumer.poll(LONG).await, Ok(Polled::Lost(partitions)) if partitions == [t(0)]));
    settle(&mut consumer, &[t(0)]).await;
}

#[tokio::test(start_paused = true)]
async fn static_member_of_a_modern_group_finds_its_partitions_again() {
    let broker = broker(2);
    let named = ConsumerConfig { group_instance_id: Some("one".into()), ..modern() };
    let mut first = join(&broker, named.clone()).await;
    settle(&mut first, &[t(0), t(1)]).await;
    let error = join(&broker, named.clone()).await.poll(LONG).await.unwrap_err();
    assert!(error.to_string().contains("UNRELEASED_INSTANCE_ID"), "{error}");
    first.close().await;
    assert_eq!(broker.members("g"), 1);
    let mut again = join(&broker, named).await;
    settle(&mut again, &[t(0), t(1)]).await;
    again.close_with(LeaveMode::Leave).await;
    assert_eq!(broker.members("g"), 0);
}

#[tokio::test(start_paused = true)]
async fn pattern_of_a_modern_group_is_the_brokers() {
    let broker = broker(1);
    let mut consumer = Consumer::new(&broker, modern());
    consumer.subscribe_pattern("x.*").unwrap();
    settle(&mut consumer, &[]).await;
    broker.create_topic("x1", 1);
    settle(&mut consumer, &[TopicPartition::new("x1", 0)]).await;
    broker.offer(ApiKey::ConsumerGroupHeartbeat, 0..=0);
    let mut consumer = Consumer::new(&broker, modern());
    consumer.subscribe_pattern("x.*").unwrap();
    let error = consumer.poll(LONG).await.unwrap_err();
    assert!(error.to_string().contains("by pattern"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn modern_group_that_cannot_be_is_told() {
    let broker = broker(1);
    let config = ConsumerConfig { server_assignor: Some("dice".into()), ..modern() };
    let error = join(&broker, config).await.poll(LONG).await.unwrap_err();
    assert!(error.to_string().contains("UNSUPPORTED_ASSIGNOR"), "{error}");
    let answer = ConsumerGroupHeartbeatResponse {
        error_code: ErrorCode::GROUP_ID_NOT_FOUND,
        error_message: Some("g is a classic group".into()),
        ..Default::default()
    };
    broker.trouble(ApiKey::ConsumerGroupHeartbeat, Trouble::Answer(answer.into()));
    let error = join(&broker, modern()).await.poll(LONG).await.unwrap_err();
    assert!(error.to_string().ends_with("GROUP_ID_NOT_FOUND (g is a classic group)"), "{error}");
    #[expect(clippy::reversed_empty_ranges, reason = "no version at all")]
    broker.offer(ApiKey::ConsumerGroupHeartbeat, 1..=0);
    let error = join(&broker, modern()).await.poll(LONG).await.unwrap_err();
    assert!(matches!(error, ConsumeError::Group(GroupError::NoSuchProtocol { .. })), "{error}");
}
