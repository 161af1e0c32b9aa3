//! The topics that a topology needs: inputs are looked up, its own are created.

use std::collections::HashMap;

use mainstem_client::{
    Admin, AdminConfig, ErrorCode, NewTopic, Offset, Text, TopicPartition, Transport,
    admin::AdminError,
    consumer::{Consumer, ConsumerConfig},
    protocol::ids::TopicId,
};
use tracing::{debug, warn};

use super::{Job, StartError};
use crate::{
    Topology, caps,
    topology::{Kind, Plan},
};

/// How many tasks and partitions there will be.
pub(super) async fn plan(topology: &Topology, transport: &dyn Transport) -> Result<Plan, StartError> {
    let consumer = Consumer::new(transport, ConsumerConfig { timeout: caps::PATIENCE, ..Default::default() });
    let mut partitions = HashMap::new();
    for topic in topology.input_topics() {
        let found = consumer.partitions(&topic).await.map_err(StartError::Input)?.len();
        partitions.insert(topic, i32::try_from(found).unwrap_or(i32::MAX));
    }
    Ok(Plan::new(topology, partitions)?)
}

/// Refuses inputs whose records have their producers' times where those of the appends are wanted.
pub(super) async fn check_append_times(
    topology: &Topology,
    transport: &dyn Transport,
) -> Result<(), StartError> {
    let admin = Admin::new(transport, AdminConfig { timeout: caps::PATIENCE, ..AdminConfig::default() });
    for node in topology.nodes().iter().filter(|node| node.needs_append_time) {
        let Kind::Source { topic, .. } = &node.kind else { continue };
        let unavailable = |error| StartError::Topic { topic: topic.clone(), error };
        let configs = admin.describe_topic_configs(topic).await.map_err(unavailable)?;
        let config = configs.into_iter().find(|config| config.name == "message.timestamp.type");
        let found = config.and_then(|config| config.value).unwrap_or_else(|| Text::from_static("CreateTime"));
        if found != "LogAppendTime" {
            let (node, topic) = (node.name.clone(), topic.clone());
            return Err(StartError::ProducersTime { node, topic, found });
        }
    }
    Ok(())
}

/// What is known of a changelog besides its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChangelogTopic {
    pub(super) id: TopicId,
    /// Whether brokers delete its records by age or size, besides compacting them.
    pub(super) is_deleted_from: bool,
    /// How long brokers keep a tombstone.
    pub(super) tombstones_kept_ms: i64,
}

/// Creates changelogs and repartition topics; says what it has found out of the changelogs, by store.
pub(super) async fn create(
    job: &Job,
    transport: &dyn Transport,
) -> Result<HashMap<Text, ChangelogTopic>, StartError> {
    let admin = Admin::new(transport, AdminConfig { timeout: caps::PATIENCE, ..AdminConfig::default() });
    for topic in job.plan.writers.keys() {
        let partitions = job.plan.partitions.get(topic).copied().unwrap_or(1);
        let created = create_one(&admin, repartition(topic.clone(), partitions)).await;
        created.map_err(|error| of_asker(&job.topology, error))?;
    }
    let mut changelogs = HashMap::new();
    // A global table has its topic and no changelog.
    let parts = job.topology.parts().iter().zip(&job.plan.tasks);
    for (part, tasks) in parts.filter(|(part, _)| !part.is_global()) {
        for store in part.stores.iter().filter(|store| job.topology.has_changelog(store)) {
            let topic = job.topology.changelog(store);
            let id = create_one(&admin, changelog(topic.clone(), *tasks)).await?;
            changelogs.insert(store.clone(), look_at(&admin, &topic, id).await?);
        }
    }
    Ok(changelogs)
}

/// Where the program itself asks for the number of partitions that a topic has not, that is to be changed.
fn of_asker(topology: &Topology, error: StartError) -> StartError {
    let StartError::Partitions { topic, found, expected } = error else { return error };
    match topology.asker(&topic).map(|node| node.name.clone()) {
        Some(node) => StartError::Repartitioned { node, topic, found, asked: expected },
        None => StartError::Partitions { topic, found, expected },
    }
}

