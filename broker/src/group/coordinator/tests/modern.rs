use mainstem_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest, OffsetDeleteRequest,
    consumer_group_describe::DescribedGroup,
    offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    offset_fetch::OffsetFetchResponseGroup,
};

use super::*;

/// What a member sends that joins `g` to read `topic`.
pub(super) fn joining(member: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: member.into(),
        rebalance_timeout_ms: 30_000,
        subscribed_topic_names: Some(vec!["topic".into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    }
}

pub(super) fn staying(member: &str, member_epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: member.into(),
        member_epoch,
        ..Default::default()
    }
}

impl Bench {
    pub(super) async fn beat(
        &self,
        request: ConsumerGroupHeartbeatRequest,
    ) -> ConsumerGroupHeartbeatResponse {
        let caller = Caller { client_id: "client".into(), host: "/127.0.0.1".into() };
        self.coordinator.consumer_group_heartbeat(&caller, 1, request).await
    }

    async fn join_modern(&self, member: &str) -> i32 {
        let response = self.beat(joining(member)).await;
        assert_eq!(response.error_code, ErrorCode::NONE, "{response:?}");
        response.member_epoch
    }

    pub(super) fn describe_modern(&self) -> DescribedGroup {
        let request = ConsumerGroupDescribeRequest { group_ids: vec!["g".into()], ..Default::default() };
        self.coordinator.consumer_group_describe(request, 0).groups.remove(0)
    }

    /// Type and state, as they are listed.
    pub(super) fn listed_groups(&self) -> Vec<(String, String)> {
        let groups = self.coordinator.list(&ListGroupsRequest::default()).groups;
        groups.iter().map(|group| (group.group_type.to_string(), group.group_state.to_string())).collect()
    }

    async fn fetch_as(&self, member: &str, member_epoch: i32) -> OffsetFetchResponseGroup {
        let group = OffsetFetchRequestGroup {
            group_id: "g".into(),
            member_id: Some(member.into()),
            member_epoch,
            topics: None,
        };
        let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
        self.coordinator.offset_fetch(9, request).await.groups.remove(0)
    }
}

#[tokio::test]
async fn member_is_told_its_partitions_and_when_to_come_again() {
    let bench = Bench::new();
    let response = bench.beat(joining("m")).await;
    assert_eq!((response.member_id.as_deref(), response.member_epoch), (Some("m"), 1));
    assert_eq!(response.heartbeat_interval_ms, 5000);
    let partitions = &response.assignment.unwrap().topic_partitions[0].partitions;
    assert_eq!(partitions.len(), 3);
    assert_eq!(bench.beat(staying("m", 1)).await.assignment, None);
}

#[tokio::test]
async fn group_of_the_newer_protocol_survives_a_restart() {
    let disk = MemoryDisk::new();
    {
        let bench = Bench::open(&disk);
        bench.join_modern("m").await;
        assert_eq!(bench.commit(1, "m", 11).await, ErrorCode::NONE);
        bench.store.shutdown().unwrap();
    }
    let bench = Bench::open(&disk);
    assert_eq!(bench.listed_groups(), [("consumer".into(), "Stable".into())]);
    assert_eq!(bench.committed(0).await, 11);
    let response = bench.beat(staying("m", 1)).await;
    assert_eq!((response.error_code, response.member_epoch), (ErrorCode::NONE, 1));
    assert_eq!(bench.commit(1, "m", 12).await, ErrorCode::NONE);
    let described = bench.describe_modern();
    assert_eq!((&*described.group_state, described.group_epoch), ("Stable", 1));
    assert_eq!(described.members[0].assignment.topic_partitions[0].topic_name, "topic");
}

#[tokio::test]
async fn group_that_restarts_notices_who_does_not_come_back() {
    let disk = MemoryDisk::new();
    {
        let bench = Bench::open(&disk);
        bench.join_modern("m").await;
        bench.store.shutdown().unwrap();
    }
    let bench = Bench::open(&disk);
    bench.coordinator.restore();
    bench.clock.advance(Duration::from_secs(46));
    bench.coordinator.tick(&"g".into());
    // A log that was just opened may have no room at first; then it is tried again.
    bench.coordinator.0.tasks.join().await;
    bench.coordinator.tick(&"g".into());
    assert_eq!(bench.listed_groups(), [("consumer".into(), "Empty".into())]);
}

