//! When records happened: who says so, and what becomes of those of which it is not known.

use std::{fmt, time::Duration};

use mainstem_client::{Text, Timestamp};

use crate::{BadRecords, serdes::SerdeError, watermark::BEGINNING, window::millis};

/// What becomes of a record whose event time is none that is taken: before [`crate::Input::not_before`], further ahead
/// than [`crate::Input::ahead_max`], or not told by [`crate::Input::try_event_time`].
///
/// Kafka Streams has a class for each, for which times below zero are bad: with `not_before(Timestamp(0))` they are so
/// here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadTimes {
    /// The task fails, and says where the record is (Kafka Streams: `FailOnInvalidTimestamp`).
    Fail,
    /// It is left out, and counted ([`crate::NodeCounts::bad_times`]; Kafka Streams: `LogAndSkipOnInvalidTimestamp`).
    Skip,
    /// It goes to this topic, as [`BadRecords::DeadLetter`] says.
    DeadLetter(Text),
    /// It has the largest time of the records in front of it in its partition, those of earlier runs included (Kafka
    /// Streams: `UsePartitionTimeOnInvalidTimestamp`). Where there is none, the task fails.
    PartitionTime,
}

impl BadTimes {
    /// What becomes of one that has no other time either.
    pub(crate) fn aside(&self) -> BadRecords {
        match self {
            Self::Fail | Self::PartitionTime => BadRecords::Fail,
            Self::Skip => BadRecords::Skip,
            Self::DeadLetter(topic) => BadRecords::DeadLetter(topic.clone()),
        }
    }
}

/// How an input says when its records happened.
#[derive(Clone)]
pub(crate) struct Times<E> {
    pub(crate) told_by: ToldBy<E>,
    /// How far that may be ahead of a record's timestamp.
    ahead_max_ms: Option<i64>,
    /// The earliest time that is taken.
    not_before: Option<Timestamp>,
    bad_times: Option<BadTimes>,
}

/// Who says when a record happened.
#[derive(Clone)]
pub(crate) enum ToldBy<E> {
    /// Its timestamp.
    Record,
    /// A function, of some records.
    Event(E),
    /// The broker, when it appended the record; its timestamp is that.
    Append,
    /// The clock, when the task takes the record.
    Clock,
}

/// Where a record is met.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Met {
    /// The largest time of the records in front of it in its partition.
    pub(crate) partition_time: Timestamp,
    /// What the clock says, where it is asked.
    pub(crate) now: Timestamp,
}

/// Why a record has no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadTime {
    #[error("it is {ahead_ms} ms ahead of its record's timestamp, and {limit} ms are allowed")]
    Ahead { ahead_ms: i64, limit: i64 },
    #[error("it is {time}, and nothing before {limit} is taken")]
    Before { time: Timestamp, limit: Timestamp },
    #[error("the record does not tell it")]
    Untold,
}

impl<E> fmt::Debug for Times<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { told_by, ahead_max_ms, not_before, bad_times } = self;
        f.debug_struct("Times")
            .field("told_by", told_by)
            .field("ahead_max_ms", ahead_max_ms)
            .field("not_before", not_before)
            .field("bad_times", bad_times)
            .finish()
    }
}

impl<E> fmt::Debug for ToldBy<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Record => "Record",
            Self::Event(_) => "Event",
            Self::Append => "Append",
            Self::Clock => "Clock",
        })
    }
}

impl<E> Default for Times<E> {
    fn default() -> Self {
        Self { told_by: ToldBy::Record, ahead_max_ms: None, not_before: None, bad_times: None }
    }
}

impl<E> Times<E> {
    pub(crate) fn told_by(self, told_by: ToldBy<E>) -> Self {
        Self { told_by, ..self }
    }

    pub(crate) fn ahead_max(self, ahead_max: Duration) -> Self {
        Self { ahead_max_ms: Some(millis(ahead_max)), ..self }
    }

    pub(crate) fn not_before(self, not_before: Timestamp) -> Self {
        Self { not_before: Some(not_before), ..self }
    }

    pub(crate) fn on_bad_time(self, bad_times: BadTimes) -> Self {
        Self { bad_times: Some(bad_times), ..self }
    }

    /// What becomes of records without a time, where nothing was said of them.
    pub(crate) fn aside(&self, bad_records: &BadRecords) -> BadRecords {
        self.bad_times.as_ref().map_or_else(|| bad_records.clone(), BadTimes::aside)
    }

