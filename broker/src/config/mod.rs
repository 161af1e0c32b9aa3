//! Settings: flags over environment over a TOML file over defaults.
//!
//! A setting bears Kafka's dotted name where Kafka has it. Each component's settings are one file in `sections`, one
//! description each; parsing, defaults, the listing of DescribeConfigs and `docs/settings.md` follow from it. The
//! defaults for topics are described where topics are, in `mainstem_storage::config`.
//!
//! # Layout
//!
//! - [`Assignment`], [`Place`]: a name, a value, and where somebody wrote it.
//! - [`flags`], [`environment`], `file`: the three places.
//! - `sections`: the settings themselves; `setting`, `value`: how they are described, read and shown.
//! - `logger`: names of loggers.
//! - `aliases`: Kafka's second names for times.
//! - [`Live`]: the settings in force; `dynamic`: those that change while the broker runs.
//! - `manual`: the reference manual; `listing`: what DescribeConfigs says.
//! - `foreign`: Kafka's dynamic settings that are none here.
//! - `nearest`: the name that was meant.

mod aliases;
mod assignment;
mod dynamic;
mod environment;
mod error;
mod file;
pub mod flags;
mod foreign;
mod group;
mod listener;
mod listing;
mod live;
mod logger;
mod manual;
pub(crate) mod nearest;
mod sections;
mod setting;
mod value;

use std::collections::BTreeMap;

use mainstem_storage::TopicConfig;

pub use assignment::{Assignment, Place};
pub(crate) use dynamic::BrokerRules;
pub use dynamic::is_dynamic;
pub use environment::{CONFIG_VARIABLE, assignments as environment, check as check_environment, variables};
pub use error::ConfigError;
pub use file::assignments as file;
pub(crate) use group::{GROUP_SETTINGS, GroupRules, GroupSetting, GroupTimes};
pub use listener::{DEFAULT_LISTENER, ListenerAddress, ListenerAddressError};
pub use listing::{Listed, ListedAlias};
pub use live::Live;
pub(crate) use logger::LoggerName;
pub use mainstem_storage::config::Kind;
pub use manual::markdown;
pub use sections::{
    FetchSettings, GroupSettings, HttpSettings, NetSettings, ProcessSettings, StorageSettings, TopicSettings,
    TransactionSettings,
};
pub use setting::{Origin, Section, Setting, Shape, Unit};
pub use value::{HostPort, LogAppend, LogFilter, LogFormat};

/// Every setting of the broker, valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The data directory and the journal.
    pub storage: StorageSettings,
    /// Listeners and connections.
    pub net: NetSettings,
    /// How topics come to be.
    pub topics: TopicSettings,
    /// What a topic has that sets nothing of its own.
    pub topic_defaults: TopicConfig,
    /// What is kept for clients that fetch.
    pub fetch: FetchSettings,
    /// Consumer groups and their offsets.
    pub groups: GroupSettings,
    /// Transactions.
    pub transactions: TransactionSettings,
    /// The HTTP port.
    pub http: HttpSettings,
    /// The process itself.
    pub process: ProcessSettings,
    /// Where each setting that is not left at its default was written, by its name.
    given: BTreeMap<String, Place>,
}

impl Config {
    /// The settings that `assignments` make, of which a later one overrides an earlier one of the same name. All of
    /// them are checked, the overridden ones as well.
    ///
    /// # Errors
    /// The first assignment that is wrong, or two settings that do not go together.
    pub fn from_assignments(assignments: impl IntoIterator<Item = Assignment>) -> Result<Self, ConfigError> {
        Self::default().assigned(assignments)
    }

    /// These settings with `assignments` over them, as [`Self::from_assignments`] has them over the defaults.
    ///
    /// # Errors
    /// As [`Self::from_assignments`].
    pub fn assigned(self, assignments: impl IntoIterator<Item = Assignment>) -> Result<Self, ConfigError> {
        let mut last = BTreeMap::<String, Assignment>::new();
        for assignment in assignments {
            Self::default().assign(&assignment)?;
            if let Some(earlier) = last.get(&assignment.name) {
                assignment.check_beside(earlier)?;
            }
            last.insert(assignment.name.clone(), assignment);
        }
        aliases::keep_foremost(&mut last);
        let mut config = self;
        last.values().try_for_each(|assignment| config.assign(assignment))?;
        config.check_together()?;
        Ok(config)
    }

