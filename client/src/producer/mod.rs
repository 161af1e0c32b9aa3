//! Writes records: in batches, compressed, each of them once and in order.
//!
//! - [`ProducerConfig`]: what may be set.
//! - [`ProducerRecord`], [`Ticket`], [`Receipt`]: a record, the promise given for it, and what becomes of that.
//! - `partitioner`: which partition a record goes to.
//! - `accumulator`: records that wait for their batch to fill; `room`: how many of them there may be.
//! - `outcome`: what becomes of a batch, for all its tickets.
//! - `sender`: the task that takes the batches to the brokers; `partition`: what it knows of one partition.
//! - [`TransactionalProducer`]: records that count all together or not at all.
//!
//! A producer is idempotent unless told otherwise: each batch carries producer id, epoch and sequence, so that a
//! batch that is sent twice is stored once, and batches are stored in the order in which they were made (KIP-98).

mod accumulator;
mod config;
mod error;
mod murmur2;
mod outcome;
mod partition;
mod partitioner;
mod record;
mod room;
mod sender;
#[cfg(test)]
mod tests;
mod ticket;
mod transaction;

use std::sync::Arc;

use tokio::{task::JoinHandle, time::timeout};

use crate::{
    TopicPartition,
    cluster::{Cluster, TopicMetadata},
    metrics::Metrics,
    task,
    transport::Transport,
};
use accumulator::{Accumulator, Known};
pub use config::{Acks, ProducerConfig};
pub use error::{ProduceError, SendError};
pub use murmur2::murmur2;
pub use partitioner::partition_of_key;
pub use record::ProducerRecord;
pub use ticket::{Receipt, Ticket};
use transaction::Transactions;
pub use transaction::{
    Operation, Remedy, TransactionCause, TransactionConfig, TransactionError, TransactionalProducer,
};

/// Writes records to any topic of a cluster.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Producer, ProducerConfig, ProducerRecord};
///
/// let producer = Producer::new(&transport, ProducerConfig::default());
/// let mut tickets = Vec::new();
/// for word in ["one", "after", "the", "other"] {
///     tickets.push(producer.send(ProducerRecord::new("greetings").key("en").value(word)).await?);
/// }
/// for ticket in tickets {
///     println!("stored at {}", ticket.await?.offset);
/// }
/// producer.close().await;
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct Producer {
    config: Arc<ProducerConfig>,
    cluster: Arc<Cluster>,
    accumulator: Arc<Accumulator>,
    sender: JoinHandle<()>,
}

impl Producer {
    /// A producer with connections of its own. Must be called within a runtime, on which it starts its task.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Producer, ProducerConfig, ProducerRecord};
    ///
    /// let producer = Producer::new(&transport, ProducerConfig::default());
    /// producer.send(ProducerRecord::new("greetings").value("hello")).await?.await?;
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn new(transport: &dyn Transport, config: ProducerConfig) -> Self {
        let cluster = Arc::new(Cluster::new(transport.split(), config.request_timeout));
        Self::start(Arc::new(config), cluster, None)
    }

    /// The same, for a producer whose records all belong to transactions.
    fn transactional(
        transport: &dyn Transport,
        config: ProducerConfig,
        transactions: TransactionConfig,
    ) -> (Self, Arc<Transactions>) {
        let cluster = Arc::new(Cluster::new(transport.split(), config.request_timeout));
        let transactions = Transactions::new(Arc::clone(&cluster), transactions, config.max_block);
        let transactions = Arc::new(transactions);
        let producer = Self::start(Arc::new(config), cluster, Some(Arc::clone(&transactions)));
        producer.accumulator.pause();
        (producer, transactions)
    }

    fn start(
        config: Arc<ProducerConfig>,
        cluster: Arc<Cluster>,
        transactions: Option<Arc<Transactions>>,
    ) -> Self {
        let accumulator = Arc::new(Accumulator::new(&config));
        let (ours, theirs) = (Arc::clone(&cluster), Arc::clone(&accumulator));
        let sender = sender::start(Arc::clone(&config), ours, theirs, transactions);
        Self { config, cluster, accumulator, sender: task::spawn("producer", sender) }
    }

