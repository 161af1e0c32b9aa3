//! Topics, groups and disks as administrators see them.

use mainstem_client::{
    ErrorCode, NewTopic, Offset,
    admin::{AdminError, AlterConfigs, ConfigSource, Departure, NewPartitions},
    consumer::LeaveMode,
};

use crate::{
    member::{Member, settings, until_read, until_shared},
    scene::{Scene, numbers, until},
};

fn refused(error: &AdminError) -> Option<ErrorCode> {
    match error {
        AdminError::Refused { code, .. } => Some(*code),
        _ => None,
    }
}

#[tokio::test]
async fn topics_come_and_go() {
    let scene = Scene::with_topic("topics", 3).await;
    let found = scene.admin.describe_topic(&scene.topic).await.unwrap();
    assert_eq!(found.partitions.len(), 3);
    let listed =
        async || scene.admin.list_topics().await.unwrap().iter().any(|topic| *topic.name == *scene.topic);
    assert!(listed().await);
    scene.admin.delete_topic(&scene.topic).await.unwrap();
    until("the topic is gone", async || !listed().await).await;
    let gone = scene.admin.delete_topic(&scene.topic).await.unwrap_err();
    assert_eq!(refused(&gone), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), "{gone}");
}

#[tokio::test]
async fn impossible_topics_are_refused() {
    let scene = Scene::with_topic("refused", 1).await;
    let cases = [
        (NewTopic::new(scene.topic.clone(), 1), ErrorCode::TOPIC_ALREADY_EXISTS),
        (NewTopic::new("no such name!", 1), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (NewTopic::new(format!("{}-none", scene.topic), 0), ErrorCode::INVALID_PARTITIONS),
        (
            NewTopic::new(format!("{}-odd", scene.topic), 1).config("retention.ms", "long"),
            ErrorCode::INVALID_CONFIG,
        ),
    ];
    for (topic, expected) in cases {
        let error = scene.admin.create_topic(topic).await.unwrap_err();
        assert_eq!(refused(&error), Some(expected), "{error}");
    }
}

#[tokio::test]
async fn settings_tell_where_they_come_from() {
    let scene = Scene::new("settings");
    scene.create(NewTopic::new(scene.topic.clone(), 1).config("retention.ms", "3600000")).await;
    let entries = scene.admin.describe_topic_configs(&scene.topic).await.unwrap();
    let entry = |name: &str| entries.iter().find(|entry| entry.name == name).unwrap();
    let retention = entry("retention.ms");
    assert_eq!((retention.value.as_deref(), retention.source), (Some("3600000"), ConfigSource::Topic));
    let policy = entry("cleanup.policy");
    assert_eq!((policy.value.as_deref(), policy.source), (Some("delete"), ConfigSource::Default));
}

#[tokio::test]
async fn topic_gets_more_partitions_and_never_fewer() {
    let scene = Scene::with_topic("partitions", 1).await;
    let to = |total| scene.admin.create_partitions(NewPartitions::new(scene.topic.clone(), total));
    to(3).await.unwrap();
    let count = async || scene.admin.describe_topic(&scene.topic).await.unwrap().partitions.len();
    until("three partitions", async || count().await == 3).await;
    scene.produce(2, numbers(0..10)).await;
    for total in [3, 2] {
        let error = to(total).await.unwrap_err();
        assert_eq!(refused(&error), Some(ErrorCode::INVALID_PARTITIONS), "{error}");
    }
    to(4).await.unwrap();
}

/// The topic's own settings; of those of its durability a topic of ours always has its own.
async fn own(scene: &Scene) -> Vec<(String, String)> {
    let entries = scene.admin.describe_topic_configs(&scene.topic).await.unwrap();
    let own = entries.into_iter().filter(|entry| entry.source == ConfigSource::Topic);
    let own = own.filter(|entry| !entry.name.starts_with("flush."));
    own.map(|entry| (entry.name.to_string(), entry.value.unwrap_or_default().to_string())).collect()
}

#[tokio::test]
async fn settings_of_a_topic_are_altered() {
    let scene = Scene::new("altered");
    let topic = NewTopic::new(scene.topic.clone(), 1).config("retention.ms", "3600000");
    scene.create(topic.config("cleanup.policy", "compact")).await;
    let altered = AlterConfigs::topic(scene.topic.clone()).set("segment.bytes", "1048576");
    let altered = altered.delete("retention.ms").append("cleanup.policy", "delete");
    scene.admin.incremental_alter_configs(altered).await.unwrap();
    let expected = [("cleanup.policy", "compact,delete"), ("segment.bytes", "1048576")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    until("they are altered", async || {
        let mut own = own(&scene).await;
        own.sort();
        own == expected
    })
    .await;
    let wrong = AlterConfigs::topic(scene.topic.clone()).set("retention.ms", "long");
    let error = scene.admin.incremental_alter_configs(wrong).await.unwrap_err();
    assert_eq!(refused(&error), Some(ErrorCode::INVALID_CONFIG), "{error}");
}

#[tokio::test]
async fn groups_are_listed_described_and_deleted() {
    let scene = Scene::with_topic("groups", 2).await;
    scene.produce(0, numbers(0..10)).await;
    let member = Member::start(&scene, settings(&scene));
    until_shared(&scene, 2, &[&member]).await;
    until_read(10, &[&member]).await;
    let group = scene.topic.as_str();
    let listed =
        async || scene.admin.list_groups().await.unwrap().into_iter().find(|found| found.id == group);
    assert_eq!(listed().await.unwrap().protocol_type, "consumer");
    let found = scene.admin.describe_group(group).await.unwrap();
    assert_eq!((&*found.state, &*found.protocol_type), ("Stable", "consumer"));
    assert_eq!(found.members.len(), 1);
    assert_eq!(found.members[0].assignment, [scene.partition(0), scene.partition(1)]);
    scene.admin.delete_group(group).await.unwrap_err();
    member.leave(LeaveMode::Default).await;
    until("the group is empty", async || scene.admin.describe_group(group).await.unwrap().state == "Empty")
        .await;
    scene.admin.delete_group(group).await.unwrap();
    assert_eq!(listed().await, None);
}

#[tokio::test]
async fn offsets_of_a_group_are_moved_and_deleted() {
    let scene = Scene::with_topic("moved", 2).await;
    let group = scene.topic.as_str();
    let moved = [(scene.partition(0), Offset(5)), (scene.partition(1), Offset(6))];
    scene.admin.alter_group_offsets(group, &moved).await.unwrap();
    let committed = async || {
        let offsets = scene.admin.list_group_offsets(group).await.unwrap();
        offsets.into_iter().map(|(partition, committed)| (partition, committed.offset)).collect::<Vec<_>>()
    };
    assert_eq!(committed().await, moved);
    scene.admin.delete_group_offsets(group, &[scene.partition(0)]).await.unwrap();
    assert_eq!(committed().await, moved[1..]);
}

#[tokio::test]
async fn members_are_removed_by_their_instance() {
    let scene = Scene::with_topic("removed", 1).await;
    let mut config = settings(&scene);
    config.group_instance_id = Some("one".into());
    let member = Member::start(&scene, config);
    until_shared(&scene, 1, &[&member]).await;
    member.leave(LeaveMode::Remain).await;
    let group = scene.topic.as_str();
    scene.admin.remove_members(group, &[Departure::Instance("one".into())]).await.unwrap();
    // A group that nobody is in and that has committed nothing may be gone by then.
    match scene.admin.describe_group(group).await {
        Ok(found) => assert_eq!(found.members, []),
        Err(error) => assert_eq!(refused(&error), Some(ErrorCode::GROUP_ID_NOT_FOUND), "{error}"),
    }
}

#[tokio::test]
async fn directories_tell_how_much_they_hold() {
    let scene = Scene::with_topic("sizes", 1).await;
    scene.produce(0, numbers(0..1000)).await;
    let cluster = scene.admin.describe_cluster().await.unwrap();
    assert!(!cluster.cluster_id.is_empty());
    let broker = cluster.brokers[0].id;
    let directories = scene.admin.describe_log_dirs(broker, Some(&[scene.partition(0)])).await.unwrap();
    let bytes: u64 = directories.iter().flat_map(|directory| directory.sizes.values()).sum();
    assert!((3000..100_000).contains(&bytes), "{directories:?}");
}
