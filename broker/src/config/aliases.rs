//! Kafka's second names for times: the same setting in a coarser unit.
//!
//! As in Kafka (`KafkaConfig.getLogRetentionTimeMillis`, `logRollTimeMillis`), the finest unit wins among those that were
//! written in places of one rank; a flag goes before the environment and that before a file, in whatever unit.

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

/// Of the names of one setting keeps that which counts.
pub(super) fn keep_foremost(assignments: &mut BTreeMap<String, Assignment>) {
    for of in ALIASES.iter().map(|alias| alias.of) {
        let coarser = ALIASES.iter().filter(|alias| alias.of == of).map(|alias| alias.name);
        let finest_first: Vec<_> = std::iter::once(of).chain(coarser).collect();
        let ranks =
            finest_first.iter().filter_map(|name| Some((assignments.get(*name)?.place.rank(), *name)));
        // Of equals, the last one counts for `max_by_key`.
        let foremost = ranks.rev().max_by_key(|(rank, _)| *rank).map(|(_, name)| name);
        assignments
            .retain(|name, _| !finest_first.contains(&name.as_str()) || foremost == Some(name.as_str()));
    }
}
