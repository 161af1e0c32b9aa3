//! Of which record an offset is asked for: the first, the last, the newest, or that of a time.

use std::str::FromStr;

use mainstem_client::offsets::OffsetSpec;
use mainstem_protocol::Timestamp;

use crate::cli::consume::Begin;

/// Of which record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// The first that there is.
    Earliest,
    /// Behind the last one.
    Latest,
    /// The one with the largest time.
    Max,
    /// The first of that time or later, in milliseconds since 1970.
    At(i64),
    /// As a time, so many milliseconds ago.
    Ago(i64),
}

/// Text that says no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected earliest, latest, max-timestamp, a time such as 2026-03-01T12:00:00Z, 2026-03-01 or milliseconds since 1970, \
     or how long ago, such as 15m"
)]
pub(super) struct TimeError;

impl FromStr for Time {
    type Err = TimeError;

    /// The numbers below zero are those of `kafka-get-offsets.sh`.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        match text {
            "-1" => return Ok(Self::Latest),
            "-2" => return Ok(Self::Earliest),
            "-3" | "max-timestamp" => return Ok(Self::Max),
            _ => {}
        }
        match text.parse() {
            Ok(Begin::Earliest) => Ok(Self::Earliest),
            Ok(Begin::Latest) => Ok(Self::Latest),
            Ok(Begin::Offset(millis) | Begin::Time(millis)) => Ok(Self::At(millis)),
            Ok(Begin::Ago(millis)) => Ok(Self::Ago(millis)),
            Err(_) => Err(TimeError),
        }
    }
}

impl Time {
    /// As it is asked for, at a moment.
    pub(super) const fn spec(self, now: Timestamp) -> OffsetSpec {
        match self {
            Self::Earliest => OffsetSpec::Earliest,
            Self::Latest => OffsetSpec::Latest,
            Self::Max => OffsetSpec::MaxTimestamp,
            Self::At(millis) => OffsetSpec::Timestamp(Timestamp(millis)),
            Self::Ago(millis) => OffsetSpec::Timestamp(Timestamp(now.0.saturating_sub(millis))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Time) {
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }

    #[test]
    fn every_kind_of_time_is_understood() {
        check("earliest", Time::Earliest);
        check("-2", Time::Earliest);
        check("latest", Time::Latest);
        check("-1", Time::Latest);
        check("max-timestamp", Time::Max);
        check("-3", Time::Max);
        check("1700000000000", Time::At(1_700_000_000_000));
        check("2023-11-14T22:13:20Z", Time::At(1_700_000_000_000));
        check("15m ago", Time::Ago(900_000));
        assert_eq!(Time::Ago(1000).spec(Timestamp(1500)), OffsetSpec::Timestamp(Timestamp(500)));
        for text in ["", "-4", "yesterday", "max"] {
            assert_eq!(text.parse::<Time>(), Err(TimeError), "{text}");
        }
    }
}
