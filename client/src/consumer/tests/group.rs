//! Members of groups: joining, sharing, committing, leaving.

use std::sync::Mutex;

use mainstem_protocol::messages::{
    OffsetCommitResponse,
    offset_commit::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
};

use super::{
    super::{Assignor, GroupError, LeaveMode, OffsetAndMetadata, Rebalance, RebalanceListener},
    *,
};
use crate::transport::BoxFuture;

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

pub(super) fn cooperative() -> ConsumerConfig {
    ConsumerConfig { assignors: vec![Assignor::CooperativeSticky], ..member() }
}

/// What a listener was told.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn note(&self, what: &str, partitions: &[TopicPartition]) {
        let partitions: Vec<_> = partitions.iter().map(ToString::to_string).collect();
        self.0.lock().unwrap().push(format!("{what} {}", partitions.join(" ")));
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl RebalanceListener for Told {
    fn assigned<'a>(
        &'a self,
        _: &'a mut Rebalance<'_>,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        self.note("assigned", partitions);
        Box::pin(async {})
    }

    fn revoked<'a>(
        &'a self,
        consumer: &'a mut Rebalance<'_>,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            consumer.commit_consumed().await.unwrap();
            self.note("revoked", partitions);
        })
    }

    fn lost<'a>(
        &'a self,
        consumer: &'a mut Rebalance<'_>,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            assert!(consumer.commit_consumed().await.is_err());
            self.note("lost", partitions);
        })
    }
}

/// Polls until the consumer has these partitions and nothing more to say for a while.
pub(super) async fn settle(consumer: &mut Consumer, partitions: &[TopicPartition]) {
    while !matches!(consumer.poll(Duration::from_secs(10)).await, Ok(Polled::Nothing))
        || consumer.assignment() != partitions
    {}
}

#[tokio::test(start_paused = true)]
async fn cooperative_member_goes_on_reading_what_stays_and_lets_go_of_what_moves() {
    let broker = broker(2);
    produce(&broker, 0, 0..20, 10).await;
    let told = Told::default();
    let mut first = join(&broker, ConsumerConfig { poll_records: 1, ..cooperative() }).await;
    first.on_rebalance(told.clone());
    assert_eq!(read(&mut first, 5).await, range(0..5));
    first.pause(&t(0));
    let mut second = join(&broker, cooperative()).await;
    let joining = crate::task::spawn("second", async move {
        settle(&mut second, &[t(1)]).await;
        second
    });
    settle(&mut first, &[t(0)]).await;
    assert_eq!(first.position(&t(0)), Some(Offset(5)), "it was not read anew");
    first.resume(&t(0));
    assert_eq!(read(&mut first, 15).await, range(5..20));
    assert_eq!(told.take(), ["assigned t-0 t-1", "revoked t-1", "assigned ", "assigned "]);
    assert_eq!(broker.committed("g", "t", 0), Some(5));
    joining.await.unwrap().close().await;
    settle(&mut first, &[t(0), t(1)]).await;
    first.close().await;
    assert_eq!(told.take(), ["assigned t-1", "revoked t-0 t-1"]);
    assert_eq!(broker.committed("g", "t", 0), Some(20));
}

#[tokio::test(start_paused = true)]
async fn commit_during_a_cooperative_rebalance_waits_for_its_end() {
    let broker = broker(2);
    produce(&broker, 0, 0..20, 10).await;
    let mut first = join(&broker, cooperative()).await;
    assert_eq!(read(&mut first, 20).await, range(0..20));
    for code in [ErrorCode::REBALANCE_IN_PROGRESS, ErrorCode::ILLEGAL_GENERATION] {
        broker.trouble(ApiKey::OffsetCommit, commit_answer(code));
        let mut second = join(&broker, cooperative()).await;
        let committing = first.commit_consumed_async();
        crate::task::spawn("second", async move { settle(&mut second, &[t(1)]).await });
        settle(&mut first, &[t(0)]).await;
        committing.await.unwrap();
        settle(&mut first, &[t(0), t(1)]).await;
    }
    assert_eq!(broker.committed("g", "t", 0), Some(20));
}

pub(super) fn commit_answer(error_code: ErrorCode) -> Trouble {
    let partition = OffsetCommitResponsePartition { partition_index: PartitionId(0), error_code };
    let topic =
        OffsetCommitResponseTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    Trouble::Answer(OffsetCommitResponse { topics: vec![topic], ..Default::default() }.into())
}