#[tokio::test]
async fn silent_member_is_out_and_that_is_stored() {
    let disk = MemoryDisk::new();
    {
        let bench = Bench::open(&disk);
        bench.join_modern("m").await;
        bench.clock.advance(Duration::from_secs(46));
        bench.coordinator.tick(&"g".into());
        bench.coordinator.0.tasks.join().await;
        assert_eq!(bench.beat(staying("m", 1)).await.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
        bench.store.shutdown().unwrap();
    }
    let bench = Bench::open(&disk);
    assert_eq!(bench.listed_groups(), [("consumer".into(), "Empty".into())]);
}

#[tokio::test]
async fn member_with_a_pattern_follows_the_topics() {
    let bench = Bench::new();
    let pattern = ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: None,
        subscribed_topic_regex: Some("top.*".into()),
        ..joining("m")
    };
    let count = |response: &ConsumerGroupHeartbeatResponse| {
        let topics = response.assignment.iter().flat_map(|assignment| &assignment.topic_partitions);
        topics.map(|topic| topic.partitions.len()).collect::<Vec<_>>()
    };
    let joined = bench.beat(pattern).await;
    assert_eq!(count(&joined), [3]);
    let (name, overrides) = ("topic-2".into(), Overrides::new());
    let (_, ticket) =
        bench.store.create_topic(NewTopic { name, partitions: 1, overrides, keyed: false }).unwrap();
    ticket.await.unwrap();
    let told = bench.beat(staying("m", joined.member_epoch)).await;
    let mut counts = count(&told);
    counts.sort_unstable();
    assert_eq!((counts, told.member_epoch), (vec![1, 3], joined.member_epoch + 1));
}

