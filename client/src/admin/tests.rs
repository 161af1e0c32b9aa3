//! The admin against the fake broker.

use mainstem_protocol::{ApiKey, ErrorCode, Offset, Text};

use super::{Admin, AdminConfig, NewTopic};
use crate::{
    TopicPartition,
    offsets::OffsetSpec,
    testing::{FakeBroker, NODE, Trouble},
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
    admin(&broker).create_topic(NewTopic::new("a", 1)).await.unwrap();
    assert_eq!(broker.asked(ApiKey::CreateTopics), 2);
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
