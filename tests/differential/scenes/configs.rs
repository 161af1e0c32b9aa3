//! Settings of topics and of the broker: described, altered one by one or all at once, wrong ones refused.

use mainstem_protocol::{
    ApiKey, Text,
    messages::{
        AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, alter_configs,
        describe_configs::DescribeConfigsResource, incremental_alter_configs,
    },
};

use super::topics;
use crate::{
    plan::{Plan, TOPICS},
    side::{Name, Side},
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

pub(crate) fn scene(plan: &mut Plan) {
    topics::make(plan, Name::Own("a"), 1, &[("retention.ms", "200000")]);
    topics::make(plan, Name::Own("b"), 1, &[]);
    for _ in 0..plan.chance.between(6, 12) {
        match plan.chance.below(6) {
            0 | 1 => describe(plan),
            2 => replace(plan),
            _ => change(plan),
        }
    }
    describe(plan);
}

/// Settings with values that can be, and the rest.
type Given = (&'static str, Option<&'static str>);

const GIVEN: &[Given] = &[
    ("retention.ms", Some("100000")),
    ("retention.ms", Some("-1")),
    ("retention.bytes", Some("5000")),
    ("cleanup.policy", Some("compact")),
    ("cleanup.policy", Some("delete,compact")),
    ("compression.type", Some("lz4")),
    ("max.message.bytes", Some("2000")),
    ("message.timestamp.type", Some("LogAppendTime")),
    ("min.compaction.lag.ms", Some("5")),
    ("segment.ms", Some("60000")),
    ("min.insync.replicas", Some("2")),
];

const ODD: &[Given] = &[
    ("retention.ms", Some("soon")),
    ("retention.ms", Some("-2")),
    ("retention.ms", Some("99999999999999999999")),
    ("retention.ms", None),
    ("cleanup.policy", Some("burn")),
    ("cleanup.policy", Some("")),
    ("compression.type", Some("")),
    ("compression.zstd.level", Some("99")),
    ("max.message.bytes", Some("-1")),
    ("message.timestamp.type", Some("Never")),
    ("min.insync.replicas", Some("0")),
    ("segment.bytes", Some("1")),
    ("min.cleanable.dirty.ratio", Some("1.5")),
    ("preallocate", Some("maybe")),
    ("no.such.setting", Some("1")),
    ("", Some("1")),
];

/// Levels of the log, subscriptions to client metrics, groups.
const OTHERS: &[i8] = &[8, 16, 32];

/// What a resource is called: a topic, the broker, all brokers, or nothing that there is.
fn resource(plan: &mut Plan) -> (i8, Name) {
    match plan.chance.below(12) {
        0 => (plan.chance.one_of(&[0, 1, 3, 99, -1]), Name::Plain("x")),
        1 => (BROKER, plan.chance.one_of(&[Name::Plain("7"), Name::Plain("one")])),
        2 => (TOPIC, plan.topic()),
        _ => (TOPIC, plan.chance.one_of(TOPICS)),
    }
}

/// A resource to describe. The loggers of the broker are its own classes: only wrong brokers are asked for theirs.
fn described(plan: &mut Plan) -> (i8, Name) {
    if !plan.chance.once_in(6) {
        return resource(plan);
    }
    let names = [Name::Plain("x"), Name::Plain("")];
    (plan.chance.one_of(OTHERS), plan.chance.one_of(&names))
}

fn describe(plan: &mut Plan) {
    let version = plan.version(ApiKey::DescribeConfigs);
    let count = plan.chance.mostly(&[1, 2], 10, &[0]);
    let resources: Vec<_> = (0..count).map(|_| described(plan)).collect();
    let keys: Option<&[&str]> = plan.chance.mostly(
        &[Some(&["retention.ms", "cleanup.policy", "max.message.bytes"][..])],
        3,
        &[None, Some(&[]), Some(&["no.such.setting", "retention.ms"])],
    );
    let include_synonyms = plan.chance.once_in(3);
    plan.add(version, move |side| {
        let resource = |(resource_type, name): &(i8, Name)| DescribeConfigsResource {
            resource_type: *resource_type,
            resource_name: side.name(*name),
            configuration_keys: keys.map(|keys| keys.iter().copied().map(Text::from_static).collect()),
        };
        let resources = resources.iter().map(resource).collect();
        DescribeConfigsRequest { resources, include_synonyms, include_documentation: false }
    });
}

fn replace(plan: &mut Plan) {
    let version = plan.version(ApiKey::AlterConfigs);
    let (resource_type, name) = resource(plan);
    let count = plan.chance.mostly(&[1, 2], 6, &[0]);
    let given: Vec<_> = plan.chance.several(count, |chance| chance.mostly(GIVEN, 4, ODD));
    let validate_only = plan.chance.once_in(5);
    plan.add(version, move |side: &Side| {
        let config = |(name, value): &Given| alter_configs::AlterableConfig {
            name: Text::from_static(name),
            value: value.map(Text::from_static),
        };
        let configs = given.iter().map(config).collect();
        let resource =
            alter_configs::AlterConfigsResource { resource_type, resource_name: side.name(name), configs };
        AlterConfigsRequest { resources: vec![resource], validate_only }
    });
}

fn change(plan: &mut Plan) {
    let version = plan.version(ApiKey::IncrementalAlterConfigs);
    let (resource_type, name) = resource(plan);
    let count = plan.chance.mostly(&[1, 2], 8, &[0]);
    let given: Vec<_> = plan.chance.several(count, |chance| {
        let config_operation = chance.mostly(&[0, 0, 1, 2, 3], 15, &[4, -1]);
        (config_operation, chance.mostly(GIVEN, 4, ODD))
    });
    let validate_only = plan.chance.once_in(5);
    plan.add(version, move |side: &Side| {
        let config =
            |(config_operation, (name, value)): &(i8, Given)| incremental_alter_configs::AlterableConfig {
                name: Text::from_static(name),
                config_operation: *config_operation,
                value: value.map(Text::from_static),
            };
        let configs = given.iter().map(config).collect();
        let resource = incremental_alter_configs::AlterConfigsResource {
            resource_type,
            resource_name: side.name(name),
            configs,
        };
        IncrementalAlterConfigsRequest { resources: vec![resource], validate_only }
    });
}
