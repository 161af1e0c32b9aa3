//! The settings of a topic: Kafka's names, typed values, defaults from the broker's `log.*`.

mod asked;
mod change;
mod resource;
mod settings;
mod text;

use std::collections::BTreeMap;

use mainstem_protocol::records::{Compression, TimestampType};

pub use asked::check_asked;
pub(crate) use change::apply_changes;
pub use change::{ConfigChange, ConfigOperation};
pub use resource::{Present, Resource, Resources, Rules};
pub(crate) use resource::{TopicRules, store_resource};
pub use settings::{Kind, SETTINGS, Setting};
pub use text::Ratio;

use crate::caps::SETTING_BYTES_MAX;

/// What a topic sets of its own, by name. Only what differs from the broker's defaults is kept.
pub type Overrides = BTreeMap<String, String>;

/// What happens to old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Segments are deleted by age and size.
    pub delete: bool,
    /// The last value of each key stays.
    pub compact: bool,
}

/// In which compression batches are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionType {
    /// As the producer sent them.
    Producer,
    /// In this one.
    Fixed(Compression),
}

/// All settings of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// `flush.messages`: records of the topic after which a sync follows; 1 makes every acknowledgement wait for it.
    pub flush_messages: u64,
    /// `flush.ms`: milliseconds after which a sync follows.
    pub flush_ms: u64,
    /// `retention.ms`: age at which segments go; `None` for never.
    pub retention_ms: Option<u64>,
    /// `retention.bytes`: size of a partition above which its oldest segments go; `None` for never.
    pub retention_bytes: Option<u64>,
    /// `segment.bytes`: size at which a segment is left for the next one.
    pub segment_bytes: u64,
    /// `segment.ms`: age at which a segment is left for the next one.
    pub segment_ms: u64,
    /// `segment.index.bytes`: size of an offset index at which its segment is left for the next one.
    pub segment_index_bytes: u64,
    /// `index.interval.bytes`: bytes of a segment between two entries of its index.
    pub index_interval_bytes: u64,
    /// `max.message.bytes`: the largest batch, as it is compressed.
    pub max_message_bytes: u64,
    /// `cleanup.policy`.
    pub cleanup_policy: CleanupPolicy,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far behind the broker's clock a producer's timestamp may be.
    pub timestamp_before_max_ms: u64,
    /// `message.timestamp.after.max.ms`: how far ahead of the broker's clock a producer's timestamp may be.
    pub timestamp_after_max_ms: u64,
    /// `compression.type`.
    pub compression_type: CompressionType,
    /// `compression.*.level`.
    pub compression_levels: CompressionLevels,
    /// `min.insync.replicas`; there is one, and no more are ever asked for than there are.
    pub min_insync_replicas: u32,
    /// `delete.retention.ms`: how long tombstones stay.
    pub delete_retention_ms: u64,
    /// `min.cleanable.dirty.ratio`: the share of a compacted log that must be new before it is compacted again.
    pub min_cleanable_dirty_ratio: Ratio,
    /// `min.compaction.lag.ms`: how long a record stays out of compaction at least.
    pub min_compaction_lag_ms: u64,
    /// `max.compaction.lag.ms`: how long a record may stay out of compaction.
    pub max_compaction_lag_ms: u64,
    /// `segment.jitter.ms`: by how much `segment.ms` may be shorter, other for each segment.
    pub segment_jitter_ms: u64,
    /// `preallocate`: whether a segment gets all of its space at once.
    pub preallocate: bool,
    /// `file.delete.delay.ms`, without effect.
    pub file_delete_delay_ms: u64,
    /// `unclean.leader.election.enable`, without effect.
    pub unclean_leader_election: bool,
    /// `leader.replication.throttled.replicas`, without effect.
    pub leader_throttled_replicas: String,
    /// `follower.replication.throttled.replicas`, without effect.
    pub follower_throttled_replicas: String,
    /// `local.retention.bytes`, without effect.
    pub local_retention_bytes: i64,
    /// `local.retention.ms`, without effect.
    pub local_retention_ms: i64,
    /// `remote.log.copy.disable`, without effect.
    pub remote_log_copy_disable: bool,
    /// `remote.log.delete.on.disable`, without effect.
    pub remote_log_delete_on_disable: bool,
}

