//! The promise that is given for a record.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use mainstem_protocol::{Offset, Timestamp};

use super::{
    ProduceError,
    outcome::{BatchResult, Outcome, Place},
};
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

/// The promise that a record will be stored, or the reason why not. A ticket that is dropped takes nothing back.
///
/// A ticket is a future: it resolves to the [`Receipt`] once the record is stored, or to the error because of which it was
/// not, or may not have been. It takes no memory of its own beyond its few bytes, and may be polled again after that.
///
/// # Cancel safety
/// A reference to it (`&mut ticket`) may be awaited and given up as often as one likes; the record goes its way all the
/// same.
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
    /// Its place in the batch.
    index: u32,
    waits: Place,
}

impl Ticket {
    pub(super) fn new(outcome: Arc<Outcome>, index: u32) -> Self {
        Self { outcome, index, waits: Place::default() }
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

    /// The place of the record in its batch, from 0: [`ProduceError::Refused`] may name it.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Producer, ProducerConfig, ProducerRecord};
    ///
    /// let linger = std::time::Duration::from_secs(60);
    /// let producer = Producer::new(&transport, ProducerConfig { linger, ..ProducerConfig::default() });
    /// let record = ProducerRecord::new("greetings").partition(1).value("hello");
    /// let (first, second) = (producer.send(record.clone()).await?, producer.send(record).await?);
    /// assert_eq!((first.place(), second.place()), (0, 1));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn place(&self) -> u32 {
        self.index
    }

    /// Waits until the record is stored. Awaiting the ticket itself does the same; this leaves the ticket where it is.
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
        receipt(&self.outcome, self.index, self.outcome.wait().await)
    }
}

fn receipt(outcome: &Outcome, index: u32, result: &BatchResult) -> Result<Receipt, ProduceError> {
    let (base, log_append_time) = result.clone()?;
    let offset = if base == Offset::NONE { base } else { base.plus(i64::from(index)) };
    Ok(Receipt { partition: outcome.partition.clone(), offset, log_append_time })
}

impl Future for Ticket {
    type Output = Result<Receipt, ProduceError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { outcome, index, waits } = &mut *self;
        let result = ready!(outcome.poll(waits, context));
        Poll::Ready(receipt(outcome, *index, result))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.outcome.leave(&mut self.waits);
    }
}
