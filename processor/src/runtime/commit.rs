//! What a commit writes, in this order: outputs; then the changes of state, with the positions in the inputs that they
//! belong to; then the group's offsets. Each is stored before the next is begun, so that nothing counts as done whose
//! results could still be lost.

use mainstem_client::{Offset, ProducerRecord, TopicPartition, producer::Ticket};

use super::{TaskError, attempt::Attempt};
use crate::{
    record::Emitted,
    state::{POSITION_PREFIX, SystemKey},
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

    async fn store_changes(&mut self) -> Result<(), TaskError> {
        let mut tickets = Vec::new();
        // The first store goes last: its positions must not be ahead of any other store.
        for (name, store) in self.work.stores.iter().collect::<Vec<_>>().into_iter().rev() {
            let changelog = self.job.topology.changelog(name);
            // Positions go last: what they stand behind may take several batches, and a crash between two of them must
            // find the positions of before.
            let (positions, rest): (Vec<_>, Vec<_>) =
                store.uncommitted().partition(|(key, _)| key.starts_with(POSITION_PREFIX));
            for (key, value) in rest.into_iter().chain(positions) {
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
            stored(&self.producer, std::mem::take(&mut tickets)).await?;
        }
        Ok(())
    }

    async fn commit_positions(&mut self) -> Result<(), TaskError> {
        let positions: Vec<(TopicPartition, Offset)> =
            self.positions.iter().map(|(input, offset)| (input.clone(), *offset)).collect();
        Ok(self.consumer.commit(&positions).await?)
    }
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
