//! What a commit writes, in this order: outputs; then the changes of state, with the positions in the inputs that they
//! belong to; then the group's offsets. Each is stored before the next is begun, so that nothing counts as done whose
//! results could still be lost. Changes and positions are one batch where they fit into one, which is stored as a whole
//! or not at all; where they do not, the positions wait for the changes. Stores on disk take the changes over when their
//! changelogs have them, all of a task together.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use mainstem_client::{
    Offset, ProducerRecord, Text, TopicPartition,
    clock::{Clock, SystemClock},
    producer::Ticket,
    protocol::records::header::HEADER_BYTES,
};
use tokio::time::Instant;
use tracing::debug;

use super::{TaskError, attempt::Attempt};
use crate::{
    StoreSize, TaskReport, caps,
    record::Emitted,
    state::{Checkpoint, Store, SystemKey, says_how_far},
};

impl Attempt<'_> {
    /// Gives the producer what the nodes have emitted, and what they emit once that is out of their way. Of what has no end
    /// so soon the first ones are stored before the last ones are there.
    pub(super) async fn send_outputs(&mut self) -> Result<(), TaskError> {
        self.send_emitted().await?;
        while self.work.go_on()? {
            self.send_emitted().await?;
            if self.sent_bytes >= self.job.settings.uncommitted_bytes_max {
                self.store_outputs().await?;
            }
        }
        Ok(())
    }

    async fn send_emitted(&mut self) -> Result<(), TaskError> {
        for emitted in self.work.emitted.drain(..) {
            self.sent_bytes += emitted.size();
            let Emitted { topic, partition, record } = emitted;
            let record = ProducerRecord {
                topic,
                partition,
                timestamp: Some(record.timestamp),
                key: record.key,
                value: record.value,
                headers: record.headers,
            };
            self.tickets.push(self.producer.send(record).await?);
        }
        Ok(())
    }

    /// Commits everything that has been worked through.
    pub(super) async fn commit(&mut self) -> Result<(), TaskError> {
        let begun = Instant::now();
        self.work.prepare_commit()?;
        self.send_outputs().await?;
        self.store_outputs().await?;
        self.note_positions();
        let checkpoints = self.store_changes().await?;
        self.work.stores.commit(|name| checkpoints.get(name).copied())?;
        self.commit_positions().await?;
        self.commit_at = None;
        self.committed.send_replace(self.positions.clone());
        self.job.settings.meter.committed();
        self.job.settings.meter.task_committed(self.id, &self.report(begun.elapsed()));
        Ok(())
    }

    fn report(&self, commit_latency: Duration) -> TaskReport {
        let size = |(name, store): &(Text, Store)| {
            let (entries, bytes) = store.size();
            StoreSize { store: name.clone(), entries, bytes }
        };
        TaskReport {
            commit_latency,
            watermark: self.work.time.watermark(),
            input_lag: self.positions.iter().map(|(input, position)| self.lag(input, *position)).sum(),
            stores: self.work.stores.iter().map(size).collect(),
        }
    }

    fn lag(&self, input: &TopicPartition, position: Offset) -> u64 {
        let end = self.consumer.high_watermark(input).unwrap_or(position);
        u64::try_from(end.0 - position.0).unwrap_or(0)
    }

    async fn store_outputs(&mut self) -> Result<(), TaskError> {
        self.sent_bytes = 0;
        stored(&self.producer, std::mem::take(&mut self.tickets)).await?;
        Ok(())
    }

    /// Puts into the first store what a restart must know, besides what the processor keeps.
    fn note_positions(&mut self) {
        let store = self.work.stores.first_mut();
        for (input, offset) in &self.positions {
            let key = SystemKey::Position(input);
            if store.number(&key) != Some(offset.0) {
                store.put_number(&key, offset.0);
            }
        }
        self.work.time.save(store);
    }

    /// Writes the changelogs; says how far into theirs the stores are then.
    async fn store_changes(&self) -> Result<HashMap<Text, Checkpoint>, TaskError> {
        let mut checkpoints = HashMap::new();
        // The first store goes last: its positions must not be ahead of any other store.
        let has_changelog = |(name, _): &&(Text, Store)| self.job.changelogs.contains_key(name);
        let stores: Vec<_> = self.work.stores.iter().filter(has_changelog).collect();
        for (name, store) in stores.into_iter().rev() {
            let changelog = self.job.topology.changelog(name);
            let (positions, changes): (Vec<_>, Vec<_>) =
                store.uncommitted().partition(|(key, _)| says_how_far(key));
            let mut tickets = self.send_changes(&changelog, changes).await?;
            let mut offsets = Vec::new();
            // One of several batches may be given up, and a later one be stored.
            if !is_one_batch(store) {
                offsets.extend(stored(&self.producer, std::mem::take(&mut tickets)).await?);
            }
            tickets.extend(self.send_changes(&changelog, positions).await?);
            offsets.extend(stored(&self.producer, tickets).await?);
            if store.is_on_disk() {
                checkpoints
                    .extend(self.checkpoint(name, store, &offsets)?.map(|there| (name.clone(), there)));
            }
        }
        Ok(checkpoints)
    }

    /// How far a store is once it has its changes. Where others have written into its changelog in between, or nobody says
    /// where the changes went, it stays where it was: the next start reads from there again, which changes nothing that
    /// it has.
    fn checkpoint(
        &self,
        name: &Text,
        store: &Store,
        offsets: &[Offset],
    ) -> Result<Option<Checkpoint>, TaskError> {
        let (Some(known), Some(reached)) = (self.job.changelogs.get(name), store.checkpoint()?) else {
            return Ok(None);
        };
        let is_next = (reached.offset.0..).zip(offsets).all(|(next, offset)| next == offset.0);
        if !is_next {
            debug!(store = %name, reached = %reached.offset, "somebody else has written into the changelog");
            return Ok(None);
        }
        let offset = Offset(reached.offset.0 + offsets.len() as i64);
        Ok(Some(Checkpoint { topic: known.id, offset, at: SystemClock.now() }))
    }

    /// Gives the producer changes. Nothing cuts their batch short: once the first is taken, its topic is known, and the
    /// others are taken at once, so that the producer's own task, which is of the same thread, does not come between.
    async fn send_changes(
        &self,
        changelog: &Text,
        changes: Vec<(&Bytes, Option<&Bytes>)>,
    ) -> Result<Vec<Ticket>, TaskError> {
        let mut tickets = Vec::with_capacity(changes.len());
        for (key, value) in changes {
            let record = ProducerRecord {
                topic: changelog.clone(),
                partition: Some(self.id.number.into()),
                timestamp: None,
                key: Some(key.clone()),
                value: value.cloned(),
                headers: Default::default(),
            };
            tickets.push(self.producer.send(record).await?);
        }
        Ok(tickets)
    }

    async fn commit_positions(&mut self) -> Result<(), TaskError> {
        let positions: Vec<(TopicPartition, Offset)> =
            self.positions.iter().map(|(input, offset)| (input.clone(), *offset)).collect();
        Ok(self.consumer.commit(&positions).await?)
    }
}

/// Bytes that a change of state takes at most in a batch, beyond its key and value: three lengths and a delta below
/// 2^20 in three bytes each, a delta of time in ten, attributes and the number of headers in one each.
const CHANGE_OVERHEAD_BYTES_MAX: usize = 24;

/// Whether what a store has to commit fits into one batch for certain, its header included.
fn is_one_batch(store: &Store) -> bool {
    let overhead = store.uncommitted().count() * CHANGE_OVERHEAD_BYTES_MAX + HEADER_BYTES;
    store.uncommitted_bytes() + overhead <= caps::CHANGELOG_BATCH_BYTES
}

/// Waits until everything is stored; says where.
async fn stored(
    producer: &mainstem_client::Producer,
    tickets: Vec<Ticket>,
) -> Result<Vec<Offset>, TaskError> {
    if tickets.is_empty() {
        return Ok(Vec::new());
    }
    producer.flush().await;
    let mut offsets = Vec::with_capacity(tickets.len());
    for ticket in tickets {
        offsets.push(ticket.receipt().await?.offset);
    }
    Ok(offsets)
}