    /// Takes a record. Waits while the buffer is full, or the topic is not known yet; the ticket resolves when the
    /// record is stored. Records of one task that go to the same partition are stored in the order of these calls.
    ///
    /// # Errors
    /// Where the record cannot be sent at all.
    ///
    /// # Cancel safety
    /// Dropped before it returns, it has not taken the record, nor a place in the buffer.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Producer, ProducerConfig, ProducerRecord};
    ///
    /// let producer = Producer::new(&transport, ProducerConfig::default());
    /// let ticket = producer.send(ProducerRecord::new("greetings").key("en").value("hello")).await?;
    /// println!("stored at {}", ticket.await?.offset);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn send(&self, record: ProducerRecord) -> Result<Ticket, SendError> {
        let size = record.size_max();
        if size > self.config.request_bytes_max {
            return Err(SendError::TooLarge { bytes: size, limit: self.config.request_bytes_max });
        }
        // What the last record has found out holds for most of those behind it.
        match self.accumulator.try_append(&record, size, self.cluster.changes(), || self.config.clock.now()) {
            Some(taken) => taken,
            None => self.send_slowly(&record, size).await,
        }
    }

    async fn send_slowly(&self, record: &ProducerRecord, size: usize) -> Result<Ticket, SendError> {
        let (limit, changes) = (self.config.max_block, self.cluster.changes());
        let ready = timeout(limit, async {
            let topic = self.topic(record).await?;
            Ok((topic, self.accumulator.reserve(size).await?))
        });
        let (topic, room) = ready.await.map_err(|_| SendError::NoRoom { waited: limit })??;
        self.accumulator.append(record, Known { topic, changes }, room, self.config.clock.now())
    }

    async fn topic(&self, record: &ProducerRecord) -> Result<Arc<TopicMetadata>, SendError> {
        let topic = self.cluster.topic(&record.topic, true, self.config.max_block).await;
        let topic = topic.map_err(SendError::Metadata)?;
        match record.partition {
            Some(partition) if !topic.has(partition) => {
                let (name, count) = (record.topic.clone(), topic.partitions.len());
                Err(SendError::NoSuchPartition {
                    partition: TopicPartition { topic: name, partition },
                    count,
                })
            }
            _ => Ok(topic),
        }
    }

    /// Sends what waits, and returns when all records that were taken before this call are stored or have failed;
    /// their tickets say which. That takes no longer than [`ProducerConfig::delivery_timeout`].
    ///
    /// # Cancel safety
    /// Dropped, nothing is hurried any more, and the records go their usual way; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Producer, ProducerConfig, ProducerRecord};
    ///
    /// let producer = Producer::new(&transport, ProducerConfig::default());
    /// for number in 0..100 {
    ///     drop(producer.send(ProducerRecord::new("greetings").partition(1).value(format!("{number}"))).await?);
    /// }
    /// producer.flush().await;
    /// let stored: i32 = transport.batches("greetings", 1).iter().map(|batch| batch.header().record_count).sum();
    /// assert_eq!(stored, 100);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn flush(&self) {
        self.accumulator.flush().await;
    }

    /// What this producer has done so far.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Producer, ProducerConfig, ProducerRecord};
    ///
    /// let producer = Producer::new(&transport, ProducerConfig::default());
    /// producer.send(ProducerRecord::new("greetings").value("hello")).await?.await?;
    /// assert_eq!(producer.metrics().produced.records, 1);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.cluster.metrics()
    }

    /// Refuses further records, sends what waits, and ends the producer's task; takes no longer than
    /// [`ProducerConfig::delivery_timeout`].
    ///
    /// # Cancel safety
    /// Dropped, the producer is dropped with it: what is not stored by then is given up, and its tickets say so.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Producer, ProducerConfig, ProducerRecord};
    ///
    /// let producer = Producer::new(&transport, ProducerConfig::default());
    /// let ticket = producer.send(ProducerRecord::new("greetings").value("last")).await?;
    /// producer.close().await;
    /// ticket.await?;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn close(self) {
        self.accumulator.close();
        self.accumulator.flush().await;
    }
}

impl Drop for Producer {
    /// What was not flushed is given up.
    fn drop(&mut self) {
        self.accumulator.close();
        self.sender.abort();
        self.accumulator.abandon();
    }
}
