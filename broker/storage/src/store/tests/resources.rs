//! Settings of brokers and groups.

use mainstem_protocol::BrokerId;

use super::*;
use crate::{
    ConfigChange, ConfigError, ConfigOperation, TopicConfig,
    config::{Overrides, Present, Resource, Rules, TopicRules},
    store::{Alteration, TopicError},
};

/// Whatever has a name is allowed, but for one, and for one beside any setting of all brokers.
struct Lax;

impl Rules for Lax {
    fn list(&self, change: &ConfigChange) -> Result<String, ConfigError> {
        TopicRules(&TopicConfig::default()).list(change)
    }

    fn check(&self, overrides: &Overrides, present: Present<'_>) -> Result<(), ConfigError> {
        let is_beside = overrides.contains_key("most") && present(&Resource::Brokers).is_some();
        match overrides.contains_key("refused") || is_beside {
            true => Err(ConfigError::Refused("not this one".to_owned())),
            false => Ok(()),
        }
    }
}

fn set(name: &str, value: &str) -> Alteration {
    let operation = ConfigOperation::Set(value.to_owned());
    Alteration::Changes(vec![ConfigChange { name: name.to_owned(), operation }])
}

fn alter(bench: &Bench, resource: &Resource, alteration: &Alteration) {
    let ticket = bench.store.alter_resource(resource, alteration, &Lax).unwrap();
    bench.store.round().unwrap();
    ticket.wait().unwrap();
}

fn retention(bench: &Bench, topic: TopicId) -> Option<u64> {
    bench.store.topics().get(topic).unwrap().config.retention_ms
}

#[test]
fn default_of_the_broker_holds_for_topics_that_set_nothing_and_after_every_start() {
    let bench = Bench::new();
    let plain = bench.topic("plain", 1, &[]);
    let own = bench.topic("own", 1, &[("retention.ms", "7")]);
    alter(&bench, &Resource::Brokers, &set("log.retention.ms", "1000"));
    assert_eq!((retention(&bench, plain), retention(&bench, own)), (Some(1000), Some(7)));
    let id = bench.store.identity().node_id;
    alter(&bench, &Resource::Broker(id), &set("log.retention.ms", "2000"));
    alter(&bench, &Resource::Broker(BrokerId(id.0 + 1)), &set("log.retention.ms", "3000"));
    assert_eq!((retention(&bench, plain), retention(&bench, own)), (Some(2000), Some(7)));

    let bench = bench.restart();
    assert_eq!((retention(&bench, plain), retention(&bench, own)), (Some(2000), Some(7)));
    bench.store.write_checkpoint(false).unwrap();
    let bench = bench.restart();
    assert_eq!(bench.store.resources().len(), 3);
    assert_eq!(retention(&bench, plain), Some(2000));
    alter(&bench, &Resource::Broker(id), &Alteration::Replace(Overrides::new()));
    assert_eq!(retention(&bench, plain), Some(1000));
    assert_eq!(retention(&bench, bench.topic("new", 1, &[])), Some(1000));
}

#[test]
fn two_changes_on_their_way_both_hold() {
    let bench = Bench::new();
    let group = Resource::Group("g".to_owned());
    let first = bench.store.alter_resource(&group, &set("one", "1"), &Lax).unwrap();
    let second = bench.store.alter_resource(&group, &set("two", "2"), &Lax).unwrap();
    assert!(bench.store.resources().is_empty());
    bench.store.round().unwrap();
    first.wait().unwrap();
    second.wait().unwrap();
    let expected = Overrides::from([("one".to_owned(), "1".to_owned()), ("two".to_owned(), "2".to_owned())]);
    assert_eq!(bench.store.resources()[&group], expected);
}

#[test]
fn two_changes_at_one_moment_are_checked_against_each_other() {
    let bench = Bench::new();
    let broker = Resource::Broker(bench.store.identity().node_id);
    let first = bench.store.alter_resource(&Resource::Brokers, &set("least", "1"), &Lax).unwrap();
    assert!(bench.store.resources().is_empty(), "the first is on its way");
    let second = bench.store.alter_resource(&broker, &set("most", "1"), &Lax);
    assert!(matches!(second, Err(TopicError::Config(ConfigError::Refused(_)))));
    bench.store.round().unwrap();
    first.wait().unwrap();
    assert_eq!(bench.store.resources().len(), 1);
}

#[test]
fn topics_are_made_where_settings_of_an_earlier_version_contradict_one_another() {
    let bench = Bench::new();
    let broker = Resource::Broker(bench.store.identity().node_id);
    alter(&bench, &Resource::Brokers, &set("log.cleaner.max.compaction.lag.ms", "5"));
    alter(&bench, &broker, &set("log.cleaner.min.compaction.lag.ms", "100"));
    bench.topic("at-once", 1, &[("cleanup.policy", "compact")]);
    let bench = bench.restart();
    bench.topic("after-a-start", 1, &[("cleanup.policy", "compact")]);
}

#[test]
fn contradiction_names_the_setting_that_was_altered() {
    let bench = Bench::new();
    let topic = bench.topic("own", 1, &[("min.compaction.lag.ms", "100")]);
    let refused = bench.store.alter_topic(topic, &set("max.compaction.lag.ms", "50")).unwrap_err();
    let said = "topic setting max.compaction.lag.ms cannot be 50: at least min.compaction.lag.ms, 100";
    assert_eq!(refused.to_string(), said);
}

#[test]
fn what_the_rules_refuse_is_not_kept() {
    let bench = Bench::new();
    let refused = bench.store.alter_resource(&Resource::Brokers, &set("refused", "1"), &Lax);
    assert!(matches!(refused, Err(TopicError::Config(ConfigError::Refused(_)))));
    bench.store.round().unwrap();
    assert!(bench.store.resources().is_empty());
}
