use std::sync::Arc;

use mainstem_protocol::{
    LeaderEpoch, Offset, PartitionId, Timestamp, TopicId,
    formats::consumer::Subscription,
    messages::{
        HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, OffsetCommitRequest,
        OffsetFetchRequest, SyncGroupRequest, SyncGroupResponse,
        join_group::JoinGroupRequestProtocol,
        leave_group::MemberIdentity,
        offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_fetch::OffsetFetchRequestGroup,
        sync_group::SyncGroupRequestAssignment,
    },
};
use mainstem_storage::{
    ManualClock, Overrides,
    disk::MemoryDisk,
    store::{NewTopic, Options},
};

use super::*;

mod cooperative;
mod deletes;
mod expiry;
mod migration;
mod modern;
mod refusals;

const RETENTION: Duration = Duration::from_secs(3600);

fn settings() -> GroupSettings {
    GroupSettings {
        offsets_partitions: 5,
        offsets_retention: RETENTION,
        offset_metadata_bytes_max: 16,
        ..GroupSettings::default()
    }
}

/// Small, since each test has a disk of its own in memory, and the stores outlive their tests.
const JOURNAL_BYTES: u64 = 8 * 1024 * 1024;

/// A coordinator over a disk in memory.
struct Bench {
    coordinator: Coordinator,
    store: Arc<Store>,
    clock: Arc<ManualClock>,
    topic: TopicId,
}

impl Bench {
    fn new() -> Self {
        Self::open(&MemoryDisk::new())
    }

    /// Opens on a thread that may block.
    fn open(disk: &MemoryDisk) -> Self {
        std::thread::scope(|scope| scope.spawn(|| Self::open_blocking(disk)).join().unwrap())
    }

    fn open_blocking(disk: &MemoryDisk) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000)));
        let dyn_clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let options = Options { journal_bytes: JOURNAL_BYTES, ..Options::default() };
        let opened = Store::open(options, Arc::new(disk.clone()), Arc::clone(&dyn_clock));
        let (store, _) = opened.unwrap();
        let coordinator =
            Coordinator::open(Arc::clone(&store), dyn_clock, settings(), Tasks::root("test")).unwrap();
        let topic = store.topics().named("topic").map(|topic| topic.id);
        let topic = topic.unwrap_or_else(|| {
            let (name, overrides) = ("topic".into(), Overrides::new());
            let (topic, ticket) =
                store.create_topic(NewTopic { name, partitions: 3, overrides, keyed: false }).unwrap();
            ticket.wait().unwrap();
            topic
        });
        Self { coordinator, store, clock, topic }
    }

    async fn commit(&self, generation: i32, member: &str, offset: i64) -> ErrorCode {
        let request = commit_request(generation, member, "topic", 0, offset, "");
        let response = self.coordinator.offset_commit(9, request).await;
        response.topics[0].partitions[0].error_code
    }

    async fn committed(&self, partition: i32) -> i64 {
        let group = OffsetFetchRequestGroup { group_id: "g".into(), topics: None, ..Default::default() };
        let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
        let response = self.coordinator.offset_fetch(9, request).await;
        let partitions = response.groups[0].topics.iter().flat_map(|topic| &topic.partitions);
        let found = partitions.into_iter().find(|found| found.partition_index == PartitionId(partition));
        found.map_or(-1, |found| found.committed_offset.0)
    }

    async fn join_with(&self, member: &str, metadata: bytes::Bytes) -> JoinGroupResponse {
        self.join(5, join_request(member, metadata)).await
    }

    async fn join(&self, version: i16, request: JoinGroupRequest) -> JoinGroupResponse {
        let caller = Caller { client_id: "client".into(), host: "/127.0.0.1".into() };
        self.coordinator.join_group(&caller, version, request).await
    }

    /// The only member of a stable group.
    async fn member(&self) -> (Text, i32) {
        self.member_with(bytes::Bytes::from_static(b"m")).await
    }

    async fn member_with(&self, metadata: bytes::Bytes) -> (Text, i32) {
        self.member_that(|member| join_request(member, metadata.clone())).await
    }

    async fn member_of(&self, protocol_type: &'static str) -> (Text, i32) {
        let metadata = bytes::Bytes::from_static(b"m");
        self.member_that(|member| JoinGroupRequest {
            protocol_type: protocol_type.into(),
            ..join_request(member, metadata.clone())
        })
        .await
    }

    async fn member_that(&self, request: impl Fn(&str) -> JoinGroupRequest) -> (Text, i32) {
        let refused = self.join(5, request("")).await;
        assert_eq!(refused.error_code, ErrorCode::MEMBER_ID_REQUIRED);
        let joined = self.join(5, request(&refused.member_id)).await;
        assert_eq!(joined.error_code, ErrorCode::NONE);
        let assignment = SyncGroupRequestAssignment {
            member_id: joined.member_id.clone(),
            assignment: bytes::Bytes::from_static(b"all"),
        };
        let synced = self.sync(&joined.member_id, joined.generation_id, vec![assignment]).await;
        assert_eq!((synced.error_code, &synced.assignment[..]), (ErrorCode::NONE, &b"all"[..]));
        (joined.member_id, joined.generation_id)
    }

    async fn sync(
        &self,
        member: &Text,
        generation: i32,
        assignments: Vec<SyncGroupRequestAssignment>,
    ) -> SyncGroupResponse {
        let request = SyncGroupRequest {
            group_id: "g".into(),
            generation_id: generation,
            member_id: member.clone(),
            assignments,
            ..Default::default()
        };
        self.coordinator.sync_group(3, request).await
    }

    fn heartbeat(&self, member: &Text, generation: i32) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: "g".into(),
            generation_id: generation,
            member_id: member.clone(),
            ..Default::default()
        };
        self.coordinator.heartbeat(&request).error_code
    }
}

