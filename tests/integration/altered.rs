//! Topics that get more partitions and other settings.
//!
//! The codes of what is refused are those of Kafka 4.2.1, with these exceptions: Kafka answers UNKNOWN_SERVER_ERROR to more
//! than 10,000 partitions in one request and to an operation that it does not know; it takes settings of brokers that it does
//! not know, and lets `__consumer_offsets` grow.

use mainstem_protocol::{
    BrokerId, ErrorCode, Text,
    messages::{
        AlterConfigsRequest, ApiVersionsRequest, CreatePartitionsRequest, CreatePartitionsResponse,
        DescribeConfigsRequest, IncrementalAlterConfigsRequest, MetadataRequest, alter_configs,
        create_partitions::{CreatePartitionsAssignment, CreatePartitionsTopic},
        describe_configs::{DescribeConfigsResource, DescribeConfigsResourceResult},
        incremental_alter_configs::{AlterConfigsResource, AlterableConfig},
        metadata::MetadataRequestTopic,
    },
    records::{Batch, Compression},
};

use crate::harness::{Client, TestBroker, batch, bytes_of, produce_request, produced};

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

fn grow(name: &str, count: i32) -> CreatePartitionsRequest {
    let topic = CreatePartitionsTopic { name: name.into(), count, assignments: None };
    CreatePartitionsRequest { topics: vec![topic], timeout_ms: 1000, validate_only: false }
}

fn grow_on(name: &str, count: i32, brokers: &[&[i32]]) -> CreatePartitionsRequest {
    let assign =
        |ids: &&[i32]| CreatePartitionsAssignment { broker_ids: ids.iter().copied().map(BrokerId).collect() };
    let mut request = grow(name, count);
    request.topics[0].assignments = Some(brokers.iter().map(assign).collect());
    request
}

fn only(response: CreatePartitionsResponse) -> (ErrorCode, String) {
    let [result] = &response.results[..] else { panic!("{response:?}") };
    (result.error_code, result.error_message.as_deref().unwrap_or_default().to_owned())
}

fn alter(name: &str, changes: &[(&str, i8, Option<&str>)]) -> IncrementalAlterConfigsRequest {
    let change = |&(name, config_operation, value): &(&str, i8, Option<&str>)| AlterableConfig {
        name: name.into(),
        config_operation,
        value: value.map(Text::from),
    };
    let resource = AlterConfigsResource {
        resource_type: TOPIC,
        resource_name: name.into(),
        configs: changes.iter().map(change).collect(),
    };
    IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false }
}

async fn altered(client: &mut Client, request: IncrementalAlterConfigsRequest) -> (ErrorCode, String) {
    let mut response = client.ask(1, request).await;
    let result = response.responses.remove(0);
    (result.error_code, result.error_message.as_deref().unwrap_or_default().to_owned())
}

async fn set(client: &mut Client, topic: &str, name: &str, value: &str) {
    let request = alter(topic, &[(name, SET, Some(value))]);
    assert_eq!(altered(client, request).await, (ErrorCode::NONE, String::new()), "{name}={value}");
}

async fn partitions(client: &mut Client, name: &str) -> usize {
    let topic = MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    client.ask(12, request).await.topics[0].partitions.len()
}

async fn described(client: &mut Client, topic: &str, name: &str) -> DescribeConfigsResourceResult {
    let resource = DescribeConfigsResource {
        resource_type: TOPIC,
        resource_name: topic.into(),
        configuration_keys: Some(vec![name.into()]),
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    client.ask(4, request).await.results.remove(0).configs.remove(0)
}

async fn value(client: &mut Client, topic: &str, name: &str) -> (String, i8) {
    let found = described(client, topic, name).await;
    (found.value.as_deref().unwrap_or_default().to_owned(), found.config_source)
}

#[tokio::test]
async fn resource_of_an_unknown_type_refuses_the_others_of_the_question() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("kept", 1, &[]).await;
    let resource = |resource_type| DescribeConfigsResource {
        resource_type,
        resource_name: "kept".into(),
        configuration_keys: None,
    };
    let resources = [TOPIC, 1].map(resource).to_vec();
    let response = client.ask(4, DescribeConfigsRequest { resources, ..Default::default() }).await;
    let codes: Vec<_> = response.results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [ErrorCode::INVALID_REQUEST; 2]);
}

