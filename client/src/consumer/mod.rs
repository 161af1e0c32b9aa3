//! Reads records: of partitions that one chooses, or as a member of a group that shares them out.
//!
//! - [`ConsumerConfig`]: what may be set.
//! - [`PartitionRecords`]: what is handed out; `position` how far each partition was read.
//! - `fetcher`: the requests that bring records, ahead of whoever wants them.
//! - `group`: membership, commits.

mod config;
mod error;
mod fetcher;
mod group;
mod position;
mod records;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use mainstem_protocol::{Offset, Text, records::Decompressor};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::{
    TopicPartition,
    cluster::Cluster,
    offsets::{ListOffsetsError, OffsetSpec},
    transport::Transport,
};
pub use config::{ConsumerConfig, OffsetReset};
pub use error::{CommitError, CommittedError, ConsumeError, Damage, GroupError};
use fetcher::{Fetcher, reset_spec};
pub(crate) use group::offsets::{answer as committed_answer, request as committed_request};
use group::{Event, MemberIdentity, Membership, offsets};
use position::{Place, Positions};
pub use records::PartitionRecords;

/// What a poll brings.
#[derive(Clone, Debug)]
pub enum Polled {
    /// Records, at most one entry for each partition.
    Records(Vec<PartitionRecords>),
    /// The group gave these partitions to this member, and no others.
    Assigned(Vec<TopicPartition>),
    /// The group changes. Until the next poll these partitions still belong to this member, and what was done
    /// with them can be committed.
    Revoked(Vec<TopicPartition>),
    /// These partitions belonged to this member, and belong to others now: nothing can be committed.
    Lost(Vec<TopicPartition>),
    /// Nothing, within the time.
    Nothing,
}

/// Reads records of a cluster.
///
/// ```no_run
/// use std::time::Duration;
/// use mainstem_client::{TcpConfig, TcpTransport};
/// use mainstem_client::consumer::{Consumer, ConsumerConfig, Polled};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let transport = TcpTransport::new(TcpConfig::bootstrap("127.0.0.1:9092"));
/// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
/// consumer.subscribe(["greetings"])?;
/// loop {
///     if let Polled::Records(batches) = consumer.poll(Duration::from_secs(1)).await? {
///         for record in batches.iter().flat_map(|batch| &batch.records) {
///             println!("{:?}", record.value);
///         }
///         consumer.commit_consumed().await?;
///     }
/// }
/// # }
/// ```
pub struct Consumer {
    config: Arc<ConsumerConfig>,
    cluster: Arc<Cluster>,
    positions: Positions,
    fetcher: Fetcher,
    decompressor: Decompressor,
    membership: Option<Membership>,
    member: MemberIdentity,
    /// The consumer was told to let its partitions go, and does so with the next poll.
    letting_go: bool,
    committed_at: Instant,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("positions", &self.positions).finish_non_exhaustive()
    }
}

impl Consumer {
    /// A consumer with connections of its own, that reads nothing yet.
    #[must_use]
    pub fn new(transport: &dyn Transport, config: ConsumerConfig) -> Self {
        let config = Arc::new(config);
        let cluster = Arc::new(Cluster::new(transport.split(), config.request_timeout));
        Self {
            fetcher: Fetcher::new(Arc::clone(&config), Arc::clone(&cluster)),
            config,
            cluster,
            positions: Positions::default(),
            decompressor: Decompressor::new(),
            membership: None,
            member: MemberIdentity::OUTSIDER,
            letting_go: false,
            committed_at: Instant::now(),
        }
    }

    /// Reads topics as a member of the group, which shares out their partitions. Must be called within a runtime.
    ///
    /// # Errors
    /// Where the consumer has no group.
    pub fn subscribe<T: Into<Text>>(
        &mut self,
        topics: impl IntoIterator<Item = T>,
    ) -> Result<(), GroupError> {
        let group = self.config.group_id.clone().ok_or(GroupError::NoGroup)?;
        let topics = topics.into_iter().map(Into::into).collect();
        let (config, cluster) = (Arc::clone(&self.config), Arc::clone(&self.cluster));
        self.positions.assign([]);
        self.membership = Some(Membership::start(config, cluster, group, topics));
        Ok(())
    }

