//! One line per setting: its names, how it is written and how it is read.

use mainstem_protocol::records::{Compression, TimestampType};

use super::{CleanupPolicy, CompressionType, TopicConfig};

/// A setting that topics have.
pub struct Setting {
    /// Kafka's name for a topic.
    pub name: &'static str,
    /// Kafka's name for the broker-wide default.
    pub broker_name: &'static str,
    /// What it does, for people.
    pub doc: &'static str,
    /// The value, as text.
    pub read: fn(&TopicConfig) -> String,
    pub(super) write: fn(&mut TopicConfig, &str) -> Result<(), String>,
}

impl Setting {
    /// The setting that topics know by `name`.
    #[must_use]
    pub fn of_topic(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Whether its value is words with commas between them.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.name == "cleanup.policy"
    }

    /// The setting whose broker-wide default is called `name`.
    #[must_use]
    pub fn of_broker(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.broker_name == name)
    }
}

const LONG_MAX: u64 = i64::MAX.unsigned_abs();
const INT_MAX: u64 = i32::MAX.unsigned_abs() as u64;

/// Every setting, by name.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "cleanup.policy",
        broker_name: "log.cleanup.policy",
        doc: "delete old segments, keep the last value of each key, or both",
        read: |config| policy_text(config.cleanup_policy),
        write: |config, value| store(&mut config.cleanup_policy, policy(value)),
    },
    Setting {
        name: "compression.type",
        broker_name: "compression.type",
        doc: "the compression in which batches are kept; producer keeps theirs",
        read: |config| match config.compression_type {
            CompressionType::Producer => "producer".to_owned(),
            CompressionType::Fixed(Compression::None) => "uncompressed".to_owned(),
            CompressionType::Fixed(compression) => compression.name().to_owned(),
        },
        write: |config, value| store(&mut config.compression_type, compression(value)),
    },
    Setting {
        name: "delete.retention.ms",
        broker_name: "log.cleaner.delete.retention.ms",
        doc: "how long the mark of a deleted key stays",
        read: |config| config.delete_retention_ms.to_string(),
        write: |config, value| store(&mut config.delete_retention_ms, number(value, 0, LONG_MAX)),
    },
    Setting {
        name: "flush.messages",
        broker_name: "log.flush.interval.messages",
        doc: "records after which a sync follows; with 1 every acknowledgement waits for it",
        read: |config| config.flush_messages.to_string(),
        write: |config, value| store(&mut config.flush_messages, number(value, 1, LONG_MAX)),
    },
    Setting {
        name: "flush.ms",
        broker_name: "log.flush.interval.ms",
        doc: "milliseconds after which a sync follows",
        read: |config| config.flush_ms.to_string(),
        write: |config, value| store(&mut config.flush_ms, number(value, 0, LONG_MAX)),
    },
    Setting {
        name: "index.interval.bytes",
        broker_name: "log.index.interval.bytes",
        doc: "bytes of a segment between two entries of its index",
        read: |config| config.index_interval_bytes.to_string(),
        write: |config, value| store(&mut config.index_interval_bytes, number(value, 0, INT_MAX)),
    },
    Setting {
        name: "max.message.bytes",
        broker_name: "message.max.bytes",
        doc: "the largest batch of records, compressed",
        read: |config| config.max_message_bytes.to_string(),
        write: |config, value| store(&mut config.max_message_bytes, number(value, 0, INT_MAX)),
    },
    Setting {
        name: "message.timestamp.after.max.ms",
        broker_name: "log.message.timestamp.after.max.ms",
        doc: "how far ahead of the broker's clock a record's timestamp may be",
        read: |config| config.timestamp_after_max_ms.to_string(),
        write: |config, value| store(&mut config.timestamp_after_max_ms, number(value, 0, LONG_MAX)),
    },
    Setting {
        name: "message.timestamp.before.max.ms",
        broker_name: "log.message.timestamp.before.max.ms",
        doc: "how far behind the broker's clock a record's timestamp may be",
        read: |config| config.timestamp_before_max_ms.to_string(),
        write: |config, value| store(&mut config.timestamp_before_max_ms, number(value, 0, LONG_MAX)),
    },
    Setting {
        name: "message.timestamp.type",
        broker_name: "log.message.timestamp.type",
        doc: "whose clock gives records their timestamps",
        read: |config| match config.timestamp_type {
            TimestampType::CreateTime => "CreateTime".to_owned(),
            TimestampType::LogAppendTime => "LogAppendTime".to_owned(),
        },
        write: |config, value| store(&mut config.timestamp_type, timestamp_type(value)),
    },
    Setting {
        name: "min.insync.replicas",
        broker_name: "min.insync.replicas",
        doc: "replicas that must have a record; there is one",
        read: |config| config.min_insync_replicas.to_string(),
        write: |config, value| store(&mut config.min_insync_replicas, number(value, 1, 1).map(|_| 1)),
    },
    Setting {
        name: "retention.bytes",
        broker_name: "log.retention.bytes",
        doc: "size of a partition above which its oldest segments are deleted; -1 for never",
        read: |config| limit_text(config.retention_bytes),
        write: |config, value| store(&mut config.retention_bytes, limit(value)),
    },
    Setting {
        name: "retention.ms",
        broker_name: "log.retention.ms",
        doc: "age at which segments are deleted; -1 for never",
        read: |config| limit_text(config.retention_ms),
        write: |config, value| store(&mut config.retention_ms, limit(value)),
    },
    Setting {
        name: "segment.bytes",
        broker_name: "log.segment.bytes",
        doc: "size at which a segment is left for the next one",
        read: |config| config.segment_bytes.to_string(),
        write: |config, value| store(&mut config.segment_bytes, number(value, 14, INT_MAX)),
    },
    Setting {
        name: "segment.index.bytes",
        broker_name: "log.index.size.max.bytes",
        doc: "size of an offset index at which its segment is left for the next one",
        read: |config| config.segment_index_bytes.to_string(),
        write: |config, value| store(&mut config.segment_index_bytes, number(value, 4, INT_MAX)),
    },
    Setting {
        name: "segment.ms",
        broker_name: "log.roll.ms",
        doc: "age at which a segment is left for the next one",
        read: |config| config.segment_ms.to_string(),
        write: |config, value| store(&mut config.segment_ms, number(value, 1, LONG_MAX)),
    },
];

