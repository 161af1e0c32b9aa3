//! How far time has come: each channel has come as far as its latest record, less the disorder that is allowed in it,
//! and the task as far as the channel that is furthest behind. The watermark never falls.
//!
//! A partition of a topic is one channel. A partition of a repartition topic has one for each task that writes to it:
//! their records lie there in any order, so that it is not the records that say how far a channel has come but the
//! *marks* which the tasks write between them. A channel that is idle is not waited for.
//!
//! When all channels have ended, the watermark is at the end of time. That is true of one run only: a run whose input
//! has ended is a pause, and a later one with new input goes on where time really was. So what is saved is the time of
//! the records, and where the marks lie that ended channels. Such a mark holds in the run that it belongs to: it lies
//! at or behind the end that its topic had when the run began ([`TaskTime::begin_at`]). One in front of that was left
//! by an earlier run, whether or not that had read it, and ends nothing; one behind it ends its channel also for a task
//! that starts again within the run, and has read the mark before.

use std::fmt;

use mainstem_client::{Offset, Text, Timestamp, TopicPartition};

use crate::{
    graph::{LAST, behind, times::Met},
    state::{Store, SystemKey},
};

/// Before any record.
pub(crate) const BEGINNING: Timestamp = Timestamp(i64::MIN);

/// After every record.
pub(crate) const END: Timestamp = Timestamp(i64::MAX);

/// Where records come from in the order of their times, more or less.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Channel {
    pub(crate) partition: TopicPartition,
    /// The task that writes, where that is known.
    pub(crate) from: Option<i32>,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            Some(task) => write!(f, "{}@{task}", self.partition),
            None => self.partition.fmt(f),
        }
    }
}

/// The time of a task.
#[derive(Debug)]
pub(crate) struct TaskTime {
    channels: Vec<Reached>,
    /// How far time had come before all channels ended.
    watermark: Timestamp,
    /// Whether all have.
    is_over: bool,
    stream_time: Timestamp,
    /// What the clock says, where a channel goes by it.
    now: Timestamp,
    /// How far time is taken where nothing is to be expected.
    rests_at: Timestamp,
    /// How far behind the clock that is, if it goes by one.
    behind_clock_ms: Option<i64>,
}

#[derive(Debug)]
struct Reached {
    channel: Channel,
    /// The largest time of its records, or what its latest mark says; never [`END`].
    time: Timestamp,
    /// How far its records may be out of order.
    disorder_ms: i64,
    /// Whether its records have the time of the clock.
    goes_by_clock: bool,
    is_idle: bool,
    /// Where the mark lies that ended it, in this run or in an earlier one; [`NO_MARK`] where it took none.
    end: Option<Offset>,
    /// Marks in front of this offset are those of earlier runs.
    begin: Offset,
}

/// In place of a mark's offset, where an input of the topology has ended.
const NO_MARK: Offset = Offset(i64::MAX);

impl Reached {
    /// How far it has come: what its records may still be behind is waited for.
    const fn watermark(&self) -> Timestamp {
        behind(self.time, self.disorder_ms)
    }

    /// The time before which it will have no record but for disorder: the clock's, where it goes by that and is awake.
    fn time_at(&self, now: Timestamp) -> Timestamp {
        if self.goes_by_clock && !self.is_idle { self.time.max(now) } else { self.time }
    }

    fn watermark_at(&self, now: Timestamp) -> Timestamp {
        behind(self.time_at(now), self.disorder_ms)
    }

    fn is_finished(&self) -> bool {
        self.end.is_some_and(|end| end >= self.begin)
    }
}

impl TaskTime {
    /// Goes on where the store says: a restart turns no clock back.
    pub(crate) fn restored(channels: impl IntoIterator<Item = Channel>, store: &Store) -> Self {
        let time = |key: SystemKey<'_>| Timestamp(store.number(&key).unwrap_or(BEGINNING.0));
        let reached = |channel: Channel| Reached {
            time: time(SystemKey::StreamTime(&channel)),
            disorder_ms: 0,
            goes_by_clock: false,
            is_idle: false,
            end: store.number(&SystemKey::End(&channel)).map(Offset),
            begin: Offset::ZERO,
            channel,
        };
        let channels: Vec<_> = channels.into_iter().map(reached).collect();
        let stream_time = channels.iter().map(|reached| reached.time).max().unwrap_or(BEGINNING);
        let mut restored = Self {
            channels,
            watermark: time(SystemKey::Watermark),
            is_over: false,
            stream_time,
            now: BEGINNING,
            rests_at: BEGINNING,
            behind_clock_ms: None,
        };
        restored.look_whether_it_is_over();
        restored
    }

