//! DeleteGroups, OffsetDelete, and topics that go.

use mainstem_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest, OffsetDeleteRequest, OffsetDeleteResponse,
    offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
};

use super::*;

impl Bench {
    async fn delete_group(&self, id: &str) -> ErrorCode {
        let request = DeleteGroupsRequest { groups_names: vec![id.into()] };
        self.coordinator.delete_groups(request).await.results[0].error_code
    }

    async fn delete_offset(&self, group: &str, topic: &str, partitions: &[i32]) -> OffsetDeleteResponse {
        let partition = |index: &i32| OffsetDeleteRequestPartition { partition_index: PartitionId(*index) };
        let topic = OffsetDeleteRequestTopic {
            name: topic.into(),
            partitions: partitions.iter().map(partition).collect(),
        };
        let request = OffsetDeleteRequest { group_id: group.into(), topics: vec![topic] };
        self.coordinator.offset_delete(request).await
    }

    fn listed(&self) -> usize {
        self.coordinator.list(&ListGroupsRequest::default()).groups.len()
    }

    fn described(&self) -> ErrorCode {
        let request = DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() };
        self.coordinator.describe_groups(6, request, 0).groups[0].error_code
    }

    async fn leave(&self, member: Text) {
        let identity = MemberIdentity { member_id: member, ..Default::default() };
        let request =
            LeaveGroupRequest { group_id: "g".into(), members: vec![identity], ..Default::default() };
        assert_eq!(self.coordinator.leave_group(3, request).await.members[0].error_code, ErrorCode::NONE);
    }
}

fn codes(response: &OffsetDeleteResponse) -> Vec<ErrorCode> {
    response.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code).collect()
}

#[tokio::test]
async fn deleted_group_is_gone_with_its_offsets_and_stays_so() {
    let disk = MemoryDisk::new();
    {
        let bench = Bench::open(&disk);
        let (member, generation) = bench.member().await;
        bench.commit(generation, &member, 5).await;
        assert_eq!(bench.delete_group("g").await, ErrorCode::NON_EMPTY_GROUP);
        assert_eq!(bench.heartbeat(&member, generation), ErrorCode::NONE, "the group is as it was");
        bench.leave(member).await;
        assert_eq!(bench.delete_group("g").await, ErrorCode::NONE);
        assert_eq!((bench.committed(0).await, bench.listed()), (-1, 0));
        assert_eq!(bench.described(), ErrorCode::GROUP_ID_NOT_FOUND);
        assert!(bench.coordinator.groups().is_empty());
        assert_eq!(bench.delete_group("g").await, ErrorCode::GROUP_ID_NOT_FOUND);
        bench.store.shutdown().unwrap();
    }
    let bench = Bench::open(&disk);
    assert_eq!((bench.committed(0).await, bench.listed()), (-1, 0));
}

#[tokio::test]
async fn deleted_group_can_be_made_anew() {
    let bench = Bench::new();
    assert_eq!(bench.commit(-1, "", 5).await, ErrorCode::NONE);
    // Somebody holds the group while it is deleted.
    let held = bench.coordinator.existing(&"g".into()).unwrap();
    assert_eq!(bench.delete_group("g").await, ErrorCode::NONE);
    assert_eq!((bench.listed(), bench.described()), (0, ErrorCode::GROUP_ID_NOT_FOUND));
    assert_eq!(bench.commit(-1, "", 6).await, ErrorCode::NONE);
    assert_eq!((bench.committed(0).await, bench.listed()), (6, 1));
    assert!(Arc::ptr_eq(&held, &bench.coordinator.existing(&"g".into()).unwrap()));
    let (member, generation) = bench.member().await;
    assert_eq!(bench.heartbeat(&member, generation), ErrorCode::NONE);
}

#[tokio::test]
async fn group_that_nobody_knows_is_not_deleted() {
    let bench = Bench::new();
    assert_eq!(bench.delete_group("g").await, ErrorCode::GROUP_ID_NOT_FOUND);
    // One that is named again is answered once.
    let request = DeleteGroupsRequest { groups_names: vec!["g".into(), "h".into(), "g".into()] };
    bench.commit(-1, "", 5).await;
    let results = bench.coordinator.delete_groups(request).await.results;
    let codes: Vec<_> = results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::GROUP_ID_NOT_FOUND]);
}

#[tokio::test]
async fn offset_of_an_empty_group_is_deleted_alone() {
    let bench = Bench::new();
    bench.commit(-1, "", 5).await;
    let other = commit_request(-1, "", "topic", 1, 6, "");
    bench.coordinator.offset_commit(8, other).await;
    let response = bench.delete_offset("g", "topic", &[0, 2, 7]).await;
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(
        (response.error_code, codes(&response)),
        (ErrorCode::NONE, vec![ErrorCode::NONE, ErrorCode::NONE, unknown])
    );
    assert_eq!((bench.committed(0).await, bench.committed(1).await), (-1, 6));
    assert_eq!(codes(&bench.delete_offset("g", "nowhere", &[0]).await), [unknown]);
}

