//! What has settings beside topics.

use std::collections::BTreeMap;

use mainstem_protocol::BrokerId;

use super::{ConfigChange, ConfigError, Overrides, Setting, TopicConfig};

/// What has settings that are altered while the node runs, beside topics (Kafka: `ConfigResource`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// All brokers of the cluster.
    Brokers,
    /// One broker; its settings go before those of all.
    Broker(BrokerId),
    /// A consumer group, whether there is one of that name or not.
    Group(String),
}

/// The settings of all resources, without those that set nothing.
pub type Resources = BTreeMap<Resource, Overrides>;

/// What a resource sets, with what is on its way to be set.
pub type Present<'a> = &'a dyn Fn(&Resource) -> Option<&'a Overrides>;

/// What the settings of a resource may be, as whoever serves it knows.
pub trait Rules {
    /// The default of a list, to which a change adds or from which it takes away.
    ///
    /// # Errors
    /// Where there is no such setting, or it is no list.
    fn list(&self, change: &ConfigChange) -> Result<String, ConfigError>;

    /// Whether the resource may have these settings beside those that are there. Nothing else is altered meanwhile.
    ///
    /// # Errors
    /// Where one of them cannot be.
    fn check(&self, overrides: &Overrides, present: Present<'_>) -> Result<(), ConfigError>;
}

/// Topics' own.
pub(crate) struct TopicRules<'a>(pub(crate) &'a TopicConfig);

impl Rules for TopicRules<'_> {
    fn list(&self, change: &ConfigChange) -> Result<String, ConfigError> {
        let ConfigChange { name, operation } = change;
        let setting = Setting::of_topic(name).ok_or_else(|| ConfigError::Unknown { name: name.clone() })?;
        if !setting.is_list() {
            return Err(ConfigError::NotAList { name: name.clone(), operation: operation.name() });
        }
        Ok((setting.read)(self.0))
    }

    fn check(&self, overrides: &Overrides, _: Present<'_>) -> Result<(), ConfigError> {
        self.0.with(overrides).map(drop)
    }
}

impl TopicConfig {
    /// These defaults as the settings of a broker, and those of all brokers, make them. What cannot be any more is passed
    /// over and said; the lags of compaction that contradict one another are so silently.
    pub(crate) fn of_broker(&self, resources: &Resources, broker: BrokerId) -> Self {
        let mut defaults = self.as_set(resources, broker);
        defaults.pass_over_contradiction(self);
        defaults
    }

    /// Says once, at the start, that the brokers' settings contradict one another: where that is so none is altered to be.
    pub(crate) fn warn_of_contradiction(&self, resources: &Resources, broker: BrokerId) {
        let mut set = self.as_set(resources, broker);
        let (least, most) = (set.min_compaction_lag_ms, set.max_compaction_lag_ms);
        if set.pass_over_contradiction(self) {
            tracing::warn!(
                log.cleaner.min.compaction.lag.ms = least,
                log.cleaner.max.compaction.lag.ms = most,
                "settings of the brokers contradict one another, and those of the start hold"
            );
        }
    }

    fn as_set(&self, resources: &Resources, broker: BrokerId) -> Self {
        let mut defaults = self.clone();
        let scopes = [Resource::Brokers, Resource::Broker(broker)];
        let settings = scopes.iter().filter_map(|scope| resources.get(scope)).flatten();
        for (name, value) in settings {
            if let Err(error) = defaults.set_broker_default(name, value) {
                tracing::warn!(%error, "a broker's setting is passed over");
            }
        }
        defaults
    }

    /// Lags of compaction that contradict one another, as earlier versions let brokers set them in two layers, are those
    /// of `start`: no topic could be made with them. Returns whether they were.
    pub fn pass_over_contradiction(&mut self, start: &Self) -> bool {
        let is_one = self.min_compaction_lag_ms > self.max_compaction_lag_ms;
        if is_one {
            self.min_compaction_lag_ms = start.min_compaction_lag_ms;
            self.max_compaction_lag_ms = start.max_compaction_lag_ms;
        }
        is_one
    }
}

/// Sets what a resource has; one that sets nothing is forgotten.
pub(crate) fn store_resource(resources: &mut Resources, resource: &Resource, overrides: &Overrides) {
    match overrides.is_empty() {
        true => resources.remove(resource),
        false => resources.insert(resource.clone(), overrides.clone()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(pairs: &[(&str, &str)]) -> Overrides {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn settings_of_a_broker_go_before_those_of_all() {
        let mut resources = Resources::new();
        let all = overrides(&[
            ("log.retention.ms", "1"),
            ("log.segment.bytes", "2000000"),
            ("max.connections", "5"),
        ]);
        store_resource(&mut resources, &Resource::Brokers, &all);
        store_resource(
            &mut resources,
            &Resource::Broker(BrokerId(7)),
            &overrides(&[("log.retention.ms", "2")]),
        );
        let of = |broker| {
            let defaults = TopicConfig::default().of_broker(&resources, BrokerId(broker));
            (defaults.retention_ms, defaults.segment_bytes)
        };
        assert_eq!((of(7), of(8)), ((Some(2), 2_000_000), (Some(1), 2_000_000)));
    }

    #[test]
    fn lags_that_contradict_one_another_over_two_layers_are_those_of_the_start() {
        let all = overrides(&[("log.cleaner.max.compaction.lag.ms", "5")]);
        let one = overrides(&[("log.cleaner.min.compaction.lag.ms", "100"), ("log.retention.ms", "9")]);
        let resources = Resources::from([(Resource::Brokers, all), (Resource::Broker(BrokerId(7)), one)]);
        let start =
            TopicConfig { min_compaction_lag_ms: 1, max_compaction_lag_ms: 2, ..TopicConfig::default() };
        let of = |broker| {
            let defaults = start.of_broker(&resources, BrokerId(broker));
            (defaults.min_compaction_lag_ms, defaults.max_compaction_lag_ms, defaults.retention_ms)
        };
        assert_eq!((of(7), of(8)), ((1, 2, Some(9)), (1, 5, start.retention_ms)));
    }

    #[test]
    fn resource_that_sets_nothing_is_forgotten() {
        let mut resources = Resources::new();
        let group = Resource::Group("g".into());
        store_resource(&mut resources, &group, &overrides(&[("consumer.session.timeout.ms", "50000")]));
        store_resource(&mut resources, &group, &Overrides::new());
        assert!(resources.is_empty());
    }
}