/// Looks whether an own topic was made as it would be now. One that was made by hand may delete state by its age: that
/// is said, and is its owner's to change.
async fn look_at(admin: &Admin, topic: &Text, id: TopicId) -> Result<ChangelogTopic, StartError> {
    let configs = match admin.describe_topic_configs(topic).await {
        Ok(configs) => configs,
        Err(error) => {
            debug!(%topic, %error, "settings of the changelog are not known");
            Vec::new()
        }
    };
    let of = |name: &str| configs.iter().find(|config| config.name == name)?.value.as_deref();
    let policy = of("cleanup.policy").unwrap_or("compact");
    let is_deleted_from = policy.split(',').any(|policy| policy.trim() == "delete");
    if is_deleted_from {
        warn!(%topic, policy, "records of the changelog are deleted by age, and state with them: set cleanup.policy=compact");
    }
    let default_ms = caps::TOMBSTONES_KEPT.as_millis() as i64;
    let tombstones_kept_ms =
        of("delete.retention.ms").and_then(|kept| kept.parse().ok()).unwrap_or(default_ms);
    Ok(ChangelogTopic { id, is_deleted_from, tombstones_kept_ms })
}

/// Where the repartition topics end. Before any task is started, that is where the marks of earlier runs end.
pub(super) async fn repartition_ends(
    plan: &Plan,
    transport: &dyn Transport,
) -> Result<HashMap<TopicPartition, Offset>, StartError> {
    let of = |topic: &Text| {
        let (topic, count) = (topic.clone(), plan.partitions.get(topic).copied().unwrap_or(0));
        (0..count).map(move |number| TopicPartition::new(topic.clone(), number))
    };
    let partitions: Vec<_> = plan.writers.keys().flat_map(of).collect();
    if partitions.is_empty() {
        return Ok(HashMap::new());
    }
    let consumer = Consumer::new(transport, ConsumerConfig { timeout: caps::PATIENCE, ..Default::default() });
    consumer.end_offsets(&partitions).await.map_err(StartError::Ends)
}

/// The last value of each key is all that a restart needs.
///
/// Nothing is deleted by age, not where windows expire either: they leave the store with a tombstone, so that compaction
/// is enough, and the same topic says how far the task has come, which must not be forgotten while nothing comes in. (Kafka
/// Streams drops windows without a word, and so has to have its changelogs deleted from: `compact,delete`.)
fn changelog(topic: Text, partitions: i32) -> NewTopic {
    let segment_bytes = caps::CHANGELOG_SEGMENT_BYTES.to_string();
    NewTopic::new(topic, partitions)
        .config("cleanup.policy", "compact")
        .config("segment.bytes", segment_bytes)
}

/// Records of any age may pass through, so that their age must not delete them (Kafka Streams:
/// `RepartitionTopicConfig`).
fn repartition(topic: Text, partitions: i32) -> NewTopic {
    NewTopic::new(topic, partitions).config("cleanup.policy", "delete").config("retention.ms", "-1")
}

async fn create_one(admin: &Admin, new: NewTopic) -> Result<TopicId, StartError> {
    let (topic, expected) = (new.name.clone(), new.partitions);
    let unavailable = |error| StartError::Topic { topic: topic.clone(), error };
    match admin.create_topic(new).await {
        Ok(created) => Ok(created.id),
        Err(AdminError::Refused { code: ErrorCode::TOPIC_ALREADY_EXISTS, .. }) => {
            let described = admin.describe_topic(&topic).await.map_err(unavailable)?;
            let found = described.partitions.len();
            // Keys of one task would be those of another: what is there cannot be moved, so it is not touched.
            let fits = usize::try_from(expected).is_ok_and(|expected| expected == found);
            if fits { Ok(described.id) } else { Err(StartError::Partitions { topic, found, expected }) }
        }
        Err(error) => Err(unavailable(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trap 35: what expires leaves a tombstone, so that nothing needs to be deleted by its age, which would take the
    /// positions of a processor along that stands still.
    #[test]
    fn changelogs_are_compacted_and_never_deleted_from() {
        let topic = changelog("p-s-changelog".into(), 3);
        let policy = topic.configs.iter().find(|(name, _)| name == "cleanup.policy");
        assert_eq!(policy.map(|(_, value)| &**value), Some("compact"));
        assert!(topic.configs.iter().all(|(name, _)| !name.starts_with("retention")));
    }
}
