//! Members of groups: joining, sharing, committing, leaving.

use super::*;

pub(super) async fn join(broker: &FakeBroker, config: ConsumerConfig) -> Consumer {
    let mut consumer = Consumer::new(broker, config);
    consumer.subscribe(["t"]).unwrap();
    consumer
}

pub(super) async fn assigned(consumer: &mut Consumer) -> Vec<TopicPartition> {
    loop {
        if let Polled::Assigned(partitions) = consumer.poll(LONG).await.unwrap() {
            return partitions;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_member_gets_everything_and_goes_on_where_the_group_was() {
    let broker = broker(2);
    produce(&broker, 0, 0..20, 10).await;
    let mut consumer = join(&broker, member()).await;
    assert_eq!(assigned(&mut consumer).await, [t(0), t(1)]);
    assert_eq!(read(&mut consumer, 20).await, range(0..20));
    consumer.commit_consumed().await.unwrap();
    assert_eq!(broker.committed("g", "t", 0), Some(20));
    assert_eq!(consumer.committed(&[t(0), t(1)]).await.unwrap()[&t(0)], Offset(20));
    consumer.close().await;
    assert_eq!(broker.members("g"), 0);
    produce(&broker, 0, 20..40, 10).await;
    assert_eq!(read(&mut join(&broker, member()).await, 20).await, range(20..40));
}

#[tokio::test(start_paused = true)]
async fn second_member_shares_and_the_first_may_commit_before_that() {
    let broker = broker(2);
    produce(&broker, 0, 0..20, 10).await;
    let mut first = join(&broker, member()).await;
    assert_eq!(read(&mut first, 20).await, range(0..20));
    let mut second = join(&broker, member()).await;
    let joining = crate::task::spawn("second", async move {
        let partitions = assigned(&mut second).await;
        (second, partitions)
    });
    let revoked = loop {
        if let Polled::Revoked(partitions) = first.poll(LONG).await.unwrap() {
            break partitions;
        }
    };
    assert_eq!(revoked, [t(0), t(1)]);
    first.commit_consumed().await.unwrap();
    assert_eq!(assigned(&mut first).await, [t(0)]);
    let (second, partitions) = joining.await.unwrap();
    assert_eq!(partitions, [t(1)]);
    assert_eq!(broker.committed("g", "t", 0), Some(20));
    second.close().await;
    assert_eq!(assigned(&mut first).await, [t(0), t(1)]);
}

#[tokio::test(start_paused = true)]
async fn positions_are_committed_by_themselves_if_wanted() {
    let broker = broker(1);
    produce(&broker, 0, 0..20, 10).await;
    let config = ConsumerConfig { auto_commit_interval: Some(Duration::from_secs(5)), ..member() };
    let mut consumer = join(&broker, config).await;
    read(&mut consumer, 20).await;
    assert_eq!(broker.committed("g", "t", 0), None);
    consumer.poll(Duration::from_secs(6)).await.unwrap();
    consumer.poll(Duration::ZERO).await.unwrap();
    assert_eq!(broker.committed("g", "t", 0), Some(20));
    produce(&broker, 0, 20..30, 10).await;
    read(&mut consumer, 10).await;
    consumer.close().await;
    assert_eq!(broker.committed("g", "t", 0), Some(30));
}

#[tokio::test(start_paused = true)]
async fn member_that_does_not_poll_loses_its_partitions_and_cannot_commit() {
    let broker = broker(1);
    produce(&broker, 0, 0..20, 10).await;
    let config = ConsumerConfig { poll_interval_max: Duration::from_secs(10), ..member() };
    let mut consumer = join(&broker, config).await;
    read(&mut consumer, 20).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(broker.members("g"), 0);
    let mut other = join(&broker, member()).await;
    assigned(&mut other).await;
    let error = consumer.commit_consumed().await.unwrap_err();
    assert!(matches!(error, CommitError::NotMember { .. }) && !error.is_retriable());
    let lost = loop {
        if let Polled::Lost(partitions) = consumer.poll(LONG).await.unwrap() {
            break partitions;
        }
    };
    assert_eq!(lost, [t(0)]);
}

#[tokio::test(start_paused = true)]
async fn member_that_waits_stays_though_it_has_nothing_to_read() {
    let broker = broker(1);
    let config = ConsumerConfig { poll_interval_max: Duration::from_secs(10), ..member() };
    for one_by_one in [false, true] {
        let mut consumer = join(&broker, config.clone()).await;
        assert_eq!(assigned(&mut consumer).await, [t(0)]);
        consumer.pause(&t(0));
        let joins = broker.asked(ApiKey::JoinGroup);
        let waited = async {
            match one_by_one {
                true => drop(consumer.next().await),
                false => assert!(matches!(consumer.poll(LONG * 2).await, Ok(Polled::Nothing))),
            }
        };
        assert_eq!(tokio::time::timeout(LONG * 3, waited).await.is_err(), one_by_one);
        assert_eq!((broker.members("g"), broker.asked(ApiKey::JoinGroup)), (1, joins));
        consumer.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn topic_that_is_not_there_yet_disturbs_nobody_until_it_is() {
    let broker = broker(1);
    let config = ConsumerConfig {
        metadata_age_max: Duration::from_secs(5),
        auto_commit_interval: None,
        creates_topics: false,
        ..member()
    };
    let mut consumer = Consumer::new(&broker, config);
    consumer.subscribe(["t", "later"]).unwrap();
    assert_eq!(assigned(&mut consumer).await, [t(0)]);
    assert!(matches!(consumer.poll(LONG).await, Ok(Polled::Nothing)));
    broker.create_topic("later", 1);
    assert!(matches!(consumer.poll(LONG).await, Ok(Polled::Revoked(_))));
    assert_eq!(assigned(&mut consumer).await, [TopicPartition::new("later", 0), t(0)]);
}

/// A consumer that was just told that it has lost its partitions.
async fn lost(broker: &FakeBroker) -> Consumer {
    let config = ConsumerConfig { poll_interval_max: Duration::from_secs(10), ..member() };
    let mut consumer = join(broker, config).await;
    read(&mut consumer, 20).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    while !matches!(consumer.poll(LONG).await, Ok(Polled::Lost(_))) {}
    consumer
}

#[tokio::test(start_paused = true)]
async fn partitions_that_are_chosen_after_others_were_lost_are_kept() {
    let broker = broker(1);
    produce(&broker, 0, 0..20, 10).await;
    let mut consumer = lost(&broker).await;
    consumer.assign([t(0)]);
    assert_eq!(read(&mut consumer, 20).await, range(0..20));
}

#[tokio::test(start_paused = true)]
async fn whoever_subscribes_after_a_loss_joins_only_once() {
    let broker = broker(1);
    produce(&broker, 0, 0..20, 10).await;
    let mut consumer = lost(&broker).await;
    consumer.subscribe(["t"]).unwrap();
    // The new member is in the group before anybody polls.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let joins = broker.asked(ApiKey::JoinGroup);
    assert_eq!(read(&mut consumer, 20).await, range(0..20));
    assert!(matches!(consumer.poll(LONG).await, Ok(Polled::Nothing)));
    assert_eq!(broker.asked(ApiKey::JoinGroup), joins);
}

#[tokio::test(start_paused = true)]
async fn coordinator_that_is_not_there_yet_is_waited_for() {
    let broker = broker(1);
    for key in [ApiKey::FindCoordinator, ApiKey::JoinGroup, ApiKey::SyncGroup] {
        broker.trouble(key, Trouble::LostBefore);
    }
    let mut consumer = join(&broker, member()).await;
    assert_eq!(assigned(&mut consumer).await, [t(0)]);
}

#[tokio::test(start_paused = true)]
async fn consumer_without_a_group_commits_nothing() {
    let broker = broker(1);
    let mut consumer = reader(&broker, earliest());
    assert!(consumer.subscribe(["t"]).is_err());
    assert!(matches!(consumer.commit(&[(t(0), Offset(1))]).await, Err(CommitError::NoGroup)));
}