    fn assign(&mut self, assignment: &Assignment) -> Result<(), ConfigError> {
        let Assignment { name, value, place } = assignment;
        let invalid = |expected| ConfigError::invalid(assignment, expected);
        if let Some(setting) = setting::of(name) {
            setting.write(self, value.trim()).map_err(invalid)?;
        } else if let Some(alias) = aliases::of(name) {
            alias.write(&mut self.topic_defaults, value.trim()).map_err(invalid)?;
        } else if !value::write_topic_default(&mut self.topic_defaults, name, value).map_err(invalid)? {
            return Err(ConfigError::unknown(assignment));
        }
        self.given.insert(name.clone(), place.clone());
        Ok(())
    }

    fn check_together(&self) -> Result<(), ConfigError> {
        let Self { net, groups, topic_defaults, given, .. } = self;
        let checked = net.check().and_then(|()| groups.check());
        checked.and_then(|()| sections::check_lags(topic_defaults)).map_err(|wrong| ConfigError::Together {
            place: given.get(wrong.name).map_or_else(|| "default".to_owned(), Place::to_string),
            name: wrong.name,
            reason: wrong.reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn given(name: &str, value: &str, place: Place) -> Assignment {
        Assignment { name: name.to_owned(), value: value.to_owned(), place }
    }

    fn flag(name: &str, value: &str) -> Assignment {
        given(name, value, Place::Flag("--set"))
    }

    fn error(assignments: impl IntoIterator<Item = Assignment>) -> String {
        Config::from_assignments(assignments).unwrap_err().to_string()
    }

    #[test]
    fn a_later_assignment_overrides_an_earlier_one() {
        let file = given("num.partitions", "3", Place::File { path: "mainstem.toml".into(), line: 7 });
        let config = Config::from_assignments([file.clone(), flag("num.partitions", "5")]).unwrap();
        assert_eq!(config.topics.partitions, 5);
        let config = Config::from_assignments([file]).unwrap();
        assert_eq!(config.topics.partitions, 3);
    }

    #[test]
    fn topic_defaults_are_set_by_the_brokers_names() {
        let config = Config::from_assignments([flag("log.flush.interval.messages", "500")]).unwrap();
        assert_eq!(config.topic_defaults.flush_messages, 500);
    }

    #[test]
    fn durations_have_the_unit_of_their_name() {
        let config = Config::from_assignments([
            flag("connections.max.idle.ms", "1500"),
            flag("offsets.retention.minutes", "2"),
        ])
        .unwrap();
        assert_eq!(config.net.idle_max, Duration::from_millis(1500));
        assert_eq!(config.groups.offsets_retention, Duration::from_secs(120));
    }

    #[test]
    fn the_finest_unit_of_a_time_wins_among_those_of_one_place() {
        let assignments = [flag("log.retention.ms", "60000"), flag("log.retention.hours", "24")];
        let config = Config::from_assignments(assignments).unwrap();
        assert_eq!(config.topic_defaults.retention_ms, Some(60_000));
        let config = Config::from_assignments([flag("log.retention.minutes", "-1")]).unwrap();
        assert_eq!(config.topic_defaults.retention_ms, None);
    }

    #[test]
    fn a_flag_goes_before_the_environment_in_whatever_unit() {
        let variable = |name: &str, value| given(name, value, Place::Variable(name.to_owned()));
        let retention = |assignments: [Assignment; 2]| {
            Config::from_assignments(assignments).unwrap().topic_defaults.retention_ms
        };
        let (fine, coarse) = (variable("log.retention.ms", "5000"), flag("log.retention.hours", "24"));
        assert_eq!(retention([fine, coarse]), Some(24 * 3_600_000));
        let (fine, coarse) = (flag("log.retention.ms", "5000"), variable("log.retention.hours", "24"));
        assert_eq!(retention([coarse, fine]), Some(5000));
    }

    #[test]
    fn flags_that_contradict_one_another_are_refused() {
        let durability = |count| given("log.flush.interval.messages", count, Place::Flag("--durability"));
        let set = flag("log.flush.interval.messages", "1");
        assert_eq!(
            error([set.clone(), durability("500")]),
            "setting log.flush.interval.messages is 1 by flag --set and 500 by flag --durability: leave one out"
        );
        assert!(Config::from_assignments([set, durability("1")]).is_ok());
    }

    #[test]
    fn a_wrong_value_names_setting_value_place_and_what_is_right() {
        let place = Place::File { path: "mainstem.toml".into(), line: 7 };
        assert_eq!(
            error([given("num.partitions", "many", place)]),
            "setting num.partitions cannot be many (mainstem.toml:7): expected a whole number from 1 to 100000"
        );
        assert_eq!(
            error([flag("auto.create.topics.enable", "yes")]),
            "setting auto.create.topics.enable cannot be yes (flag --set): expected true or false"
        );
        assert_eq!(
            error([given("log.roll.ms", "0", Place::Variable("MAINSTEM_LOG_ROLL_MS".into()))]),
            "setting log.roll.ms cannot be 0 (environment variable MAINSTEM_LOG_ROLL_MS): \
             expected a whole number from 1 to 9223372036854775807"
        );
    }

    #[test]
    fn an_overridden_value_is_checked_as_well() {
        let assignments = [flag("num.partitions", "0"), flag("num.partitions", "1")];
        assert!(error(assignments).starts_with("setting num.partitions cannot be 0"));
    }

    #[test]
    fn an_unknown_setting_names_the_nearest_one() {
        assert_eq!(
            error([flag("log.retentoin.ms", "1")]),
            "there is no setting log.retentoin.ms (flag --set): did you mean log.retention.ms?"
        );
        assert_eq!(
            error([flag("zookeeper.connect", "localhost:2181")]),
            "there is no setting zookeeper.connect (flag --set): `mainstem settings` lists them"
        );
    }

    #[test]
    fn settings_that_do_not_go_together_are_refused() {
        assert_eq!(
            error([
                flag("group.min.session.timeout.ms", "9000"),
                flag("group.max.session.timeout.ms", "8000")
            ]),
            "setting group.max.session.timeout.ms (flag --set): it is less than group.min.session.timeout.ms"
        );
        assert_eq!(
            error([flag("listeners", "A://127.0.0.1:1,A://127.0.0.1:2")]),
            "setting listeners (flag --set): two listeners are called A"
        );
        assert_eq!(
            error([flag("advertised.listeners", "OUTSIDE://broker.example:9092")]),
            "setting advertised.listeners (flag --set): no listener is called OUTSIDE"
        );
    }

    #[test]
    fn compaction_lags_that_contradict_one_another_are_refused_at_the_start() {
        let lags = |least, most| {
            [
                flag("log.cleaner.min.compaction.lag.ms", least),
                flag("log.cleaner.max.compaction.lag.ms", most),
            ]
        };
        assert_eq!(
            error(lags("100", "5")),
            "setting log.cleaner.min.compaction.lag.ms (flag --set): \
             100 is more than log.cleaner.max.compaction.lag.ms, 5"
        );
        assert!(Config::from_assignments(lags("5", "5")).is_ok());
    }

    #[test]
    fn an_address_that_nobody_can_dial_is_not_advertised() {
        for (address, reason) in [
            ("0.0.0.0:9092", "0.0.0.0 is no address that a client can dial"),
            ("[::]:9092", ":: is no address that a client can dial"),
            ("broker.example:0", "port 0 is none that a client can dial"),
        ] {
            assert_eq!(
                error([flag("advertised.listeners", address)]),
                format!("setting advertised.listeners (flag --set): {reason}")
            );
        }
    }
}
