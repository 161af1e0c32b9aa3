//! Which settings change while the broker runs, and to what (Kafka: `DynamicBrokerConfig`).

use mainstem_protocol::BrokerId;
use mainstem_storage::{
    ConfigChange, ConfigError, Overrides,
    config::{Kind, Present, Resource, Rules, Setting as TopicDefault},
};

use super::{Config, foreign, nearest, setting, value};

/// Whether a setting may change while the broker runs: all defaults for topics may, and those that say so.
#[must_use]
pub fn is_dynamic(name: &str) -> bool {
    TopicDefault::of_broker(name).is_some()
        || setting::of(name).is_some_and(|setting| setting.shape.is_dynamic)
}

/// What settings brokers may be given while they run; those of the start are below them.
pub(crate) struct BrokerRules<'a> {
    /// Those of the start.
    pub(crate) start: &'a Config,
    /// This broker.
    pub(crate) broker: BrokerId,
    /// Whose settings are altered: those of this broker or of all.
    pub(crate) of: &'a Resource,
}

impl Rules for BrokerRules<'_> {
    fn list(&self, change: &ConfigChange) -> Result<String, ConfigError> {
        let ConfigChange { name, operation } = change;
        match TopicDefault::of_broker(name) {
            Some(setting) if setting.kind == Kind::List => {
                Ok((setting.read)(&Config::default().topic_defaults))
            }
            _ => Err(ConfigError::Refused(format!(
                "{} does not fit {name}: it is not a list",
                operation.name()
            ))),
        }
    }

    fn check(&self, overrides: &Overrides, present: Present<'_>) -> Result<(), ConfigError> {
        check_names(overrides)?;
        let mut config = self.start.clone();
        for (name, value) in overrides {
            let refused =
                |expected| refused(format!("setting {name} cannot be {value}: expected {expected}"));
            config.alter(name, value).map_err(refused)?;
        }
        let before = self.in_force(present);
        let after = self.in_force(&|scope| if scope == self.of { Some(overrides) } else { present(scope) });
        check_together(&before, &after)?;
        check_threads(before.storage.compaction_threads, after.storage.compaction_threads)
    }
}

impl BrokerRules<'_> {
    /// What holds where all brokers and this one set so: one layer over the other.
    fn in_force(&self, set: Present<'_>) -> Config {
        let scopes = [Resource::Brokers, Resource::Broker(self.broker)];
        let layer = |scope: Resource| set(&scope).cloned().map(|overrides| (scope, overrides));
        self.start.altered(self.broker, &scopes.into_iter().filter_map(layer).collect())
    }
}

/// Settings have to go together as they hold. Those that an earlier version let contradict one another stand in the way of
/// no other alteration.
fn check_together(before: &Config, after: &Config) -> Result<(), ConfigError> {
    let contradiction = |config: &Config| config.check_together().err().map(without_place);
    match contradiction(after) {
        Some(said) if contradiction(before).as_ref() != Some(&said) => Err(refused(said)),
        _ => Ok(()),
    }
}

/// Threads become more and fewer step by step (Kafka: `LogCleaner.validateReconfiguration`).
fn check_threads(before: u32, after: u32) -> Result<(), ConfigError> {
    let (least, most) = ((before / 2).max(1), before.saturating_mul(2));
    if before == after || (least..=most).contains(&after) {
        return Ok(());
    }
    let name = "log.cleaner.threads";
    let expected = match before {
        0 => "no other value while the broker runs, which was started with 0".to_owned(),
        _ => format!("from {least} to {most}, half to double of what holds now, {before}"),
    };
    Err(refused(format!("setting {name} cannot be {after}: expected {expected}")))
}

/// Where the settings of the start were written says nothing of those that are altered.
fn without_place(error: super::ConfigError) -> String {
    match error {
        super::ConfigError::Together { name, reason, .. } => format!("setting {name} cannot be: {reason}"),
        error => error.to_string(),
    }
}

