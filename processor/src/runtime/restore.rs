//! Brings the stores back from their changelogs: those in memory from the first record to the last, those on disk from
//! where they are.

use bytes::Bytes;
use mainstem_client::{
    Consumer, ConsumerConfig, Offset, Record, Text, Timestamp, TopicPartition, Transport,
    clock::{Clock, SystemClock},
    consumer::{ConsumeError, OffsetReset, PartitionRecords, Polled},
};
use tokio::{task::yield_now, time::Instant};
use tracing::{debug, info, warn};

use super::{Job, TaskError};
use crate::{
    Kept, TaskId, caps,
    state::{Changelog, Checkpoint, Description, Place, Rebuild, Resume, Store, Stores, SystemKey, Whose},
};

/// The stores of a task, as its last commit left them.
pub(super) async fn stores(job: &Job, transport: &dyn Transport, task: TaskId) -> Result<Stores, TaskError> {
    let mut stores = Vec::new();
    for name in &job.topology.parts()[task.part].stores {
        let mut store = empty(job, task, name)?;
        if job.topology.has_changelog(name) {
            store = Restore::begin(job, transport, task, name, store).await?.run().await?;
        } else {
            store.clear()?;
        }
        stores.push((name.clone(), store));
    }
    Ok(Stores::of(stores).with_globals(job.globals.clone()))
}

/// A store before it is restored: what was on disk is there.
fn empty(job: &Job, task: TaskId, name: &Text) -> Result<Store, TaskError> {
    let (Kept::OnDisk, Some(directory)) = (job.kept(name), &job.settings.state_directory) else {
        return Ok(Store::default());
    };
    let place = Place { processor: job.topology.name(), task: &task.to_string(), store: name };
    let table = directory.table(&place)?;
    table.map(Store::on_disk).ok_or_else(|| TaskError::StoreInUse { store: name.clone() })
}

/// A store on its way back.
struct Restore<'a> {
    job: &'a Job,
    task: TaskId,
    name: &'a Text,
    consumer: Consumer,
    partition: TopicPartition,
    store: Store,
    changelog: Changelog,
    /// Where it has begun.
    from: Offset,
    /// When what the store holds was the whole of its changelog.
    since: Timestamp,
    /// What it must say of itself.
    description: Description,
    whose: Whose,
}

impl<'a> Restore<'a> {
    async fn begin(
        job: &'a Job,
        transport: &dyn Transport,
        task: TaskId,
        name: &'a Text,
        mut store: Store,
    ) -> Result<Self, TaskError> {
        let partition = TopicPartition::new(job.topology.changelog(name), task.number);
        let mut consumer = Consumer::new(transport, config());
        let changelog = look(job, name, &consumer, &partition).await?;
        let checkpoint = store.checkpoint()?;
        let (from, since) = match changelog.resume(checkpoint.as_ref()) {
            Resume::Tail(reached) => (reached, checkpoint.map_or(changelog.now, |checkpoint| checkpoint.at)),
            Resume::Whole(reason) => {
                if reason != Rebuild::New {
                    warn!(%partition, store = %name, %reason, "store is built up again");
                }
                store.clear()?;
                (changelog.start, changelog.now)
            }
            Resume::Lost(reached) => {
                let (store, topic, start) = (name.clone(), partition.topic, changelog.start);
                return Err(TaskError::StateLost { store, topic, reached, start });
            }
        };
        consumer.assign([partition.clone()]);
        consumer.seek(&partition, from);
        let (description, whose) = (job.description(task.part, name), job.whose(name));
        let restore =
            Self { job, task, name, consumer, partition, store, changelog, from, since, description, whose };
        restore.check(restore.store.description().as_ref())?;
        Ok(restore)
    }

    /// Refuses what a store says of itself before anything else of it is believed.
    fn check(&self, said: Option<&Bytes>) -> Result<(), TaskError> {
        Ok(said.map_or(Ok(()), |said| self.description.accepts(said, &self.whose))?)
    }

    async fn run(mut self) -> Result<Store, TaskError> {
        let (began, mut reported) = (Instant::now(), Instant::now());
        // The position moves past records that nobody gets to see, so it is what says that the end is reached.
        while !self.is_at_end() {
            self.step().await?;
            // The turn of the next task on this thread.
            yield_now().await;
            if reported.elapsed() >= caps::RESTORE_REPORT_INTERVAL {
                reported = Instant::now();
                let (partition, reached, end) = (&self.partition, self.reached(), self.changelog.end);
                info!(%partition, store = %self.name, %reached, %end, "state is being restored");
            }
        }
        self.note_end()?;
        let (records, took) = (self.changelog.end.0 - self.from.0, began.elapsed());
        debug!(partition = %self.partition, store = %self.name, records, ?took, "state restored");
        self.describe();
        Ok(self.store)
    }