fn join_request(member: &str, metadata: bytes::Bytes) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 30_000,
        member_id: member.into(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata }],
        ..Default::default()
    }
}

fn commit_request(
    generation: i32,
    member: &str,
    topic: &str,
    partition: i32,
    offset: i64,
    metadata: &str,
) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        partition_index: PartitionId(partition),
        committed_offset: Offset(offset),
        committed_leader_epoch: LeaderEpoch(0),
        committed_metadata: Some(metadata.into()),
    };
    OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: generation,
        member_id: member.into(),
        topics: vec![OffsetCommitRequestTopic {
            name: topic.into(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[test]
fn groups_are_spread_as_kafka_spreads_them() {
    let disk = MemoryDisk::new();
    let bench = Bench::open(&disk);
    // "hello".hashCode() is 99162322, "polygenelubricants" hashes to the one number without an absolute value.
    assert_eq!(bench.coordinator.0.log.partition("hello"), PartitionId(99_162_322 % 5));
    assert_eq!(bench.coordinator.0.log.partition("polygenelubricants"), PartitionId(0));
}

#[tokio::test]
async fn committed_offset_is_fetched_and_what_was_never_committed_is_no_error() {
    let bench = Bench::new();
    assert_eq!(bench.committed(0).await, -1);
    assert_eq!(bench.commit(-1, "", 42).await, ErrorCode::NONE);
    assert_eq!(bench.committed(0).await, 42);
    assert_eq!(bench.committed(1).await, -1);
}

#[tokio::test]
async fn commit_to_what_is_not_there_is_refused_alone() {
    let bench = Bench::new();
    let mut request = commit_request(-1, "", "topic", 0, 7, "");
    let others = [("nowhere", 0, ""), ("topic", 3, ""), ("topic", 1, "more than sixteen bytes")];
    for (topic, partition, metadata) in others {
        request.topics.extend(commit_request(-1, "", topic, partition, 7, metadata).topics);
    }
    let response = bench.coordinator.offset_commit(9, request).await;
    let codes: Vec<_> = response.topics.iter().map(|topic| topic.partitions[0].error_code).collect();
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(codes, [ErrorCode::NONE, unknown, unknown, ErrorCode::OFFSET_METADATA_TOO_LARGE]);
    assert_eq!(bench.committed(0).await, 7);
}

#[tokio::test]
async fn commit_that_is_larger_than_a_frame_of_the_journal_is_stored() {
    let bench = Bench::new();
    let mut request = commit_request(-1, "", "topic", 0, 7, "");
    let last = commit_request(-1, "", "topic", 0, 8, "").topics[0].partitions[0].clone();
    let partitions = &mut request.topics[0].partitions;
    *partitions = vec![partitions[0].clone(); JOURNAL_BYTES as usize / 1024];
    partitions.push(last);
    let response = bench.coordinator.offset_commit(9, request).await;
    assert!(response.topics[0].partitions.iter().all(|partition| partition.error_code.is_none()));
    assert_eq!(bench.committed(0).await, 8);
}

#[tokio::test]
async fn offsets_come_by_topic_id_from_version_10_on() {
    let bench = Bench::new();
    let mut request = commit_request(-1, "", "", 2, 9, "");
    request.topics[0].topic_id = bench.topic;
    let response = bench.coordinator.offset_commit(10, request.clone()).await;
    assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::NONE);
    assert_eq!(bench.committed(2).await, 9);
    request.topics[0].topic_id = TopicId([9; 16]);
    let response = bench.coordinator.offset_commit(10, request).await;
    assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::UNKNOWN_TOPIC_ID);
}

#[tokio::test]
async fn member_commits_in_its_generation_only() {
    let bench = Bench::new();
    let (member, generation) = bench.member().await;
    assert_eq!(bench.commit(generation, &member, 5).await, ErrorCode::NONE);
    assert_eq!(bench.commit(generation + 1, &member, 6).await, ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(bench.commit(generation, "stranger", 6).await, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(bench.commit(-1, "", 6).await, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(bench.committed(0).await, 5);
}

#[tokio::test]
async fn members_and_offsets_survive_a_restart() {
    let disk = MemoryDisk::new();
    let (member, generation) = {
        let bench = Bench::open(&disk);
        let (member, generation) = bench.member().await;
        assert_eq!(bench.commit(generation, &member, 11).await, ErrorCode::NONE);
        bench.store.shutdown().unwrap();
        (member, generation)
    };
    let bench = Bench::open(&disk);
    assert_eq!(bench.committed(0).await, 11);
    assert_eq!(bench.heartbeat(&member, generation), ErrorCode::NONE);
    let synced = bench.sync(&member, generation, Vec::new()).await;
    assert_eq!(&synced.assignment[..], b"all");
}

#[tokio::test]
async fn silent_member_is_gone_when_its_session_ends() {
    let bench = Bench::new();
    let (member, generation) = bench.member().await;
    bench.clock.advance(Duration::from_secs(11));
    bench.coordinator.tick(&"g".into());
    assert_eq!(bench.heartbeat(&member, generation), ErrorCode::UNKNOWN_MEMBER_ID);
}
