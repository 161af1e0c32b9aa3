//! The settings in force: those that the broker was started with, and over them those that were altered since.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use mainstem_protocol::BrokerId;
use mainstem_storage::config::{Resource, Resources};

use super::Config;

/// Settings that change while the broker runs (Kafka: `DynamicBrokerConfig`).
#[derive(Debug)]
pub struct Live {
    fixed: Arc<Config>,
    now: ArcSwap<Config>,
    /// Who brings them up to date: the last one to come must be the last one to write.
    updating: Mutex<()>,
}

impl Live {
    /// Those of the start.
    #[must_use]
    pub fn new(fixed: Config) -> Self {
        let fixed = Arc::new(fixed);
        let now = ArcSwap::from(Arc::clone(&fixed));
        Self { fixed, now, updating: Mutex::new(()) }
    }

    /// Those that the broker was started with.
    #[must_use]
    pub fn fixed(&self) -> &Config {
        &self.fixed
    }

    /// Those that are in force.
    #[must_use]
    pub fn now(&self) -> Arc<Config> {
        self.now.load_full()
    }

    /// Lays what the resources say now over the settings of the start.
    pub(crate) fn follow(&self, broker: BrokerId, resources: impl Fn() -> Arc<Resources>) -> Arc<Config> {
        let _one_at_a_time = self.updating.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = self.fixed.altered(broker, &resources());
        now.topic_defaults.pass_over_contradiction(&self.fixed.topic_defaults);
        let now = Arc::new(now);
        self.now.store(Arc::clone(&now));
        now
    }
}

impl Config {
    /// These settings with those over them that were altered while brokers ran: those of all brokers, then those of this
    /// one. What cannot be any more is passed over and said.
    pub(super) fn altered(&self, broker: BrokerId, resources: &Resources) -> Self {
        let mut config = self.clone();
        let scopes = [Resource::Brokers, Resource::Broker(broker)];
        let settings = scopes.iter().filter_map(|scope| resources.get(scope)).flatten();
        for (name, value) in settings {
            if let Err(reason) = config.alter(name, value) {
                tracing::warn!(name, value, reason, "a broker's setting is passed over");
            }
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use mainstem_storage::Overrides;

    use super::*;
    use crate::config::flags;

    fn overrides(pairs: &[(&str, &str)]) -> Overrides {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn settings_of_a_broker_go_before_those_of_all_and_those_before_the_start() {
        let given = flags::flag("--set", "max.connections", "7");
        let live = Live::new(Config::from_assignments([given]).unwrap());
        let connections = |resources: Resources| {
            live.follow(BrokerId(1), || Arc::new(resources.clone()));
            live.now().net.connections_max
        };
        let all = (Resource::Brokers, overrides(&[("max.connections", "8")]));
        let one = (Resource::Broker(BrokerId(1)), overrides(&[("max.connections", "9")]));
        let other = (Resource::Broker(BrokerId(2)), overrides(&[("max.connections", "5")]));
        assert_eq!(connections(Resources::from([all.clone(), one, other.clone()])), 9);
        assert_eq!(connections(Resources::from([all, other.clone()])), 8);
        assert_eq!(connections(Resources::from([other])), 7);
        assert_eq!(live.fixed().net.connections_max, 7);
    }

    #[test]
    fn stored_limits_that_locked_everybody_out_are_passed_over() {
        let live = Live::new(Config::default());
        let stored = overrides(&[("max.connections", "0"), ("max.connections.per.ip", "0")]);
        live.follow(BrokerId(1), || {
            Arc::new(Resources::from([(Resource::Broker(BrokerId(1)), stored.clone())]))
        });
        assert_eq!(live.now().net, live.fixed().net);
    }

    #[test]
    fn what_cannot_be_any_more_is_passed_over() {
        let live = Live::new(Config::default());
        let settings = overrides(&[("no.such", "1"), ("max.connections", "many"), ("log.retention.ms", "5")]);
        live.follow(BrokerId(1), || Arc::new(Resources::from([(Resource::Brokers, settings.clone())])));
        assert_eq!(live.now().topic_defaults.retention_ms, Some(5));
        assert_eq!(live.now().net, live.fixed().net);
    }
}
