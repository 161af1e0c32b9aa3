//! Kafka's second names for times: the same setting in a coarser unit.
//!
//! As in Kafka (`KafkaConfig.getLogRetentionTimeMillis`, `logRollTimeMillis`), the finest unit wins wherever each of
//! them was written, so that `log.retention.ms` in a file is not undone by `log.retention.hours` in the environment.

use std::collections::BTreeMap;

use mainstem_storage::TopicConfig;

use super::{Assignment, value};

/// A second name.
pub(super) struct Alias {
    pub(super) name: &'static str,
    /// The setting in milliseconds.
    pub(super) of: &'static str,
    millis: u64,
    /// Whether -1 means never.
    has_never: bool,
}

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// From the finest unit to the coarsest.
pub(super) const ALIASES: &[Alias] = &[
    Alias { name: "log.retention.minutes", of: "log.retention.ms", millis: MINUTE, has_never: true },
    Alias { name: "log.retention.hours", of: "log.retention.ms", millis: HOUR, has_never: true },
    Alias { name: "log.roll.hours", of: "log.roll.ms", millis: HOUR, has_never: false },
];

impl Alias {
    pub(super) fn write(&self, defaults: &mut TopicConfig, text: &str) -> Result<(), String> {
        let value = match (text, self.has_never) {
            ("-1", true) => "-1".to_owned(),
            _ => self.millis(text).ok_or_else(|| self.expected())?.to_string(),
        };
        value::write_topic_default(defaults, self.of, &value).map(drop)
    }

    /// What may be written.
    pub(super) fn expected(&self) -> String {
        let most = i64::MAX.unsigned_abs() / self.millis;
        let numbers = format!("a whole number from 1 to {most}");
        if self.has_never { format!("{numbers}, or -1 for never") } else { numbers }
    }

    /// What one of its unit is called.
    pub(super) fn unit(&self) -> &'static str {
        if self.millis == HOUR { "hours" } else { "minutes" }
    }

    fn millis(&self, text: &str) -> Option<u64> {
        let millis = text.parse::<u64>().ok()?.checked_mul(self.millis)?;
        (1..=i64::MAX.unsigned_abs()).contains(&millis).then_some(millis)
    }
}

pub(super) fn of(name: &str) -> Option<&'static Alias> {
    ALIASES.iter().find(|alias| alias.name == name)
}

/// Removes each assignment for which there is one in a finer unit.
pub(super) fn keep_finest(assignments: &mut BTreeMap<String, Assignment>) {
    for (index, alias) in ALIASES.iter().enumerate() {
        let finer = ALIASES[..index].iter().filter(|other| other.of == alias.of).map(|other| other.name);
        let is_overridden = finer.chain([alias.of]).any(|name| assignments.contains_key(name));
        if is_overridden {
            assignments.remove(alias.name);
        }
    }
}