/// How hard the broker compresses where it compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressionLevels {
    /// From 1 to 9, or -1 for the codec's own.
    pub gzip: i32,
    /// From 1 to 17.
    pub lz4: i32,
    /// From -131072 to 22.
    pub zstd: i32,
}

impl CompressionLevels {
    /// The level of a compression; none where it has no levels or the codec is to choose.
    #[must_use]
    pub fn of(self, compression: Compression) -> Option<i32> {
        match compression {
            Compression::Gzip => Some(self.gzip).filter(|level| *level != -1),
            Compression::Zstd => Some(self.zstd),
            Compression::Lz4 => Some(self.lz4),
            Compression::None | Compression::Snappy => None,
        }
    }
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No topic has such a setting.
    #[error("topic setting {name} is not known")]
    Unknown {
        /// As it was given.
        name: String,
    },
    /// Words cannot be added to it or taken from it.
    #[error("{operation} does not fit topic setting {name}: it is not a list")]
    NotAList {
        /// The setting.
        name: String,
        /// What was asked for.
        operation: &'static str,
    },
    /// So many resources have settings.
    #[error("more than {most} groups and brokers have settings of their own")]
    TooManyResources {
        /// As many as may have.
        most: usize,
    },
    /// A resource may not have it.
    #[error("{0}")]
    Refused(String),
    /// The value does not fit.
    #[error("topic setting {name} cannot be {value}: {expected}")]
    Invalid {
        /// The setting.
        name: String,
        /// As it was given.
        value: String,
        /// What would be right.
        expected: String,
    },
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            flush_messages: 1,
            flush_ms: 1000,
            retention_ms: Some(7 * 24 * 60 * 60 * 1000),
            retention_bytes: None,
            segment_bytes: 1024 * 1024 * 1024,
            segment_ms: 7 * 24 * 60 * 60 * 1000,
            segment_index_bytes: 10 * 1024 * 1024,
            index_interval_bytes: 4096,
            max_message_bytes: 1024 * 1024 + 12,
            cleanup_policy: CleanupPolicy { delete: true, compact: false },
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX.unsigned_abs(),
            timestamp_after_max_ms: 60 * 60 * 1000,
            compression_type: CompressionType::Producer,
            compression_levels: CompressionLevels { gzip: -1, lz4: 9, zstd: 3 },
            min_insync_replicas: 1,
            delete_retention_ms: 24 * 60 * 60 * 1000,
            min_cleanable_dirty_ratio: Ratio::HALF,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX.unsigned_abs(),
            segment_jitter_ms: 0,
            preallocate: false,
            file_delete_delay_ms: 60_000,
            unclean_leader_election: false,
            leader_throttled_replicas: String::new(),
            follower_throttled_replicas: String::new(),
            local_retention_bytes: -2,
            local_retention_ms: -2,
            remote_log_copy_disable: false,
            remote_log_delete_on_disable: false,
        }
    }
}

/// How long records of compacted topics stay out of compaction, at least and at most.
const MIN_LAG: &str = "min.compaction.lag.ms";
const MAX_LAG: &str = "max.compaction.lag.ms";

impl TopicConfig {
    /// Whether acknowledgements wait for the journal's sync.
    #[must_use]
    pub const fn is_synced(&self) -> bool {
        self.flush_messages <= 1
    }

    /// These settings with a topic's own laid over them.
    ///
    /// # Errors
    /// Where a name is not known, a value does not fit, or two values do not go together.
    pub fn with(&self, overrides: &Overrides) -> Result<Self, ConfigError> {
        self.with_altered(overrides, &|name| overrides.contains_key(name))
    }

    /// These settings with a topic's own laid over them; a contradiction is said of the setting that `is_altered`.
    pub(crate) fn with_altered(
        &self,
        overrides: &Overrides,
        is_altered: &dyn Fn(&str) -> bool,
    ) -> Result<Self, ConfigError> {
        let mut config = self.clone();
        overrides.iter().try_for_each(|(name, value)| config.set(name, value))?;
        config.check_together(is_altered)?;
        Ok(config)
    }

