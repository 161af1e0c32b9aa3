//! The ways to take records: several, one by one, as a stream; and news of the group.

use std::{collections::HashMap, time::Duration};

use futures_util::{Stream, stream};
use mainstem_protocol::{Offset, records::Record};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::warn;

use super::{
    ConsumeError, Consumer, Damage, PartitionRecord, PartitionRecords, Polled, Rebalance,
    fetcher::reset_spec,
    group::{Event, LeaveMode, Membership, Round},
    position::{Place, Positions},
    records::Fetched,
};
use crate::{
    TopicPartition, caps,
    offsets::{ListOffsetsError, OffsetSpec},
};

/// What ends a wait.
enum Found<T> {
    Records(T),
    News,
}

/// What a program is told of its group.
#[derive(Clone, Debug)]
pub(super) enum News {
    /// These partitions came.
    Assigned(Vec<TopicPartition>),
    /// These are to be let go in that round.
    Revoked(Round, Vec<TopicPartition>),
    /// These were lost.
    Lost(Round, Vec<TopicPartition>),
}

impl Consumer {
    /// Waits for records, or for news of the group, for at most `limit`. Where positions are committed by themselves
    /// ([`ConsumerConfig::auto_commit_interval`](super::ConsumerConfig)), a commit that is due comes before that and
    /// is not cut short, since polls with a short limit would then never commit: a coordinator that does not answer
    /// may hold up this call for [`ConsumerConfig::timeout`](super::ConsumerConfig).
    ///
    /// # Errors
    /// Where something is wrong that trying again did not cure, or cannot.
    ///
    /// # Cancel safety
    /// Dropped, it has taken no record, and news of the group are told by the next call.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::{OffsetReset, Polled}};
    ///
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([TopicPartition::new("greetings", 0)]);
    /// let Polled::Records(batches) = consumer.poll(Duration::from_secs(30)).await? else { panic!("no records") };
    /// assert_eq!(batches[0].records[0].value.as_deref(), Some(b"hello".as_slice()));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn poll(&mut self, limit: Duration) -> Result<Polled, ConsumeError> {
        let deadline = Instant::now() + limit.min(caps::WAIT_MAX);
        self.asks = true;
        self.change_interest().await;
        self.let_go().await;
        self.auto_commit().await;
        let found = tokio::select! {
            biased;
            found = self.wait(Self::take_several) => found?,
            () = sleep_until(deadline) => return Ok(Polled::Nothing),
        };
        match found {
            Found::Records(records) => Ok(Polled::Records(records)),
            Found::News => self.tell().await,
        }
    }

    /// Waits for the next record, however long that takes. What the group has to say is heeded without being told: where
    /// partitions go to another member, what was taken of them is committed if the settings have commits made by
    /// themselves, and is otherwise taken again by that member.
    ///
    /// # Errors
    /// As [`Self::poll`].
    ///
    /// # Cancel safety
    /// Dropped, it has taken no record.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// let next = consumer.next().await?;
    /// assert_eq!((next.partition, next.record.value.as_deref()), (first, Some(b"hello".as_slice())));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn next(&mut self) -> Result<PartitionRecord, ConsumeError> {
        loop {
            self.change_interest().await;
            self.let_go().await;
            self.auto_commit().await;
            match self.wait(Self::take_one).await? {
                Found::Records(record) => return Ok(record),
                Found::News => drop(self.tell().await?),
            }
        }
    }

    /// The records one by one, as a stream that ends only when it is dropped; an error may be followed by records.
    /// Positions are those of the records that were taken off the stream.
    ///
    /// # Cancel safety
    /// The stream may be dropped at any time, and begun again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::OffsetReset};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([first.clone()]);
    /// use futures_util::{StreamExt, TryStreamExt};
    /// let records: Vec<_> = consumer.stream().take(2).try_collect().await?;
    /// assert_eq!(records[1].record.value.as_deref(), Some(b"world".as_slice()));
    /// # Ok(())
    /// # });
    /// ```
    pub fn stream(&mut self) -> impl Stream<Item = Result<PartitionRecord, ConsumeError>> + Send + Unpin {
        Box::pin(stream::unfold(self, async |consumer| Some((consumer.next().await, consumer))))
    }

    /// Waits until `take` finds something, or there is news of the group. Nothing is awaited behind `take`, so that what
    /// was taken is returned. Whoever waits counts as alive: a member may have nothing to read for long.
    async fn wait<T>(
        &mut self,
        take: fn(&mut Self) -> Result<Option<T>, ConsumeError>,
    ) -> Result<Found<T>, ConsumeError> {
        loop {
            self.membership.iter().for_each(Membership::polled);
            if self.event.is_some() || self.news.is_some() {
                return Ok(Found::News);
            }
            if self.asks {
                self.find_positions().await?;
                self.find_leaders().await?;
                self.fetcher.send(&mut self.positions);
                self.asks = false;
            }
            if let Some(records) = take(self)? {
                return Ok(Found::Records(records));
            }
            self.asks = true;
            let is_member = self.membership.is_some();
            let Self { membership, fetcher, positions, .. } = self;
            tokio::select! {
                Some(event) = event(membership) => self.event = Some(event),
                landed = fetcher.landed(positions) => landed?,
                () = sleep(self.config.heartbeat_interval), if is_member => {}
            }
        }
    }

    /// Says what the group has to say. News are dropped only once nothing is left to wait for.
    async fn tell(&mut self) -> Result<Polled, ConsumeError> {
        if let Some(event) = self.event.take() {
            self.news = Some(self.heed(event)?);
        }
        let Some(news) = self.news.clone() else { return Ok(Polled::Nothing) };
        self.inform(&news).await;
        self.asks = true;
        self.news = None;
        Ok(match news {
            News::Assigned(_) => Polled::Assigned(self.positions.partitions()),
            News::Revoked(_, ref partitions) => {
                let partitions = partitions.clone();
                self.letting_go = Some(news);
                Polled::Revoked(partitions)
            }
            News::Lost(_, ref partitions) => {
                let partitions = partitions.clone();
                self.positions.assign([]);
                self.letting_go = Some(news);
                Polled::Lost(partitions)
            }
        })
    }

    /// What an event means for this consumer. What it was given is read from now on.
    fn heed(&mut self, event: Event) -> Result<News, ConsumeError> {
        match event {
            Event::Assigned(partitions) => {
                self.cluster.meter().rebalanced();
                let is_new = |partition: &&TopicPartition| self.positions.get(partition).is_none();
                let mut added: Vec<_> = partitions.iter().filter(is_new).cloned().collect();
                added.sort();
                self.positions.assign(partitions);
                Ok(News::Assigned(added))
            }
            Event::Revoking(round, mut partitions) => {
                partitions.sort();
                Ok(News::Revoked(round, partitions))
            }
            Event::Lost(round) => Ok(News::Lost(round, self.positions.partitions())),
            // What the member had is others' already. The membership stays, so that nobody commits as an outsider.
            Event::Failed(error) if !self.positions.is_empty() => {
                self.event = Some(Event::Failed(error));
                Ok(News::Lost(Round::default(), self.positions.partitions()))
            }
            Event::Failed(error) => Err(error.into()),
        }
    }

    /// Does what has to be done before the program hears of news: commits, and the listener.
    async fn inform(&mut self, news: &News) {
        if let News::Revoked(..) = news {
            self.commit_now().await;
        }
        let Some(listener) = self.listener.clone() else { return };
        let mut consumer = Rebalance(self);
        match news {
            News::Assigned(added) => listener.assigned(&mut consumer, added).await,
            News::Revoked(_, partitions) => listener.revoked(&mut consumer, partitions).await,
            News::Lost(_, partitions) => listener.lost(&mut consumer, partitions).await,
        }
    }

    /// Lets partitions go, once whoever polls has heard of it.
    async fn let_go(&mut self) {
        let Some(News::Revoked(round, partitions) | News::Lost(round, partitions)) = &self.letting_go else {
            return;
        };
        self.positions.release(partitions);
        if let Some(membership) = &self.membership {
            membership.polled();
            membership.released(*round).await;
        }
        self.letting_go = None;
    }

    /// Commits and tells the listener before the consumer ends. Partitions that it was told to let go are let go already, and
    /// what no group gave none takes away (Kafka: `ConsumerCoordinator`).
    pub(super) async fn hand_in(&mut self) {
        self.let_go().await;
        let partitions = self.positions.partitions();
        let news = match &self.membership {
            None => return self.commit_now().await,
            Some(_) if partitions.is_empty() => return,
            Some(membership) if membership.is_lost() => News::Lost(Round::default(), partitions),
            Some(_) => News::Revoked(Round::default(), partitions),
        };
        self.inform(&news).await;
    }

    /// Hands in what was read as the member that the consumer was, and begins to join anew.
    async fn change_interest(&mut self) {
        if self.wants.is_none() {
            return;
        }
        self.finish().await;
        if let (Some(group), Some(interest)) = (self.config.group_id.clone(), self.wants.take()) {
            self.start(group, interest);
        }
    }

    async fn finish(&mut self) {
        self.commits.settled().await;
        self.hand_in().await;
        // Whoever is interrupted below has handed in already.
        self.positions.assign([]);
        if let Some(membership) = self.membership.take() {
            membership.close(LeaveMode::Default).await;
        }
    }

    /// Commits what has been handed out by earlier polls, where the settings want that and it is time.
    async fn auto_commit(&mut self) {
        let is_time = |interval| self.committed_at.elapsed() >= interval;
        if self.config.auto_commit_interval.is_some_and(is_time) {
            self.commit_now().await;
        }
    }

    pub(super) async fn commit_now(&mut self) {
        if self.config.auto_commit_interval.is_none() {
            return;
        }
        if let Err(error) = self.commit_consumed().await {
            warn!(%error, "positions were not committed");
        }
        self.committed_at = Instant::now();
    }

    /// Finds out where to begin in partitions that have no position.
    async fn find_positions(&mut self) -> Result<(), ConsumeError> {
        self.find_committed().await?;
        // Where a time lies behind the last record, the end is asked for as well, and at once: nothing wakes whoever waits
        // with no position.
        if self.reset().await? && self.reset().await? {
            self.fetcher.wait();
        }
        Ok(())
    }

    /// Asks where ends and times are; whether there is more to be asked.
    async fn reset(&mut self) -> Result<bool, ConsumeError> {
        let wanted =
            self.positions.placed(|place| if let Place::Reset(spec) = place { Some(spec) } else { None });
        if wanted.is_empty() {
            return Ok(false);
        }
        let found =
            self.cluster.list_offsets_for(&wanted, self.config.isolation, self.config.timeout).await?;
        let mut has_more = false;
        for (partition, _) in wanted {
            let offset = found.get(&partition).map_or(Offset::NONE, |found| found.offset);
            // All records are older than the time that was asked for: the next one is the first that is not.
            let none = offset == Offset::NONE;
            let place = if none { Place::Reset(OffsetSpec::Latest) } else { Place::At(offset) };
            self.positions.put(partition, place);
            has_more |= none;
        }
        Ok(has_more)
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
            let reset = reset_spec(&self.config).map(Place::Reset);
            match committed.get(&partition).map(|offset| Place::At(*offset)).or(reset) {
                Some(place) => self.positions.put(partition, place),
                None => return Err(ConsumeError::NoOffset { partition }),
            }
        }
        Ok(())
    }

    /// Asks who leads partitions whose leader is not known, or not any more.
    async fn find_leaders(&mut self) -> Result<(), ConsumeError> {
        let topics = self.fetcher.leaderless(&self.positions);
        if topics.is_empty() {
            return Ok(());
        }
        match self.cluster.refresh(&topics, false).await {
            Err(error) if error.is_retriable() => warn!(%error, "no broker says who leads"),
            refreshed => refreshed.map_err(ListOffsetsError::from)?,
        }
        if !self.fetcher.leaderless(&self.positions).is_empty() {
            self.fetcher.wait();
        }
        Ok(())
    }

    /// Takes as many records as one poll may bring; of each partition in order, and the partitions in the order in which
    /// they came.
    fn take_several(&mut self) -> Result<Option<Vec<PartitionRecords>>, ConsumeError> {
        let (mut taken, mut damaged) = (Vec::new(), None);
        let mut wanted = self.config.poll_records.max(1);
        let Self { fetcher, positions, decompressor, .. } = self;
        fetcher.ready.retain_mut(|fetched| {
            if wanted == 0 {
                return true;
            }
            let (records, kept) = take_from(positions, fetched, |fetched| fetched.take(wanted, decompressor));
            match records {
                Some(Ok(records)) => {
                    wanted -= records.len();
                    add(&mut taken, fetched, records);
                }
                Some(Err(damage)) if damaged.is_none() => damaged = Some(damaged_at(fetched, damage)),
                _ => {}
            }
            kept
        });
        if taken.is_empty() {
            // Damage is told where nothing else is left, and told again by each poll until somebody seeks past it.
            return damaged.map_or(Ok(None), Err);
        }
        // The next records are on their way while these are dealt with.
        fetcher.send(positions);
        self.cluster.meter().consumed(taken.iter().map(|each| each.records.len()).sum());
        Ok(Some(taken))
    }

    /// Takes the first record there is.
    fn take_one(&mut self) -> Result<Option<PartitionRecord>, ConsumeError> {
        let Self { fetcher, positions, decompressor, asks, cluster, .. } = self;
        let (mut index, mut damaged) = (0, None);
        while let Some(fetched) = fetcher.ready.get_mut(index) {
            let (record, kept) = take_from(positions, fetched, |fetched| fetched.next(decompressor));
            let taken = match record {
                Some(Ok(record)) => record.map(|record| place(fetched, record)),
                Some(Err(damage)) if damaged.is_none() => {
                    damaged = Some(damaged_at(fetched, damage));
                    None
                }
                _ => None,
            };
            if !kept {
                fetcher.ready.remove(index);
                *asks = true;
            }
            if taken.is_some() {
                cluster.meter().consumed(1);
                return Ok(taken);
            }
            index += usize::from(kept);
        }
        damaged.map_or(Ok(None), Err)
    }
}

