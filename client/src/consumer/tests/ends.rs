//! Memberships that end, one way or the other, and what becomes of partitions, positions and commits then.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::{sync::Notify, time::Instant};

use super::{
    super::{GroupError, LeaveMode},
    group::{Told, commit_answer, cooperative, join, settle},
    modern::modern,
    *,
};
use crate::{testing::Around, transport::TransportError};

/// A consumer of one partition whose group refuses it for good by the answer that `refuse` lets come.
async fn refused(config: ConsumerConfig, refuse: fn(&FakeBroker)) -> ConsumeError {
    let broker = broker(1);
    produce(&broker, 0, 0..20, 10).await;
    let told = Told::default();
    let mut consumer = join(&broker, ConsumerConfig { poll_records: 1, ..config }).await;
    consumer.on_rebalance(told.clone());
    assert_eq!(read(&mut consumer, 5).await, range(0..5));
    refuse(&broker);
    let lost = loop {
        match consumer.poll(LONG).await.unwrap() {
            Polled::Lost(partitions) => break partitions,
            Polled::Nothing => panic!("nothing was lost"),
            _ => {}
        }
    };
    assert_eq!(lost, [t(0)]);
    let error = consumer.poll(LONG).await.unwrap_err();
    assert_eq!(consumer.assignment(), []);
    assert_eq!(told.take(), ["assigned t-0", "lost t-0"]);
    // The group may have no members by now, and would then take what anybody commits.
    let late = consumer.commit(&[(t(0), Offset(9))]).await.unwrap_err();
    assert!(matches!(late, CommitError::NotMember { .. }), "{late}");
    error
}

#[tokio::test(start_paused = true)]
async fn cooperative_member_that_may_not_join_again_has_lost_its_partitions() {
    let error = refused(cooperative(), |broker| {
        broker.trouble(ApiKey::Heartbeat, Trouble::Code(ErrorCode::REBALANCE_IN_PROGRESS));
        broker.trouble(ApiKey::JoinGroup, Trouble::Code(ErrorCode::GROUP_AUTHORIZATION_FAILED));
    });
    let error = error.await;
    assert!(error.to_string().contains("GROUP_AUTHORIZATION_FAILED"), "{error}");
}

#[tokio::test(start_paused = true)]
#[expect(clippy::reversed_empty_ranges, reason = "no version at all")]
async fn member_of_a_modern_group_that_cannot_be_heard_any_more_has_lost_its_partitions() {
    let error = refused(modern(), |broker| broker.offer(ApiKey::ConsumerGroupHeartbeat, 1..=0)).await;
    assert!(matches!(error, ConsumeError::Group(GroupError::NoSuchProtocol { .. })), "{error}");
}

/// A transport on which commits never get an answer.
fn deaf_to_commits(broker: &FakeBroker) -> Around {
    Around::new(broker.transport(), |inner, call| async move {
        if call.request.key() == ApiKey::OffsetCommit {
            tokio::time::sleep(call.timeout).await;
            let (key, timeout_ms) = (ApiKey::OffsetCommit, call.timeout.as_millis());
            return Err(TransportError::TimedOut { key, timeout_ms });
        }
        inner.call(call).await
    })
}

#[tokio::test(start_paused = true)]
async fn commits_that_wait_for_others_have_no_more_time_than_those() {
    let broker = broker(1);
    let config = member();
    let most = config.timeout + 2 * config.request_timeout;
    let mut consumer = Consumer::new(&deaf_to_commits(&broker), config);
    consumer.assign([t(0)]);
    let begun = Instant::now();
    let committing: Vec<_> =
        (1..=20).map(|offset| consumer.commit_async(&[(t(0), Offset(offset))])).collect();
    consumer.close().await;
    assert!(begun.elapsed() <= most, "{:?}", begun.elapsed());
    for committing in committing {
        assert!(committing.await.unwrap_err().is_retriable());
    }
}

