//! Settings of a single consumer group (KIP-848; Kafka: `GroupConfig`).

use std::time::Duration;

use mainstem_storage::{
    ConfigChange, ConfigError, Overrides,
    config::{Present, Rules},
};

use super::GroupSettings;

/// A setting that groups have.
pub(crate) struct GroupSetting {
    /// Kafka's name.
    pub(crate) name: &'static str,
    /// What it does, for people.
    pub(crate) doc: &'static str,
    of: fn(&GroupSettings) -> Duration,
    least: fn(&GroupSettings) -> (&'static str, Duration),
    most: fn(&GroupSettings) -> (&'static str, Duration),
}

const SESSION: &str = "consumer.session.timeout.ms";
const HEARTBEAT: &str = "consumer.heartbeat.interval.ms";

/// Every setting, by name.
pub(crate) const GROUP_SETTINGS: &[GroupSetting] = &[
    GroupSetting {
        name: HEARTBEAT,
        doc: "how often a member of the group is to send a heartbeat",
        of: |settings| settings.consumer_heartbeat_interval,
        least: |settings| {
            ("group.consumer.min.heartbeat.interval.ms", settings.consumer_heartbeat_interval_min)
        },
        most: |settings| {
            ("group.consumer.max.heartbeat.interval.ms", settings.consumer_heartbeat_interval_max)
        },
    },
    GroupSetting {
        name: SESSION,
        doc: "how long a member of the group may be silent",
        of: |settings| settings.consumer_session_timeout,
        least: |settings| ("group.consumer.min.session.timeout.ms", settings.consumer_session_timeout_min),
        most: |settings| ("group.consumer.max.session.timeout.ms", settings.consumer_session_timeout_max),
    },
];

impl GroupSetting {
    /// What a group has that sets nothing of its own.
    pub(crate) fn default(&self, settings: &GroupSettings) -> Duration {
        (self.of)(settings)
    }

    fn read(&self, settings: &GroupSettings, value: &str) -> Result<Duration, ConfigError> {
        let name = self.name;
        let millis = value.trim().parse().ok().filter(|millis| (1..=i32::MAX).contains(millis));
        let Some(millis) = millis.and_then(|millis| u64::try_from(millis).ok()) else {
            let expected = format!("expected a whole number from 1 to {}", i32::MAX);
            return Err(refused(format!("group setting {name} cannot be {value}: {expected}")));
        };
        let (time, least, most) =
            (Duration::from_millis(millis), (self.least)(settings), (self.most)(settings));
        match () {
            () if time < least.1 => {
                Err(refused(format!("{name} must be at least {}, {}", least.0, least.1.as_millis())))
            }
            () if time > most.1 => {
                Err(refused(format!("{name} must be at most {}, {}", most.0, most.1.as_millis())))
            }
            () => Ok(time),
        }
    }
}

/// The times of a group: its own, or the broker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupTimes {
    /// How long a member may be silent.
    pub(crate) session: Duration,
    /// How often a member is to send a heartbeat.
    pub(crate) heartbeat: Duration,
}

impl GroupTimes {
    /// Those of a group that sets these. A value beyond the limits of today is brought within them.
    pub(crate) fn of(settings: &GroupSettings, overrides: Option<&Overrides>) -> Self {
        let time = |name: &str| {
            let setting = GROUP_SETTINGS.iter().find(|setting| setting.name == name);
            let value = overrides.and_then(|overrides| overrides.get(name)?.trim().parse().ok());
            let own = value.map(Duration::from_millis).zip(setting);
            own.map(|(time, setting)| time.max((setting.least)(settings).1).min((setting.most)(settings).1))
        };
        Self {
            session: time(SESSION).unwrap_or(settings.consumer_session_timeout),
            heartbeat: time(HEARTBEAT).unwrap_or(settings.consumer_heartbeat_interval),
        }
    }
}

/// What settings a group may be given.
pub(crate) struct GroupRules<'a>(pub(crate) &'a GroupSettings);

impl Rules for GroupRules<'_> {
    fn list(&self, change: &ConfigChange) -> Result<String, ConfigError> {
        let ConfigChange { name, operation } = change;
        Err(refused(format!("{} does not fit group setting {name}: it is not a list", operation.name())))
    }

    fn check(&self, overrides: &Overrides, _: Present<'_>) -> Result<(), ConfigError> {
        for (name, value) in overrides {
            let setting = GROUP_SETTINGS.iter().find(|setting| setting.name == name);
            let unknown = || refused(format!("group setting {name} is not known"));
            setting.ok_or_else(unknown)?.read(self.0, value)?;
        }
        let GroupTimes { session, heartbeat } = GroupTimes::of(self.0, Some(overrides));
        if session > heartbeat {
            return Ok(());
        }
        Err(refused(format!("{SESSION} must be greater than {HEARTBEAT}")))
    }
}

const fn refused(reason: String) -> ConfigError {
    ConfigError::Refused(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str) -> Result<(), String> {
        let overrides = Overrides::from([(name.to_owned(), value.to_owned())]);
        GroupRules(&GroupSettings::default()).check(&overrides, &|_| None).map_err(|error| error.to_string())
    }

    #[test]
    fn times_of_a_group_keep_within_the_brokers_limits() {
        assert_eq!(check(SESSION, "50000"), Ok(()));
        let refused =
            "consumer.session.timeout.ms must be at least group.consumer.min.session.timeout.ms, 45000";
        assert_eq!(check(SESSION, "44999"), Err(refused.to_owned()));
        let refused =
            "consumer.heartbeat.interval.ms must be at most group.consumer.max.heartbeat.interval.ms, 15000";
        assert_eq!(check(HEARTBEAT, "15001"), Err(refused.to_owned()));
        assert!(check(HEARTBEAT, "0").is_err() && check(HEARTBEAT, "soon").is_err());
        assert_eq!(
            check("share.session.timeout.ms", "1"),
            Err("group setting share.session.timeout.ms is not known".to_owned())
        );
    }

    #[test]
    fn times_of_a_group_go_before_the_brokers() {
        let settings = GroupSettings::default();
        let overrides = Overrides::from([(SESSION.to_owned(), "50000".to_owned())]);
        let times = GroupTimes::of(&settings, Some(&overrides));
        let expected =
            GroupTimes { session: Duration::from_secs(50), heartbeat: settings.consumer_heartbeat_interval };
        assert_eq!(times, expected);
    }
}
