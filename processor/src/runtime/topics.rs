//! The topics that a topology needs: inputs are looked up, its own are created.

use std::collections::HashMap;

use mainstem_client::{
    Admin, AdminConfig, ErrorCode, NewTopic, Offset, Text, TopicPartition, Transport,
    admin::AdminError,
    consumer::{Consumer, ConsumerConfig},
};

use super::{Job, StartError};
use crate::{Topology, caps, topology::Plan};

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

/// Creates changelogs and repartition topics.
pub(super) async fn create(job: &Job, transport: &dyn Transport) -> Result<(), StartError> {
    let admin = Admin::new(transport, AdminConfig { timeout: caps::PATIENCE, ..AdminConfig::default() });
    for topic in job.plan.writers.keys() {
        let partitions = job.plan.partitions.get(topic).copied().unwrap_or(1);
        create_one(&admin, repartition(topic.clone(), partitions)).await?;
    }
    for (part, tasks) in job.topology.parts().iter().zip(&job.plan.tasks) {
        for store in &part.stores {
            create_one(&admin, changelog(job.topology.changelog(store), *tasks)).await?;
        }
    }
    Ok(())
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
fn changelog(topic: Text, partitions: i32) -> NewTopic {
    NewTopic::new(topic, partitions).config("cleanup.policy", "compact")
}

/// Records of any age may pass through, so that their age must not delete them (Kafka Streams:
/// `RepartitionTopicConfig`).
fn repartition(topic: Text, partitions: i32) -> NewTopic {
    NewTopic::new(topic, partitions).config("cleanup.policy", "delete").config("retention.ms", "-1")
}

async fn create_one(admin: &Admin, new: NewTopic) -> Result<(), StartError> {
    let (topic, expected) = (new.name.clone(), new.partitions);
    let unavailable = |error| StartError::Topic { topic: topic.clone(), error };
    match admin.create_topic(new).await {
        Ok(_) => Ok(()),
        Err(AdminError::Refused { code: ErrorCode::TOPIC_ALREADY_EXISTS, .. }) => {
            let found = admin.describe_topic(&topic).await.map_err(unavailable)?.partitions.len();
            // Keys of one task would be those of another: what is there cannot be moved, so it is not touched.
            let fits = usize::try_from(expected).is_ok_and(|expected| expected == found);
            if fits { Ok(()) } else { Err(StartError::Partitions { topic, found, expected }) }
        }
        Err(error) => Err(unavailable(error)),
    }
}