fn check_names(overrides: &Overrides) -> Result<(), ConfigError> {
    if let Some(unknown) = overrides.keys().find(|name| !is_known(name)) {
        return Err(refused(format!("there is no setting {unknown}{}", advice(unknown))));
    }
    let fixed: Vec<_> = overrides.keys().filter(|name| !is_dynamic(name)).map(String::as_str).collect();
    if fixed.is_empty() {
        return Ok(());
    }
    let names = fixed.join(", ");
    Err(refused(format!("cannot update these settings while the broker runs: {names}; start it with others")))
}

/// Why there is no such setting, or what may have been meant.
fn advice(unknown: &str) -> String {
    let why = foreign::why(unknown).map(|why| format!(": {why}"));
    let meant = || nearest::name(unknown).map(|meant| format!(": did you mean {meant}?"));
    why.or_else(meant).unwrap_or_default()
}

fn is_known(name: &str) -> bool {
    TopicDefault::of_broker(name).is_some()
        || super::aliases::of(name).is_some()
        || setting::of(name).is_some()
}

const fn refused(reason: String) -> ConfigError {
    ConfigError::Refused(reason)
}

impl Config {
    /// Gives a setting another value while the broker runs.
    pub(super) fn alter(&mut self, name: &str, text: &str) -> Result<(), String> {
        if let Some(setting) = setting::of(name) {
            return setting.write(self, text.trim());
        }
        match value::write_topic_default(&mut self.topic_defaults, name, text.trim())? {
            true => Ok(()),
            false => Err("the name of a setting".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use mainstem_storage::{ConfigOperation, config::Resources};

    use super::*;

    const ALL: Resource = Resource::Brokers;
    const ONE: Resource = Resource::Broker(BrokerId(1));

    fn overrides(pairs: &[(&str, &str)]) -> Overrides {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn check(name: &str, value: &str) -> Result<(), String> {
        alter(&ONE, &[(name, value)], &Resources::new())
    }

    fn alter(of: &Resource, pairs: &[(&str, &str)], resources: &Resources) -> Result<(), String> {
        let start = Config::default();
        let rules = BrokerRules { start: &start, broker: BrokerId(1), of };
        let checked = rules.check(&overrides(pairs), &|scope| resources.get(scope));
        checked.map_err(|error| error.to_string())
    }

    #[test]
    fn settings_of_the_start_alone_are_refused_by_name() {
        let refused = "cannot update these settings while the broker runs: node.id; start it with others";
        assert_eq!(check("node.id", "1"), Err(refused.to_owned()));
        let refused =
            "cannot update these settings while the broker runs: log.retention.hours; start it with others";
        assert_eq!(check("log.retention.hours", "1"), Err(refused.to_owned()));
    }

    #[test]
    fn unknown_settings_are_refused_with_the_nearest_name() {
        let refused = "there is no setting log.retentoin.ms: did you mean log.retention.ms?";
        assert_eq!(check("log.retentoin.ms", "1"), Err(refused.to_owned()));
    }

    #[test]
    fn settings_of_kafka_that_are_none_here_are_refused_with_the_reason() {
        let refused = "there is no setting ssl.keystore.location: connections are not encrypted here";
        assert_eq!(check("ssl.keystore.location", "/key"), Err(refused.to_owned()));
    }

    #[test]
    fn values_out_of_range_are_refused_with_what_is_right() {
        assert_eq!(check("max.connections", "5"), Ok(()));
        let refused = "setting max.connections cannot be -1: expected a whole number from 1 to 2147483647";
        assert_eq!(check("max.connections", "-1"), Err(refused.to_owned()));
        let refused =
            "setting log.segment.bytes cannot be 5: expected a whole number from 1048576 to 2147483647";
        assert_eq!(check("log.segment.bytes", "5"), Err(refused.to_owned()));
    }

    #[test]
    fn limits_that_lock_everybody_out_are_refused() {
        for name in ["max.connections", "max.connections.per.ip"] {
            let refused = format!("setting {name} cannot be 0: expected a whole number from 1 to 2147483647");
            assert_eq!(check(name, "0"), Err(refused));
            assert_eq!(check(name, "1"), Ok(()));
        }
    }

    #[test]
    fn settings_that_contradict_those_of_another_layer_are_refused() {
        let (least, most) = ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms");
        let refused = |result: Result<(), String>| result.unwrap_err().contains("100 is more than");
        let none = Resources::new();
        assert!(refused(alter(&ALL, &[(least, "100"), (most, "5")], &none)));
        let all = Resources::from([(ALL, overrides(&[(most, "5")]))]);
        assert!(refused(alter(&ONE, &[(least, "100")], &all)));
        assert_eq!(alter(&ONE, &[(least, "100"), (most, "100")], &all), Ok(()));
        let one = Resources::from([(ONE, overrides(&[(least, "100")]))]);
        assert!(refused(alter(&ALL, &[(most, "5")], &one)));
    }

    #[test]
    fn settings_that_are_taken_back_leave_no_contradiction() {
        let (least, most) = ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms");
        let all = Resources::from([
            (ALL, overrides(&[(least, "500"), (most, "1000")])),
            (ONE, overrides(&[(least, "4"), (most, "50")])),
        ]);
        assert!(alter(&ONE, &[(most, "50")], &all).unwrap_err().contains("500 is more than"));
        assert_eq!(alter(&ONE, &[(least, "4")], &all), Ok(()));
        assert_eq!(alter(&ONE, &[], &all), Ok(()));
    }

    #[test]
    fn contradictions_of_an_earlier_version_stand_in_the_way_of_no_other_setting() {
        let (least, most) = ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms");
        let stored = Resources::from([(ALL, overrides(&[(most, "5")])), (ONE, overrides(&[(least, "100")]))]);
        assert_eq!(alter(&ONE, &[(least, "100"), ("log.retention.ms", "5")], &stored), Ok(()));
        assert!(alter(&ONE, &[(least, "101")], &stored).unwrap_err().contains("101 is more than"));
        assert_eq!(alter(&ONE, &[], &stored), Ok(()));
    }

    #[test]
    fn threads_of_compaction_become_double_or_half_at_once() {
        let name = "log.cleaner.threads";
        let of = |now: &str, then: &str| {
            alter(&ONE, &[(name, then)], &Resources::from([(ONE, overrides(&[(name, now)]))]))
        };
        for (now, then) in [("1", "1"), ("1", "2"), ("4", "2"), ("4", "8"), ("5", "2"), ("0", "0")] {
            assert_eq!(of(now, then), Ok(()), "{now} to {then}");
        }
        let refused = |now: u32, then: u32, range: &str| {
            let said = format!(
                "setting {name} cannot be {then}: expected {range}, half to double of what holds now, {now}"
            );
            assert_eq!(of(&now.to_string(), &then.to_string()), Err(said));
        };
        refused(1, 0, "from 1 to 2");
        refused(1, 3, "from 1 to 2");
        refused(4, 1, "from 2 to 8");
        refused(4, 9, "from 2 to 8");
        assert!(of("0", "1").unwrap_err().contains("no other value while the broker runs"));
    }

    #[test]
    fn threads_of_compaction_are_judged_as_they_hold() {
        let name = "log.cleaner.threads";
        let own = Resources::from([(ONE, overrides(&[(name, "2")]))]);
        assert_eq!(alter(&ALL, &[(name, "100")], &own), Ok(()), "the broker's own goes before that of all");
        let both = Resources::from([(ONE, overrides(&[(name, "2")])), (ALL, overrides(&[(name, "100")]))]);
        assert!(alter(&ONE, &[], &both).unwrap_err().contains("from 1 to 4"));
        assert!(alter(&ALL, &[(name, "3")], &Resources::new()).unwrap_err().contains("from 1 to 2"));
    }

    #[test]
    fn lists_alone_gain_words() {
        let rules = Config::default();
        let list = |name: &str| {
            let operation = ConfigOperation::Append("compact".to_owned());
            let rules = BrokerRules { start: &rules, broker: BrokerId(1), of: &ONE };
            rules.list(&ConfigChange { name: name.to_owned(), operation })
        };
        assert_eq!(list("log.cleanup.policy"), Ok("delete".to_owned()));
        assert!(list("log.retention.ms").is_err());
    }
}
