//! Brings the stores back from their changelogs, from the first record to the last.

use mainstem_client::{
    Consumer, ConsumerConfig, Offset, Text, TopicPartition, Transport,
    consumer::{ConsumeError, OffsetReset, PartitionRecords, Polled},
};
use tracing::debug;

use super::{Job, TaskError, TaskId};
use crate::{
    caps,
    state::{Store, Stores},
};

/// The stores of a task, as its last commit left them.
pub(super) async fn stores(job: &Job, transport: &dyn Transport, task: TaskId) -> Result<Stores, TaskError> {
    let mut stores = Stores::new(job.topology.parts()[task.part].stores.iter().cloned());
    for (name, store) in stores.iter_mut() {
        let changelog = TopicPartition::new(job.topology.changelog(name), task.number);
        restore(transport, &changelog, store).await?;
    }
    Ok(stores)
}

async fn restore(
    transport: &dyn Transport,
    changelog: &TopicPartition,
    store: &mut Store,
) -> Result<(), TaskError> {
    let mut consumer = Consumer::new(transport, config());
    let (start, end) = bounds(&consumer, changelog).await?;
    consumer.assign([changelog.clone()]);
    consumer.seek(changelog, start);
    // The position moves past records that nobody gets to see, so it is what says that the end is reached.
    while consumer.position(changelog).is_none_or(|position| position < end) {
        match consumer.poll(caps::PATIENCE).await {
            Ok(Polled::Records(batches)) => batches.into_iter().for_each(|batch| take_over(batch, store)),
            Ok(_) if consumer.position(changelog).is_some_and(|position| position >= end) => break,
            Ok(_) => {
                let topic = changelog.topic.clone();
                return Err(TaskError::Silence { topic, limit: caps::PATIENCE });
            }
            Err(error @ ConsumeError::Damaged { .. }) => {
                return Err(lost(&changelog.topic, &error.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    debug!(%changelog, %end, "state restored");
    Ok(())
}

/// The first offset and the one behind the last.
async fn bounds(consumer: &Consumer, changelog: &TopicPartition) -> Result<(Offset, Offset), TaskError> {
    let partition = std::slice::from_ref(changelog);
    let start = consumer.beginning_offsets(partition).await?.remove(changelog);
    let end = consumer.end_offsets(partition).await?.remove(changelog);
    start.zip(end).ok_or_else(|| lost(&changelog.topic, "nobody says where it begins and ends"))
}

fn take_over(batch: PartitionRecords, store: &mut Store) {
    for record in batch.records {
        if let Some(key) = record.key {
            store.restore(key, record.value);
        }
    }
}

fn config() -> ConsumerConfig {
    ConsumerConfig {
        offset_reset: OffsetReset::Earliest,
        poll_records: caps::BATCH_RECORDS,
        ..Default::default()
    }
}

fn lost(topic: &Text, reason: &str) -> TaskError {
    TaskError::Restore { topic: topic.clone(), reason: reason.to_owned() }
}
