//! `__transaction_state`: where transactional ids are kept, in Kafka's own format.

use std::sync::Arc;

use bytes::Bytes;
use mainstem_protocol::{
    PartitionId, Text, Timestamp, TopicId,
    formats::transactions::{TransactionLogKey, TransactionLogValue},
    records::{Batch, BatchBuilder, Compression, NewRecord, ProducerStamp},
};
use mainstem_storage::{AppendGroup, Overrides, Store, store::NewTopic};
use tracing::warn;

use super::machine::Transaction;
use crate::{config::TransactionSettings, group::partition_of};

/// The topic's name.
const TOPIC: &str = "__transaction_state";

/// The log of transactional ids.
#[derive(Debug)]
pub(super) struct TransactionLog {
    store: Arc<Store>,
    pub(super) topic: TopicId,
    partitions: u32,
}

/// A name that is too long for the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a transactional id of {0} bytes is longer than the log's format allows")]
pub(super) struct TooLong(usize);

impl TransactionLog {
    /// The topic, where it is there already.
    pub(super) fn existing(store: &Arc<Store>) -> Option<Self> {
        let topics = store.topics();
        let topic = topics.named(TOPIC)?;
        Some(Self { store: Arc::clone(store), topic: topic.id, partitions: topic.partitions.len() as u32 })
    }

    /// Creates the topic where it is not there yet. Blocks.
    ///
    /// # Errors
    /// Where it cannot be created.
    pub(super) fn create(store: &Arc<Store>, settings: &TransactionSettings) -> Result<Self, String> {
        if let Some(existing) = Self::existing(store) {
            return Ok(existing);
        }
        let segment_bytes = settings.segment_bytes.to_string();
        let overrides: Overrides = [
            ("cleanup.policy", "compact"),
            ("compression.type", "uncompressed"),
            ("segment.bytes", &segment_bytes),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let partitions = settings.partitions;
        let new = NewTopic { name: TOPIC.into(), partitions, overrides, keyed: true };
        let (topic, ticket) = store.create_topic(new).map_err(|error| error.to_string())?;
        ticket.wait().map_err(|error| error.to_string())?;
        Ok(Self { store: Arc::clone(store), topic, partitions })
    }

    /// Adds the state of a transactional id to a group, or takes it out of the log where there is none.
    ///
    /// # Errors
    /// Where the id is too long.
    pub(super) fn push(
        &self,
        group: &mut AppendGroup,
        id: &Text,
        transaction: Option<&Transaction>,
        now: Timestamp,
    ) -> Result<(), TooLong> {
        let batch = batch(id, transaction, now).ok_or(TooLong(id.len()))?;
        group.push(self.topic, self.partition(id), batch);
        Ok(())
    }

    /// A transactional id as it was last stored.
    pub(super) fn load(&self, id: &Text) -> Option<Transaction> {
        let key = key(id).to_bytes().ok()?;
        understood(id, self.store.keyed_value(self.topic, self.partition(id), &key)?)
    }

    /// All transactional ids; what cannot be read is passed over.
    pub(super) fn all(&self) -> impl Iterator<Item = (Text, Transaction)> + '_ {
        let values = |partition| self.store.keyed_values(self.topic, PartitionId(partition as i32), &[]);
        (0..self.partitions).flat_map(values).filter_map(|(key, value)| {
            let id = TransactionLogKey::from_bytes(key).ok()?.transactional_id;
            let transaction = understood(&id, value)?;
            Some((id, transaction))
        })
    }

    fn partition(&self, id: &str) -> PartitionId {
        partition_of(id, self.partitions)
    }
}

fn key(id: &Text) -> TransactionLogKey {
    TransactionLogKey { transactional_id: id.clone() }
}

fn batch(id: &Text, transaction: Option<&Transaction>, now: Timestamp) -> Option<Batch> {
    let key = key(id).to_bytes().ok()?;
    let stored =
        transaction.map(|transaction| transaction.stored().to_bytes(TransactionLogValue::WRITTEN_VERSION));
    let value = stored.transpose().ok()?;
    let mut builder = BatchBuilder::new(Compression::None);
    let record =
        NewRecord { timestamp: now, key: Some(&key), value: value.as_deref(), ..NewRecord::default() };
    builder.append(&record).ok()?;
    Batch::split_from(&mut builder.seal(&ProducerStamp::NONE).ok()?).ok()
}

/// A value that a newer or another program wrote is passed over, not guessed at.
fn understood(id: &Text, value: Bytes) -> Option<Transaction> {
    let value = TransactionLogValue::from_bytes(value)
        .inspect_err(|error| warn!(id = id.as_ref() as &str, %error, "value in {TOPIC} is not understood"));
    Transaction::restored(&value.ok()?)
}