#[tokio::test(start_paused = true)]
async fn commit_is_tried_again_where_that_helps_and_told_where_it_does_not() {
    let broker = broker(1);
    let mut consumer = join(&broker, member()).await;
    assigned(&mut consumer).await;
    let said = OffsetAndMetadata { metadata: "by hand".into(), ..Offset(7).into() };
    let retries = consumer.metrics().retries;
    broker.trouble(ApiKey::OffsetCommit, Trouble::LostBefore);
    broker.trouble(ApiKey::OffsetCommit, commit_answer(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
    consumer.commit(&[(t(0), said.clone())]).await.unwrap();
    assert_eq!(consumer.metrics().retries, retries + 2);
    assert_eq!(consumer.committed_with_metadata(&[t(0)]).await.unwrap()[&t(0)], said);
    for code in [ErrorCode::FENCED_INSTANCE_ID, ErrorCode::ILLEGAL_GENERATION, ErrorCode::UNKNOWN_MEMBER_ID] {
        broker.trouble(ApiKey::OffsetCommit, commit_answer(code));
        let error = consumer.commit(&[(t(0), Offset(8))]).await.unwrap_err();
        assert!(matches!(error, CommitError::NotMember { code: told, .. } if told == code), "{error}");
    }
    broker.trouble(ApiKey::OffsetCommit, commit_answer(ErrorCode::OFFSET_METADATA_TOO_LARGE));
    let error = consumer.commit(&[(t(0), Offset(8))]).await.unwrap_err();
    assert!(matches!(error, CommitError::Refused { .. }), "{error}");
    assert_eq!(broker.committed("g", "t", 0), Some(7));
}

#[tokio::test(start_paused = true)]
async fn commits_that_nobody_waits_for_take_place_in_their_order() {
    let broker = broker(1);
    let mut consumer = join(&broker, member()).await;
    assigned(&mut consumer).await;
    broker.trouble(ApiKey::OffsetCommit, Trouble::LostBefore);
    let begun: Vec<_> = (1..=20).map(|offset| consumer.commit_async(&[(t(0), Offset(offset))])).collect();
    begun.into_iter().last().unwrap().await.unwrap();
    assert_eq!(broker.committed("g", "t", 0), Some(20));
    drop(consumer.commit_async(&[(t(0), Offset(21))]));
    consumer.commit(&[(t(0), Offset(22))]).await.unwrap();
    assert_eq!(broker.committed("g", "t", 0), Some(22));
    drop(consumer.commit_async(&[(t(0), Offset(23))]));
    consumer.close().await;
    assert_eq!(broker.committed("g", "t", 0), Some(23));
}

#[tokio::test(start_paused = true)]
async fn listener_of_an_eager_member_hears_of_everything_each_time() {
    let broker = broker(2);
    let told = Told::default();
    let mut first = join(&broker, member()).await;
    first.on_rebalance(told.clone());
    settle(&mut first, &[t(0), t(1)]).await;
    let mut second = join(&broker, member()).await;
    crate::task::spawn("second", async move { settle(&mut second, &[t(1)]).await });
    settle(&mut first, &[t(0), t(1)]).await;
    broker.expire("g", &broker.member_ids("g")[0]);
    settle(&mut first, &[t(0), t(1)]).await;
    let both = ["assigned t-0 t-1", "revoked t-0 t-1", "assigned t-0", "revoked t-0", "assigned t-0 t-1"];
    assert_eq!(told.take(), [&both[..], &["lost t-0 t-1", "assigned t-0 t-1"]].concat());
}

#[tokio::test(start_paused = true)]
async fn assignor_is_one_that_all_members_know() {
    let broker = broker(4);
    let with = |assignors: &[Assignor]| ConsumerConfig { assignors: assignors.to_vec(), ..member() };
    let mut first = join(&broker, with(&[Assignor::Sticky, Assignor::RoundRobin, Assignor::Range])).await;
    settle(&mut first, &[t(0), t(1), t(2), t(3)]).await;
    let mut second = join(&broker, with(&[Assignor::Range, Assignor::RoundRobin])).await;
    crate::task::spawn("second", async move { settle(&mut second, &[]).await });
    settle(&mut first, &[t(0), t(2)]).await;
}

#[tokio::test(start_paused = true)]
async fn static_member_stays_through_a_restart_and_whoever_takes_its_name_ends_it() {
    let broker = broker(2);
    let named = ConsumerConfig { group_instance_id: Some("one".into()), ..member() };
    let mut first = join(&broker, named.clone()).await;
    assigned(&mut first).await;
    first.close().await;
    assert_eq!((broker.members("g"), broker.asked(ApiKey::LeaveGroup)), (1, 0));
    let mut again = join(&broker, named.clone()).await;
    assert_eq!(assigned(&mut again).await, [t(0), t(1)]);
    let mut thief = join(&broker, named).await;
    assert_eq!(assigned(&mut thief).await, [t(0), t(1)]);
    assert!(matches!(again.poll(LONG).await, Ok(Polled::Lost(_))));
    let error = again.poll(LONG).await.unwrap_err();
    assert!(matches!(error, ConsumeError::Group(GroupError::Fenced { .. })), "{error}");
    thief.close_with(LeaveMode::Leave).await;
    assert_eq!(broker.members("g"), 0);
}

#[tokio::test(start_paused = true)]
async fn topics_that_match_are_read_and_those_that_come_later_as_well() {
    let broker = broker(1);
    broker.create_topic("u", 1);
    let config = ConsumerConfig { metadata_age_max: Duration::from_secs(5), ..member() };
    for assignors in [vec![Assignor::Range], vec![Assignor::CooperativeSticky]] {
        let mut consumer = Consumer::new(&broker, ConsumerConfig { assignors, ..config.clone() });
        consumer.subscribe_pattern("t|x\\d").unwrap();
        settle(&mut consumer, &[t(0)]).await;
        broker.create_topic("x1", 2);
        broker.create_topic("ax1", 2);
        let (x0, x1) = (TopicPartition::new("x1", 0), TopicPartition::new("x1", 1));
        settle(&mut consumer, &[t(0), x0.clone(), x1.clone()]).await;
        broker.delete_topic("x1");
        settle(&mut consumer, &[t(0)]).await;
        consumer.close().await;
    }
    let error = Consumer::new(&broker, config).subscribe_pattern("(").unwrap_err();
    assert!(matches!(error, GroupError::Pattern { .. }), "{error}");
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