    /// A store that says nothing of itself, or less than is known, does so from its first commit on.
    fn describe(&mut self) {
        let description = self.description.bytes();
        if self.store.description().as_ref() != Some(&description) {
            self.store.describe(description);
        }
    }

    async fn step(&mut self) -> Result<(), TaskError> {
        let topic = || self.partition.topic.clone();
        match self.consumer.poll(caps::PATIENCE).await {
            Ok(Polled::Records(batches)) => batches.into_iter().try_for_each(|batch| self.take(batch)),
            Ok(_) if self.is_at_end() => Ok(()),
            Ok(_) => Err(TaskError::Silence { topic: topic(), limit: caps::PATIENCE }),
            Err(error @ ConsumeError::Damaged { .. }) => Err(lost(&topic(), &error.to_string())),
            Err(error @ ConsumeError::OutOfRange { .. }) => {
                Err(TaskError::Overtaken { topic: topic(), reason: error.to_string() })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn take(&mut self, batch: PartitionRecords) -> Result<(), TaskError> {
        let checkpoint = self.checkpoint(batch.next_offset);
        let read = batch.records.len() as u64;
        let is_description =
            |record: &&Record| record.key.as_deref() == Some(&*SystemKey::Description.bytes());
        let said = batch.records.iter().find(is_description).and_then(|record| record.value.as_ref());
        self.check(said)?;
        let entries = batch.records.into_iter().filter_map(|record| Some((record.key?, record.value)));
        self.store.restore(entries, &checkpoint)?;
        let left = self.changelog.end.0.saturating_sub(batch.next_offset.0);
        self.job.settings.meter.restored(self.task, self.name, read, u64::try_from(left).unwrap_or(0));
        Ok(())
    }

    /// Until its end is reached, the store is as old as it was when this began: a deletion that it has still to read may
    /// be removed in the meantime.
    const fn checkpoint(&self, offset: Offset) -> Checkpoint {
        Checkpoint { topic: self.changelog.topic, offset, at: self.since }
    }

    /// The store holds all that there was when this began.
    fn note_end(&mut self) -> Result<(), TaskError> {
        let end = Checkpoint { at: self.changelog.now, ..self.checkpoint(self.changelog.end.max(self.from)) };
        Ok(self.store.restore([], &end)?)
    }

    fn reached(&self) -> Offset {
        self.consumer.position(&self.partition).unwrap_or(self.from)
    }

    fn is_at_end(&self) -> bool {
        self.reached() >= self.changelog.end
    }
}

/// Asks how the changelog is now.
async fn look(
    job: &Job,
    name: &Text,
    consumer: &Consumer,
    changelog: &TopicPartition,
) -> Result<Changelog, TaskError> {
    let known = job.changelogs.get(name);
    let known = known.ok_or_else(|| lost(&changelog.topic, "nothing is known of the topic"))?;
    let now = SystemClock.now();
    let (start, end) = bounds(consumer, changelog).await?;
    let super::topics::ChangelogTopic { id, is_deleted_from, tombstones_kept_ms } = *known;
    Ok(Changelog { topic: id, start, end, is_deleted_from, tombstones_kept_ms, now })
}

/// The first offset and the one behind the last.
async fn bounds(consumer: &Consumer, changelog: &TopicPartition) -> Result<(Offset, Offset), TaskError> {
    let partition = std::slice::from_ref(changelog);
    let start = consumer.beginning_offsets(partition).await?.remove(changelog);
    let end = consumer.end_offsets(partition).await?.remove(changelog);
    start.zip(end).ok_or_else(|| lost(&changelog.topic, "nobody says where it begins and ends"))
}

/// Records that are not there any more must not be passed over: they may have been deletions.
fn config() -> ConsumerConfig {
    ConsumerConfig {
        offset_reset: OffsetReset::Fail,
        poll_records: caps::BATCH_RECORDS,
        ..Default::default()
    }
}

fn lost(topic: &Text, reason: &str) -> TaskError {
    TaskError::Restore { topic: topic.clone(), reason: reason.to_owned() }
}
