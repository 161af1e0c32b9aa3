//! Transactions: records in many partitions, and offsets of what was read for them, that count all together or not at all.
//!
//! - [`TransactionalProducer`]: the calls.
//! - [`TransactionConfig`]: what may be set.
//! - [`TransactionError`], [`Remedy`]: what may go wrong, and what to do then.
//! - `state`: how the producer stands, and what each failure means for that.
//! - `shared`: what calls and the sender share; `coordinator`: the broker that both ask.
//! - `enlisting`, `offsets`, `ends`: partitions and offsets that are added, how transactions end.
//!
//! The client speaks both generations of the protocol: the one in which partitions are added by requests of their own
//! (KIP-98), and the one in which each transaction has its own epoch (KIP-890), where the cluster has finalised
//! `transaction.version` 2. Which one it is, is asked when the producer gets its identity, and holds for its life.

mod config;
mod coordinator;
mod ends;
mod enlisting;
mod error;
mod offsets;
mod shared;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::{Acks, Producer, ProducerConfig, ProducerRecord, SendError, Ticket};
use crate::{
    TopicPartition,
    consumer::{GroupMetadata, OffsetAndMetadata},
    metrics::Metrics,
    transport::Transport,
};
pub use config::TransactionConfig;
pub(super) use enlisting::Enlisted;
pub use error::{Operation, Remedy, TransactionCause, TransactionError};
use offsets::SendOffsets;
pub(super) use shared::Transactions;

/// Writes records in transactions.
///
/// One transaction is open at a time. Its records may be sent from many tasks at once; the other calls are made one after
/// the other. [`TransactionError::remedy`] says what may be done about a failure.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{ProducerConfig, ProducerRecord, TransactionalProducer};
/// use mainstem_client::producer::{Remedy, TransactionConfig};
///
/// let config = ProducerConfig::default();
/// let producer = TransactionalProducer::new(&transport, config, TransactionConfig::new("billing-1"));
/// producer.init_transactions().await?;
/// producer.begin()?;
/// for number in 0..100 {
///     drop(producer.send(ProducerRecord::new("greetings").value(format!("{number}"))).await?);
/// }
/// match producer.commit().await {
///     Ok(()) => println!("all hundred are there"),
///     Err(error) if error.remedy() == Remedy::Abort => producer.abort().await?,
///     Err(error) => return Err(error.into()),
/// }
/// producer.close().await;
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct TransactionalProducer {
    producer: Producer,
    transactions: Arc<Transactions>,
}

impl TransactionalProducer {
    /// A producer with connections of its own. Must be called within a runtime, on which it starts its task. Records of
    /// transactions are idempotent and acknowledged by all, whatever `config` says.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{ProducerConfig, TransactionalProducer, producer::TransactionConfig};
    ///
    /// let config = ProducerConfig::default();
    /// let producer = TransactionalProducer::new(&transport, config, TransactionConfig::new("billing-1"));
    /// producer.init_transactions().await?;
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn new(transport: &dyn Transport, config: ProducerConfig, transactions: TransactionConfig) -> Self {
        let config = ProducerConfig { acks: Acks::All, idempotent: true, ..config };
        let (producer, transactions) = Producer::transactional(transport, config, transactions);
        Self { producer, transactions }
    }

