//! Where a group is to read on.

use std::collections::BTreeMap;

use mainstem_client::TopicPartition;

use crate::cli::consume::Begin;

/// Where a group is to read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// At the first record there is.
    Earliest,
    /// Behind the last one.
    Latest,
    /// Where it is.
    Current,
    /// At this offset of each partition.
    Offset(i64),
    /// So far from where it is.
    Shift(i64),
    /// At the first record of that time or later, in milliseconds since 1970.
    Time(i64),
    /// As a time, so many milliseconds ago.
    Ago(i64),
    /// At an offset of its own for each partition.
    Each(BTreeMap<TopicPartition, i64>),
}

impl Target {
    /// The same, where it is a place that is found without knowing where the group is.
    pub(super) const fn begin(&self) -> Option<Begin> {
        match self {
            Self::Earliest => Some(Begin::Earliest),
            Self::Latest => Some(Begin::Latest),
            Self::Time(millis) => Some(Begin::Time(*millis)),
            Self::Ago(millis) => Some(Begin::Ago(*millis)),
            Self::Current | Self::Offset(_) | Self::Shift(_) | Self::Each(_) => None,
        }
    }
}

/// A time; a number is one in milliseconds since 1970.
pub(super) fn time(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(Begin::Time(millis) | Begin::Offset(millis)) => Ok(millis),
        _ => {
            Err("expected a time, such as 2026-03-01T12:00:00Z, 2026-03-01 or milliseconds since 1970"
                .to_owned())
        }
    }
}

/// An offset.
pub(super) fn offset(text: &str) -> Result<i64, String> {
    let offset = text.parse().ok().filter(|offset| *offset >= 0);
    offset.ok_or_else(|| "expected an offset, a whole number from 0 on".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_no_length_of_time() {
        assert_eq!(time("2023-11-14T22:13:20Z"), Ok(1_700_000_000_000));
        assert_eq!(time("1700000000000"), Ok(1_700_000_000_000));
        for text in ["", "-5", "15m", "latest", "yesterday"] {
            assert!(time(text).is_err(), "{text}");
        }
        assert_eq!(offset("7"), Ok(7));
        assert!(offset("-1").is_err() && offset("x").is_err());
    }
}