#[tokio::test(start_paused = true)]
async fn member_that_is_to_remain_does_so_though_it_has_something_to_tell() {
    let broker = broker(1);
    let (holds, go_on) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let (held, waits) = (Arc::clone(&holds), Arc::clone(&go_on));
    let slow = Around::new(broker.transport(), move |inner, call| {
        let (held, waits) = (Arc::clone(&held), Arc::clone(&waits));
        async move {
            if call.request.key() == ApiKey::Heartbeat && held.swap(false, Ordering::Relaxed) {
                waits.notified().await;
            }
            inner.call(call).await
        }
    });
    let mut consumer = Consumer::new(&slow, member());
    consumer.subscribe(["t"]).unwrap();
    settle(&mut consumer, &[t(0)]).await;
    broker.trouble(ApiKey::Heartbeat, Trouble::Code(ErrorCode::REBALANCE_IN_PROGRESS));
    holds.store(true, Ordering::Relaxed);
    while holds.load(Ordering::Relaxed) {
        consumer.poll(Duration::from_secs(1)).await.unwrap();
    }
    let closing = crate::task::spawn("closing", consumer.close_with(LeaveMode::Remain));
    // By then it waits for the member's task, which hears the heartbeat's answer first.
    tokio::time::sleep(Duration::from_secs(1)).await;
    go_on.notify_one();
    closing.await.unwrap();
    assert_eq!((broker.members("g"), broker.asked(ApiKey::LeaveGroup)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn listener_hears_nothing_of_partitions_that_no_group_gave() {
    let broker = broker(1);
    produce(&broker, 0, 0..20, 10).await;
    let told = Told::default();
    let config = ConsumerConfig { auto_commit_interval: Some(LONG * 10), ..member() };
    let mut consumer = reader(&broker, config);
    consumer.on_rebalance(told.clone());
    read(&mut consumer, 20).await;
    consumer.close().await;
    assert!(told.take().is_empty());
    assert_eq!(broker.committed("g", "t", 0), Some(20));
}

#[tokio::test(start_paused = true)]
async fn whoever_subscribes_to_something_else_hands_in_its_work_first() {
    let broker = broker(1);
    broker.create_topic("u", 1);
    produce(&broker, 0, 0..20, 10).await;
    for config in [member(), modern()] {
        let told = Told::default();
        let config = ConsumerConfig { auto_commit_interval: Some(LONG * 10), poll_records: 1, ..config };
        let mut consumer = join(&broker, config).await;
        let before = broker.committed("g", "t", 0).unwrap_or(0);
        consumer.on_rebalance(told.clone());
        assert_eq!(read(&mut consumer, 5).await, range(before..before + 5));
        consumer.subscribe(["u", "t"]).unwrap();
        assert_eq!(read(&mut consumer, 1).await, [before + 5], "nothing comes twice");
        assert_eq!(told.take(), ["assigned t-0", "revoked t-0", "assigned t-0 u-0"]);
        assert_eq!(broker.committed("g", "t", 0), Some(before + 5));
        consumer.close().await;
        assert_eq!(broker.members("g"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn coordinator_is_asked_for_once_until_it_is_another() {
    let broker = broker(1);
    let mut consumer = reader(&broker, member());
    for offset in 1..=10 {
        consumer.commit(&[(t(0), Offset(offset))]).await.unwrap();
        consumer.committed(&[t(0)]).await.unwrap();
    }
    assert_eq!(broker.asked(ApiKey::FindCoordinator), 1);
    let troubles = [
        Trouble::LostBefore,
        commit_answer(ErrorCode::NOT_COORDINATOR),
        commit_answer(ErrorCode::COORDINATOR_NOT_AVAILABLE),
    ];
    for (index, trouble) in troubles.into_iter().enumerate() {
        broker.trouble(ApiKey::OffsetCommit, trouble);
        consumer.commit(&[(t(0), Offset(11))]).await.unwrap();
        assert_eq!(broker.asked(ApiKey::FindCoordinator), 2 + index);
    }
    broker.trouble(ApiKey::OffsetFetch, Trouble::Code(ErrorCode::NOT_COORDINATOR));
    consumer.committed(&[t(0)]).await.unwrap();
    assert_eq!(broker.asked(ApiKey::FindCoordinator), 5);
}