#[tokio::test]
async fn offsets_are_for_members_in_their_epoch() {
    let bench = Bench::new();
    bench.join_modern("m").await;
    assert_eq!(bench.commit(1, "m", 5).await, ErrorCode::NONE);
    assert_eq!(bench.commit(2, "m", 6).await, ErrorCode::STALE_MEMBER_EPOCH);
    assert_eq!(bench.commit(1, "stranger", 6).await, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(bench.commit(-1, "", 6).await, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(bench.fetch_as("m", 1).await.topics.len(), 1);
    assert_eq!(bench.fetch_as("m", 2).await.error_code, ErrorCode::STALE_MEMBER_EPOCH);
    assert_eq!(bench.fetch_as("stranger", 1).await.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(bench.committed(0).await, 5);
}

#[tokio::test]
async fn group_that_is_not_there_is_not_made_by_asking() {
    let bench = Bench::new();
    let response = bench.beat(staying("m", 3)).await;
    assert_eq!(response.error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(response.error_message.as_deref(), Some("Consumer group g not found."));
    let pattern = ConsumerGroupHeartbeatRequest { subscribed_topic_regex: Some("(".into()), ..joining("m") };
    assert_eq!(bench.beat(pattern).await.error_code, ErrorCode::INVALID_REGULAR_EXPRESSION);
    let assignor = ConsumerGroupHeartbeatRequest { server_assignor: Some("best".into()), ..joining("m") };
    assert_eq!(bench.beat(assignor).await.error_code, ErrorCode::UNSUPPORTED_ASSIGNOR);
    let nameless = ConsumerGroupHeartbeatRequest { group_id: Text::new(), ..joining("m") };
    assert_eq!(bench.beat(nameless).await.error_code, ErrorCode::INVALID_REQUEST);
    assert_eq!((bench.listed_groups(), bench.coordinator.groups().len()), (Vec::new(), 0));
}

#[tokio::test]
async fn what_describes_one_kind_of_group_does_not_know_the_other() {
    let bench = Bench::new();
    assert_eq!(bench.describe_modern().error_message.as_deref(), Some("Group g not found."));
    bench.member().await;
    let described = bench.describe_modern();
    assert_eq!(described.error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(described.error_message.as_deref(), Some("Group g is not a consumer group."));
    let nameless = ConsumerGroupDescribeRequest { group_ids: vec![Text::new()], ..Default::default() };
    let response = bench.coordinator.consumer_group_describe(nameless, 0);
    assert_eq!(response.groups[0].error_code, ErrorCode::INVALID_GROUP_ID);

    let bench = Bench::new();
    bench.join_modern("m").await;
    let describe = |version| {
        let request = DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() };
        bench.coordinator.describe_groups(version, request, 0).groups.remove(0)
    };
    assert_eq!((describe(5).error_code, &*describe(5).group_state), (ErrorCode::NONE, "Dead"));
    assert_eq!(describe(6).error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(describe(6).error_message.as_deref(), Some("Group g is not a classic group."));
}

#[tokio::test]
async fn empty_classic_group_becomes_one_of_the_newer_protocol_and_keeps_its_offsets() {
    let disk = MemoryDisk::new();
    {
        let bench = Bench::open(&disk);
        let (member, generation) = bench.member().await;
        bench.commit(generation, &member, 5).await;
        leave(&bench, &member).await;
        bench.coordinator.0.tasks.join().await;
        assert!(bench.coordinator.0.log.metadata(&"g".into()).is_some());
        bench.join_modern("m").await;
        assert!(bench.coordinator.0.log.metadata(&"g".into()).is_none());
        bench.store.shutdown().unwrap();
    }
    let bench = Bench::open(&disk);
    assert_eq!(bench.listed_groups(), [("consumer".into(), "Stable".into())]);
    assert_eq!(bench.committed(0).await, 5);
}

#[tokio::test]
async fn what_is_not_written_in_the_consumer_protocol_stays_in_the_protocol_that_it_came_in() {
    let bench = Bench::new();
    let (member, generation) = bench.member().await;
    let response = bench.beat(joining("m")).await;
    assert_eq!(response.error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    let message = "Cannot upgrade classic group g to consumer group because the embedded consumer protocol is malformed.";
    assert_eq!(response.error_message.as_deref(), Some(message));
    assert_eq!(bench.beat(staying("m", 3)).await.error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(bench.heartbeat(&member, generation), ErrorCode::NONE);

    let bench = Bench::new();
    bench.join_modern("m").await;
    let joined = bench.join_with("somebody", bytes::Bytes::from_static(b"m")).await;
    assert_eq!(joined.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    assert_eq!(bench.heartbeat(&"m".into(), 1), ErrorCode::UNKNOWN_MEMBER_ID);
    let synced = bench.sync(&"m".into(), 1, Vec::new()).await;
    assert_eq!(synced.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(bench.beat(staying("m", 1)).await.error_code, ErrorCode::NONE);
}

async fn leave(bench: &Bench, member: &str) {
    let identity = MemberIdentity { member_id: member.into(), ..Default::default() };
    let request = LeaveGroupRequest { group_id: "g".into(), members: vec![identity], ..Default::default() };
    let response = bench.coordinator.leave_group(3, request).await;
    assert_eq!(response.members[0].error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn empty_group_of_the_newer_protocol_becomes_a_classic_one_and_keeps_its_offsets() {
    let disk = MemoryDisk::new();
    {
        let bench = Bench::open(&disk);
        bench.join_modern("m").await;
        bench.commit(1, "m", 5).await;
        bench.beat(staying("m", -1)).await;
        bench.member().await;
        assert!(bench.coordinator.0.log.consumer_group(&"g".into()).next().is_none());
        bench.store.shutdown().unwrap();
    }
    let bench = Bench::open(&disk);
    assert_eq!(bench.listed_groups(), [("classic".into(), "Stable".into())]);
    assert_eq!(bench.committed(0).await, 5);
}

#[tokio::test]
async fn administrator_takes_a_member_out_in_the_classic_way() {
    let bench = Bench::new();
    bench.join_modern("m").await;
    leave(&bench, "m").await;
    assert_eq!(bench.listed_groups(), [("consumer".into(), "Empty".into())]);
}

#[tokio::test]
async fn empty_group_of_the_newer_protocol_expires_with_its_offsets() {
    let bench = Bench::new();
    bench.join_modern("m").await;
    bench.commit(1, "m", 5).await;
    bench.clock.advance(RETENTION * 2);
    bench.coordinator.expire_now().await;
    assert_eq!(bench.committed(0).await, 5, "it is read");
    bench.beat(staying("m", -1)).await;
    bench.coordinator.expire_now().await;
    assert_eq!(bench.committed(0).await, -1);
    assert!(bench.coordinator.0.log.keys().next().is_none());
    assert!(bench.coordinator.groups().is_empty());
}

#[tokio::test]
async fn group_with_members_is_not_deleted_and_an_empty_one_is() {
    let disk = MemoryDisk::new();
    {
        let bench = Bench::open(&disk);
        bench.join_modern("m").await;
        bench.commit(1, "m", 5).await;
        let delete = async || {
            let request = DeleteGroupsRequest { groups_names: vec!["g".into()] };
            bench.coordinator.delete_groups(request).await.results[0].error_code
        };
        assert_eq!(delete().await, ErrorCode::NON_EMPTY_GROUP);
        assert_eq!(bench.committed(0).await, 5);
        bench.beat(staying("m", -1)).await;
        assert_eq!(delete().await, ErrorCode::NONE);
        assert_eq!(delete().await, ErrorCode::GROUP_ID_NOT_FOUND);
        assert!(bench.coordinator.0.log.keys().next().is_none());
        bench.store.shutdown().unwrap();
    }
    let bench = Bench::open(&disk);
    assert_eq!(bench.listed_groups(), []);
    assert_eq!(bench.join_modern("m").await, 1, "it is a new group");
}

#[tokio::test]
async fn offset_of_a_topic_that_is_read_is_not_deleted() {
    let bench = Bench::new();
    bench.join_modern("m").await;
    bench.commit(1, "m", 5).await;
    let partitions = vec![OffsetDeleteRequestPartition { partition_index: PartitionId(0) }];
    let topics = vec![OffsetDeleteRequestTopic { name: "topic".into(), partitions }];
    let request = OffsetDeleteRequest { group_id: "g".into(), topics };
    let response = bench.coordinator.offset_delete(request).await;
    assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC);
    assert_eq!(bench.committed(0).await, 5);
}