    /// Reads these partitions and no others. Those that are read already go on where they are; the others begin at
    /// what the group has committed, if there is a group and it has, else where the settings say.
    pub fn assign(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        self.membership = None;
        self.member = MemberIdentity::OUTSIDER;
        self.positions.assign(partitions);
    }

    /// The partitions that are read.
    #[must_use]
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.positions.partitions()
    }

    /// Goes on at an offset. A partition that is not read is left alone.
    pub fn seek(&mut self, partition: &TopicPartition, offset: Offset) {
        self.place(partition, Place::At(offset));
    }

    /// Goes on at the first or last record, or at a time. A partition that is not read is left alone.
    pub fn seek_to(&mut self, partition: &TopicPartition, spec: OffsetSpec) {
        self.place(partition, Place::Reset(spec));
    }

    fn place(&mut self, partition: &TopicPartition, place: Place) {
        if self.positions.get(partition).is_some() {
            self.positions.put(partition.clone(), place);
        }
    }

    /// Where the next record of a partition comes from; none where that is not known yet.
    #[must_use]
    pub fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        match self.positions.get(partition)?.place {
            Place::At(offset) => Some(offset),
            Place::Committed | Place::Reset(_) => None,
        }
    }

    /// The end of a partition, as it was last seen; none before the first records were asked for.
    #[must_use]
    pub fn high_watermark(&self, partition: &TopicPartition) -> Option<Offset> {
        self.positions.get(partition).map(|position| position.high_watermark).filter(|end| end.0 >= 0)
    }

    /// Reads nothing of a partition until [`Self::resume`]. What was fetched already is kept for then.
    pub fn pause(&mut self, partition: &TopicPartition) {
        self.positions.get_mut(partition).into_iter().for_each(|position| position.paused = true);
    }

    /// Goes on reading a partition.
    pub fn resume(&mut self, partition: &TopicPartition) {
        self.positions.get_mut(partition).into_iter().for_each(|position| position.paused = false);
    }

    /// Waits for records, or for news of the group, for at most `limit`.
    ///
    /// # Errors
    /// Where something is wrong that trying again did not cure, or cannot.
    pub async fn poll(&mut self, limit: Duration) -> Result<Polled, ConsumeError> {
        let deadline = Instant::now() + limit;
        self.let_go().await;
        self.auto_commit().await;
        let news = tokio::select! {
            biased;
            news = self.next() => news?,
            () = sleep_until(deadline) => return Ok(Polled::Nothing),
        };
        match news {
            News::Records(records) => Ok(Polled::Records(records)),
            News::Group(event) => self.on_event(event).await,
        }
    }

    async fn next(&mut self) -> Result<News, ConsumeError> {
        loop {
            self.membership.iter().for_each(Membership::polled);
            self.find_positions().await?;
            self.find_leaders().await;
            self.fetcher.send(&mut self.positions);
            let records = self.take_ready()?;
            if !records.is_empty() {
                // The next records are on their way while these are dealt with.
                self.fetcher.send(&mut self.positions);
                return Ok(News::Records(records));
            }
            let Self { membership, fetcher, positions, .. } = self;
            tokio::select! {
                Some(event) = event(membership) => return Ok(News::Group(event)),
                landed = fetcher.landed(positions) => landed?,
            }
        }
    }

    async fn on_event(&mut self, event: Event) -> Result<Polled, ConsumeError> {
        match event {
            Event::Assigned { member, partitions } => {
                self.member = member;
                self.positions.assign(partitions);
                Ok(Polled::Assigned(self.positions.partitions()))
            }
            Event::Revoking => {
                self.letting_go = true;
                self.commit_now().await;
                Ok(Polled::Revoked(self.positions.partitions()))
            }
            Event::Lost => {
                self.letting_go = true;
                self.member = MemberIdentity::OUTSIDER;
                let lost = self.positions.partitions();
                self.positions.assign([]);
                Ok(Polled::Lost(lost))
            }
            Event::Failed(error) => {
                self.membership = None;
                Err(error.into())
            }
        }
    }

    /// Lets the partitions go, once whoever polls has heard of it.
    async fn let_go(&mut self) {
        if !std::mem::take(&mut self.letting_go) {
            return;
        }
        self.positions.assign([]);
        if let Some(membership) = &self.membership {
            membership.polled();
            membership.rejoin().await;
        }
    }

    /// Commits what has been handed out by earlier polls, where the settings want that and it is time.
    async fn auto_commit(&mut self) {
        let is_time = |interval| self.committed_at.elapsed() >= interval;
        if self.config.auto_commit_interval.is_some_and(is_time) {
            self.commit_now().await;
        }
    }

    async fn commit_now(&mut self) {
        if self.config.auto_commit_interval.is_none() {
            return;
        }
        self.committed_at = Instant::now();
        if let Err(error) = self.commit_consumed().await {
            warn!(%error, "positions were not committed");
        }
    }

    /// Finds out where to begin in partitions that have no position.
    async fn find_positions(&mut self) -> Result<(), ConsumeError> {
        self.find_committed().await?;
        let wanted =
            self.positions.placed(|place| if let Place::Reset(spec) = place { Some(spec) } else { None });
        if wanted.is_empty() {
            return Ok(());
        }
        let found = self.cluster.list_offsets(&wanted, self.config.timeout).await?;
        for (partition, _) in wanted {
            let offset = found.get(&partition).map_or(Offset::NONE, |found| found.offset);
            // All records are older than the time that was asked for: the next one is the first that is not.
            let none = offset == Offset::NONE;
            let place = if none { Place::Reset(OffsetSpec::Latest) } else { Place::At(offset) };
            self.positions.put(partition, place);
        }
        Ok(())
    }

    async fn find_committed(&mut self) -> Result<(), ConsumeError> {
        let wanted = self.positions.placed(|place| (place == Place::Committed).then_some(()));
        let wanted: Vec<_> = wanted.into_iter().map(|(partition, ())| partition).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let committed = match self.config.group_id {
            Some(_) => self.committed(&wanted).await?,
            None => HashMap::new(),
        };
        for partition in wanted {
            let reset = reset_spec(self.config.offset_reset).map(Place::Reset);
            match committed.get(&partition).map(|offset| Place::At(*offset)).or(reset) {
                Some(place) => self.positions.put(partition, place),
                None => return Err(ConsumeError::NoOffset { partition }),
            }
        }
        Ok(())
    }

    /// Asks who leads partitions whose leader is not known, or not any more.
    async fn find_leaders(&mut self) {
        let topics = self.fetcher.leaderless(&self.positions);
        if topics.is_empty() {
            return;
        }
        if let Err(error) = self.cluster.refresh(&topics, false).await {
            warn!(%error, "no broker says who leads");
        }
        if !self.fetcher.leaderless(&self.positions).is_empty() {
            self.fetcher.wait();
        }
    }

    /// Takes records that have come in, as many as one poll may bring.
    fn take_ready(&mut self) -> Result<Vec<PartitionRecords>, ConsumeError> {
        let mut taken: Vec<PartitionRecords> = Vec::new();
        let mut kept = std::collections::VecDeque::new();
        let mut wanted = self.config.poll_records.max(1);
        let mut result = Ok(());
        while let Some(mut fetched) = self.fetcher.ready.pop_front() {
            let Some(position) = self.positions.current(&fetched.partition, fetched.round) else { continue };
            let Place::At(from) = position.place else { continue };
            if position.paused || wanted == 0 || result.is_err() {
                kept.push_back(fetched);
                continue;
            }
            match fetched.take(from, wanted, &mut self.decompressor) {
                Ok(part) => {
                    position.place = Place::At(part.position);
                    position.busy = !part.finished;
                    wanted = wanted.saturating_sub(part.records.len());
                    let (partition, high_watermark) = (fetched.partition.clone(), fetched.high_watermark);
                    if !part.finished {
                        kept.push_back(fetched);
                    }
                    if !part.records.is_empty() {
                        let (records, next_offset) = (part.records, part.position);
                        taken.push(PartitionRecords { partition, records, next_offset, high_watermark });
                    }
                }
                Err(damage) => {
                    let partition = fetched.partition.clone();
                    result = Err(ConsumeError::Damaged { partition, offset: from, damage });
                    kept.push_back(fetched);
                }
            }
        }
        self.fetcher.ready = kept;
        // Records that were taken go first; the damage is found again with the next poll.
        if taken.is_empty() { result.map(|()| taken) } else { Ok(taken) }
    }

    /// Commits how far the partitions were read: everything that polls have handed out so far.
    ///
    /// # Errors
    /// Where the group does not take the offsets.
    pub async fn commit_consumed(&mut self) -> Result<(), CommitError> {
        let consumed = self.positions.consumed();
        self.commit(&consumed).await
    }

    /// Commits offsets: for each partition the one to go on at.
    ///
    /// # Errors
    /// Where the group does not take them.
    pub async fn commit(&mut self, offsets: &[(TopicPartition, Offset)]) -> Result<(), CommitError> {
        let group = self.config.group_id.as_ref().ok_or(CommitError::NoGroup)?;
        if offsets.is_empty() {
            return Ok(());
        }
        offsets::commit(&self.cluster, group, &self.member, offsets, self.config.timeout).await
    }

    /// What the group has committed; partitions for which it has nothing are left out.
    ///
    /// # Errors
    /// Where that is not known.
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Offset>, CommittedError> {
        let group = self.config.group_id.as_ref().ok_or(CommittedError::NoGroup)?;
        offsets::committed(&self.cluster, group, partitions, self.config.timeout).await
    }

    /// The offsets behind the last records.
    ///
    /// # Errors
    /// Where one of them cannot be had.
    pub async fn end_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Offset>, ListOffsetsError> {
        self.offsets(partitions, OffsetSpec::Latest).await
    }

    /// The offsets of the first records.
    ///
    /// # Errors
    /// Where one of them cannot be had.
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
    pub async fn offsets(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<HashMap<TopicPartition, Offset>, ListOffsetsError> {
        let wanted: Vec<_> = partitions.iter().map(|partition| (partition.clone(), spec)).collect();
        let found = self.cluster.list_offsets(&wanted, self.config.timeout).await?;
        Ok(found.into_iter().map(|(partition, found)| (partition, found.offset)).collect())
    }

    /// The partitions of a topic, in order.
    ///
    /// # Errors
    /// Where the topic cannot be had.
    pub async fn partitions(
        &self,
        topic: &str,
    ) -> Result<Vec<TopicPartition>, crate::cluster::MetadataError> {
        let name = Text::from(topic);
        let topic = self.cluster.topic(&name, self.config.creates_topics, self.config.timeout).await?;
        let place = |id| TopicPartition { topic: topic.name.clone(), partition: id };
        Ok(topic.partitions.iter().map(|partition| place(partition.id)).collect())
    }

    /// Commits where the settings want that, and leaves the group.
    pub async fn close(mut self) {
        self.commit_now().await;
        if let Some(membership) = self.membership.take() {
            membership.leave().await;
        }
    }
}

/// What ends a poll before its time.
enum News {
    Records(Vec<PartitionRecords>),
    Group(Event),
}

async fn event(membership: &mut Option<Membership>) -> Option<Event> {
    match membership {
        Some(membership) => membership.event().await,
        None => None,
    }
}
