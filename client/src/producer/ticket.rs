//! The promise that is given for a record.

use std::{future::IntoFuture, pin::Pin, sync::Arc};

use mainstem_protocol::{Offset, Timestamp};
use tokio::sync::SetOnce;

use super::ProduceError;
use crate::TopicPartition;

/// Where a record is stored.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Producer, ProducerConfig, ProducerRecord};
///
/// let producer = Producer::new(&transport, ProducerConfig::default());
/// let receipt = producer.send(ProducerRecord::new("greetings").value("hello")).await?.await?;
/// println!("stored in {} at {}", receipt.partition, receipt.offset);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its partition.
    pub partition: TopicPartition,
    /// Its offset; [`Offset::NONE`] where the producer waits for no answers, or where the broker knew the batch
    /// already but not its place.
    pub offset: Offset,
    /// The broker's time, where the topic has it so; else [`Timestamp::NONE`].
    pub log_append_time: Timestamp,
}

/// What became of a batch: its first offset, and the broker's time.
pub(super) type BatchResult = Result<(Offset, Timestamp), ProduceError>;

/// What will have become of a batch; all its tickets look at it.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The number of the batch among all batches of the producer.
    pub(super) batch: u64,
    pub(super) partition: TopicPartition,
    pub(super) result: SetOnce<BatchResult>,
}

impl Outcome {
    pub(super) fn new(batch: u64, partition: TopicPartition) -> Arc<Self> {
        Arc::new(Self { batch, partition, result: SetOnce::new() })
    }

    /// The first result counts.
    pub(super) fn resolve(&self, result: BatchResult) {
        let _ = self.result.set(result);
    }
}

/// The promise that a record will be stored, or the reason why not. A ticket that is dropped takes nothing back.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Producer, ProducerConfig, ProducerRecord, Offset};
///
/// let producer = Producer::new(&transport, ProducerConfig::default());
/// let ticket = producer.send(ProducerRecord::new("greetings").partition(1).value("hello")).await?;
/// // Other records may be sent before this one is stored.
/// assert_eq!(ticket.await?.offset, Offset(0));
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
#[must_use = "only the ticket says whether the record was stored"]
pub struct Ticket {
    outcome: Arc<Outcome>,
    index: i64,
}

impl Ticket {
    pub(super) const fn new(outcome: Arc<Outcome>, index: i64) -> Self {
        Self { outcome, index }
    }

    /// The partition that the record goes to.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Producer, ProducerConfig, ProducerRecord, TopicPartition};
    ///
    /// let producer = Producer::new(&transport, ProducerConfig::default());
    /// let ticket = producer.send(ProducerRecord::new("greetings").partition(1).value("hello")).await?;
    /// assert_eq!(*ticket.partition(), TopicPartition::new("greetings", 1));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn partition(&self) -> &TopicPartition {
        &self.outcome.partition
    }

    /// Waits until the record is stored. Awaiting the ticket itself does the same, at the price of an allocation.
    ///
    /// # Errors
    /// Where it was not, or may not have been.
    ///
    /// # Cancel safety
    /// Dropped, it can be called again; the record goes its way all the same.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Producer, ProducerConfig, ProducerRecord, Offset};
    ///
    /// let producer = Producer::new(&transport, ProducerConfig::default());
    /// let ticket = producer.send(ProducerRecord::new("greetings").partition(1).value("hello")).await?;
    /// assert_eq!(ticket.receipt().await?.offset, Offset(0));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn receipt(&self) -> Result<Receipt, ProduceError> {
        let result = self.outcome.result.wait().await.clone();
        let (base, log_append_time) = result?;
        let offset = if base == Offset::NONE { base } else { base.plus(self.index) };
        Ok(Receipt { partition: self.outcome.partition.clone(), offset, log_append_time })
    }
}

impl IntoFuture for Ticket {
    type Output = Result<Receipt, ProduceError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.receipt().await })
    }
}
