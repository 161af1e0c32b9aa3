//! One line per setting: its names, its type, how it is written and how it is read.

use mainstem_protocol::records::TimestampType;

use super::{
    TopicConfig,
    text::{
        compression, compression_text, flag, gzip_level, limit, limit_text, local_limit, number, policy,
        policy_text, ratio, replicas, signed, size_limit, timestamp_type, whole,
    },
};

/// A setting that topics have.
pub struct Setting {
    /// Kafka's name for a topic.
    pub name: &'static str,
    /// Kafka's name for the broker-wide default; none where there is no such default.
    pub broker_name: Option<&'static str>,
    /// Its type.
    pub kind: Kind,
    /// What it does, for people.
    pub doc: &'static str,
    /// The value, as text.
    pub read: fn(&TopicConfig) -> String,
    pub(super) write: fn(&mut TopicConfig, &str) -> Result<(), String>,
}

/// A setting's type, with Kafka's code for it (`DescribeConfigsResponse.ConfigType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Kind {
    /// True or false.
    Boolean = 1,
    /// Text.
    String = 2,
    /// A whole number of 32 bits.
    Int = 3,
    /// A whole number of 64 bits.
    Long = 5,
    /// A number with a fraction.
    Double = 6,
    /// Texts with commas between.
    List = 7,
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
        self.kind == Kind::List
    }

    /// The setting whose broker-wide default is called `name`.
    #[must_use]
    pub fn of_broker(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.broker_name == Some(name))
    }

    /// The broker's names of all defaults for topics.
    pub fn broker_names() -> impl Iterator<Item = &'static str> {
        SETTINGS.iter().filter_map(|setting| setting.broker_name)
    }
}

const LONG_MAX: u64 = i64::MAX.unsigned_abs();
const INT_MAX: u64 = i32::MAX.unsigned_abs() as u64;

