//! Reads records: of partitions that one chooses, or as a member of a group that shares them out.
//!
//! - [`ConsumerConfig`]: what may be set.
//! - [`PartitionRecords`]: what is handed out; `position` how far each partition was read.
//! - `poll`: the ways to take records: several, one by one, as a stream; and news of the group.
//! - `fetcher`: the requests that bring records, ahead of whoever wants them.
//! - `fetch_session`: what those need not name.
//! - `places`: offsets: those to commit, those that were committed, those of the log.
//! - [`RebalanceListener`]: what a program does when partitions come and go.
//! - `group`: membership, assignors, commits.
//!
//! **Cancelling.** Every future of a consumer may be dropped at any time: records count as taken only when a call returns
//! them, so none is lost and none is handed out twice. What was asked of a broker goes on or is asked again by the next
//! call. Where more is to be said, it stands with the method.

mod aborted;
mod config;
mod error;
mod fetch_session;
mod fetcher;
mod group;
mod member;
mod numbers;
mod places;
mod poll;
mod position;
mod rebalance;
mod records;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use mainstem_protocol::{Offset, Text, records::Decompressor};
use tokio::time::Instant;

use crate::{TopicPartition, cluster::Cluster, offsets::OffsetSpec, transport::Transport};
pub use config::{ConsumerConfig, GroupProtocol, IsolationLevel, OffsetReset};
pub use error::{CommitError, CommittedError, ConsumeError, Damage, GroupError};
use fetcher::Fetcher;
pub(crate) use group::offsets::{commit_topics, found_in as committed_in, request as committed_request};
use group::{Event, Interest, Membership, Pattern, coordinator::Coordinator, offsets::Commits};
pub use group::{
    LeaveMode,
    assignor::Assignor,
    offsets::{Committing, OffsetAndMetadata},
};
pub use member::GroupMetadata;
use poll::News;
use position::{Place, Positions};
pub use rebalance::{Rebalance, RebalanceListener};
pub use records::{PartitionRecord, PartitionRecords};

/// What a poll brings.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::time::Duration;
/// use mainstem_client::{Consumer, ConsumerConfig, consumer::Polled};
///
/// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
/// consumer.subscribe(["greetings"])?;
/// match consumer.poll(Duration::from_secs(10)).await? {
///     Polled::Records(batches) => println!("records of {} partitions", batches.len()),
///     Polled::Assigned(partitions) => println!("reading {partitions:?}"),
///     Polled::Revoked(partitions) => println!("finish and commit what is left of {partitions:?}"),
///     Polled::Lost(partitions) => println!("others have read on in {partitions:?}"),
///     Polled::Nothing => println!("nothing for ten seconds"),
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug)]
pub enum Polled {
    /// Records, at most one entry for each partition.
    Records(Vec<PartitionRecords>),
    /// The group gave these partitions to this member, and no others.
    Assigned(Vec<TopicPartition>),
    /// These partitions go to others: all that there are, or with cooperative assignors and in KIP-848 groups those that
    /// move. Until the next poll they still belong to this member, and what was done with them can be committed.
    Revoked(Vec<TopicPartition>),
    /// These partitions belonged to this member, and belong to others now: nothing can be committed.
    Lost(Vec<TopicPartition>),
    /// Nothing, within the time.
    Nothing,
}

/// Reads records of a cluster.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Consumer, ConsumerConfig, consumer::OffsetReset};
///
/// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::group("readers") };
/// let mut consumer = Consumer::new(&transport, config);
/// consumer.subscribe(["greetings"])?;
/// for _ in 0..2 {
///     let next = consumer.next().await?;
///     println!("{} at {}: {:?}", next.partition, next.record.offset, next.record.value);
///     consumer.commit_consumed().await?;
/// }
/// consumer.close().await;
/// # Ok(())
/// # });
/// ```
pub struct Consumer {
    config: Arc<ConsumerConfig>,
    cluster: Arc<Cluster>,
    coordinator: Arc<Coordinator>,
    positions: Positions,
    fetcher: Fetcher,
    decompressor: Decompressor,
    membership: Option<Membership>,
    /// What the next membership is to read, once the one that is has handed in its work.
    wants: Option<Interest>,
    listener: Option<Arc<dyn RebalanceListener>>,
    /// What happened to the member, and has not been heeded yet.
    event: Option<Event>,
    /// News of the group that nobody was told yet.
    news: Option<News>,
    /// Partitions that the consumer was told to let go, and lets go with the next poll.
    letting_go: Option<News>,
    commits: Commits,
    committed_at: Instant,
    /// Something may have to be asked of brokers before the next record is taken. Not looked at for every single record:
    /// there may be a thousand partitions.
    asks: bool,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("positions", &self.positions).finish_non_exhaustive()
    }
}