fn store<T>(slot: &mut T, value: Result<T, String>) -> Result<(), String> {
    *slot = value?;
    Ok(())
}

fn number(value: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| match least == most {
        true => format!("only {least} is possible"),
        false => format!("a whole number from {least} to {most}"),
    })
}

fn limit(value: &str) -> Result<Option<u64>, String> {
    if value == "-1" {
        return Ok(None);
    }
    number(value, 0, LONG_MAX).map(Some).map_err(|_| format!("-1, or a whole number from 0 to {LONG_MAX}"))
}

fn limit_text(limit: Option<u64>) -> String {
    limit.map_or_else(|| "-1".to_owned(), |limit| limit.to_string())
}

fn policy(value: &str) -> Result<CleanupPolicy, String> {
    let none = CleanupPolicy { delete: false, compact: false };
    let words = value.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.into_iter().try_fold(none, |policy, word| match word {
        "delete" => Ok(CleanupPolicy { delete: true, ..policy }),
        "compact" => Ok(CleanupPolicy { compact: true, ..policy }),
        _ => Err("delete, compact, or both with a comma".to_owned()),
    })
}

fn policy_text(policy: CleanupPolicy) -> String {
    match (policy.compact, policy.delete) {
        (true, true) => "compact,delete",
        (true, false) => "compact",
        (false, true) => "delete",
        (false, false) => "",
    }
    .to_owned()
}

fn compression(value: &str) -> Result<CompressionType, String> {
    match value {
        "producer" => Ok(CompressionType::Producer),
        "uncompressed" | "none" => Ok(CompressionType::Fixed(Compression::None)),
        name => Compression::from_name(name)
            .map(CompressionType::Fixed)
            .ok_or_else(|| "producer, uncompressed, gzip, snappy, lz4 or zstd".to_owned()),
    }
}

fn timestamp_type(value: &str) -> Result<TimestampType, String> {
    match value {
        "CreateTime" => Ok(TimestampType::CreateTime),
        "LogAppendTime" => Ok(TimestampType::LogAppendTime),
        _ => Err("CreateTime or LogAppendTime".to_owned()),
    }
}
