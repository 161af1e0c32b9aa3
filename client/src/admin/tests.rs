//! The admin against the fake broker.

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey, ErrorCode, Offset, PartitionId, Text,
    formats::consumer::{Assignment, TopicPartitions},
    messages::{
        DescribeGroupsResponse, DescribeLogDirsResponse, ListGroupsResponse, OffsetFetchResponse,
        describe_groups::{DescribedGroup, DescribedGroupMember},
        describe_log_dirs::{DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic},
        list_groups::ListedGroup,
        offset_fetch::{OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics},
    },
};

use super::{Admin, AdminConfig, AlterConfigs, ConfigSource, NewPartitions, NewTopic, TransactionFilter};
use crate::{
    Producer, ProducerConfig, ProducerRecord, TopicPartition, TransactionalProducer,
    offsets::OffsetSpec,
    producer::TransactionConfig,
    testing::{FakeBroker, FakeCluster, NODE, Trouble},
};

fn admin(broker: &FakeBroker) -> Admin {
    Admin::new(broker, AdminConfig::default())
}

#[tokio::test(start_paused = true)]
async fn topics_are_created_listed_described_and_deleted() {
    let admin = admin(&FakeBroker::new());
    admin.create_topic(NewTopic::new("b", 2)).await.unwrap();
    admin.create_topic(NewTopic::new("a", 1)).await.unwrap();
    let names: Vec<_> = admin.list_topics().await.unwrap().iter().map(|topic| topic.name.clone()).collect();
    assert_eq!(names, [Text::from_static("a"), Text::from_static("b")]);
    assert_eq!(admin.describe_topic("b").await.unwrap().partitions.len(), 2);
    admin.delete_topic("b").await.unwrap();
    assert_eq!(admin.list_topics().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn refusals_say_what_they_are_about() {
    let admin = admin(&FakeBroker::new());
    admin.create_topic(NewTopic::new("a", 1)).await.unwrap();
    let error = admin.create_topic(NewTopic::new("a", 1)).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::TOPIC_ALREADY_EXISTS));
    assert_eq!(error.to_string(), "topic a: TOPIC_ALREADY_EXISTS");
    assert!(!error.is_retriable());
    let error = admin.delete_topic("nowhere").await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    let error = admin.describe_topic("nowhere").await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
}

#[tokio::test(start_paused = true)]
async fn lost_connection_is_no_reason_to_give_up() {
    let broker = FakeBroker::new();
    broker.trouble(ApiKey::CreateTopics, Trouble::LostBefore);
    let admin = admin(&broker);
    admin.create_topic(NewTopic::new("a", 1)).await.unwrap();
    assert_eq!(broker.asked(ApiKey::CreateTopics), 2);
    assert_eq!(admin.metrics().retries, 1);
    admin.create_topic(NewTopic::new("b", 1)).await.unwrap();
    assert_eq!(admin.metrics().retries, 1, "what succeeds at once is no retry");
}

#[tokio::test(start_paused = true)]
async fn cluster_configs_and_offsets_are_described() {
    let broker = FakeBroker::new();
    broker.create_topic("a", 1);
    let admin = admin(&broker);
    let cluster = admin.describe_cluster().await.unwrap();
    assert_eq!((cluster.controller, cluster.brokers.len()), (NODE, 1));
    let configs = admin.describe_topic_configs("a").await.unwrap();
    assert_eq!(configs[0].name, Text::from_static("flush.messages"));
    let partition = TopicPartition::new("a", 0);
    let found = admin.list_offsets(&[(partition.clone(), OffsetSpec::Latest)]).await.unwrap();
    assert_eq!(found[&partition].offset, Offset(0));
}

