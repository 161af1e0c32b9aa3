//! Offsets: how far the consumer was read, what its group has committed, and where logs begin and end.

use std::{collections::HashMap, sync::Arc};

use mainstem_protocol::{Offset, Text};
use tokio::time::Instant;

use super::{
    CommitError, CommittedError, Committing, Consumer, GroupProtocol, OffsetAndMetadata,
    group::{
        Membership, is_cooperative,
        offsets::{Commit, Lookup},
    },
};
use crate::{
    TopicPartition, caps,
    cluster::MetadataError,
    offsets::{ListOffsetsError, OffsetSpec},
};

impl Consumer {
    /// Commits how far the partitions were read: everything that polls have handed out so far.
    ///
    /// # Errors
    /// Where the group does not take the offsets.
    ///
    /// # Cancel safety
    /// Dropped, the positions may be committed all the same; no record is lost by it, and it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, consumer::OffsetReset};
    ///
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::group("readers") };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.subscribe(["greetings"])?;
    /// consumer.next().await?;
    /// consumer.commit_consumed().await?;
    /// // The first of the two records was taken, so the group goes on at the second.
    /// assert_eq!(transport.committed("readers", "greetings", 0), Some(1));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn commit_consumed(&mut self) -> Result<(), CommitError> {
        let consumed = self.positions.consumed();
        self.commit(&consumed).await
    }

    /// Commits offsets: for each partition the one to go on at, with a few words of the program's own if it likes
    /// ([`OffsetAndMetadata`]). What fails for a passing reason is tried again, until [`ConsumerConfig::timeout`] is over;
    /// where the group moves partitions one by one, the end of a rebalance under way is waited for as well.
    ///
    /// [`ConsumerConfig::timeout`]: super::ConsumerConfig::timeout
    ///
    /// # Errors
    /// Where the group does not take them, or has gone on without this member.
    ///
    /// # Cancel safety
    /// Dropped, the offsets may be committed all the same; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, consumer::OffsetReset};
    ///
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::group("readers") };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.subscribe(["greetings"])?;
    /// let next = consumer.next().await?;
    /// consumer.commit(&[(next.partition, next.record.offset.plus(1))]).await?;
    /// assert_eq!(transport.committed("readers", "greetings", 0), Some(1));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn commit<O: Clone + Into<OffsetAndMetadata>>(
        &mut self,
        offsets: &[(TopicPartition, O)],
    ) -> Result<(), CommitError> {
        let commit = self.prepare(offsets)?;
        // The older offsets of a commit that is still on its way must not come behind these.
        self.commits.settled().await;
        commit.run().await
    }

    /// Begins to commit offsets, as [`Self::commit`], and does not wait for the group's word: the result is a future that may
    /// be awaited or dropped, the commit goes on all the same. Commits take place in the order in which they were begun;
    /// one whose [`ConsumerConfig::timeout`] is over before its turn fails without being tried. Must be called within a
    /// runtime.
    ///
    /// [`ConsumerConfig::timeout`]: super::ConsumerConfig::timeout
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, consumer::OffsetReset};
    ///
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::group("readers") };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.subscribe(["greetings"])?;
    /// let next = consumer.next().await?;
    /// let committing = consumer.commit_async(&[(next.partition, next.record.offset.plus(1))]);
    /// println!("working on {:?} meanwhile", next.record.value);
    /// committing.await?;
    /// # Ok(())
    /// # });
    /// ```
    pub fn commit_async<O: Clone + Into<OffsetAndMetadata>>(
        &mut self,
        offsets: &[(TopicPartition, O)],
    ) -> Committing {
        match self.prepare(offsets) {
            Ok(commit) => self.commits.begin(commit),
            Err(error) => Committing::failed(error),
        }
    }

    /// Begins to commit how far the partitions were read, as [`Self::commit_consumed`], without waiting for the group's
    /// word; see [`Self::commit_async`].
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, consumer::OffsetReset};
    ///
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::group("readers") };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.subscribe(["greetings"])?;
    /// for _ in 0..2 {
    ///     consumer.next().await?;
    ///     drop(consumer.commit_consumed_async());
    /// }
    /// // Closing waits for what was begun.
    /// consumer.close().await;
    /// assert!(transport.committed("readers", "greetings", 0).is_some());
    /// # Ok(())
    /// # });
    /// ```
    pub fn commit_consumed_async(&mut self) -> Committing {
        self.commit_async(&self.positions.consumed())
    }

    fn prepare<O: Clone + Into<OffsetAndMetadata>>(
        &self,
        offsets: &[(TopicPartition, O)],
    ) -> Result<Commit, CommitError> {
        let offsets = offsets.iter().map(|(partition, offset)| (partition.clone(), offset.clone().into()));
        Ok(Commit {
            coordinator: Arc::clone(&self.coordinator),
            group: self.config.group_id.clone().ok_or(CommitError::NoGroup)?,
            instance: self.config.group_instance_id.clone(),
            member: self.membership.as_ref().map(Membership::identity),
            waits_for_rebalance: is_cooperative(&self.config),
            offsets: offsets.collect(),
            deadline: Instant::now() + self.config.timeout.min(caps::WAIT_MAX),
        })
    }

    /// What the group has committed; partitions for which it has nothing are left out.
    ///
    /// # Errors
    /// Where that is not known.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, Offset, consumer::OffsetReset};
    ///
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::group("readers") };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.subscribe(["greetings"])?;
    /// let next = consumer.next().await?;
    /// consumer.commit_consumed().await?;
    /// assert_eq!(consumer.committed(&[next.partition.clone()]).await?[&next.partition], Offset(1));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Offset>, CommittedError> {
        let committed = self.committed_with_metadata(partitions).await?;
        Ok(committed.into_iter().map(|(partition, committed)| (partition, committed.offset)).collect())
    }

    /// As [`Self::committed`], with what was said beside the offsets.
    ///
    /// # Errors
    /// As [`Self::committed`].
    ///
    /// # Cancel safety
    /// As [`Self::committed`].
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, Offset, TopicPartition, consumer::OffsetAndMetadata};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
    /// let said = OffsetAndMetadata { metadata: "on Monday".into(), ..Offset(1).into() };
    /// consumer.commit(&[(first.clone(), said.clone())]).await?;
    /// assert_eq!(consumer.committed_with_metadata(&[first.clone()]).await?[&first], said);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn committed_with_metadata(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, OffsetAndMetadata>, CommittedError> {
        let group = self.config.group_id.as_ref().ok_or(CommittedError::NoGroup)?;
        let has_own_epoch = self.config.group_protocol == GroupProtocol::Consumer;
        let lookup = Lookup {
            coordinator: &self.coordinator,
            group,
            member: self.membership.as_ref().filter(|_| has_own_epoch).map(Membership::identity),
            partitions,
            limit: self.config.timeout,
        };
        lookup.run().await
    }

    /// The offsets behind the last records.
    ///
    /// # Errors
    /// Where one of them cannot be had.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, Offset, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// assert_eq!(consumer.end_offsets(&[first.clone()]).await?[&first], Offset(2));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn end_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Offset>, ListOffsetsError> {
        self.offsets(partitions, OffsetSpec::Latest).await
    }

    /// Up to where what was written into a partition is settled, as it was last seen: where the first transaction begins
    /// that is still open, or the end where none is. Whoever reads committed records gets nothing behind that. None before
    /// the first records were asked for.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, Offset, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// consumer.next().await?;
    /// assert_eq!(consumer.last_stable_offset(&first), Some(Offset(2)));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn last_stable_offset(&self, partition: &TopicPartition) -> Option<Offset> {
        self.positions.get(partition).map(|position| position.ends.last_stable).filter(|end| end.0 >= 0)
    }

    /// When a broker last told what [`Self::high_watermark`] and [`Self::last_stable_offset`] say: while it does not answer
    /// they may be old. None before the first records were asked for.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// assert_eq!(consumer.ends_told_at(&first), None);
    /// consumer.next().await?;
    /// assert!(consumer.ends_told_at(&first).is_some());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn ends_told_at(&self, partition: &TopicPartition) -> Option<Instant> {
        self.positions.get(partition)?.told
    }

    /// The offsets of the first records.
    ///
    /// # Errors
    /// Where one of them cannot be had.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, Offset, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// assert_eq!(consumer.beginning_offsets(&[first.clone()]).await?[&first], Offset(0));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn beginning_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Offset>, ListOffsetsError> {
        self.offsets(partitions, OffsetSpec::Earliest).await
    }

    /// The offsets of all partitions by the same question; [`Offset::NONE`] where a time is after all records.
    ///
    /// # Errors
    /// Where one of them cannot be had.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, Offset, OffsetSpec, Timestamp, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// let at = OffsetSpec::Timestamp(Timestamp(1500));
    /// assert_eq!(consumer.offsets(&[first.clone()], at).await?[&first], Offset(1));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn offsets(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<HashMap<TopicPartition, Offset>, ListOffsetsError> {
        let wanted: Vec<_> = partitions.iter().map(|partition| (partition.clone(), spec)).collect();
        let found =
            self.cluster.list_offsets_for(&wanted, self.config.isolation, self.config.timeout).await?;
        Ok(found.into_iter().map(|(partition, found)| (partition, found.offset)).collect())
    }

    /// The partitions of a topic, in order.
    ///
    /// # Errors
    /// Where the topic cannot be had.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed, unless the topic was to be created; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// let all = consumer.partitions("greetings").await?;
    /// consumer.assign(all);
    /// assert_eq!(consumer.assignment().len(), 2);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn partitions(&self, topic: &str) -> Result<Vec<TopicPartition>, MetadataError> {
        let name = Text::from(topic);
        let topic = self.cluster.topic(&name, self.config.creates_topics, self.config.timeout).await?;
        let place = |id| TopicPartition { topic: topic.name.clone(), partition: id };
        Ok(topic.partitions.iter().map(|partition| place(partition.id)).collect())
    }
}
