//! What a commit writes, in this order: outputs; then the changes of state, with the positions in the inputs that they
//! belong to; then the group's offsets. Each is stored before the next is begun, so that nothing counts as done whose
//! results could still be lost. Changes and positions are one batch where they fit into one, which is stored as a whole
//! or not at all; where they do not, the positions wait for the changes.

use bytes::Bytes;
use mainstem_client::{
    Offset, ProducerRecord, Text, TopicPartition, producer::Ticket, protocol::records::header::HEADER_BYTES,
};

use super::{TaskError, attempt::Attempt};
use crate::{
    caps,
    record::Emitted,
    state::{Store, SystemKey, says_how_far},
};

impl Attempt<'_> {
    /// Gives the producer what the nodes have emitted.
    pub(super) async fn send_outputs(&mut self) -> Result<(), TaskError> {
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
        self.work.prepare_commit()?;
        self.send_outputs().await?;
        self.store_outputs().await?;
        self.note_positions();
        self.store_changes().await?;
        self.work.stores.apply();
        self.commit_positions().await?;
        self.commit_at = None;
        self.committed.send_replace(self.positions.clone());
        self.job.settings.meter.committed();
        Ok(())
    }

    async fn store_outputs(&mut self) -> Result<(), TaskError> {
        self.sent_bytes = 0;
        stored(&self.producer, std::mem::take(&mut self.tickets)).await
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

    async fn store_changes(&self) -> Result<(), TaskError> {
        // The first store goes last: its positions must not be ahead of any other store.
        for (name, store) in self.work.stores.iter().collect::<Vec<_>>().into_iter().rev() {
            let changelog = self.job.topology.changelog(name);
            let (positions, changes): (Vec<_>, Vec<_>) =
                store.uncommitted().partition(|(key, _)| says_how_far(key));
            let mut tickets = self.send_changes(&changelog, changes).await?;
            // One of several batches may be given up, and a later one be stored.
            if !is_one_batch(store) {
                stored(&self.producer, std::mem::take(&mut tickets)).await?;
            }
            tickets.extend(self.send_changes(&changelog, positions).await?);
            stored(&self.producer, tickets).await?;
        }
        Ok(())
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

async fn stored(producer: &mainstem_client::Producer, tickets: Vec<Ticket>) -> Result<(), TaskError> {
    if tickets.is_empty() {
        return Ok(());
    }
    producer.flush().await;
    for ticket in tickets {
        ticket.receipt().await?;
    }
    Ok(())
}