    /// Gets the producer its identity. Others of the same transactional id are fenced, and the transaction that one of them
    /// has left open is aborted; a transaction that is being committed is waited for.
    ///
    /// # Errors
    /// Where no coordinator gives an identity within [`ProducerConfig::max_block`], or it refuses to.
    ///
    /// # Cancel safety
    /// Dropped, others may be fenced all the same; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{ProducerConfig, TransactionalProducer, producer::TransactionConfig};
    ///
    /// let config = ProducerConfig::default();
    /// let producer = TransactionalProducer::new(&transport, config, TransactionConfig::new("billing-1"));
    /// producer.init_transactions().await?;
    /// producer.begin()?;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn init_transactions(&self) -> Result<(), TransactionError> {
        let _turn = self.transactions.turn(Operation::Init)?;
        self.transactions.identify().await
    }

    /// Begins a transaction. No broker hears of it before there is something in it.
    ///
    /// # Errors
    /// Where the last one is not over, or the producer has failed.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{ProducerConfig, TransactionalProducer, producer::{Remedy, TransactionConfig}};
    ///
    /// let config = ProducerConfig::default();
    /// let producer = TransactionalProducer::new(&transport, config, TransactionConfig::new("billing-1"));
    /// producer.init_transactions().await?;
    /// producer.begin()?;
    /// assert_eq!(producer.begin().unwrap_err().remedy(), Remedy::Mend);
    /// # Ok(())
    /// # });
    /// ```
    pub fn begin(&self) -> Result<(), TransactionError> {
        let _turn = self.transactions.turn(Operation::Begin)?;
        self.producer.accumulator.resume();
        Ok(())
    }

    /// Takes a record into the open transaction, as [`Producer::send`] does. It need not be awaited that the record is stored:
    /// [`Self::commit`] does, and fails if one was not.
    ///
    /// # Errors
    /// Where no transaction is open, the open one has failed, or the record is not taken. In the last case
    /// ([`TransactionError::Send`]) the record is no part of the transaction, which is as it was.
    ///
    /// # Cancel safety
    /// As of [`Producer::send`].
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{ProducerConfig, ProducerRecord, TransactionalProducer, producer::TransactionConfig};
    ///
    /// let config = ProducerConfig::default();
    /// let producer = TransactionalProducer::new(&transport, config, TransactionConfig::new("billing-1"));
    /// producer.init_transactions().await?;
    /// producer.begin()?;
    /// let ticket = producer.send(ProducerRecord::new("greetings").value("hello")).await?;
    /// producer.commit().await?;
    /// println!("stored at {}", ticket.await?.offset);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn send(&self, record: ProducerRecord) -> Result<Ticket, TransactionError> {
        self.transactions.state().begin(Operation::Send)?;
        let sent = self.producer.send(record).await;
        sent.map_err(|error| match error {
            // It was open when this began.
            SendError::NoTransaction => match self.transactions.state().begin(Operation::Send) {
                Err(reason) => reason,
                Ok(()) => TransactionError::Send(error),
            },
            error => TransactionError::Send(error),
        })
    }

    /// Makes offsets of a group a part of the open transaction: they are committed when it is. Names the member that has read,
    /// so that one that the group has gone on without cannot commit ([`crate::Consumer::group_metadata`]).
    ///
    /// # Errors
    /// Where no transaction is open, or brokers refuse; after a refusal because of the member, the transaction has to be
    /// aborted. Where it was not answered in time, the transaction can be committed only after this was called again.
    ///
    /// # Cancel safety
    /// Dropped, the offsets may be in the transaction or not: call it again, or abort.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Offset, ProducerConfig, TopicPartition, TransactionalProducer};
    /// use mainstem_client::{consumer::GroupMetadata, producer::TransactionConfig};
    ///
    /// let config = ProducerConfig::default();
    /// let producer = TransactionalProducer::new(&transport, config, TransactionConfig::new("billing-1"));
    /// producer.init_transactions().await?;
    /// producer.begin()?;
    /// let read = [(TopicPartition::new("greetings", 0), Offset(2).into())];
    /// producer.send_offsets_to_transaction(&read, &GroupMetadata::of_group("readers")).await?;
    /// assert_eq!(transport.committed("readers", "greetings", 0), None);
    /// producer.commit().await?;
    /// assert_eq!(transport.committed("readers", "greetings", 0), Some(2));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn send_offsets_to_transaction(
        &self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        group: &GroupMetadata,
    ) -> Result<(), TransactionError> {
        let _turn = self.transactions.turn(Operation::SendOffsets)?;
        if offsets.is_empty() {
            return Ok(());
        }
        let send = SendOffsets { transactions: &self.transactions, group, offsets };
        send.run(&self.producer.cluster).await
    }

    /// Commits the open transaction: sends what waits, and has the coordinator decide once all of it is stored. From then on
    /// those who read committed records see it, all of it before long.
    ///
    /// Takes no longer than [`ProducerConfig::delivery_timeout`] and [`ProducerConfig::max_block`] together. Where the time is
    /// over before the coordinator has answered, call it again: only that finds out what has become of the transaction.
    ///
    /// # Errors
    /// Where a record was not stored, or the coordinator refuses.
    ///
    /// # Cancel safety
    /// Dropped, the transaction may be committed or not; call it again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{ProducerConfig, ProducerRecord, TransactionalProducer, producer::TransactionConfig};
    ///
    /// let config = ProducerConfig::default();
    /// let producer = TransactionalProducer::new(&transport, config, TransactionConfig::new("billing-1"));
    /// producer.init_transactions().await?;
    /// producer.begin()?;
    /// drop(producer.send(ProducerRecord::new("greetings").value("hello")).await?);
    /// producer.commit().await?;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn commit(&self) -> Result<(), TransactionError> {
        let _turn = self.transactions.turn(Operation::Commit)?;
        self.producer.accumulator.pause();
        self.producer.flush().await;
        if let Some(trouble) = self.transactions.state().trouble() {
            return Err(trouble);
        }
        self.transactions.end(Operation::Commit).await
    }

    /// Aborts the open transaction, or one that has failed. Records that were not sent yet are given up, those under way are
    /// waited for. The next transaction may begin then.
    ///
    /// # Errors
    /// Where the producer is fenced or has failed, or the coordinator does not answer in time.
    ///
    /// # Cancel safety
    /// Dropped, the transaction cannot be committed any more; call it again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{ProducerConfig, ProducerRecord, TransactionalProducer, producer::TransactionConfig};
    ///
    /// let config = ProducerConfig::default();
    /// let producer = TransactionalProducer::new(&transport, config, TransactionConfig::new("billing-1"));
    /// producer.init_transactions().await?;
    /// producer.begin()?;
    /// drop(producer.send(ProducerRecord::new("greetings").value("never mind")).await?);
    /// producer.abort().await?;
    /// producer.begin()?;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn abort(&self) -> Result<(), TransactionError> {
        let _turn = self.transactions.turn(Operation::Abort)?;
        self.producer.accumulator.pause();
        self.producer.flush().await;
        self.transactions.settled().await;
        self.transactions.end(Operation::Abort).await
    }

    /// Sends what waits, as [`Producer::flush`] does. A commit does so by itself.
    ///
    /// # Cancel safety
    /// As of [`Producer::flush`].
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{ProducerConfig, ProducerRecord, TransactionalProducer, producer::TransactionConfig};
    ///
    /// let config = ProducerConfig::default();
    /// let producer = TransactionalProducer::new(&transport, config, TransactionConfig::new("billing-1"));
    /// producer.init_transactions().await?;
    /// producer.begin()?;
    /// drop(producer.send(ProducerRecord::new("greetings").partition(0).value("hello")).await?);
    /// producer.flush().await;
    /// assert_eq!(transport.batches("greetings", 0).last().map(|batch| batch.header().record_count), Some(1));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn flush(&self) {
        self.producer.flush().await;
    }

    /// What this producer has done so far.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{ProducerConfig, TransactionalProducer, producer::TransactionConfig};
    ///
    /// let config = ProducerConfig::default();
    /// let producer = TransactionalProducer::new(&transport, config, TransactionConfig::new("billing-1"));
    /// producer.init_transactions().await?;
    /// assert_eq!(producer.metrics().requests["InitProducerId"].count, 1);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.producer.metrics()
    }

    /// Aborts the transaction that is open, so that nobody has to wait for its timeout, and ends the producer's task. One
    /// that is being committed is left to the coordinator.
    ///
    /// # Cancel safety
    /// Dropped, a transaction may be left open; the broker aborts it when its time is over.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{ProducerConfig, TransactionalProducer, producer::TransactionConfig};
    ///
    /// let config = ProducerConfig::default();
    /// let producer = TransactionalProducer::new(&transport, config, TransactionConfig::new("billing-1"));
    /// producer.init_transactions().await?;
    /// producer.close().await;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn close(self) {
        let is_unfinished = self.transactions.state().is_unfinished();
        if is_unfinished && let Err(error) = self.abort().await {
            tracing::warn!(%error, id = %self.transactions.id(), "transaction was left open");
        }
        self.producer.close().await;
    }
}
