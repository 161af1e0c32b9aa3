//! Groups with members go over to the newer protocol and back, and the log tells it all.

use mainstem_protocol::formats::consumer::{Assignment, TopicPartitions};

use super::{
    modern::{joining, staying},
    *,
};

/// What a consumer of the classic protocol says of itself, that has these partitions of `topic`.
fn subscribed(owned: &[i32]) -> bytes::Bytes {
    let owned_partitions = if owned.is_empty() { Vec::new() } else { named(owned) };
    let topics = vec!["topic".into()];
    Subscription { topics, owned_partitions, ..Default::default() }.to_bytes(1).unwrap()
}

fn named(partitions: &[i32]) -> Vec<TopicPartitions> {
    let partitions = partitions.iter().map(|partition| PartitionId(*partition)).collect();
    vec![TopicPartitions { topic: "topic".into(), partitions }]
}

fn read(assignment: bytes::Bytes) -> Vec<i32> {
    let topics = Assignment::from_bytes(assignment).unwrap().assigned_partitions;
    topics.iter().flat_map(|topic| topic.partitions.iter().map(|partition| partition.0)).collect()
}

impl Bench {
    /// The only member of a stable classic group, which has the whole topic.
    async fn reader(&self) -> (Text, i32) {
        let refused = self.join_with("", subscribed(&[])).await;
        let joined = self.join_with(&refused.member_id, subscribed(&[])).await;
        let all = Assignment { assigned_partitions: named(&[0, 1, 2]), user_data: None };
        let assignment = SyncGroupRequestAssignment {
            member_id: joined.member_id.clone(),
            assignment: all.to_bytes(1).unwrap(),
        };
        let synced = self.sync(&joined.member_id, joined.generation_id, vec![assignment]).await;
        assert_eq!((synced.error_code, read(synced.assignment)), (ErrorCode::NONE, vec![0, 1, 2]));
        (joined.member_id, joined.generation_id)
    }

    /// A member joins again with what it has, and asks for what it is to have.
    async fn rejoin(&self, member: &Text, owned: &[i32]) -> (i32, Vec<i32>) {
        let joined = self.join_with(member, subscribed(owned)).await;
        assert_eq!(joined.error_code, ErrorCode::NONE);
        let synced = self.sync(member, joined.generation_id, Vec::new()).await;
        assert_eq!(synced.error_code, ErrorCode::NONE);
        (joined.generation_id, read(synced.assignment))
    }
}

#[tokio::test]
async fn group_goes_over_with_its_members_and_back_and_remembers_it() {
    let disk = MemoryDisk::new();
    let (member, generation) = {
        let bench = Bench::open(&disk);
        let (member, generation) = bench.reader().await;
        let joined = bench.beat(joining("m")).await;
        assert_eq!((joined.error_code, joined.member_epoch), (ErrorCode::NONE, generation + 1));
        assert!(bench.coordinator.0.log.metadata(&"g".into()).is_none());
        assert_eq!(bench.listed_groups(), [("consumer".into(), "Reconciling".into())]);
        assert_eq!(bench.heartbeat(&member, generation), ErrorCode::REBALANCE_IN_PROGRESS);
        assert_eq!(bench.commit(generation, &member, 5).await, ErrorCode::NONE);
        assert_eq!(bench.commit(generation + 1, &member, 6).await, ErrorCode::ILLEGAL_GENERATION);
        let (kept_in, kept) = bench.rejoin(&member, &[0, 1, 2]).await;
        assert_eq!((kept_in, kept.len()), (generation, 2), "it is to give one back");
        let (generation, kept) = bench.rejoin(&member, &kept).await;
        assert_eq!((generation, kept.len()), (kept_in + 1, 2));
        bench.store.shutdown().unwrap();
        (member, generation)
    };
    {
        let bench = Bench::open(&disk);
        assert_eq!(bench.heartbeat(&member, generation), ErrorCode::NONE);
        let kinds: Vec<i8> =
            bench.describe_modern().members.iter().map(|member| member.member_type).collect();
        assert_eq!(kinds, [0, 1]);
        assert_eq!(bench.beat(staying("m", -1)).await.error_code, ErrorCode::NONE);
        assert_eq!(bench.listed_groups(), [("classic".into(), "PreparingRebalance".into())]);
        assert!(bench.coordinator.0.log.consumer_group(&"g".into()).next().is_none());
        bench.store.shutdown().unwrap();
    }
    let bench = Bench::open(&disk);
    assert_eq!(bench.listed_groups(), [("classic".into(), "PreparingRebalance".into())]);
    assert_eq!(bench.heartbeat(&member, generation), ErrorCode::REBALANCE_IN_PROGRESS);
    let joined = bench.join_with(&member, subscribed(&[])).await;
    assert_eq!((joined.error_code, joined.generation_id), (ErrorCode::NONE, generation + 1));
    assert_eq!(joined.leader, member);
    assert_eq!(bench.committed(0).await, 5);
}

#[tokio::test]
async fn whoever_waits_in_a_classic_group_that_goes_over_joins_again() {
    let bench = Bench::new();
    bench.reader().await;
    let refused = bench.join_with("", subscribed(&[])).await;
    let waits = bench.join_with(&refused.member_id, subscribed(&[]));
    let (joined, beaten) = tokio::join!(waits, bench.beat(joining("m")));
    assert_eq!(joined.error_code, ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(beaten.error_code, ErrorCode::NONE);
    let (_, given) = bench.rejoin(&refused.member_id, &[]).await;
    assert!(given.is_empty(), "the other has it still");
}

#[tokio::test]
async fn consumer_of_the_classic_protocol_that_falls_silent_is_out() {
    let bench = Bench::new();
    bench.beat(joining("m")).await;
    let refused = bench.join_with("", subscribed(&[])).await;
    assert_eq!(refused.error_code, ErrorCode::MEMBER_ID_REQUIRED);
    let (generation, _) = bench.rejoin(&refused.member_id, &[]).await;
    bench.clock.advance(Duration::from_secs(11));
    bench.coordinator.tick(&"g".into());
    bench.coordinator.0.tasks.join().await;
    assert_eq!(bench.heartbeat(&refused.member_id, generation), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(bench.beat(staying("m", 1)).await.error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn group_goes_back_when_the_last_member_of_the_newer_protocol_falls_silent() {
    let bench = Bench::new();
    let (member, generation) = bench.reader().await;
    bench.beat(joining("m")).await;
    for _ in 0..5 {
        bench.clock.advance(Duration::from_secs(9));
        bench.heartbeat(&member, generation);
    }
    bench.rejoin(&member, &[0, 1, 2]).await;
    bench.clock.advance(Duration::from_secs(1));
    bench.coordinator.tick(&"g".into());
    bench.coordinator.0.tasks.join().await;
    assert_eq!(bench.listed_groups(), [("classic".into(), "PreparingRebalance".into())]);
}