    pub(crate) const fn is_clock(&self) -> bool {
        matches!(self.told_by, ToldBy::Clock)
    }

    pub(crate) const fn is_append(&self) -> bool {
        matches!(self.told_by, ToldBy::Append)
    }

    /// Whether key and value must be read to say when a record happened.
    pub(crate) const fn is_in_the_event(&self) -> bool {
        matches!(self.told_by, ToldBy::Event(_))
    }

    /// When a record happened. `ask` asks the function for it, where there is one.
    pub(crate) fn of(
        &self,
        recorded: Timestamp,
        met: Met,
        ask: impl FnOnce(&E) -> Option<Timestamp>,
    ) -> Result<Timestamp, SerdeError> {
        let told = match &self.told_by {
            ToldBy::Record | ToldBy::Append => Some(recorded),
            ToldBy::Event(event) => ask(event),
            // A clock that is set back makes no record late.
            ToldBy::Clock => return Ok(met.now.max(met.partition_time)),
        };
        let checked = told.ok_or(BadTime::Untold).and_then(|time| self.check(time, recorded));
        checked.or_else(|bad| self.of_partition(bad, met))
    }

    fn check(&self, time: Timestamp, recorded: Timestamp) -> Result<Timestamp, BadTime> {
        let ahead_ms = time.0.saturating_sub(recorded.0);
        if let Some(limit) = self.ahead_max_ms.filter(|limit| ahead_ms > *limit) {
            return Err(BadTime::Ahead { ahead_ms, limit });
        }
        match self.not_before.filter(|limit| time < *limit) {
            Some(limit) => Err(BadTime::Before { time, limit }),
            None => Ok(time),
        }
    }

    /// In place of a bad time, that of the partition, if it is wanted.
    fn of_partition(&self, bad: BadTime, met: Met) -> Result<Timestamp, SerdeError> {
        let is_wanted = self.bad_times == Some(BadTimes::PartitionTime);
        match met.partition_time {
            time if is_wanted && time != BEGINNING => Ok(time),
            _ if is_wanted => {
                Err(SerdeError::Other(format!("{bad}; no record of its partition had a time before it")))
            }
            _ => Err(SerdeError::Other(bad.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Times<fn() -> Option<Timestamp>> {
        Times::default().not_before(Timestamp(0)).ahead_max(Duration::from_millis(10))
    }

    fn met(partition_time: i64, now: i64) -> Met {
        Met { partition_time: Timestamp(partition_time), now: Timestamp(now) }
    }

    fn found(times: &Times<fn() -> Option<Timestamp>>, recorded: i64, met: Met) -> Result<i64, String> {
        let time = times.of(Timestamp(recorded), met, |event| event());
        time.map(|time| time.0).map_err(|cause| cause.to_string())
    }

    #[test]
    fn time_is_bad_that_is_untold_or_not_within_its_limits() {
        let told: fn() -> Option<Timestamp> = || Some(Timestamp(30));
        let untold: fn() -> Option<Timestamp> = || None;
        let ahead = "it is 11 ms ahead of its record's timestamp, and 10 ms are allowed";
        let before = "it is -1, and nothing before 0 is taken";
        let cases = [
            (ToldBy::Record, -1, Err(before)),
            (ToldBy::Record, 0, Ok(0)),
            (ToldBy::Event(told), 20, Ok(30)),
            (ToldBy::Event(told), 19, Err(ahead)),
            (ToldBy::Event(untold), 20, Err("the record does not tell it")),
        ];
        for (told_by, recorded, expected) in cases {
            let times = times().told_by(told_by);
            let result = found(&times, recorded, met(7, 0));
            assert_eq!(result.as_ref().map_err(String::as_str), expected.as_ref().map_err(|cause| *cause));
            let instead = found(&times.on_bad_time(BadTimes::PartitionTime), recorded, met(7, 0));
            assert_eq!(instead, Ok(expected.unwrap_or(7)));
        }
    }

    #[test]
    fn clock_that_is_set_back_sets_no_time_back() {
        let times = times().told_by(ToldBy::Clock);
        for (partition_time, now, expected) in [(BEGINNING.0, 5, 5), (5, 9, 9), (9, -3, 9)] {
            assert_eq!(found(&times, 1_000_000, met(partition_time, now)), Ok(expected));
        }
    }
}