    /// Notes which end a repartition topic's partition had when the run began.
    pub(crate) fn begin_at(&mut self, partition: &TopicPartition, begin: Offset) {
        let of_it = |reached: &&mut Reached| reached.channel.partition == *partition;
        self.channels.iter_mut().filter(of_it).for_each(|reached| reached.begin = begin);
        self.look_whether_it_is_over();
    }

    /// Says how far the records of a topic may be out of order. Where that is more than it was in an earlier run, time
    /// stands until it is true of the new one.
    pub(crate) fn allow_disorder(&mut self, topic: &Text, disorder_ms: i64) {
        let of_it = |reached: &&mut Reached| reached.channel.partition.topic == *topic;
        self.channels.iter_mut().filter(of_it).for_each(|reached| reached.disorder_ms = disorder_ms);
    }

    /// Says that the records of a topic have the time of the clock.
    pub(crate) fn go_by_clock(&mut self, topic: &Text) {
        let of_it = |reached: &&mut Reached| reached.channel.partition.topic == *topic;
        self.channels.iter_mut().filter(of_it).for_each(|reached| reached.goes_by_clock = true);
    }

    /// Notes what the clock says: no channel that goes by it will have a record before that. One that is idle takes time
    /// nowhere.
    pub(crate) fn look_at_clock(&mut self, now: Timestamp) {
        self.now = self.now.max(now.min(LAST));
        self.raise();
    }

    fn look_whether_it_is_over(&mut self) {
        self.is_over = !self.channels.is_empty() && self.channels.iter().all(Reached::is_finished);
    }

    /// How far time has come; [`END`] where all channels have ended.
    pub(crate) const fn watermark(&self) -> Timestamp {
        if self.is_over { END } else { self.watermark }
    }

    /// The largest time that any record had.
    pub(crate) const fn stream_time(&self) -> Timestamp {
        self.stream_time
    }

    /// The number of a channel, by which it is told how far it has come.
    pub(crate) fn channel(&self, partition: &TopicPartition, from: Option<i32>) -> Option<usize> {
        self.channels
            .iter()
            .position(|reached| reached.channel.partition == *partition && reached.channel.from == from)
    }

    /// What is known where a record of a channel is met.
    pub(crate) fn met(&self, channel: Option<usize>) -> Met {
        let reached = channel.and_then(|channel| self.channels.get(channel));
        Met { partition_time: reached.map_or(BEGINNING, |reached| reached.time), now: self.now }
    }

    /// How far the time of a record is behind the largest that was seen.
    pub(crate) fn lateness_ms(&self, time: Timestamp) -> u64 {
        u64::try_from(self.stream_time.0.saturating_sub(time.0)).unwrap_or(0)
    }

    /// Notes the time of a record.
    pub(crate) fn see(&mut self, time: Timestamp) {
        if time > self.stream_time && time != END {
            self.stream_time = time;
        }
    }

    /// Notes how far a channel has come. A record that bears the end of time does not bring it.
    pub(crate) fn advance(&mut self, channel: usize, time: Timestamp) {
        let Some(reached) = self.channels.get_mut(channel) else { return };
        let time = if time == END { reached.time } else { time };
        let was_idle = std::mem::take(&mut reached.is_idle);
        if time > reached.time || was_idle {
            reached.time = reached.time.max(time);
            self.raise();
        }
    }

    /// Notes that nothing is to be expected of a partition's channels for a while.
    pub(crate) fn idle(&mut self, partition: &TopicPartition, from: Option<i32>) {
        for reached in &mut self.channels {
            let is_it = reached.channel.partition == *partition && reached.channel.from == from;
            reached.is_idle |= is_it && !reached.is_finished();
        }
        self.raise();
    }

    /// Whether nothing is to be expected of the task for a while, not even that its time goes on: tasks behind it wait for
    /// one that goes by the clock, for what it has to say by then.
    pub(crate) fn is_idle(&self) -> bool {
        self.channels.iter().all(|reached| reached.is_idle) && !self.rests_by_clock()
    }

