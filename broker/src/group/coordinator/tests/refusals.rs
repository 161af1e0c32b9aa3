//! Requests that are refused, each with Kafka's own code, and a group that is as it was before.

use mainstem_protocol::{
    ProducerId,
    formats::offsets::Key,
    messages::{
        TxnOffsetCommitRequest,
        txn_offset_commit::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
    },
    records::ProducerStamp,
};
use mainstem_storage::AppendGroup;

use super::*;
use crate::{
    config::TransactionSettings,
    metrics::Metrics,
    transaction::{self, Verification},
};

#[tokio::test]
async fn group_that_is_not_there_has_the_code_of_the_version() {
    let bench = Bench::new();
    let code = async |version| {
        let response =
            bench.coordinator.offset_commit(version, commit_request(3, "m", "topic", 0, 1, "")).await;
        response.topics[0].partitions[0].error_code
    };
    assert_eq!(code(8).await, ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(code(9).await, ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(bench.heartbeat(&"m".into(), 3), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[tokio::test]
async fn session_outside_the_limits_and_a_group_without_a_name_are_refused() {
    let bench = Bench::new();
    let join = async |group_id: &str, session_timeout_ms| {
        let request =
            JoinGroupRequest { group_id: group_id.into(), session_timeout_ms, ..Default::default() };
        bench.join(5, request).await.error_code
    };
    assert_eq!(join("g", 5_999).await, ErrorCode::INVALID_SESSION_TIMEOUT);
    assert_eq!(join("g", -1).await, ErrorCode::INVALID_SESSION_TIMEOUT);
    assert_eq!(join("", 10_000).await, ErrorCode::INVALID_GROUP_ID);
}

#[tokio::test]
async fn group_without_a_name_is_refused_by_each_request() {
    let bench = Bench::new();
    let beat = bench.coordinator.heartbeat(&HeartbeatRequest::default());
    assert_eq!(beat.error_code, ErrorCode::INVALID_GROUP_ID);
    let sync = bench.coordinator.sync_group(3, SyncGroupRequest::default()).await;
    assert_eq!(sync.error_code, ErrorCode::INVALID_GROUP_ID);
    let leave = bench.coordinator.leave_group(3, LeaveGroupRequest::default()).await;
    assert_eq!(leave.error_code, ErrorCode::INVALID_GROUP_ID);
}

#[tokio::test]
async fn unknown_group_is_made_by_no_request_but_a_new_members() {
    let bench = Bench::new();
    let metadata = bytes::Bytes::from_static(b"m");
    assert_eq!(bench.join_with("stranger", metadata).await.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(bench.sync(&"m".into(), 1, Vec::new()).await.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    let members = vec![MemberIdentity { member_id: "m".into(), ..Default::default() }];
    let leave = LeaveGroupRequest { group_id: "g".into(), members, ..Default::default() };
    let left = bench.coordinator.leave_group(3, leave).await;
    assert_eq!(left.members[0].error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    assert!(bench.coordinator.groups().is_empty());
}

#[tokio::test]
async fn member_without_a_protocol_is_refused_and_makes_no_group() {
    let bench = Bench::new();
    let whole = join_request("", bytes::Bytes::from_static(b"m"));
    let requests = [
        JoinGroupRequest { protocols: Vec::new(), ..whole.clone() },
        JoinGroupRequest { protocol_type: "".into(), ..whole },
    ];
    for request in requests {
        let refused = bench.join(5, request).await;
        assert_eq!(refused.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        assert_eq!(refused.member_id, "");
    }
    assert!(bench.coordinator.groups().is_empty());
}

#[tokio::test]
async fn sync_of_another_protocol_or_generation_is_refused() {
    let bench = Bench::new();
    let (member, generation) = bench.member().await;
    let request = SyncGroupRequest {
        group_id: "g".into(),
        generation_id: generation,
        member_id: member.clone(),
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        ..Default::default()
    };
    let code = async |request: SyncGroupRequest| bench.coordinator.sync_group(5, request).await.error_code;
    assert_eq!(code(request.clone()).await, ErrorCode::NONE);
    let other = SyncGroupRequest { protocol_name: Some("sticky".into()), ..request.clone() };
    assert_eq!(code(other).await, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    let other = SyncGroupRequest { protocol_type: None, ..request.clone() };
    assert_eq!(code(other).await, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    let other = SyncGroupRequest { generation_id: generation - 1, ..request.clone() };
    assert_eq!(code(other).await, ErrorCode::ILLEGAL_GENERATION);
    let other = SyncGroupRequest { member_id: "stranger".into(), ..request };
    assert_eq!(code(other).await, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(bench.heartbeat(&member, generation), ErrorCode::NONE);
}

#[tokio::test]
async fn fenced_static_member_is_told_so_by_every_request() {
    let bench = Bench::new();
    let fixed = |member: &str| JoinGroupRequest {
        group_instance_id: Some("i".into()),
        ..join_request(member, bytes::Bytes::from_static(b"m"))
    };
    let old = bench.join(5, fixed("")).await;
    bench.sync(&old.member_id, old.generation_id, Vec::new()).await;
    let new = bench.join(9, fixed("")).await;
    assert_eq!((new.error_code, new.generation_id), (ErrorCode::NONE, old.generation_id));
    let fenced = ErrorCode::FENCED_INSTANCE_ID;
    assert_eq!(bench.join(9, fixed(&old.member_id)).await.error_code, fenced);
    let beat = HeartbeatRequest {
        group_id: "g".into(),
        generation_id: old.generation_id,
        member_id: old.member_id.clone(),
        group_instance_id: Some("i".into()),
    };
    assert_eq!(bench.coordinator.heartbeat(&beat).error_code, fenced);
    let commit = OffsetCommitRequest {
        group_instance_id: Some("i".into()),
        ..commit_request(old.generation_id, &old.member_id, "topic", 0, 9, "")
    };
    let committed = bench.coordinator.offset_commit(8, commit).await;
    assert_eq!(committed.topics[0].partitions[0].error_code, fenced);
    let sync = SyncGroupRequest {
        group_id: "g".into(),
        generation_id: old.generation_id,
        member_id: old.member_id.clone(),
        group_instance_id: Some("i".into()),
        ..Default::default()
    };
    assert_eq!(bench.coordinator.sync_group(3, sync).await.error_code, fenced);
    let identity = MemberIdentity {
        member_id: old.member_id,
        group_instance_id: Some("i".into()),
        ..Default::default()
    };
    let leave = LeaveGroupRequest { group_id: "g".into(), members: vec![identity], ..Default::default() };
    assert_eq!(bench.coordinator.leave_group(3, leave).await.members[0].error_code, fenced);
    assert_eq!(bench.committed(0).await, -1);
    assert_eq!(bench.commit(new.generation_id, &new.member_id, 3).await, ErrorCode::NONE);
}

#[tokio::test]
async fn metadata_is_measured_as_java_measures_it() {
    let bench = Bench::new();
    let code = async |metadata: &str| {
        let request = commit_request(-1, "", "topic", 0, 1, metadata);
        bench.coordinator.offset_commit(8, request).await.topics[0].partitions[0].error_code
    };
    assert_eq!(code(&"ü".repeat(16)).await, ErrorCode::NONE);
    assert_eq!(code(&"ü".repeat(17)).await, ErrorCode::OFFSET_METADATA_TOO_LARGE);
    assert_eq!(code(&"😀".repeat(9)).await, ErrorCode::OFFSET_METADATA_TOO_LARGE);
}

#[tokio::test]
async fn refused_commits_in_transactions_leave_no_group() {
    let bench = Bench::new();
    let (store, clock) = (Arc::clone(&bench.store), Arc::<ManualClock>::clone(&bench.clock));
    let (settings, tasks) = (TransactionSettings::default(), Tasks::root("transactions"));
    let metrics = Metrics::new(&*bench.clock);
    let transactions =
        transaction::Coordinator::new(store, clock, settings, tasks, Arc::clone(&metrics.transactions));
    for group in ["g", "h", "i"] {
        let partition = TxnOffsetCommitRequestPartition { committed_offset: Offset(5), ..Default::default() };
        let request = TxnOffsetCommitRequest {
            group_id: group.into(),
            transactional_id: "unknown".into(),
            topics: vec![TxnOffsetCommitRequestTopic { name: "topic".into(), partitions: vec![partition] }],
            ..Default::default()
        };
        let response = bench.coordinator.txn_offset_commit(Verification::Adds, request, &transactions).await;
        let error = response.topics[0].partitions[0].error_code;
        assert_eq!(error, ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    }
    assert!(bench.coordinator.groups().is_empty());
}

#[tokio::test]
async fn refused_commits_leave_no_group() {
    let bench = Bench::new();
    let code = async |request| {
        let response = bench.coordinator.offset_commit(9, request).await;
        response.topics[0].partitions[0].error_code
    };
    let request = commit_request(-1, "", "topic", 0, 1, "");
    let too_long = OffsetCommitRequest { group_id: "g".repeat(40_000).into(), ..request.clone() };
    assert_eq!(code(too_long).await, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert!(bench.coordinator.groups().is_empty(), "its name does not fit into a record");
    let held = OffsetCommitRequest { group_id: "held".into(), ..request.clone() };
    assert_eq!(code(held.clone()).await, ErrorCode::NONE);
    for small in [request, held] {
        let mut large = small;
        let partition = large.topics[0].partitions[0].clone();
        large.topics[0].partitions = vec![partition; JOURNAL_BYTES as usize / 80];
        assert_eq!(code(large).await, ErrorCode::INVALID_COMMIT_OFFSET_SIZE);
    }
    let left: Vec<_> = bench.coordinator.groups().keys().cloned().collect();
    assert_eq!(left, ["held"], "what was there before stays");
}

/// Offsets of a transaction, written without asking.
async fn write_offsets(bench: &Bench, producer: ProducerId, offsets: std::ops::Range<usize>) {
    let key = |index| {
        let topic = "elsewhere".into();
        Key::Offset(OffsetCommitKey { group: "g".into(), topic, partition: PartitionId(index as i32) })
    };
    let records = offsets.map(|index| (key(index), Some(bytes::Bytes::from_static(b"v")))).collect();
    let stamp = ProducerStamp { producer_id: producer, transactional: true, ..ProducerStamp::NONE };
    let batch = bench.coordinator.0.log.batch(&records, &stamp).unwrap();
    let (topic, partition) = bench.coordinator.0.log.place_of("g").unwrap();
    let place = || {
        let mut group = AppendGroup::single(topic.id, partition, batch);
        bench.store.make_room(&mut group).unwrap();
        bench.store.append(&group).unwrap()
    };
    // On a thread that may block.
    let ticket = std::thread::scope(|scope| scope.spawn(place).join().unwrap());
    ticket.await.unwrap();
}

#[tokio::test]
async fn transaction_with_as_many_offsets_as_it_may_have_takes_no_more() {
    let bench = Bench::new();
    let (many, few) = (ProducerId(7), ProducerId(8));
    // Pieces that fit into one frame of the journal each.
    let count = caps::TRANSACTION_OFFSETS_MAX / 100;
    for piece in 0..100 {
        write_offsets(&bench, many, piece * count..(piece + 1) * count).await;
    }
    let has_room = |producer, topic: &str, partitions: std::ops::Range<i32>| {
        let key = |partition| OffsetCommitKey {
            group: "g".into(),
            topic: topic.into(),
            partition: PartitionId(partition),
        };
        let records = partitions.map(|partition| (Key::Offset(key(partition)), None)).collect();
        bench.coordinator.0.log.has_room(&"g".into(), producer, &records)
    };
    assert!(has_room(many, "elsewhere", 0..9), "what it has already may be committed again");
    assert!(!has_room(many, "topic", 0..1));
    assert!(has_room(few, "topic", 0..1));
    assert!(!has_room(few, "topic", 0..caps::TRANSACTION_OFFSETS_MAX as i32 + 1));
}