/// Takes from what was fetched, where that is what comes next in its partition, and sets the position behind it. Also
/// says whether anything is left to keep.
fn take_from<T>(
    positions: &mut Positions,
    fetched: &mut Fetched,
    take: impl FnOnce(&mut Fetched) -> T,
) -> (Option<T>, bool) {
    let Some(position) = positions.current(&fetched.partition, fetched.round) else { return (None, false) };
    if position.paused || position.place != Place::At(fetched.position) {
        return (None, true);
    }
    let taken = take(fetched);
    let finished = fetched.is_finished();
    position.place = Place::At(fetched.position);
    position.ready -= usize::from(finished);
    (Some(taken), !finished)
}

fn place(fetched: &Fetched, record: Record) -> PartitionRecord {
    PartitionRecord { partition: fetched.partition.clone(), record }
}

fn damaged_at(fetched: &Fetched, damage: Damage) -> ConsumeError {
    ConsumeError::Damaged { partition: fetched.partition.clone(), offset: fetched.position, damage }
}

/// Adds records to those of the same partition.
fn add(taken: &mut Vec<PartitionRecords>, fetched: &Fetched, mut records: Vec<Record>) {
    let Fetched { partition, position: next_offset, high_watermark, .. } = fetched;
    match taken.iter_mut().find(|before| before.partition == *partition) {
        Some(before) => {
            before.records.append(&mut records);
            (before.next_offset, before.high_watermark) = (*next_offset, *high_watermark);
        }
        None if records.is_empty() => {}
        None => taken.push(PartitionRecords {
            partition: partition.clone(),
            records,
            next_offset: *next_offset,
            high_watermark: *high_watermark,
        }),
    }
}

async fn event(membership: &mut Option<Membership>) -> Option<Event> {
    match membership {
        Some(membership) => membership.event().await,
        None => None,
    }
}