    /// Whether the clock may take time on: nothing is to be expected of any channel for a while, some have brought records,
    /// and no other task says what their time is.
    fn rests(&self) -> bool {
        let is_told = self.channels.iter().any(|reached| reached.channel.from.is_some());
        let rests = self.channels.iter().all(|reached| reached.is_idle || reached.is_finished());
        rests && !is_told && !self.is_over && self.watermark != BEGINNING
    }

    /// Says how far behind the clock time is where it [rests](Self::rests).
    pub(crate) fn rest_behind_clock(&mut self, behind_ms: i64) {
        self.behind_clock_ms = Some(behind_ms);
    }

    /// Whether the clock takes time on.
    pub(crate) fn rests_by_clock(&self) -> bool {
        self.behind_clock_ms.is_some() && self.rests()
    }

    /// Takes time on where it rests.
    pub(crate) fn rest(&mut self, now: Timestamp) {
        if let Some(behind_ms) = self.behind_clock_ms.filter(|_| self.rests()) {
            self.rests_at = self.rests_at.max(behind(now, behind_ms)).min(LAST);
            self.raise();
        }
    }

    /// Whether nothing is to be expected of these topics for a while.
    pub(crate) fn is_idle_in(&self, topics: &[Text]) -> bool {
        self.of_topics(topics).all(|reached| reached.is_idle)
    }

    /// How far time has come in these topics: as [`Self::raise`] says it of all of them, except that it may fall when one
    /// is no longer idle.
    pub(crate) fn watermark_in(&self, topics: &[Text]) -> Timestamp {
        if self.of_topics(topics).all(Reached::is_finished) {
            return END;
        }
        let awake = self.of_topics(topics).filter(|reached| !reached.is_idle && !reached.is_finished());
        let behind = awake.map(|reached| reached.watermark_at(self.now)).min();
        let foremost = || self.of_topics(topics).map(Reached::watermark).max();
        behind.or_else(foremost).unwrap_or(BEGINNING)
    }

    fn of_topics<'a>(&'a self, topics: &'a [Text]) -> impl Iterator<Item = &'a Reached> {
        self.channels.iter().filter(|reached| topics.contains(&reached.channel.partition.topic))
    }

    /// Notes that a partition has ended.
    pub(crate) fn finish(&mut self, partition: &TopicPartition) {
        for reached in &mut self.channels {
            if reached.channel.partition == *partition {
                reached.end = Some(NO_MARK);
                reached.is_idle = false;
            }
        }
        self.raise();
    }

    /// Notes that a mark says that a channel has ended, which it believes a mark of its own run only.
    pub(crate) fn finish_by(&mut self, channel: usize, mark: Offset) {
        let Some(reached) = self.channels.get_mut(channel).filter(|reached| mark >= reached.begin) else {
            return;
        };
        reached.end = Some(mark);
        reached.is_idle = false;
        self.raise();
    }

    /// Whether all that write to a partition have said that they are done.
    pub(crate) fn is_finished(&self, partition: &TopicPartition) -> bool {
        let mut channels = self.channels.iter().filter(|reached| reached.channel.partition == *partition);
        channels.all(Reached::is_finished)
    }

    /// The task is as far as the channel that is furthest behind of those that have not ended; where these are all idle,
    /// as far as the foremost. The last one to end leaves time where it was.
    fn raise(&mut self) {
        self.look_whether_it_is_over();
        if self.is_over {
            return;
        }
        let awake = self.channels.iter().filter(|reached| !reached.is_idle && !reached.is_finished());
        let behind = awake.map(|reached| reached.watermark_at(self.now)).min();
        let foremost = || self.channels.iter().map(Reached::watermark).max().max(Some(self.rests_at));
        self.watermark = self.watermark.max(behind.or_else(foremost).unwrap_or(BEGINNING));
    }

    /// Writes down how far time has come.
    pub(crate) fn save(&self, store: &mut Store) {
        for reached in &self.channels {
            put_if_new(store, &SystemKey::StreamTime(&reached.channel), reached.time_at(self.now).0);
            if let Some(end) = reached.end.filter(|end| *end != NO_MARK) {
                put_if_new(store, &SystemKey::End(&reached.channel), end.0);
            }
        }
        put_if_new(store, &SystemKey::Watermark, self.watermark.0);
    }
}

fn put_if_new(store: &mut Store, key: &SystemKey<'_>, number: i64) {
    if store.number(key) != Some(number) {
        store.put_number(key, number);
    }
}

#[cfg(test)]
mod tests;
