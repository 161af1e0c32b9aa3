//! Offsets that nobody wants any more.

use super::*;

#[tokio::test]
async fn offsets_of_an_empty_group_expire_and_the_group_with_them() {
    let bench = Bench::new();
    let (member, generation) = bench.member().await;
    bench.commit(generation, &member, 5).await;
    bench.clock.advance(RETENTION * 2);
    bench.coordinator.expire_now().await;
    assert_eq!(bench.committed(0).await, 5, "a group with members keeps its offsets");
    let identity = MemberIdentity { member_id: member, ..Default::default() };
    let request = LeaveGroupRequest { group_id: "g".into(), members: vec![identity], ..Default::default() };
    assert_eq!(bench.coordinator.leave_group(3, request).await.members[0].error_code, ErrorCode::NONE);
    // The leave is stored by a task of its own.
    bench.coordinator.0.tasks.join().await;
    bench.coordinator.expire_now().await;
    assert_eq!(bench.committed(0).await, 5, "it has been empty for a moment only");
    bench.clock.advance(RETENTION);
    bench.coordinator.expire_now().await;
    assert_eq!(bench.committed(0).await, -1);
    assert!(bench.coordinator.0.log.metadata(&"g".into()).is_none());
    assert!(bench.coordinator.groups().is_empty());
}

#[tokio::test]
async fn stable_group_loses_the_offsets_of_what_it_does_not_read_any_more() {
    let bench = Bench::new();
    let subscribed = |topics: &[&str]| {
        let topics = topics.iter().map(|topic| Text::from(*topic)).collect();
        Subscription { topics, ..Default::default() }.to_bytes(1).unwrap()
    };
    let (member, generation) = bench.member_with(subscribed(&["topic"])).await;
    bench.commit(generation, &member, 5).await;
    bench.clock.advance(RETENTION * 2);
    bench.coordinator.expire_now().await;
    assert_eq!(bench.committed(0).await, 5, "it is read");
    let joined = bench.join_with(&member, subscribed(&["other"])).await;
    bench.coordinator.expire_now().await;
    assert_eq!(bench.committed(0).await, 5, "the group is not stable");
    let synced = bench.sync(&member, joined.generation_id, Vec::new()).await;
    assert_eq!(synced.error_code, ErrorCode::NONE);
    bench.coordinator.expire_now().await;
    assert_eq!(bench.committed(0).await, -1);
    assert_eq!(bench.heartbeat(&member, joined.generation_id), ErrorCode::NONE, "the group stays");
}

#[tokio::test]
async fn offset_goes_when_its_commit_says_so() {
    let bench = Bench::new();
    let commit = async |partition: i32, retention: Duration| {
        let request = OffsetCommitRequest {
            retention_time_ms: i64::try_from(retention.as_millis()).unwrap(),
            ..commit_request(-1, "", "topic", partition, 7, "")
        };
        let response = bench.coordinator.offset_commit(2, request).await;
        assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::NONE);
    };
    commit(0, Duration::from_secs(10)).await;
    commit(1, RETENTION * 2).await;
    commit(2, Duration::MAX.min(Duration::from_millis(i64::MAX as u64))).await;
    let left = async || {
        bench.coordinator.expire_now().await;
        [bench.committed(0).await, bench.committed(1).await, bench.committed(2).await]
    };
    bench.clock.advance(Duration::from_millis(9_999));
    assert_eq!(left().await, [7, 7, 7]);
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(left().await, [-1, 7, 7]);
    bench.clock.advance(RETENTION);
    assert_eq!(left().await, [-1, 7, 7], "the broker's own time of retention does not count");
    bench.clock.advance(RETENTION);
    assert_eq!(left().await, [-1, -1, 7]);
}

#[tokio::test]
async fn offset_that_is_due_stays_while_the_group_has_members() {
    let bench = Bench::new();
    let (member, generation) = bench.member().await;
    let request = OffsetCommitRequest {
        retention_time_ms: 0,
        ..commit_request(generation, &member, "topic", 0, 7, "")
    };
    bench.coordinator.offset_commit(2, request).await;
    bench.coordinator.expire_now().await;
    assert_eq!(bench.committed(0).await, 7);
}