/// Every setting, by name (Kafka: `LogConfig`, `ServerTopicConfigSynonyms`).
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "cleanup.policy",
        broker_name: Some("log.cleanup.policy"),
        kind: Kind::List,
        doc: "delete old segments, keep the last value of each key, or both; nothing is ever deleted with neither",
        read: |config| policy_text(config.cleanup_policy),
        write: |config, value| store(&mut config.cleanup_policy, policy(value)),
    },
    Setting {
        name: "compression.gzip.level",
        broker_name: Some("compression.gzip.level"),
        kind: Kind::Int,
        doc: "the level at which the broker compresses with gzip, where compression.type is gzip; -1 for the codec's own",
        read: |config| config.compression_levels.gzip.to_string(),
        write: |config, value| store(&mut config.compression_levels.gzip, gzip_level(value)),
    },
    Setting {
        name: "compression.lz4.level",
        broker_name: Some("compression.lz4.level"),
        kind: Kind::Int,
        doc: "the level at which the broker compresses with lz4; there is one encoder, a fast one, so that every level yields the same",
        read: |config| config.compression_levels.lz4.to_string(),
        write: |config, value| store(&mut config.compression_levels.lz4, signed(value, 1, 17)),
    },
    Setting {
        name: "compression.type",
        broker_name: Some("compression.type"),
        kind: Kind::String,
        doc: "the compression in which batches are kept; producer keeps theirs",
        read: |config| compression_text(config.compression_type),
        write: |config, value| store(&mut config.compression_type, compression(value)),
    },
    Setting {
        name: "compression.zstd.level",
        broker_name: Some("compression.zstd.level"),
        kind: Kind::Int,
        doc: "the level at which the broker compresses with zstd, where compression.type is zstd",
        read: |config| config.compression_levels.zstd.to_string(),
        write: |config, value| store(&mut config.compression_levels.zstd, signed(value, -131_072, 22)),
    },
    Setting {
        name: "delete.retention.ms",
        broker_name: Some("log.cleaner.delete.retention.ms"),
        kind: Kind::Long,
        doc: "how long the mark of a deleted key stays",
        read: |config| config.delete_retention_ms.to_string(),
        write: |config, value| store(&mut config.delete_retention_ms, number(value, 0, LONG_MAX)),
    },
    Setting {
        name: "file.delete.delay.ms",
        broker_name: Some("log.segment.delete.delay.ms"),
        kind: Kind::Long,
        doc: "accepted and without effect: a file goes once its deletion is durable, and whoever is reading it keeps it until the end",
        read: |config| config.file_delete_delay_ms.to_string(),
        write: |config, value| store(&mut config.file_delete_delay_ms, number(value, 0, LONG_MAX)),
    },
    Setting {
        name: "flush.messages",
        broker_name: Some("log.flush.interval.messages"),
        kind: Kind::Long,
        doc: "records after which a sync follows; with 1 every acknowledgement waits for it",
        read: |config| config.flush_messages.to_string(),
        write: |config, value| store(&mut config.flush_messages, number(value, 1, LONG_MAX)),
    },
    Setting {
        name: "flush.ms",
        broker_name: Some("log.flush.interval.ms"),
        kind: Kind::Long,
        doc: "milliseconds after which a sync follows",
        read: |config| config.flush_ms.to_string(),
        write: |config, value| store(&mut config.flush_ms, number(value, 0, LONG_MAX)),
    },
    Setting {
        name: "follower.replication.throttled.replicas",
        broker_name: None,
        kind: Kind::List,
        doc: "accepted and without effect: a single node replicates nothing",
        read: |config| config.follower_throttled_replicas.clone(),
        write: |config, value| store(&mut config.follower_throttled_replicas, replicas(value)),
    },
    Setting {
        name: "index.interval.bytes",
        broker_name: Some("log.index.interval.bytes"),
        kind: Kind::Int,
        doc: "bytes of a segment between two entries of its index",
        read: |config| config.index_interval_bytes.to_string(),
        write: |config, value| store(&mut config.index_interval_bytes, number(value, 0, INT_MAX)),
    },
    Setting {
        name: "leader.replication.throttled.replicas",
        broker_name: None,
        kind: Kind::List,
        doc: "accepted and without effect: a single node replicates nothing",
        read: |config| config.leader_throttled_replicas.clone(),
        write: |config, value| store(&mut config.leader_throttled_replicas, replicas(value)),
    },
    Setting {
        name: "local.retention.bytes",
        broker_name: Some("log.local.retention.bytes"),
        kind: Kind::Long,
        doc: "accepted and without effect, since there is no tiered storage: all of a log is local; -2 for retention.bytes",
        read: |config| config.local_retention_bytes.to_string(),
        write: |config, value| store(&mut config.local_retention_bytes, local_limit(value)),
    },
    Setting {
        name: "local.retention.ms",
        broker_name: Some("log.local.retention.ms"),
        kind: Kind::Long,
        doc: "accepted and without effect, since there is no tiered storage: all of a log is local; -2 for retention.ms",
        read: |config| config.local_retention_ms.to_string(),
        write: |config, value| store(&mut config.local_retention_ms, local_limit(value)),
    },
    Setting {
        name: "max.compaction.lag.ms",
        broker_name: Some("log.cleaner.max.compaction.lag.ms"),
        kind: Kind::Long,
        doc: "how long a record of a compacted topic may stay out of compaction",
        read: |config| config.max_compaction_lag_ms.to_string(),
        write: |config, value| store(&mut config.max_compaction_lag_ms, number(value, 1, LONG_MAX)),
    },
    Setting {
        name: "max.message.bytes",
        broker_name: Some("message.max.bytes"),
        kind: Kind::Int,
        doc: "the largest batch of records, compressed",
        read: |config| config.max_message_bytes.to_string(),
        write: |config, value| store(&mut config.max_message_bytes, number(value, 0, INT_MAX)),
    },
    Setting {
        name: "message.timestamp.after.max.ms",
        broker_name: Some("log.message.timestamp.after.max.ms"),
        kind: Kind::Long,
        doc: "how far ahead of the broker's clock a record's timestamp may be",
        read: |config| config.timestamp_after_max_ms.to_string(),
        write: |config, value| store(&mut config.timestamp_after_max_ms, number(value, 0, LONG_MAX)),
    },
    Setting {
        name: "message.timestamp.before.max.ms",
        broker_name: Some("log.message.timestamp.before.max.ms"),
        kind: Kind::Long,
        doc: "how far behind the broker's clock a record's timestamp may be",
        read: |config| config.timestamp_before_max_ms.to_string(),
        write: |config, value| store(&mut config.timestamp_before_max_ms, number(value, 0, LONG_MAX)),
    },
    Setting {
        name: "message.timestamp.type",
        broker_name: Some("log.message.timestamp.type"),
        kind: Kind::String,
        doc: "whose clock gives records their timestamps",
        read: |config| match config.timestamp_type {
            TimestampType::CreateTime => "CreateTime".to_owned(),
            TimestampType::LogAppendTime => "LogAppendTime".to_owned(),
        },
        write: |config, value| store(&mut config.timestamp_type, timestamp_type(value)),
    },
    Setting {
        name: "min.cleanable.dirty.ratio",
        broker_name: Some("log.cleaner.min.cleanable.ratio"),
        kind: Kind::Double,
        doc: "the share of a compacted log that must be new before it is compacted again",
        read: |config| config.min_cleanable_dirty_ratio.to_string(),
        write: |config, value| store(&mut config.min_cleanable_dirty_ratio, ratio(value)),
    },
    Setting {
        name: "min.compaction.lag.ms",
        broker_name: Some("log.cleaner.min.compaction.lag.ms"),
        kind: Kind::Long,
        doc: "how long a record of a compacted topic stays out of compaction at least",
        read: |config| config.min_compaction_lag_ms.to_string(),
        write: |config, value| store(&mut config.min_compaction_lag_ms, number(value, 0, LONG_MAX)),
    },
    Setting {
        name: "min.insync.replicas",
        broker_name: Some("min.insync.replicas"),
        kind: Kind::Int,
        doc: "replicas that must have a record, or all where there are fewer: there is one",
        read: |config| config.min_insync_replicas.to_string(),
        write: |config, value| store(&mut config.min_insync_replicas, whole(value, 1)),
    },
    Setting {
        name: "preallocate",
        broker_name: Some("log.preallocate"),
        kind: Kind::Boolean,
        doc: "whether a new segment gets all of its space at once, rather than in steps",
        read: |config| config.preallocate.to_string(),
        write: |config, value| store(&mut config.preallocate, flag(value)),
    },
    Setting {
        name: "remote.log.copy.disable",
        broker_name: None,
        kind: Kind::Boolean,
        doc: "accepted and without effect: there is no tiered storage",
        read: |config| config.remote_log_copy_disable.to_string(),
        write: |config, value| store(&mut config.remote_log_copy_disable, flag(value)),
    },
    Setting {
        name: "remote.log.delete.on.disable",
        broker_name: None,
        kind: Kind::Boolean,
        doc: "accepted and without effect: there is no tiered storage",
        read: |config| config.remote_log_delete_on_disable.to_string(),
        write: |config, value| store(&mut config.remote_log_delete_on_disable, flag(value)),
    },
    Setting {
        name: "remote.storage.enable",
        broker_name: None,
        kind: Kind::Boolean,
        doc: "whether old segments move to tiered storage: there is none",
        read: |_| "false".to_owned(),
        write: |_, value| untiered(flag(value)),
    },
    Setting {
        name: "retention.bytes",
        broker_name: Some("log.retention.bytes"),
        kind: Kind::Long,
        doc: "size of a partition above which its oldest segments are deleted; -1 for never",
        read: |config| limit_text(config.retention_bytes),
        write: |config, value| store(&mut config.retention_bytes, size_limit(value)),
    },
    Setting {
        name: "retention.ms",
        broker_name: Some("log.retention.ms"),
        kind: Kind::Long,
        doc: "age at which segments are deleted; -1 for never",
        read: |config| limit_text(config.retention_ms),
        write: |config, value| store(&mut config.retention_ms, limit(value)),
    },
    Setting {
        name: "segment.bytes",
        broker_name: Some("log.segment.bytes"),
        kind: Kind::Int,
        doc: "size at which a segment is left for the next one",
        read: |config| config.segment_bytes.to_string(),
        write: |config, value| store(&mut config.segment_bytes, number(value, 14, INT_MAX)),
    },
    Setting {
        name: "segment.index.bytes",
        broker_name: Some("log.index.size.max.bytes"),
        kind: Kind::Int,
        doc: "size of an offset index at which its segment is left for the next one",
        read: |config| config.segment_index_bytes.to_string(),
        write: |config, value| store(&mut config.segment_index_bytes, number(value, 4, INT_MAX)),
    },
    Setting {
        name: "segment.jitter.ms",
        broker_name: Some("log.roll.jitter.ms"),
        kind: Kind::Long,
        doc: "by how much segment.ms may be shorter, other for each segment, so that many segments are not left at once",
        read: |config| config.segment_jitter_ms.to_string(),
        write: |config, value| store(&mut config.segment_jitter_ms, number(value, 0, LONG_MAX)),
    },
    Setting {
        name: "segment.ms",
        broker_name: Some("log.roll.ms"),
        kind: Kind::Long,
        doc: "age at which a segment is left for the next one",
        read: |config| config.segment_ms.to_string(),
        write: |config, value| store(&mut config.segment_ms, number(value, 1, LONG_MAX)),
    },
    Setting {
        name: "unclean.leader.election.enable",
        broker_name: Some("unclean.leader.election.enable"),
        kind: Kind::Boolean,
        doc: "accepted and without effect: a partition has one replica, which has all of its records",
        read: |config| config.unclean_leader_election.to_string(),
        write: |config, value| store(&mut config.unclean_leader_election, flag(value)),
    },
];

fn store<T>(slot: &mut T, value: Result<T, String>) -> Result<(), String> {
    *slot = value?;
    Ok(())
}

/// Tiered storage cannot be had (Kafka, where it is not set up: "Tiered Storage functionality is disabled").
fn untiered(value: Result<bool, String>) -> Result<(), String> {
    if value? { Err("only false is possible: there is no tiered storage".to_owned()) } else { Ok(()) }
}
