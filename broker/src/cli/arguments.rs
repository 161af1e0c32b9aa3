//! Values of flags that several commands have, checked before anybody is asked: a command that was called wrongly says so
//! whatever the broker is.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::Error;
use crate::config::HostPort;

/// The name of a topic, as far as it can be told from here.
pub(super) fn topic(text: &str) -> Result<String, String> {
    some(text, "the name of a topic")
}

/// The name of a consumer group.
pub(super) fn group(text: &str) -> Result<String, String> {
    some(text, "the name of a group, such as billing")
}

/// Text that says something.
pub(super) fn some(text: &str, expected: &str) -> Result<String, String> {
    if text.is_empty() { Err(format!("expected {expected}")) } else { Ok(text.to_owned()) }
}

/// Of two values for one setting neither is meant.
pub(super) fn check_once<'a>(settings: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    match settings.into_iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(Error::usage(format_args!("{twice} is named twice"))),
        None => Ok(()),
    }
}

/// The number of a partition.
pub(super) fn partition(text: &str) -> Result<i32, String> {
    whole(text, 0).ok_or_else(|| format!("expected the number of a partition, from 0 to {}", i32::MAX))
}

/// A number of partitions.
pub(super) fn partitions(text: &str) -> Result<i32, String> {
    whole(text, 1).ok_or_else(|| format!("expected a whole number from 1 to {}", i32::MAX))
}

fn whole(text: &str, least: i32) -> Option<i32> {
    text.parse().ok().filter(|number| *number >= least)
}

/// A number of things, at least one.
pub(super) fn count(text: &str) -> Result<u64, String> {
    let count = text.replace('_', "").parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "expected a whole number from 1 on".to_owned())
}

/// A length of time.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let signed = text.parse::<SignedDuration>().ok().or_else(|| with_days(text));
    let parsed = signed.and_then(|duration| Duration::try_from(duration).ok());
    parsed.ok_or_else(|| "expected a length of time, such as 500ms, 30s or 2m".to_owned())
}

/// A day has 24 hours, as in `java.time.Duration`, whose form Kafka's tools take.
fn with_days(text: &str) -> Option<SignedDuration> {
    text.parse::<Span>().ok()?.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

/// A length of time that is one.
pub(super) fn some_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    let expected = "expected a length of time above zero, such as 500ms, 30s or 2m";
    if duration.is_zero() { Err(expected.to_owned()) } else { Ok(duration) }
}

/// A name and a value, with `=` between.
pub(super) fn name_and_value(text: &str) -> Result<(String, String), String> {
    let parted = text.split_once('=').map(|(name, value)| (name.trim(), value));
    let (name, value) = parted
        .filter(|(name, _)| !name.is_empty())
        .ok_or("expected NAME=VALUE, such as retention.ms=86400000")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Brokers to begin with.
pub(super) fn servers(text: &str) -> Result<String, String> {
    let is_server = |server: &str| server.parse::<HostPort>().is_ok_and(|server| server.port != 0);
    match text.split(',').map(str::trim).all(is_server) {
        true => Ok(text.to_owned()),
        false => {
            Err("expected HOST:PORT, such as 127.0.0.1:9092, or several of these with commas between"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_have_a_host_and_a_port() {
        for text in ["127.0.0.1:9092", "one:1, two:2", "[::1]:9092"] {
            assert!(servers(text).is_ok(), "{text}");
        }
        for text in ["", "garbage", "host:", "host:0", "http://host:1", "one:1,,two:2", ":9092"] {
            assert!(servers(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_of_partitions_begin_where_they_can() {
        assert_eq!((partition("0"), partitions("1")), (Ok(0), Ok(1)));
        for text in ["-1", "x", "2147483648", ""] {
            assert!(partition(text).is_err() && partitions(text).is_err(), "{text}");
        }
        assert!(partitions("0").is_err());
    }

    #[test]
    fn lengths_of_time_have_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for (text, hours) in [("P1D", 24), ("P2DT1H30M1800S", 50), ("PT15M", 0), ("1d", 24)] {
            assert_eq!(duration(text).map(|duration| duration.as_secs() / 3600), Ok(hours), "{text}");
        }
        assert!(["", "5", "-5s", "soon", "P1M", "-P1D"].into_iter().all(|text| duration(text).is_err()));
    }

    #[test]
    fn a_name_without_a_value_is_refused() {
        assert_eq!(name_and_value("a = 1=2"), Ok(("a".to_owned(), " 1=2".to_owned())));
        assert!(name_and_value("a").is_err() && name_and_value("=1").is_err());
    }
}
