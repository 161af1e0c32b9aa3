//! The settings of a topic: Kafka's names, typed values, defaults from the broker's `log.*`.

mod change;
mod settings;

use std::collections::BTreeMap;

use mainstem_protocol::records::{Compression, TimestampType};

pub(crate) use change::apply_changes;
pub use change::{ConfigChange, ConfigOperation};
pub use settings::{SETTINGS, Setting};

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
    /// `min.insync.replicas`: 1, since there is one.
    pub min_insync_replicas: u32,
    /// `delete.retention.ms`: how long tombstones stay.
    pub delete_retention_ms: u64,
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
            min_insync_replicas: 1,
            delete_retention_ms: 24 * 60 * 60 * 1000,
        }
    }
}

impl TopicConfig {
    /// Whether acknowledgements wait for the journal's sync.
    #[must_use]
    pub const fn is_synced(&self) -> bool {
        self.flush_messages <= 1
    }

    /// These settings with a topic's own laid over them.
    ///
    /// # Errors
    /// Where a name is not known or a value does not fit.
    pub fn with(&self, overrides: &Overrides) -> Result<Self, ConfigError> {
        overrides.iter().try_fold(self.clone(), |mut config, (name, value)| {
            config.set(name, value)?;
            Ok(config)
        })
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

    #[test]
    fn broker_names_set_the_defaults() {
        let mut config = TopicConfig::default();
        assert_eq!(config.set_broker_default("log.flush.interval.messages", "5"), Ok(true));
        assert_eq!(config.flush_messages, 5);
        assert_eq!(config.set_broker_default("listeners", "5"), Ok(false));
    }
}