#[tokio::test]
async fn added_partitions_are_there_at_once_and_stay() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("growing", 1, &[]).await;
    for (version, count) in (0..=3).zip(2..) {
        assert_eq!(only(client.ask(version, grow("growing", count)).await).0, ErrorCode::NONE);
        assert_eq!(partitions(&mut client, "growing").await, count as usize);
        client.produce("growing", count - 1, batch(&[b"one"])).await;
    }
    let here = broker.broker().node().id().0;
    let assigned = grow_on("growing", 7, &[&[here], &[here]]);
    assert_eq!(only(client.ask(3, assigned).await).0, ErrorCode::NONE);
    let broker = broker.restart().await;
    let mut client = broker.connect().await;
    assert_eq!(partitions(&mut client, "growing").await, 7);
    assert_eq!(bytes_of(&client.fetch("growing", 4, 0).await).len(), batch(&[b"one"]).len());
}

#[tokio::test]
async fn partitions_that_cannot_be_added_are_refused() {
    let broker = TestBroker::start_with(|config| config.storage.partitions = 100).await;
    let mut client = broker.connect().await;
    client.create_topic("three", 3, &[]).await;
    let here = broker.broker().node().id().0;
    let (few, assignment) = (ErrorCode::INVALID_PARTITIONS, ErrorCode::INVALID_REPLICA_ASSIGNMENT);
    let cases = [
        (grow("three", 3), few, "has 3 partition(s) already"),
        (grow("three", 2), few, "no increase"),
        (grow("three", -1), few, "no increase"),
        (grow("absent", 4), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "does not host"),
        (grow("__consumer_offsets", 400), ErrorCode::INVALID_TOPIC_EXCEPTION, "internal"),
        (grow("three", 90), ErrorCode::POLICY_VIOLATION, "max.broker.partitions"),
        (grow("three", 20_000), ErrorCode::POLICY_VIOLATION, "at most 10000 partitions"),
        (grow_on("three", 5, &[&[here]]), assignment, "2 partition(s) are new, but 1"),
        (grow_on("three", 4, &[]), assignment, "1 partition(s) are new, but 0"),
        (grow_on("three", 4, &[&[here + 1]]), assignment, "alone"),
        (grow_on("three", 4, &[&[here, here + 1]]), assignment, "alone"),
        (grow_on("three", 4, &[&[]]), assignment, "alone"),
    ];
    for (request, expected, words) in cases {
        for validate_only in [true, false] {
            let request = CreatePartitionsRequest { validate_only, ..request.clone() };
            let (code, message) = only(client.ask(3, request.clone()).await);
            assert_eq!(code, expected, "{request:?}: {message}");
            assert!(message.contains(words), "{message}");
        }
    }
    let mut twice = grow("three", 4);
    twice.topics.push(CreatePartitionsTopic { count: 5, ..twice.topics[0].clone() });
    assert_eq!(only(client.ask(3, twice).await).0, ErrorCode::INVALID_REQUEST);
    assert_eq!(partitions(&mut client, "three").await, 3);
}

#[tokio::test]
async fn partitions_of_one_request_count_together_and_validating_adds_none() {
    let broker = TestBroker::start_with(|config| config.storage.partitions = 60).await;
    let mut client = broker.connect().await;
    client.create_topic("one", 1, &[]).await;
    client.create_topic("two", 1, &[]).await;
    let present: usize =
        broker.broker().node().store.topics().iter().map(|topic| topic.partitions.len()).sum();
    let left = 60 - present as i32;
    for validate_only in [true, false] {
        let mut request = CreatePartitionsRequest { validate_only, ..grow("one", 1 + left) };
        request.topics.extend(grow("two", 2).topics);
        let codes: Vec<_> =
            client.ask(3, request).await.results.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [ErrorCode::NONE, ErrorCode::POLICY_VIOLATION]);
        let expected = if validate_only { 1 } else { 1 + left as usize };
        assert_eq!(partitions(&mut client, "one").await, expected);
    }
}