    /// Whether the values go together (Kafka: `LogConfig.validateValues`).
    fn check_together(&self, is_altered: &dyn Fn(&str) -> bool) -> Result<(), ConfigError> {
        let (least, most) = (self.min_compaction_lag_ms, self.max_compaction_lag_ms);
        if least <= most {
            return Ok(());
        }
        let (name, value, expected) = match is_altered(MAX_LAG) && !is_altered(MIN_LAG) {
            true => (MAX_LAG, most, format!("at least {MIN_LAG}, {least}")),
            false => (MIN_LAG, least, format!("at most {MAX_LAG}, {most}")),
        };
        Err(ConfigError::Invalid { name: name.to_owned(), value: value.to_string(), expected })
    }

    /// The age at which a segment is left: a record of a compacted topic cannot be compacted before (Kafka:
    /// `LogConfig.maxSegmentMs`).
    #[must_use]
    pub fn segment_ms_max(&self) -> u64 {
        if self.cleanup_policy.compact {
            self.segment_ms.min(self.max_compaction_lag_ms)
        } else {
            self.segment_ms
        }
    }

    /// Sets one by its topic name.
    ///
    /// # Errors
    /// Where the name is not known or the value does not fit.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let setting =
            Setting::of_topic(name).ok_or_else(|| ConfigError::Unknown { name: name.to_owned() })?;
        self.apply(setting, name, value)
    }

    /// Sets the default for topics by the broker's name of the setting, such as `log.retention.ms`. Returns whether
    /// there is one of that name.
    ///
    /// # Errors
    /// Where the value does not fit.
    pub fn set_broker_default(&mut self, name: &str, value: &str) -> Result<bool, ConfigError> {
        let Some(setting) = Setting::of_broker(name) else { return Ok(false) };
        check_asked(name, value)?;
        self.apply(setting, name, value).map(|()| true)
    }

    fn apply(&mut self, setting: &Setting, name: &str, value: &str) -> Result<(), ConfigError> {
        // What a topic sets is in the journal, as it was given.
        if value.len() > SETTING_BYTES_MAX {
            let (value, expected) = (format!("{} bytes long", value.len()), at_most());
            return Err(ConfigError::Invalid { name: name.to_owned(), value, expected });
        }
        (setting.write)(self, value.trim()).map_err(|expected| ConfigError::Invalid {
            name: name.to_owned(),
            value: value.to_owned(),
            expected,
        })
    }
}

