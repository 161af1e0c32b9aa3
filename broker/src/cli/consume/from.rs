//! Where to begin: `earliest`, `latest`, an offset, or a time.

use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Begin {
    /// At the first record there is.
    Earliest,
    /// Behind the last one.
    Latest,
    /// At this offset of each partition.
    Offset(i64),
    /// At the first record of that time or later, in milliseconds since 1970.
    Time(i64),
    /// As a time, so many milliseconds ago.
    Ago(i64),
}

/// Text that is no place to begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected earliest, latest, an offset such as 1000, a time such as 2026-03-01T12:00:00Z or 2026-03-01, \
     or how long ago, such as 15m"
)]
pub(in crate::cli) struct BeginError;

impl FromStr for Begin {
    type Err = BeginError;

    fn from_str(text: &str) -> Result<Self, BeginError> {
        match text {
            "earliest" | "beginning" => Ok(Self::Earliest),
            "latest" | "end" => Ok(Self::Latest),
            text => offset(text).or_else(|| time(text)).or_else(|| ago(text)).ok_or(BeginError),
        }
    }
}

fn offset(text: &str) -> Option<Begin> {
    text.parse().ok().filter(|offset| *offset >= 0).map(Begin::Offset)
}

/// With an offset from UTC, or in this machine's time zone.
fn time(text: &str) -> Option<Begin> {
    let stamped = text.parse::<Timestamp>().ok();
    let local =
        || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::system()).ok().map(|zoned| zoned.timestamp());
    stamped.or_else(local).map(|time| Begin::Time(time.as_millisecond()))
}

fn ago(text: &str) -> Option<Begin> {
    let ago: SignedDuration = text.strip_suffix("ago").unwrap_or(text).trim().parse().ok()?;
    let millis = i64::try_from(ago.as_millis()).ok()?;
    (millis >= 0).then_some(Begin::Ago(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Begin) {
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }

    #[test]
    fn every_kind_of_place_is_understood() {
        check("earliest", Begin::Earliest);
        check("latest", Begin::Latest);
        check("0", Begin::Offset(0));
        check("1234567", Begin::Offset(1_234_567));
        check("2023-11-14T22:13:20Z", Begin::Time(1_700_000_000_000));
        check("2023-11-14T23:13:20+01:00", Begin::Time(1_700_000_000_000));
        check("15m", Begin::Ago(900_000));
        check("1h30m", Begin::Ago(5_400_000));
        check("2h ago", Begin::Ago(7_200_000));
    }

    #[test]
    fn a_local_day_begins_at_midnight() {
        let midnight =
            "2024-05-01".parse::<jiff::civil::Date>().unwrap().to_zoned(TimeZone::system()).unwrap();
        check("2024-05-01", Begin::Time(midnight.timestamp().as_millisecond()));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "now", "-5", "yesterday", "12:00", "-1h"] {
            assert_eq!(text.parse::<Begin>(), Err(BeginError), "{text}");
        }
    }
}