#[tokio::test]
async fn altered_settings_hold_at_once_and_after_a_restart() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("altered", 1, &[("segment.ms", "5000")]).await;

    set(&mut client, "altered", "max.message.bytes", "70").await;
    let refused = produced(client.ask(9, produce_request("altered", 0, -1, batch(&[&[7; 50]]))).await);
    assert_eq!(refused.error_code, ErrorCode::MESSAGE_TOO_LARGE);
    let gone = alter("altered", &[("max.message.bytes", DELETE, None), ("segment.ms", DELETE, Some("1"))]);
    assert_eq!(altered(&mut client, gone).await.0, ErrorCode::NONE);

    set(&mut client, "altered", "compression.type", "gzip").await;
    set(&mut client, "altered", "message.timestamp.type", "LogAppendTime").await;
    let appended = produced(client.ask(9, produce_request("altered", 0, -1, batch(&[&[7; 500]]))).await);
    assert!(appended.log_append_time_ms.0 > 0);
    let mut stored = bytes_of(&client.fetch("altered", 0, 0).await);
    assert_eq!(
        Batch::split_from(&mut stored).unwrap().header().attributes.compression(),
        Ok(Compression::Gzip)
    );

    set(&mut client, "altered", "flush.messages", "1000").await;
    let topic = || broker.broker().node().store.topics().named("altered").unwrap().clone();
    assert!(!topic().config.is_synced());
    set(&mut client, "altered", "flush.messages", "1").await;
    assert!(topic().config.is_synced());

    let broker = broker.restart().await;
    let mut client = broker.connect().await;
    for (name, expected, source) in [
        ("compression.type", "gzip", 1),
        ("message.timestamp.type", "LogAppendTime", 1),
        ("flush.messages", "1", 1),
        ("max.message.bytes", "1048588", 5),
        ("segment.ms", "604800000", 5),
    ] {
        assert_eq!(value(&mut client, "altered", name).await, (expected.to_owned(), source), "{name}");
        assert!(!described(&mut client, "altered", name).await.read_only, "{name}");
    }
}

#[tokio::test]
async fn every_setting_can_be_altered_to_what_it_is() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("same", 1, &[]).await;
    for setting in mainstem_storage::config::SETTINGS {
        let (before, _) = value(&mut client, "same", setting.name).await;
        set(&mut client, "same", setting.name, &before).await;
        assert_eq!(value(&mut client, "same", setting.name).await, (before, 1), "{}", setting.name);
    }
}

#[tokio::test]
async fn lists_gain_and_lose_words() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("list", 1, &[]).await;
    for (operation, word, expected) in [
        (APPEND, "compact", "compact,delete"),
        (SUBTRACT, "delete", "compact"),
        (APPEND, "compact", "compact"),
    ] {
        let request = alter("list", &[("cleanup.policy", operation, Some(word))]);
        assert_eq!(altered(&mut client, request).await.0, ErrorCode::NONE);
        assert_eq!(value(&mut client, "list", "cleanup.policy").await.0, expected);
    }
}

#[tokio::test]
async fn settings_that_cannot_be_altered_so_are_refused_and_nothing_changes() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("kept", 1, &[("retention.ms", "1000")]).await;
    let (invalid, config) = (ErrorCode::INVALID_REQUEST, ErrorCode::INVALID_CONFIG);
    let of = |resource_type: i8, name: &str| {
        let mut request = alter(name, &[("retention.ms", SET, Some("5"))]);
        request.resources[0].resource_type = resource_type;
        request
    };
    let here = broker.broker().node().id().0.to_string();
    let cases = [
        (
            alter("kept", &[("retention.ms", SET, Some("soon"))]),
            config,
            "cannot be soon: -1, or a whole number",
        ),
        (alter("kept", &[("no.such", SET, Some("1"))]), config, "no.such is not known"),
        (alter("kept", &[("retention.ms", APPEND, Some("1"))]), config, "not a list"),
        (alter("kept", &[("cleanup.policy", APPEND, Some("shred"))]), config, "delete, compact, or both"),
        (
            alter("kept", &[("min.insync.replicas", SET, Some("0"))]),
            config,
            "cannot be 0: a whole number from 1 to 2147483647",
        ),
        (alter("kept", &[("segment.bytes", SET, Some("1048575"))]), config, "a whole number from 1048576"),
        (
            alter("kept", &[("remote.storage.enable", SET, Some("true"))]),
            config,
            "there is no tiered storage",
        ),
        (
            alter(
                "kept",
                &[("min.compaction.lag.ms", SET, Some("6")), ("max.compaction.lag.ms", SET, Some("5"))],
            ),
            config,
            "min.compaction.lag.ms cannot be 6: at most max.compaction.lag.ms, 5",
        ),
        (
            alter("kept", &[("max.message.bytes", SET, Some("2147483647"))]),
            config,
            "the journal takes batches",
        ),
        (
            alter("kept", &[("cleanup.policy", SET, Some(&"delete,".repeat(500)))]),
            config,
            "at most 1024 bytes",
        ),
        (
            alter("kept", &[("retention.ms", SET, None), ("retention.ms", SET, None)]),
            invalid,
            "more than once",
        ),
        (
            alter("kept", &[("retention.ms", SET, None)]),
            invalid,
            "null value is not possible for retention.ms",
        ),
        (alter("kept", &[("retention.ms", 7, Some("5"))]), invalid, "unknown operation 7"),
        (
            alter("absent", &[("retention.ms", SET, Some("5"))]),
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            "does not host",
        ),
        (
            alter("a b", &[("retention.ms", SET, Some("5"))]),
            ErrorCode::INVALID_TOPIC_EXCEPTION,
            "'a b' contains",
        ),
        (of(TOPIC, ""), invalid, "all topics together"),
        (of(0, "kept"), invalid, "unknown resource type 0"),
        (of(8, &here), invalid, "this broker does not write the log"),
        (of(16, "kept"), invalid, "metrics of clients are not collected"),
        (of(32, ""), invalid, "all groups together"),
        (of(32, "kept"), config, "group setting retention.ms is not known"),
        (of(99, "kept"), invalid, "unknown resource type 99"),
        (of(BROKER, &here), invalid, "there is no setting retention.ms: did you mean log.retention.ms?"),
        (of(BROKER, ""), invalid, "there is no setting retention.ms"),
        (of(BROKER, "77"), invalid, "broker 77 is not this one"),
    ];
    for (request, expected, words) in cases {
        for validate_only in [true, false] {
            let request = IncrementalAlterConfigsRequest { validate_only, ..request.clone() };
            let (code, message) = altered(&mut client, request.clone()).await;
            assert_eq!(code, expected, "{request:?}: {message}");
            assert!(message.contains(words), "{message}");
        }
    }
    let mut twice = alter("kept", &[("retention.ms", SET, Some("5"))]);
    twice.resources.push(twice.resources[0].clone());
    let response = client.ask(0, twice).await;
    assert!(response.responses.iter().all(|result| result.error_code == invalid));
    let valid = alter("kept", &[("retention.ms", SET, Some("5"))]);
    let request = IncrementalAlterConfigsRequest { validate_only: true, ..valid };
    assert_eq!(altered(&mut client, request).await.0, ErrorCode::NONE);
    assert_eq!(value(&mut client, "kept", "retention.ms").await, ("1000".to_owned(), 1));
}

