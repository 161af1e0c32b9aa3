//! Settings of brokers and groups, altered while the broker runs. The codes are those of Kafka 4.2.1.

use std::time::Duration;

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{
        AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, alter_configs,
        describe_configs::{DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult},
        incremental_alter_configs::{AlterConfigsResource, AlterableConfig},
    },
};

use crate::harness::{Client, TestBroker, batch, produced};

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;
const GROUP: i8 = 32;

type Changes<'a> = &'a [(&'a str, i8, &'a str)];

async fn alter(client: &mut Client, kind: i8, name: &str, changes: Changes<'_>) -> (ErrorCode, String) {
    let change = |&(name, config_operation, value): &(&str, i8, &str)| AlterableConfig {
        name: name.into(),
        config_operation,
        value: Some(value.into()),
    };
    let resource = AlterConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configs: changes.iter().map(change).collect(),
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let result = client.ask(1, request).await.responses.remove(0);
    (result.error_code, result.error_message.as_deref().unwrap_or_default().to_owned())
}

async fn set(client: &mut Client, kind: i8, of: &str, name: &str, value: &str) {
    let done = (ErrorCode::NONE, String::new());
    assert_eq!(alter(client, kind, of, &[(name, SET, value)]).await, done, "{name}={value}");
}

async fn all(client: &mut Client, kind: i8, name: &str) -> DescribeConfigsResult {
    let resource =
        DescribeConfigsResource { resource_type: kind, resource_name: name.into(), configuration_keys: None };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: true,
    };
    client.ask(4, request).await.results.remove(0)
}

async fn one(client: &mut Client, kind: i8, of: &str, name: &str) -> DescribeConfigsResourceResult {
    let configs = all(client, kind, of).await.configs;
    configs.into_iter().find(|config| config.name == name).unwrap_or_else(|| panic!("{name} of {of}"))
}

/// The value, its source, and the sources below it.
async fn value(client: &mut Client, kind: i8, of: &str, name: &str) -> (String, Vec<i8>) {
    let found = one(client, kind, of, name).await;
    let sources: Vec<_> = found.synonyms.iter().map(|synonym| synonym.source).collect();
    assert_eq!(found.config_source, sources[0]);
    (found.value.as_deref().unwrap_or_default().to_owned(), sources)
}

fn here(broker: &TestBroker) -> String {
    broker.broker().node().id().0.to_string()
}

fn expect(value: &str, sources: &[i8]) -> (String, Vec<i8>) {
    (value.to_owned(), sources.to_vec())
}

#[tokio::test]
async fn settings_of_the_broker_hold_at_once_go_before_one_another_and_survive() {
    let broker = TestBroker::start().await;
    let (mut client, id) = (broker.connect().await, here(&broker));
    client.create_topic("plain", 1, &[]).await;
    client.create_topic("own", 1, &[("retention.ms", "7")]).await;
    set(&mut client, BROKER, "", "log.retention.ms", "1000").await;
    assert_eq!(value(&mut client, TOPIC, "plain", "retention.ms").await, expect("1000", &[3, 5]));
    set(&mut client, BROKER, &id, "log.retention.ms", "2000").await;
    assert_eq!(value(&mut client, TOPIC, "plain", "retention.ms").await, expect("2000", &[2, 3, 5]));
    assert_eq!(value(&mut client, TOPIC, "own", "retention.ms").await, expect("7", &[1, 2, 3, 5]));
    let broker = broker.restart().await;
    let mut client = broker.connect().await;
    assert_eq!(value(&mut client, TOPIC, "plain", "retention.ms").await, expect("2000", &[2, 3, 5]));
    assert_eq!(value(&mut client, BROKER, &id, "log.retention.ms").await, expect("2000", &[2, 3, 5]));
    let of_all = all(&mut client, BROKER, "").await.configs;
    let [only] = &of_all[..] else { panic!("{of_all:?}") };
    assert_eq!(
        (&*only.name, only.value.as_deref(), only.config_source),
        ("log.retention.ms", Some("1000"), 3)
    );
    let deleted = alter(&mut client, BROKER, &id, &[("log.retention.ms", DELETE, "")]).await;
    assert_eq!(deleted.0, ErrorCode::NONE);
    assert_eq!(value(&mut client, TOPIC, "plain", "retention.ms").await, expect("1000", &[3, 5]));
}