impl Consumer {
    /// A consumer with connections of its own, that reads nothing yet.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig};
    ///
    /// let consumer = Consumer::new(&transport, ConsumerConfig::default());
    /// assert!(consumer.assignment().is_empty());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn new(transport: &dyn Transport, config: ConsumerConfig) -> Self {
        let config = Arc::new(config);
        let cluster = Arc::new(Cluster::new(transport.split(), config.request_timeout));
        Self {
            fetcher: Fetcher::new(Arc::clone(&config), Arc::clone(&cluster)),
            config,
            coordinator: Arc::new(Coordinator::new(Arc::clone(&cluster))),
            cluster,
            positions: Positions::default(),
            decompressor: Decompressor::new(),
            membership: None,
            wants: None,
            listener: None,
            event: None,
            news: None,
            letting_go: None,
            commits: Commits::default(),
            committed_at: Instant::now(),
            asks: true,
        }
    }

    /// Reads topics as a member of the group, which shares out their partitions. Must be called within a runtime. A consumer
    /// that has partitions already as a member hands those in at its next poll, as when it is closed, and joins then.
    ///
    /// # Errors
    /// Where the consumer has no group.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::Polled};
    ///
    /// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
    /// consumer.subscribe(["greetings"])?;
    /// let Polled::Assigned(partitions) = consumer.poll(Duration::from_secs(30)).await? else { panic!("no member") };
    /// assert_eq!(partitions, [TopicPartition::new("greetings", 0), TopicPartition::new("greetings", 1)]);
    /// # Ok(())
    /// # });
    /// ```
    pub fn subscribe<T: Into<Text>>(
        &mut self,
        topics: impl IntoIterator<Item = T>,
    ) -> Result<(), GroupError> {
        self.join(Interest::Topics(topics.into_iter().map(Into::into).collect()))
    }

    /// Reads the topics whose whole name matches a regular expression, also those that come later, as a member of the
    /// group. In a classic group the expression is this client's (that of the `regex` crate), and topics are looked for
    /// every [`ConsumerConfig::metadata_age_max`]; in a KIP-848 group it is the broker's (Kafka: RE2/J). The brokers' own
    /// topics never match. Must be called within a runtime.
    ///
    /// # Errors
    /// Where the consumer has no group, or the pattern is no regular expression.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Consumer, ConsumerConfig, consumer::Polled};
    ///
    /// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
    /// consumer.subscribe_pattern("greet.*")?;
    /// let Polled::Assigned(partitions) = consumer.poll(Duration::from_secs(30)).await? else { panic!("no member") };
    /// assert_eq!(&*partitions[0].topic, "greetings");
    /// # Ok(())
    /// # });
    /// ```
    pub fn subscribe_pattern(&mut self, pattern: impl Into<Text>) -> Result<(), GroupError> {
        self.join(Interest::Pattern(Pattern::new(pattern.into(), self.config.group_protocol)?))
    }

    fn join(&mut self, interest: Interest) -> Result<(), GroupError> {
        let group = self.config.group_id.clone().ok_or(GroupError::NoGroup)?;
        let has_work = self.membership.is_some() && !self.positions.is_empty();
        if has_work {
            self.wants = Some(interest);
        } else {
            self.start(group, interest);
        }
        Ok(())
    }

    fn start(&mut self, group: Text, interest: Interest) {
        let (config, cluster) = (Arc::clone(&self.config), Arc::clone(&self.cluster));
        self.forget_group();
        self.positions.assign([]);
        self.membership = Some(Membership::start(config, cluster, group, interest));
    }

    /// Has a listener told what partitions come and go, in place of the one there was.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, consumer::RebalanceListener};
    ///
    /// struct Indifferent;
    /// impl RebalanceListener for Indifferent {}
    ///
    /// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
    /// consumer.on_rebalance(Indifferent);
    /// consumer.subscribe(["greetings"])?;
    /// # Ok(())
    /// # });
    /// ```
    pub fn on_rebalance(&mut self, listener: impl RebalanceListener) {
        self.listener = Some(Arc::new(listener));
    }

    /// Reads these partitions and no others. Those that are read already go on where they are; the others begin at
    /// what the group has committed, if there is a group and it has, else where the settings say.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// assert_eq!(consumer.next().await?.record.value.as_deref(), Some(b"hello".as_slice()));
    /// # Ok(())
    /// # });
    /// ```
    pub fn assign(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        self.forget_group();
        self.positions.assign(partitions);
    }

    /// Gives up the membership there is, with what it had to say and what was still to be done for it.
    fn forget_group(&mut self) {
        self.membership = None;
        self.wants = None;
        self.event = None;
        self.news = None;
        self.letting_go = None;
        self.asks = true;
    }

    /// The partitions that are read.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// assert_eq!(consumer.assignment(), [first]);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.positions.partitions()
    }

    /// Goes on at an offset. A partition that is not read is left alone.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, Offset, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// consumer.seek(&first, Offset(1));
    /// assert_eq!(consumer.next().await?.record.value.as_deref(), Some(b"world".as_slice()));
    /// # Ok(())
    /// # });
    /// ```
    pub fn seek(&mut self, partition: &TopicPartition, offset: Offset) {
        self.place(partition, Place::At(offset));
    }

    /// Goes on at the first or last record, or at a time. A partition that is not read is left alone.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, OffsetSpec, Timestamp, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// consumer.seek_to(&first, OffsetSpec::Timestamp(Timestamp(1500)));
    /// assert_eq!(consumer.next().await?.record.timestamp, Timestamp(2000));
    /// # Ok(())
    /// # });
    /// ```
    pub fn seek_to(&mut self, partition: &TopicPartition, spec: OffsetSpec) {
        self.place(partition, Place::Reset(spec));
    }

    fn place(&mut self, partition: &TopicPartition, place: Place) {
        if self.positions.get(partition).is_some() {
            self.positions.put(partition.clone(), place);
            self.asks = true;
        }
    }

    /// Where the next record of a partition comes from; none where that is not known yet.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, Offset, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// assert_eq!(consumer.position(&first), None);
    /// consumer.next().await?;
    /// assert_eq!(consumer.position(&first), Some(Offset(1)));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        match self.positions.get(partition)?.place {
            Place::At(offset) => Some(offset),
            Place::Committed | Place::Reset(_) => None,
        }
    }

    /// The end of a partition, as it was last seen; none before the first records were asked for.
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
    /// assert_eq!(consumer.high_watermark(&first), Some(Offset(2)));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn high_watermark(&self, partition: &TopicPartition) -> Option<Offset> {
        self.positions.get(partition).map(|position| position.ends.high_watermark).filter(|end| end.0 >= 0)
    }

    /// Reads nothing of a partition until [`Self::resume`]. What was fetched already is kept for then.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// consumer.pause(&first);
    /// let waited = tokio::time::timeout(std::time::Duration::from_millis(10), consumer.next()).await;
    /// assert!(waited.is_err());
    /// # Ok(())
    /// # });
    /// ```
    pub fn pause(&mut self, partition: &TopicPartition) {
        self.positions.get_mut(partition).into_iter().for_each(|position| position.paused = true);
    }

    /// Goes on reading a partition.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// consumer.pause(&first);
    /// consumer.resume(&first);
    /// consumer.next().await?;
    /// # Ok(())
    /// # });
    /// ```
    pub fn resume(&mut self, partition: &TopicPartition) {
        self.positions.get_mut(partition).into_iter().for_each(|position| position.paused = false);
        self.asks = true;
    }

    /// Commits where the settings want that, and leaves the group; a static member
    /// ([`ConsumerConfig::group_instance_id`]) does not leave, so that it finds its partitions when it comes back.
    /// [`RebalanceListener::revoked`] is called for what the member has.
    ///
    /// # Cancel safety
    /// Dropped, positions may be committed or not, and the group may count on this member until its session is over.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, consumer::OffsetReset};
    ///
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::group("readers") };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.subscribe(["greetings"])?;
    /// consumer.next().await?;
    /// consumer.close().await;
    /// assert_eq!(transport.members("readers"), 0);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn close(self) {
        self.close_with(LeaveMode::Default).await;
    }

    /// As [`Self::close`], and says whether the member leaves the group.
    ///
    /// # Cancel safety
    /// As [`Self::close`].
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, consumer::{LeaveMode, OffsetReset}};
    ///
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::group("readers") };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.subscribe(["greetings"])?;
    /// consumer.next().await?;
    /// // The group waits for it until its session is over.
    /// consumer.close_with(LeaveMode::Remain).await;
    /// assert_eq!(transport.members("readers"), 1);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn close_with(mut self, mode: LeaveMode) {
        self.commits.settled().await;
        self.hand_in().await;
        if let Some(membership) = self.membership.take() {
            membership.close(mode).await;
        }
        self.fetcher.close().await;
    }
}