#[tokio::test(start_paused = true)]
async fn topics_get_partitions_and_settings_unless_it_is_only_checked() {
    let broker = FakeBroker::new();
    broker.create_topic("a", 1);
    let admin = admin(&broker);
    let partitions = async || admin.describe_topic("a").await.unwrap().partitions.len();
    admin.create_partitions(NewPartitions::new("a", 3).validate_only()).await.unwrap();
    assert_eq!(partitions().await, 1);
    broker.trouble(ApiKey::CreatePartitions, Trouble::LostBefore);
    admin.create_partitions(NewPartitions::new("a", 3)).await.unwrap();
    assert_eq!(partitions().await, 3);
    let error = admin.create_partitions(NewPartitions::new("a", 2)).await.unwrap_err();
    assert_eq!(error.to_string(), "topic a: INVALID_PARTITIONS");

    let own = async || {
        let configs = admin.describe_topic_configs("a").await.unwrap();
        let own = configs.into_iter().filter(|config| config.source == ConfigSource::Topic);
        own.map(|config| (config.name, config.value.unwrap_or_default())).collect::<Vec<_>>()
    };
    let changes = AlterConfigs::topic("a").set("retention.ms", "5").set("segment.ms", "6");
    admin.incremental_alter_configs(changes.clone().validate_only()).await.unwrap();
    assert_eq!(own().await, []);
    admin.incremental_alter_configs(changes.clone()).await.unwrap();
    admin.incremental_alter_configs(AlterConfigs::topic("a").delete("segment.ms")).await.unwrap();
    assert_eq!(own().await, [("retention.ms".into(), "5".into())]);
    for (changes, code) in [
        (AlterConfigs::topic("b").set("retention.ms", "5"), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (AlterConfigs::topic("a").append("retention.ms", "5"), ErrorCode::INVALID_CONFIG),
        (AlterConfigs::topic("a").subtract("retention.ms", "5"), ErrorCode::INVALID_CONFIG),
    ] {
        assert_eq!(admin.incremental_alter_configs(changes).await.unwrap_err().code(), Some(code));
    }
    assert_eq!(own().await, [("retention.ms".into(), "5".into())]);
}

fn listed(id: &str) -> ListedGroup {
    let (group_id, group_state) = (Text::from(id), Text::from_static("Empty"));
    ListedGroup { group_id, protocol_type: Text::from_static("consumer"), group_state, ..Default::default() }
}

#[tokio::test(start_paused = true)]
async fn groups_are_listed_in_the_order_of_their_names() {
    let broker = FakeBroker::new();
    let groups = vec![listed("readers"), listed("billing")];
    broker.trouble(
        ApiKey::ListGroups,
        Trouble::Answer(ListGroupsResponse { groups, ..Default::default() }.into()),
    );
    let groups = admin(&broker).list_groups().await.unwrap();
    let named: Vec<_> = groups.iter().map(|group| (&*group.id, &*group.state, group.coordinator)).collect();
    assert_eq!(named, [("billing", "Empty", NODE), ("readers", "Empty", NODE)]);
}

fn described(protocol_type: &str, member_assignment: Bytes) -> Trouble {
    let member = DescribedGroupMember {
        member_id: Text::from_static("m-1"),
        client_id: Text::from_static("app"),
        client_host: Text::from_static("/127.0.0.1"),
        member_assignment,
        ..Default::default()
    };
    let group = DescribedGroup {
        group_id: Text::from_static("g"),
        group_state: Text::from_static("Stable"),
        protocol_type: Text::from(protocol_type),
        protocol_data: Text::from_static("range"),
        members: vec![member],
        ..Default::default()
    };
    Trouble::Answer(DescribeGroupsResponse { groups: vec![group], ..Default::default() }.into())
}

#[tokio::test(start_paused = true)]
async fn members_tell_what_they_read_where_they_are_consumers() {
    let broker = FakeBroker::new();
    let topic =
        TopicPartitions { topic: Text::from_static("t"), partitions: vec![PartitionId(1), PartitionId(0)] };
    let assignment = Assignment { assigned_partitions: vec![topic], user_data: None }.to_bytes(0).unwrap();
    broker.trouble(ApiKey::DescribeGroups, described("consumer", assignment.clone()));
    let group = admin(&broker).describe_group("g").await.unwrap();
    assert_eq!((&*group.state, &*group.protocol, group.coordinator), ("Stable", "range", NODE));
    assert_eq!(group.members[0].assignment, [TopicPartition::new("t", 1), TopicPartition::new("t", 0)]);
    for (protocol_type, assignment) in [("connect", assignment), ("consumer", Bytes::from_static(b"\xff"))] {
        broker.trouble(ApiKey::DescribeGroups, described(protocol_type, assignment));
        assert_eq!(admin(&broker).describe_group("g").await.unwrap().members[0].assignment, []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_group_is_one_that_is_not_there() {
    let broker = FakeBroker::new();
    let dead = DescribedGroup { group_state: Text::from_static("Dead"), ..Default::default() };
    broker.trouble(
        ApiKey::DescribeGroups,
        Trouble::Answer(DescribeGroupsResponse { groups: vec![dead], ..Default::default() }.into()),
    );
    let error = admin(&broker).describe_group("g").await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::GROUP_ID_NOT_FOUND));
}

#[tokio::test(start_paused = true)]
async fn offsets_of_a_group_leave_out_what_was_never_committed() {
    let broker = FakeBroker::new();
    let at = |index, offset| OffsetFetchResponsePartitions {
        partition_index: PartitionId(index),
        committed_offset: Offset(offset),
        ..Default::default()
    };
    let topic = OffsetFetchResponseTopics {
        name: Text::from_static("t"),
        partitions: vec![at(0, 5), at(1, -1)],
        ..Default::default()
    };
    let group = OffsetFetchResponseGroup { topics: vec![topic], ..Default::default() };
    broker.trouble(
        ApiKey::OffsetFetch,
        Trouble::Answer(OffsetFetchResponse { groups: vec![group], ..Default::default() }.into()),
    );
    let offsets = admin(&broker).list_group_offsets("g").await.unwrap();
    let offsets: Vec<_> =
        offsets.into_iter().map(|(partition, committed)| (partition, committed.offset)).collect();
    assert_eq!(offsets, [(TopicPartition::new("t", 0), Offset(5))]);
}

#[tokio::test(start_paused = true)]
async fn directories_tell_the_size_of_partitions() {
    let broker = FakeBroker::new();
    let partition = DescribeLogDirsPartition {
        partition_index: PartitionId(3),
        partition_size: 42,
        ..Default::default()
    };
    let topic = DescribeLogDirsTopic { name: Text::from_static("t"), partitions: vec![partition] };
    let result = DescribeLogDirsResult {
        log_dir: Text::from_static("/data"),
        topics: vec![topic],
        total_bytes: 100,
        usable_bytes: -1,
        ..Default::default()
    };
    let answer = DescribeLogDirsResponse { results: vec![result], ..Default::default() };
    broker.trouble(ApiKey::DescribeLogDirs, Trouble::Answer(answer.into()));
    let partition = TopicPartition::new("t", 3);
    let dirs = admin(&broker).describe_log_dirs(NODE, Some(std::slice::from_ref(&partition))).await.unwrap();
    assert_eq!((dirs[0].total_bytes, dirs[0].usable_bytes), (Some(100), None));
    assert_eq!(dirs[0].sizes[&partition], 42);
}

#[tokio::test]
async fn transaction_that_nobody_ends_is_found_and_aborted_where_it_hangs() {
    let cluster = FakeCluster::start(2).await.unwrap();
    let broker = cluster.broker();
    broker.create_topic("t", 2);
    broker.move_coordinator("x", cluster.node(1));
    let (transport, transactions) = (cluster.transport(), TransactionConfig::new("x"));
    let producer = TransactionalProducer::new(&transport, ProducerConfig::default(), transactions);
    producer.init_transactions().await.unwrap();
    producer.begin().unwrap();
    drop(producer.send(ProducerRecord::new("t").partition(1).value("a")).await.unwrap());
    producer.flush().await;
    let admin = Admin::new(&transport, AdminConfig::default());
    let filter = TransactionFilter { states: vec!["Ongoing".into()], ..TransactionFilter::default() };
    // The fake brokers share what they know, so that each of them tells of it.
    let listed = admin.list_transactions(&filter).await.unwrap();
    assert!(listed.iter().all(|listing| listing.id == "x") && !listed.is_empty());
    let described = admin.describe_transaction("x").await.unwrap();
    let partition = TopicPartition::new("t", 1);
    assert_eq!((described.partitions, described.coordinator), (vec![partition.clone()], cluster.node(1)));
    let [open] = &admin.describe_producers(&partition).await.unwrap()[..] else { panic!("one producer") };
    assert_eq!(open.transaction_start, Some(Offset(0)));
    admin.abort_transaction(&partition, open).await.unwrap();
    let [ended] = &admin.describe_producers(&partition).await.unwrap()[..] else { panic!("one producer") };
    assert_eq!(ended.transaction_start, None);
}

#[tokio::test]
async fn records_are_deleted_up_to_the_high_watermark_and_no_further() {
    let broker = FakeBroker::new();
    broker.create_topic("t", 1);
    let producer = Producer::new(&broker, ProducerConfig::default());
    for _ in 0..3 {
        producer.send(ProducerRecord::new("t").value("a")).await.unwrap().await.unwrap();
    }
    let admin = Admin::new(&broker, AdminConfig::default());
    let partition = TopicPartition::new("t", 0);
    assert_eq!(admin.delete_records(&partition, Offset(2)).await.unwrap(), Offset(2));
    assert_eq!(admin.delete_records(&partition, Offset(1)).await.unwrap(), Offset(2));
    let error = admin.delete_records(&partition, Offset(4)).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::OFFSET_OUT_OF_RANGE));
    assert_eq!(admin.delete_records(&partition, Offset::NONE).await.unwrap(), Offset(3));
}
