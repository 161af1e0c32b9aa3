//! What a program does when partitions come and go.

use std::{fmt, ops::Deref};

use mainstem_protocol::Offset;

use super::{CommitError, Consumer};
use crate::{TopicPartition, offsets::OffsetSpec, transport::BoxFuture};

/// What a program does when the group gives it partitions or takes them away (Kafka: `ConsumerRebalanceListener`).
///
/// **When:** within [`Consumer::poll`], [`Consumer::next`] or [`Consumer::stream`], on the task that polls, before the call
/// returns; never beside it. The member's heartbeats go on meanwhile, but the group waits, for at most
/// [`ConsumerConfig::poll_interval_max`](super::ConsumerConfig).
///
/// **In which order:** what goes is told before what comes. With eager assignors everything is revoked by each rebalance
/// and assigned anew; with [`Assignor::CooperativeSticky`](super::Assignor) alone, and in KIP-848 groups, only what moves.
/// Positions are committed before `revoked` where the consumer commits by itself.
///
/// **Cancelling:** where the call that polls is dropped while a method runs, the next call runs it again from its
/// beginning.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{
///     Consumer, ConsumerConfig, TopicPartition,
///     consumer::{OffsetReset, Rebalance, RebalanceListener},
///     transport::BoxFuture,
/// };
///
/// struct CommitFirst;
///
/// impl RebalanceListener for CommitFirst {
///     fn revoked<'a>(
///         &'a self,
///         consumer: &'a mut Rebalance<'_>,
///         partitions: &'a [TopicPartition],
///     ) -> BoxFuture<'a, ()> {
///         Box::pin(async move {
///             println!("{partitions:?} go to others, who read on where this commits");
///             if let Err(error) = consumer.commit_consumed().await {
///                 println!("others read some records again: {error}");
///             }
///         })
///     }
/// }
///
/// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::group("readers") };
/// let mut consumer = Consumer::new(&transport, config);
/// consumer.on_rebalance(CommitFirst);
/// consumer.subscribe(["greetings"])?;
/// consumer.next().await?;
/// # Ok(())
/// # });
/// ```
pub trait RebalanceListener: Send + Sync + 'static {
    /// These partitions are this member's now, beside those that it had and was not told to let go. Positions may be
    /// set by [`Rebalance::seek`] before the first record is taken.
    fn assigned<'a>(
        &'a self,
        consumer: &'a mut Rebalance<'_>,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        let _ = (consumer, partitions);
        Box::pin(std::future::ready(()))
    }

    /// These partitions go to others once this returns. They are this member's until then: offsets can be committed.
    fn revoked<'a>(
        &'a self,
        consumer: &'a mut Rebalance<'_>,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        let _ = (consumer, partitions);
        Box::pin(std::future::ready(()))
    }

    /// These partitions are others' already: nothing can be committed. Does as [`Self::revoked`], unless it is
    /// implemented as well.
    fn lost<'a>(
        &'a self,
        consumer: &'a mut Rebalance<'_>,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        self.revoked(consumer, partitions)
    }
}

/// A consumer in the middle of a rebalance: it can do everything but poll.
///
/// ```
/// use mainstem_client::{Offset, TopicPartition, consumer::{Rebalance, RebalanceListener}, transport::BoxFuture};
///
/// /// Reads every partition that comes from its beginning.
/// struct FromTheBeginning;
///
/// impl RebalanceListener for FromTheBeginning {
///     fn assigned<'a>(&'a self, consumer: &'a mut Rebalance<'_>, new: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
///         new.iter().for_each(|partition| consumer.seek(partition, Offset(0)));
///         println!("now {} partitions", consumer.assignment().len());
///         Box::pin(async {})
///     }
/// }
/// ```
pub struct Rebalance<'a>(pub(super) &'a mut Consumer);

impl fmt::Debug for Rebalance<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Deref for Rebalance<'_> {
    type Target = Consumer;

    fn deref(&self) -> &Consumer {
        self.0
    }
}

impl Rebalance<'_> {
    /// As [`Consumer::commit_consumed`].
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// use mainstem_client::consumer::Rebalance;
    ///
    /// async fn hand_in(consumer: &mut Rebalance<'_>) {
    ///     if let Err(error) = consumer.commit_consumed().await {
    ///         println!("{error}");
    ///     }
    /// }
    /// ```
    pub async fn commit_consumed(&mut self) -> Result<(), CommitError> {
        self.0.commit_consumed().await
    }

    /// As [`Consumer::commit`].
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// use mainstem_client::{Offset, TopicPartition, consumer::Rebalance};
    ///
    /// async fn hand_in(consumer: &mut Rebalance<'_>, done: &[(TopicPartition, Offset)]) {
    ///     if let Err(error) = consumer.commit(done).await {
    ///         println!("{error}");
    ///     }
    /// }
    /// ```
    pub async fn commit<O: Clone + Into<super::OffsetAndMetadata>>(
        &mut self,
        offsets: &[(TopicPartition, O)],
    ) -> Result<(), CommitError> {
        self.0.commit(offsets).await
    }

    /// As [`Consumer::seek`].
    ///
    /// ```
    /// use mainstem_client::{Offset, TopicPartition, consumer::Rebalance};
    ///
    /// fn rewind(consumer: &mut Rebalance<'_>, partition: &TopicPartition) {
    ///     consumer.seek(partition, Offset(0));
    /// }
    /// ```
    pub fn seek(&mut self, partition: &TopicPartition, offset: Offset) {
        self.0.seek(partition, offset);
    }

    /// As [`Consumer::seek_to`].
    ///
    /// ```
    /// use mainstem_client::{OffsetSpec, TopicPartition, consumer::Rebalance};
    ///
    /// fn skip(consumer: &mut Rebalance<'_>, partition: &TopicPartition) {
    ///     consumer.seek_to(partition, OffsetSpec::Latest);
    /// }
    /// ```
    pub fn seek_to(&mut self, partition: &TopicPartition, spec: OffsetSpec) {
        self.0.seek_to(partition, spec);
    }

    /// As [`Consumer::pause`].
    ///
    /// ```
    /// use mainstem_client::{TopicPartition, consumer::Rebalance};
    ///
    /// fn hold(consumer: &mut Rebalance<'_>, partition: &TopicPartition) {
    ///     consumer.pause(partition);
    /// }
    /// ```
    pub fn pause(&mut self, partition: &TopicPartition) {
        self.0.pause(partition);
    }

    /// As [`Consumer::resume`].
    ///
    /// ```
    /// use mainstem_client::{TopicPartition, consumer::Rebalance};
    ///
    /// fn go_on(consumer: &mut Rebalance<'_>, partition: &TopicPartition) {
    ///     consumer.resume(partition);
    /// }
    /// ```
    pub fn resume(&mut self, partition: &TopicPartition) {
        self.0.resume(partition);
    }
}
