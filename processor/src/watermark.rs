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

    /// Notes what the clock says. No channel that goes by it has a record before that any more.
    pub(crate) fn look_at_clock(&mut self, now: Timestamp) {
        self.now = now.min(LAST);
        for reached in self.channels.iter_mut().filter(|reached| reached.goes_by_clock) {
            reached.time = reached.time.max(self.now);
        }
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
        let behind = awake.map(Reached::watermark).min();
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
        let behind = awake.map(Reached::watermark).min();
        let foremost = || self.channels.iter().map(Reached::watermark).max().max(Some(self.rests_at));
        self.watermark = self.watermark.max(behind.or_else(foremost).unwrap_or(BEGINNING));
    }

    /// Writes down how far time has come.
    pub(crate) fn save(&self, store: &mut Store) {
        for reached in &self.channels {
            put_if_new(store, &SystemKey::StreamTime(&reached.channel), reached.time.0);
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
mod tests {
    use super::*;

    fn channels() -> [Channel; 2] {
        ["a", "b"].map(|topic| Channel { partition: TopicPartition::new(topic, 0), from: None })
    }

    fn time() -> TaskTime {
        TaskTime::restored(channels(), &Store::default())
    }

    #[test]
    fn watermark_is_that_of_the_channel_furthest_behind() {
        let mut time = time();
        time.advance(0, Timestamp(10));
        assert_eq!(time.watermark(), BEGINNING);
        time.advance(1, Timestamp(5));
        assert_eq!(time.watermark(), Timestamp(5));
        time.finish(&channels()[1].partition);
        assert_eq!(time.watermark(), Timestamp(10));
        time.finish(&channels()[0].partition);
        assert_eq!(time.watermark(), END);
    }

    /// Traps 11 and 56.
    #[test]
    fn watermark_never_falls_and_survives_a_restart() {
        let (mut time, mut store) = (time(), Store::default());
        for (channel, at) in [(0, 10), (1, 12), (0, 3)] {
            time.advance(channel, Timestamp(at));
            time.see(Timestamp(at));
        }
        assert_eq!((time.watermark(), time.stream_time()), (Timestamp(10), Timestamp(12)));
        time.save(&mut store);
        let restored = TaskTime::restored(channels(), &store);
        assert_eq!((restored.watermark(), restored.stream_time()), (Timestamp(10), Timestamp(12)));
    }

    #[test]
    fn end_of_the_input_is_not_saved() {
        let (mut time, mut store) = (time(), Store::default());
        time.advance(0, Timestamp(10));
        time.advance(1, Timestamp(12));
        channels().iter().for_each(|channel| time.finish(&channel.partition));
        assert_eq!(time.watermark(), END);
        time.save(&mut store);
        assert!(store.uncommitted().all(|(_, value)| value.unwrap() != &END.0.to_be_bytes()[..]));
        let restored = TaskTime::restored(channels(), &store);
        assert!(channels().iter().all(|channel| !restored.is_finished(&channel.partition)));
        // The second channel was alone, and time as far as it, when it ended.
        assert_eq!((restored.watermark(), restored.stream_time()), (Timestamp(12), Timestamp(12)));
    }

    #[test]
    fn record_at_the_end_of_time_does_not_bring_it() {
        let mut time = time();
        for (channel, at) in [(0, END), (0, Timestamp(4)), (1, Timestamp(5)), (1, END)] {
            time.advance(channel, at);
        }
        assert_eq!(time.watermark(), Timestamp(4));
    }

    #[test]
    fn mark_ends_a_channel_in_its_own_run_only() {
        let partition = TopicPartition::new("r", 0);
        let channel = || [Channel { partition: partition.clone(), from: Some(0) }];
        let (mut time, mut store) = (TaskTime::restored(channel(), &Store::default()), Store::default());
        time.begin_at(&partition, Offset(5));
        time.finish_by(0, Offset(4));
        assert!(!time.is_finished(&partition));
        time.finish_by(0, Offset(5));
        assert_eq!((time.is_finished(&partition), time.watermark()), (true, END));
        time.save(&mut store);
        // The task starts again within the run, and then in another one.
        for (begin, is_finished) in [(5, true), (6, false)] {
            let mut restored = TaskTime::restored(channel(), &store);
            restored.begin_at(&partition, Offset(begin));
            assert_eq!(restored.is_finished(&partition), is_finished);
        }
    }

    #[test]
    fn idle_channel_is_not_waited_for_until_it_wakes_up() {
        let (mut time, [a, b]) = (time(), channels());
        time.advance(0, Timestamp(10));
        time.idle(&b.partition, None);
        assert_eq!(time.watermark(), Timestamp(10));
        time.advance(1, Timestamp(3));
        time.advance(0, Timestamp(20));
        assert_eq!(time.watermark(), Timestamp(10));
        time.idle(&a.partition, None);
        time.idle(&b.partition, None);
        assert!(time.is_idle());
        assert_eq!(time.watermark(), Timestamp(20));
    }

    /// Trap 53.
    #[test]
    fn input_that_has_ended_beside_an_idle_one_neither_holds_time_up_nor_ends_it() {
        let (mut time, [a, b]) = (time(), channels());
        time.advance(0, Timestamp(10));
        time.advance(1, Timestamp(4));
        time.finish(&a.partition);
        assert_eq!(time.watermark(), Timestamp(4));
        time.idle(&b.partition, None);
        assert_eq!((time.watermark(), time.is_finished(&b.partition)), (Timestamp(10), false));
        time.advance(1, Timestamp(12));
        assert_eq!(time.watermark(), Timestamp(12));
        time.idle(&b.partition, None);
        time.finish(&b.partition);
        assert_eq!(time.watermark(), END);
    }

    #[test]
    fn channel_is_as_far_behind_its_records_as_they_may_be_out_of_order() {
        let (mut time, mut store, [a, _]) = (time(), Store::default(), channels());
        time.allow_disorder(&a.partition.topic, 5);
        time.advance(0, Timestamp(10));
        time.advance(1, Timestamp(8));
        time.see(Timestamp(10));
        assert_eq!((time.watermark(), time.stream_time()), (Timestamp(5), Timestamp(10)));
        time.save(&mut store);
        let mut restored = TaskTime::restored(channels(), &store);
        restored.allow_disorder(&a.partition.topic, 7);
        restored.advance(0, Timestamp(11));
        assert_eq!((restored.watermark(), restored.stream_time()), (Timestamp(5), Timestamp(10)));
        restored.advance(0, Timestamp(14));
        assert_eq!(restored.watermark(), Timestamp(7));
        for end in [i64::MIN + 1, i64::MAX - 1] {
            restored.advance(0, Timestamp(end));
        }
        assert_eq!(restored.watermark(), Timestamp(8));
    }

    #[test]
    fn channel_that_goes_by_the_clock_is_never_behind_it_and_holds_nobody_up() {
        let (mut time, [a, _]) = (time(), channels());
        time.go_by_clock(&a.partition.topic);
        time.advance(1, Timestamp(40));
        assert_eq!(time.watermark(), BEGINNING);
        for (now, watermark) in [(30, 30), (20, 30), (50, 40), (i64::MAX, 40)] {
            time.look_at_clock(Timestamp(now));
            assert_eq!(time.watermark(), Timestamp(watermark));
        }
        time.idle(&channels()[1].partition, None);
        assert_eq!(time.watermark(), LAST);
    }

    #[test]
    fn time_that_rests_is_taken_on_and_stays_there_when_channels_wake_up() {
        let (mut time, [a, b]) = (time(), channels());
        time.rest_behind_clock(10);
        time.idle(&a.partition, None);
        time.idle(&b.partition, None);
        // Nothing has begun yet.
        time.rest(Timestamp(60));
        assert!(time.is_idle());
        assert_eq!(time.watermark(), BEGINNING);
        time.advance(0, Timestamp(10));
        time.rest(Timestamp(70));
        assert_eq!(time.watermark(), Timestamp(10));
        time.idle(&a.partition, None);
        for (now, watermark) in [(70, 60), (50, 60), (80, 70)] {
            time.rest(Timestamp(now));
            assert_eq!((time.is_idle(), time.watermark()), (false, Timestamp(watermark)));
        }
        time.advance(0, Timestamp(30));
        time.rest(Timestamp(100));
        assert_eq!((time.rests(), time.watermark()), (false, Timestamp(70)));
        // An input that has ended expects nothing either.
        time.finish(&a.partition);
        time.rest(Timestamp(100));
        assert_eq!((time.watermark(), time.is_finished(&b.partition)), (Timestamp(90), false));
        time.finish(&b.partition);
        assert_eq!((time.rests(), time.watermark()), (false, END));
    }

    #[test]
    fn time_that_other_tasks_tell_is_theirs_to_take_on() {
        let channel = Channel { partition: TopicPartition::new("r", 0), from: Some(0) };
        let mut time = TaskTime::restored([channel.clone()], &Store::default());
        time.rest_behind_clock(0);
        time.advance(0, Timestamp(10));
        time.idle(&channel.partition, Some(0));
        assert!(time.is_idle() && !time.rests_by_clock());
    }

    #[test]
    fn channels_of_one_partition_are_told_apart_by_their_tasks() {
        let partition = TopicPartition::new("r", 0);
        let of = |task| Channel { partition: partition.clone(), from: Some(task) };
        let mut time = TaskTime::restored([of(0), of(1)], &Store::default());
        time.advance(time.channel(&partition, Some(0)).unwrap(), Timestamp(7));
        assert_eq!(time.watermark(), BEGINNING);
        time.advance(time.channel(&partition, Some(1)).unwrap(), Timestamp(4));
        assert_eq!((time.watermark(), time.channel(&partition, Some(2))), (Timestamp(4), None));
    }
}