#[tokio::test]
async fn offset_of_a_topic_that_is_read_is_not_deleted() {
    let bench = Bench::new();
    let subscription = Subscription { topics: vec!["topic".into()], ..Default::default() };
    let (member, generation) = bench.member_with(subscription.to_bytes(1).unwrap()).await;
    bench.commit(generation, &member, 5).await;
    let response = bench.delete_offset("g", "topic", &[0]).await;
    assert_eq!(codes(&response), [ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC]);
    assert_eq!(bench.committed(0).await, 5);
    bench.leave(member).await;
    assert_eq!(codes(&bench.delete_offset("g", "topic", &[0]).await), [ErrorCode::NONE]);
    assert_eq!(bench.committed(0).await, -1);
}

#[tokio::test]
async fn offsets_of_an_unknown_or_unnamed_group_are_not_deleted() {
    let bench = Bench::new();
    let response = bench.delete_offset("g", "topic", &[0]).await;
    assert_eq!((response.error_code, response.topics.len()), (ErrorCode::GROUP_ID_NOT_FOUND, 0));
    assert_eq!(bench.delete_offset("", "topic", &[0]).await.error_code, ErrorCode::INVALID_GROUP_ID);
}

#[tokio::test]
async fn group_with_members_that_speak_no_consumer_protocol_keeps_its_offsets() {
    let bench = Bench::new();
    let (member, generation) = bench.member_of("connect").await;
    bench.commit(generation, &member, 5).await;
    assert_eq!(bench.delete_offset("g", "topic", &[0]).await.error_code, ErrorCode::NON_EMPTY_GROUP);
    assert_eq!(bench.committed(0).await, 5);
}

#[tokio::test]
async fn deleted_topic_takes_its_offsets_along() {
    let bench = Bench::new();
    let (member, generation) = bench.member().await;
    bench.commit(generation, &member, 5).await;
    bench.coordinator.topics_deleted(["other".into()].into()).await;
    assert_eq!(bench.committed(0).await, 5);
    bench.coordinator.topics_deleted(["topic".into()].into()).await;
    assert_eq!(bench.committed(0).await, -1);
    assert_eq!(bench.heartbeat(&member, generation), ErrorCode::NONE, "the group stays");
}

#[tokio::test]
async fn topic_that_is_made_anew_keeps_what_was_committed_for_it() {
    let bench = Bench::new();
    bench.commit(-1, "", 5).await;
    let deleted_at = bench.clock.now();
    bench.clock.advance(Duration::from_millis(1));
    bench.coordinator.forget_topics(&["topic".into()].into(), bench.clock.now()).await;
    assert_eq!(bench.committed(0).await, -1);
    bench.commit(-1, "", 6).await;
    bench.coordinator.forget_topics(&["topic".into()].into(), deleted_at).await;
    assert_eq!(bench.committed(0).await, 6);
}

#[tokio::test]
async fn members_of_a_group_that_was_deleted_and_made_anew_are_watched() {
    let bench = Bench::new();
    let slot = {
        let (member, _) = bench.member().await;
        let slot = bench.coordinator.existing(&"g".into());
        bench.leave(member).await;
        slot
    };
    assert_eq!(bench.delete_group("g").await, ErrorCode::NONE);
    let timers = &bench.coordinator.0.timers;
    bench.clock.advance(Duration::from_secs(11));
    timers.due(bench.clock.monotonic()).0.iter().for_each(|group| bench.coordinator.tick(group));
    let _ = bench.member().await;
    assert!(timers.due(Duration::MAX).0.contains(&"g".into()), "nobody would miss the member");
    drop(slot);
}

#[tokio::test]
async fn topic_whose_deletion_was_cut_short_takes_its_offsets_along_at_the_next_start() {
    let bench = Bench::new();
    bench.commit(-1, "", 5).await;
    bench.coordinator.clone().forget_lost_topics().await;
    assert_eq!(bench.committed(0).await, 5);
    bench.store.delete_topic(bench.topic).unwrap().await.unwrap();
    bench.coordinator.clone().forget_lost_topics().await;
    assert_eq!(bench.committed(0).await, -1);
    assert_eq!(bench.commit(-1, "", 6).await, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

/// As on Kafka, where the next look for expired offsets takes it away.
#[tokio::test]
async fn group_whose_topics_are_all_gone_stays_empty_until_offsets_are_looked_through() {
    for restarts in [false, true] {
        let disk = MemoryDisk::new();
        let mut bench = Bench::open(&disk);
        assert_eq!(bench.commit(-1, "", 5).await, ErrorCode::NONE);
        if restarts {
            bench.store.shutdown().unwrap();
            drop(bench);
            bench = Bench::open(&disk);
        }
        bench.coordinator.topics_deleted(["topic".into()].into()).await;
        assert_eq!((bench.committed(0).await, bench.listed()), (-1, 1));
        assert_eq!(bench.described(), ErrorCode::NONE);
        bench.coordinator.expire_now().await;
        assert_eq!((bench.listed(), bench.described()), (0, ErrorCode::GROUP_ID_NOT_FOUND));
    }
}

#[tokio::test]
async fn group_that_has_lost_its_last_offset_is_there_to_be_deleted() {
    let bench = Bench::new();
    assert_eq!(bench.commit(-1, "", 5).await, ErrorCode::NONE);
    assert_eq!(codes(&bench.delete_offset("g", "topic", &[0]).await), [ErrorCode::NONE]);
    assert_eq!((bench.listed(), bench.described()), (1, ErrorCode::NONE));
    assert_eq!(bench.delete_group("g").await, ErrorCode::NONE);
    assert_eq!(bench.delete_group("g").await, ErrorCode::GROUP_ID_NOT_FOUND);
}
