//! Settings of brokers and groups.

use mainstem_protocol::BrokerId;

use super::*;
use crate::{
    ConfigChange, ConfigError, ConfigOperation, TopicConfig,
    config::{Overrides, Resource, Rules, TopicRules},
    store::{Alteration, TopicError},
};

/// Whatever has a name is allowed, but for one.
struct Lax;

impl Rules for Lax {
    fn list(&self, change: &ConfigChange) -> Result<String, ConfigError> {
        TopicRules(&TopicConfig::default()).list(change)
    }

    fn check(&self, overrides: &Overrides) -> Result<(), ConfigError> {
        match overrides.contains_key("refused") {
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
fn what_the_rules_refuse_is_not_kept() {
    let bench = Bench::new();
    let refused = bench.store.alter_resource(&Resource::Brokers, &set("refused", "1"), &Lax);
    assert!(matches!(refused, Err(TopicError::Config(ConfigError::Refused(_)))));
    bench.store.round().unwrap();
    assert!(bench.store.resources().is_empty());
}