fn at_most() -> String {
    format!("a value has at most {SETTING_BYTES_MAX} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_reads_back_what_it_shows() {
        let config = TopicConfig::default();
        for setting in SETTINGS {
            let mut copy = config.clone();
            copy.set(setting.name, &(setting.read)(&config)).unwrap();
            assert_eq!(copy, config, "{}", setting.name);
        }
    }

    #[test]
    fn overrides_lie_over_the_defaults() {
        let overrides = Overrides::from([
            ("flush.messages".into(), "9223372036854775807".into()),
            ("cleanup.policy".into(), "compact,delete".into()),
            ("retention.ms".into(), "-1".into()),
        ]);
        let config = TopicConfig::default().with(&overrides).unwrap();
        assert!(!config.is_synced());
        assert_eq!(config.cleanup_policy, CleanupPolicy { delete: true, compact: true });
        assert_eq!(config.retention_ms, None);
    }

    #[test]
    fn a_wrong_value_says_what_would_be_right() {
        let error = TopicConfig::default().set("segment.bytes", "many").unwrap_err();
        assert_eq!(
            error.to_string(),
            "topic setting segment.bytes cannot be many: a whole number from 14 to 2147483647"
        );
        let error = TopicConfig::default().set("cleanup.policy", "shred").unwrap_err();
        assert_eq!(
            error.to_string(),
            "topic setting cleanup.policy cannot be shred: delete, compact, or both with a comma"
        );
        assert!(matches!(TopicConfig::default().set("no.such", "1"), Err(ConfigError::Unknown { .. })));
    }

    #[test]
    fn value_that_is_long_without_end_is_refused_and_not_repeated() {
        let error = TopicConfig::default().set("cleanup.policy", &"delete,".repeat(1000)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "topic setting cleanup.policy cannot be 7000 bytes long: a value has at most 1024 bytes"
        );
    }

    /// The ends of the ranges are Kafka's (`LogConfig` of 4.2); values beyond them are refused.
    #[test]
    fn settings_out_of_range_are_refused() {
        for (name, most, wrong) in [
            ("cleanup.policy", "compact,delete", &["Compact", "delete,", "none"][..]),
            ("compression.gzip.level", "9", &["0", "10", "-2"]),
            ("compression.lz4.level", "17", &["0", "18"]),
            ("compression.type", "zstd", &["none", "ZSTD", ""]),
            ("compression.zstd.level", "-131072", &["23", "-131073"]),
            ("delete.retention.ms", "9223372036854775807", &["-1", "9223372036854775808"]),
            ("file.delete.delay.ms", "0", &["-1"]),
            ("flush.messages", "9223372036854775807", &["0"]),
            ("flush.ms", "0", &["-1"]),
            ("follower.replication.throttled.replicas", "0:1,1:2", &["none"]),
            ("index.interval.bytes", "0", &["-1", "2147483648"]),
            ("leader.replication.throttled.replicas", "*", &["0"]),
            ("local.retention.bytes", "-2", &["-3"]),
            ("local.retention.ms", "-2", &["-3"]),
            ("max.compaction.lag.ms", "1", &["0"]),
            ("max.message.bytes", "0", &["-1", "2147483648"]),
            ("message.timestamp.after.max.ms", "0", &["-1"]),
            ("message.timestamp.before.max.ms", "0", &["-1"]),
            ("message.timestamp.type", "LogAppendTime", &["createtime"]),
            ("min.cleanable.dirty.ratio", "1", &["1.1", "-0.1", "NaN"]),
            ("min.compaction.lag.ms", "0", &["-1"]),
            ("min.insync.replicas", "2147483647", &["0"]),
            ("preallocate", "TRUE", &["yes", "1"]),
            ("remote.log.copy.disable", "true", &["yes"]),
            ("remote.log.delete.on.disable", "true", &["yes"]),
            ("remote.storage.enable", "false", &["true"]),
            ("retention.bytes", "-7", &["9223372036854775808", ""]),
            ("retention.ms", "-1", &["-2", ""]),
            ("segment.bytes", "2147483647", &["2147483648", "1e9"]),
            ("segment.index.bytes", "4", &["3"]),
            ("segment.jitter.ms", "0", &["-1"]),
            ("segment.ms", "1", &["0"]),
            ("unclean.leader.election.enable", "false", &["maybe"]),
        ] {
            assert_eq!(TopicConfig::default().set(name, most), Ok(()), "{name}");
            for value in wrong {
                let refused = TopicConfig::default().set(name, value);
                assert!(matches!(refused, Err(ConfigError::Invalid { .. })), "{name} {value}");
            }
        }
    }

    #[test]
    fn compaction_lags_that_contradict_one_another_are_refused() {
        let overrides = Overrides::from([
            ("max.compaction.lag.ms".into(), "5".into()),
            ("min.compaction.lag.ms".into(), "6".into()),
        ]);
        let error = TopicConfig::default().with(&overrides).unwrap_err();
        let expected = "topic setting min.compaction.lag.ms cannot be 6: at most max.compaction.lag.ms, 5";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn records_to_be_compacted_soon_leave_their_segment_soon() {
        let compact = CleanupPolicy { delete: false, compact: true };
        let config = TopicConfig { max_compaction_lag_ms: 5, ..TopicConfig::default() };
        assert_eq!(config.segment_ms_max(), config.segment_ms);
        assert_eq!(TopicConfig { cleanup_policy: compact, ..config }.segment_ms_max(), 5);
    }

    #[test]
    fn broker_names_set_the_defaults() {
        let mut config = TopicConfig::default();
        assert_eq!(config.set_broker_default("log.flush.interval.messages", "5"), Ok(true));
        assert_eq!(config.flush_messages, 5);
        assert_eq!(config.set_broker_default("listeners", "5"), Ok(false));
    }
}