#[tokio::test]
async fn batches_are_measured_by_what_the_broker_allows_now() {
    let broker = TestBroker::start().await;
    let (mut client, id) = (broker.connect().await, here(&broker));
    client.create_topic("sized", 1, &[]).await;
    set(&mut client, BROKER, &id, "message.max.bytes", "100").await;
    let request = crate::harness::produce_request("sized", 0, -1, batch(&[&[7; 200]]));
    assert_eq!(produced(client.ask(9, request.clone()).await).error_code, ErrorCode::MESSAGE_TOO_LARGE);
    set(&mut client, BROKER, &id, "message.max.bytes", "1000").await;
    assert_eq!(produced(client.ask(9, request).await).error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn compaction_is_as_fast_as_the_broker_allows_now() {
    let broker = TestBroker::start().await;
    let (mut client, node) = (broker.connect().await, here(&broker));
    set(&mut client, BROKER, &node, "log.cleaner.io.max.bytes.per.second", "1000").await;
    set(&mut client, BROKER, "", "log.cleaner.dedupe.buffer.size", "2000000").await;
    set(&mut client, BROKER, "", "log.cleaner.backoff.ms", "7").await;
    set(&mut client, BROKER, "", "log.cleaner.threads", "2").await;
    let options = broker.broker().node().store.cleaner_options();
    let expected = (1000.0, 2_000_000, Duration::from_millis(7));
    assert_eq!((options.bytes_per_second_max, options.dedupe_buffer_bytes, options.backoff), expected);
    let (error, _) = alter(&mut client, BROKER, &node, &[("log.cleaner.enable", SET, "false")]).await;
    assert_eq!(error, ErrorCode::INVALID_REQUEST);
}

#[tokio::test]
async fn connections_are_limited_by_what_the_broker_allows_now() {
    let broker = TestBroker::start().await;
    let (mut client, id) = (broker.connect().await, here(&broker));
    let others = [broker.connect().await, broker.connect().await];
    set(&mut client, BROKER, &id, "max.connections", "5").await;
    assert_eq!(broker.broker().node().config.now().net.connections_max, 5);
    assert_eq!(broker.broker().node().config.fixed().net.connections_max, 10_000);
    drop(others);
}

#[tokio::test]
async fn every_setting_of_the_broker_has_a_type_and_says_what_it_is_for() {
    let broker = TestBroker::start().await;
    let (mut client, id) = (broker.connect().await, here(&broker));
    let described = all(&mut client, BROKER, &id).await.configs;
    assert!(described.len() > 60, "{}", described.len());
    for config in &described {
        assert_ne!(config.config_type, 0, "{}", config.name);
        assert!(config.documentation.as_deref().is_some_and(|doc| !doc.is_empty()), "{}", config.name);
        assert!(!config.is_sensitive && config.value.is_some());
        assert_eq!(config.synonyms.last().map(|synonym| synonym.source), Some(5), "{}", config.name);
    }
    let read_only = |name: &str| described.iter().find(|config| config.name == name).unwrap().read_only;
    assert!(read_only("node.id") && read_only("num.partitions"));
    assert!(!read_only("max.connections") && !read_only("log.segment.bytes"));
}

#[tokio::test]
async fn settings_of_brokers_that_cannot_be_are_refused() {
    let broker = TestBroker::start().await;
    let (mut client, id) = (broker.connect().await, here(&broker));
    for (changes, code, words) in [
        (
            &[("max.connections", SET, "many")][..],
            ErrorCode::INVALID_REQUEST,
            "expected a whole number from 1",
        ),
        (&[("log.retention.ms", SET, "-2")], ErrorCode::INVALID_REQUEST, "expected -1, or a whole number"),
        (&[("log.segment.bytes", SET, "1000")], ErrorCode::INVALID_REQUEST, "a whole number from 1048576"),
        (
            &[("num.partitions", SET, "3")],
            ErrorCode::INVALID_REQUEST,
            "while the broker runs: num.partitions",
        ),
        (&[("log.retention.ms", APPEND, "1")], ErrorCode::INVALID_REQUEST, "it is not a list"),
        (
            &[
                ("log.cleaner.min.compaction.lag.ms", SET, "6"),
                ("log.cleaner.max.compaction.lag.ms", SET, "5"),
            ],
            ErrorCode::INVALID_REQUEST,
            "6 is more than log.cleaner.max.compaction.lag.ms, 5",
        ),
    ] {
        for of in [&*id, ""] {
            let (found, message) = alter(&mut client, BROKER, of, changes).await;
            assert_eq!(found, code, "{message}");
            assert!(message.contains(words), "{message}");
        }
    }
    assert_eq!(broker.broker().node().store.resources().len(), 0);
}

#[tokio::test]
async fn alter_configs_replaces_all_that_a_broker_sets() {
    let broker = TestBroker::start().await;
    let (mut client, id) = (broker.connect().await, here(&broker));
    set(&mut client, BROKER, &id, "log.retention.ms", "5").await;
    let config = alter_configs::AlterableConfig { name: "max.connections".into(), value: Some("9".into()) };
    let resource = alter_configs::AlterConfigsResource {
        resource_type: BROKER,
        resource_name: Text::from(&*id),
        configs: vec![config],
    };
    let request = AlterConfigsRequest { resources: vec![resource], validate_only: false };
    assert_eq!(client.ask(2, request).await.responses[0].error_code, ErrorCode::NONE);
    assert_eq!(value(&mut client, BROKER, &id, "max.connections").await, expect("9", &[2, 5]));
    assert_eq!(value(&mut client, BROKER, &id, "log.retention.ms").await, expect("604800000", &[5]));
}

#[tokio::test]
async fn group_has_times_of_its_own() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let name = "consumer.session.timeout.ms";
    assert_eq!(value(&mut client, GROUP, "g", name).await, expect("45000", &[5]));
    set(&mut client, GROUP, "g", name, "50000").await;
    let broker = broker.restart().await;
    let mut client = broker.connect().await;
    assert_eq!(value(&mut client, GROUP, "g", name).await, expect("50000", &[8]));
    assert_eq!(value(&mut client, GROUP, "other", name).await, expect("45000", &[5]));
    let (code, message) = alter(&mut client, GROUP, "g", &[(name, SET, "1")]).await;
    assert_eq!(code, ErrorCode::INVALID_CONFIG);
    assert!(message.contains("at least group.consumer.min.session.timeout.ms, 45000"), "{message}");
    assert_eq!(all(&mut client, GROUP, "").await.error_code, ErrorCode::INVALID_REQUEST);
}

#[tokio::test]
async fn levels_of_the_log_are_told() {
    let broker = TestBroker::start().await;
    let (mut client, id) = (broker.connect().await, here(&broker));
    let root = one(&mut client, LOGGER, &id, "root").await;
    assert_eq!((root.value.as_deref(), root.config_source), (Some("INFO"), 6));
    assert_eq!(all(&mut client, LOGGER, "").await.error_code, ErrorCode::INVALID_REQUEST);
}
