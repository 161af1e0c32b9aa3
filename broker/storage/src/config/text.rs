//! Values of settings as text: what people write, and what they are shown.

use std::fmt::{self, Display, Formatter};

use mainstem_protocol::records::{Compression, TimestampType};

use super::{CleanupPolicy, CompressionType};

const LONG_MAX: u64 = i64::MAX.unsigned_abs();

/// A share of a whole: from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Ratio(f64);

/// It is never NaN.
impl Eq for Ratio {}

impl Ratio {
    /// A half.
    pub const HALF: Self = Self(0.5);

    /// The share, where it is one.
    #[must_use]
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    /// As a number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// As Java shows it: with a fraction always.
impl Display for Ratio {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

pub(super) fn number(value: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("a whole number from {least} to {most}"))
}

pub(super) fn whole(value: &str, least: u32) -> Result<u32, String> {
    let number = number(value, least.into(), i32::MAX.unsigned_abs().into())?;
    Ok(u32::try_from(number).unwrap_or(least))
}

pub(super) fn signed(value: &str, least: i32, most: i32) -> Result<i32, String> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("a whole number from {least} to {most}"))
}

pub(super) fn gzip_level(value: &str) -> Result<i32, String> {
    let level = value.parse().ok().filter(|level| *level == -1 || (1..=9).contains(level));
    level.ok_or_else(|| "-1, or a whole number from 1 to 9".to_owned())
}

pub(super) fn ratio(value: &str) -> Result<Ratio, String> {
    value.parse().ok().and_then(Ratio::new).ok_or_else(|| "a number from 0 to 1".to_owned())
}

pub(super) fn flag(value: &str) -> Result<bool, String> {
    value.to_ascii_lowercase().parse().map_err(|_| "true or false".to_owned())
}

pub(super) fn limit(value: &str) -> Result<Option<u64>, String> {
    if value == "-1" {
        return Ok(None);
    }
    number(value, 0, LONG_MAX).map(Some).map_err(|_| format!("-1, or a whole number from 0 to {LONG_MAX}"))
}

/// Whatever is less than nothing is no limit (Kafka: `LogConfig` has no least one for `retention.bytes`).
pub(super) fn size_limit(value: &str) -> Result<Option<u64>, String> {
    let is_none = value.parse::<i64>().is_ok_and(|bytes| bytes < 0);
    if is_none { Ok(None) } else { limit(value) }
}

/// What -2 means: the limit of the whole log.
pub(super) fn local_limit(value: &str) -> Result<i64, String> {
    let number = value.parse().ok().filter(|number| *number >= -2);
    number.ok_or_else(|| format!("a whole number from -2 to {LONG_MAX}"))
}

pub(super) fn limit_text(limit: Option<u64>) -> String {
    limit.map_or_else(|| "-1".to_owned(), |limit| limit.to_string())
}

pub(super) fn policy(value: &str) -> Result<CleanupPolicy, String> {
    let none = CleanupPolicy { delete: false, compact: false };
    if value.is_empty() {
        return Ok(none);
    }
    value.split(',').map(str::trim).try_fold(none, |policy, word| match word {
        "delete" => Ok(CleanupPolicy { delete: true, ..policy }),
        "compact" => Ok(CleanupPolicy { compact: true, ..policy }),
        _ => Err("delete, compact, or both with a comma".to_owned()),
    })
}

pub(super) fn policy_text(policy: CleanupPolicy) -> String {
    match (policy.compact, policy.delete) {
        (true, true) => "compact,delete",
        (true, false) => "compact",
        (false, true) => "delete",
        (false, false) => "",
    }
    .to_owned()
}

pub(super) fn compression(value: &str) -> Result<CompressionType, String> {
    match value {
        "producer" => Ok(CompressionType::Producer),
        "uncompressed" => Ok(CompressionType::Fixed(Compression::None)),
        name => Compression::from_name(name)
            .filter(|compression| *compression != Compression::None)
            .map(CompressionType::Fixed)
            .ok_or_else(|| "producer, uncompressed, gzip, snappy, lz4 or zstd".to_owned()),
    }
}

pub(super) fn compression_text(compression: CompressionType) -> String {
    match compression {
        CompressionType::Producer => "producer".to_owned(),
        CompressionType::Fixed(Compression::None) => "uncompressed".to_owned(),
        CompressionType::Fixed(compression) => compression.name().to_owned(),
    }
}

pub(super) fn timestamp_type(value: &str) -> Result<TimestampType, String> {
    match value {
        "CreateTime" => Ok(TimestampType::CreateTime),
        "LogAppendTime" => Ok(TimestampType::LogAppendTime),
        _ => Err("CreateTime or LogAppendTime".to_owned()),
    }
}

/// Replicas by partition and broker, or all of them (Kafka: `ThrottledReplicaListValidator`).
pub(super) fn replicas(value: &str) -> Result<String, String> {
    let is_pair = |pair: &str| {
        let numbers = pair.trim().split_once(':');
        numbers.is_some_and(|(partition, broker)| {
            partition.parse::<u32>().is_ok() && broker.parse::<u32>().is_ok()
        })
    };
    if value.is_empty() || value == "*" || value.split(',').all(is_pair) {
        return Ok(value.to_owned());
    }
    Err("*, or replicas as PARTITION:BROKER with commas between".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_show_a_fraction_always() {
        let check = |value, expected: &str| assert_eq!(ratio(value).unwrap().to_string(), expected);
        check("1", "1.0");
        check("0.30", "0.3");
        check("1e-3", "0.001");
        assert!(ratio("1.1").is_err() && ratio("NaN").is_err() && ratio("-0.1").is_err());
    }

    #[test]
    fn replicas_are_pairs_or_all() {
        assert!(replicas("").is_ok() && replicas("*").is_ok() && replicas("0:1, 1:2").is_ok());
        assert!(replicas("none").is_err() && replicas("0:1,*").is_err() && replicas("0:1,").is_err());
    }

    #[test]
    fn policy_without_words_is_neither() {
        assert_eq!(policy(""), Ok(CleanupPolicy { delete: false, compact: false }));
        assert!(policy("delete,").is_err());
    }
}