#[tokio::test]
async fn refusal_that_repeats_a_long_name_fits_into_its_answer() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("kept", 1, &[]).await;
    let long = "x".repeat(32_000);
    let response = client.ask(0, alter("kept", &[(&long, SET, None), ("y", SET, None)])).await;
    assert_eq!(response.responses[0].error_code, ErrorCode::INVALID_REQUEST);
    client.ask(3, ApiVersionsRequest::default()).await;
}

fn replace(name: &str, settings: &[(&str, Option<&str>)]) -> AlterConfigsRequest {
    let setting = |&(name, value): &(&str, Option<&str>)| alter_configs::AlterableConfig {
        name: name.into(),
        value: value.map(Text::from),
    };
    let resource = alter_configs::AlterConfigsResource {
        resource_type: TOPIC,
        resource_name: name.into(),
        configs: settings.iter().map(setting).collect(),
    };
    AlterConfigsRequest { resources: vec![resource], validate_only: false }
}

#[tokio::test]
async fn settings_that_are_replaced_fall_back_where_they_are_not_named() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("replaced", 1, &[("retention.ms", "1000"), ("flush.messages", "9")]).await;
    for version in 0..=2 {
        let request = replace("replaced", &[("segment.ms", Some("7000"))]);
        let response = client.ask(version, request).await;
        assert_eq!(response.responses[0].error_code, ErrorCode::NONE);
    }
    assert_eq!(value(&mut client, "replaced", "segment.ms").await, ("7000".to_owned(), 1));
    assert_eq!(value(&mut client, "replaced", "retention.ms").await, ("604800000".to_owned(), 5));
    // Durability goes back to the default of this moment, and stays there whatever the default becomes.
    assert_eq!(value(&mut client, "replaced", "flush.messages").await, ("1".to_owned(), 1));
    for (request, code) in [
        (replace("replaced", &[("segment.ms", None)]), ErrorCode::INVALID_REQUEST),
        (replace("replaced", &[("segment.ms", Some("x"))]), ErrorCode::INVALID_CONFIG),
        (replace("absent", &[("segment.ms", Some("1"))]), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ] {
        assert_eq!(client.ask(2, request).await.responses[0].error_code, code);
    }
    assert_eq!(value(&mut client, "replaced", "segment.ms").await, ("7000".to_owned(), 1));
}
