//! Topics made, described and deleted.

use mainstem_protocol::{
    BrokerId, ErrorCode, PartitionId, ProducerEpoch, Text, TopicId,
    messages::{
        CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest,
        FindCoordinatorRequest, InitProducerIdRequest, MetadataRequest,
        create_topics::CreatableReplicaAssignment, delete_topics::DeleteTopicState,
        describe_configs::DescribeConfigsResource, metadata::MetadataRequestTopic,
    },
};

use crate::harness::{TestBroker, create_request};

async fn code(client: &mut crate::harness::Client, request: CreateTopicsRequest) -> ErrorCode {
    client.ask(7, request).await.topics[0].error_code
}

#[tokio::test]
async fn topics_that_cannot_be_are_refused() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("one.two", 1, &[]).await;
    let cases = [
        (create_request("a b", 1, &[]), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (create_request("one_two", 1, &[]), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (create_request("one.two", 1, &[]), ErrorCode::TOPIC_ALREADY_EXISTS),
        (create_request("none", 0, &[]), ErrorCode::INVALID_PARTITIONS),
        (create_request("many", i32::MAX, &[]), ErrorCode::INVALID_PARTITIONS),
        (create_request("odd", 1, &[("no.such", "1")]), ErrorCode::INVALID_CONFIG),
        (create_request("odd", 1, &[("retention.ms", "soon")]), ErrorCode::INVALID_CONFIG),
        (create_request("__cluster_metadata", 1, &[]), ErrorCode::INVALID_REQUEST),
        (create_request("__transaction_state", 1, &[]), ErrorCode::INVALID_REQUEST),
    ];
    for (request, expected) in cases {
        let name = request.topics[0].name.clone();
        assert_eq!(code(&mut client, request).await, expected, "{name}");
    }
    for factor in [0, 2, 3, -2] {
        let mut request = create_request("copies", 1, &[]);
        request.topics[0].replication_factor = factor;
        assert_eq!(code(&mut client, request).await, ErrorCode::INVALID_REPLICATION_FACTOR, "{factor}");
    }
}

#[tokio::test]
async fn partitions_above_the_limit_of_the_node_are_refused_and_those_that_a_deletion_frees_are_not() {
    let broker = TestBroker::start_with(|config| config.storage.partitions = 60).await;
    let mut client = broker.connect().await;
    let present: usize =
        broker.broker().node().store.topics().iter().map(|topic| topic.partitions.len()).sum();
    let left = 60 - present as i32;
    client.create_topic("all", left, &[]).await;
    let mut request = create_request("more", 1, &[]);
    request.validate_only = true;
    assert_eq!(code(&mut client, request).await, ErrorCode::POLICY_VIOLATION);
    let refused = client.ask(7, create_request("more", 1, &[])).await.topics.remove(0);
    assert_eq!(refused.error_code, ErrorCode::POLICY_VIOLATION);
    let message = refused.error_message.unwrap();
    assert!(message.contains("have 60") && message.contains("max.broker.partitions"), "{message}");
    let asked = MetadataRequestTopic { name: Some("by-itself".into()), ..Default::default() };
    let request =
        MetadataRequest { topics: Some(vec![asked]), allow_auto_topic_creation: true, ..Default::default() };
    assert_eq!(client.ask(9, request).await.topics[0].error_code, ErrorCode::POLICY_VIOLATION);
    let topics = vec![DeleteTopicState { name: Some("all".into()), ..Default::default() }];
    client.ask(6, DeleteTopicsRequest { topics, ..Default::default() }).await;
    client.create_topic("more", left, &[]).await;
}

#[tokio::test]
async fn a_name_that_comes_twice_is_refused() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let mut request = create_request("twice", 1, &[]);
    request.topics.push(request.topics[0].clone());
    let response = client.ask(7, request).await;
    assert!(response.topics.iter().all(|topic| topic.error_code == ErrorCode::INVALID_REQUEST));
}

#[tokio::test]
async fn manual_assignments_must_be_to_this_broker() {
    let broker = TestBroker::start().await;
    let (mut client, here) = (broker.connect().await, broker.broker().node().id());
    let request = |assignments: &[(i32, BrokerId)]| {
        let mut request = create_request("manual", -1, &[]);
        let assign = |&(index, broker): &(i32, BrokerId)| CreatableReplicaAssignment {
            partition_index: PartitionId(index),
            broker_ids: vec![broker],
        };
        request.topics[0].assignments = assignments.iter().map(assign).collect();
        request
    };
    let refused = ErrorCode::INVALID_REPLICA_ASSIGNMENT;
    assert_eq!(code(&mut client, request(&[(0, BrokerId(here.0 + 1))])).await, refused);
    assert_eq!(code(&mut client, request(&[(0, here), (2, here)])).await, refused);
    assert_eq!(code(&mut client, request(&[(0, here), (0, here)])).await, refused);
    assert_eq!(code(&mut client, request(&[(1, here), (0, here)])).await, ErrorCode::NONE);
}

#[tokio::test]
async fn validating_makes_nothing() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let request = CreateTopicsRequest { validate_only: true, ..create_request("perhaps", 3, &[]) };
    let response = client.ask(7, request).await;
    assert_eq!((response.topics[0].error_code, response.topics[0].num_partitions), (ErrorCode::NONE, 3));
    let all = client.ask(9, MetadataRequest { topics: None, ..Default::default() }).await;
    assert!(!all.topics.iter().any(|topic| topic.name.as_deref() == Some("perhaps")));
}

#[tokio::test]
async fn a_topic_made_again_is_another_one() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let first = client.ask(7, create_request("again", 1, &[])).await.topics[0].topic_id;
    let names = vec![Text::from_static("again")];
    let deleted = client.ask(5, DeleteTopicsRequest { topic_names: names, ..Default::default() }).await;
    assert_eq!(deleted.responses[0].error_code, ErrorCode::NONE);
    let second = client.ask(7, create_request("again", 1, &[])).await.topics[0].topic_id;
    assert_ne!(first, second);
    let by_id = |topic_id| MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { topic_id, name: None }]),
        ..Default::default()
    };
    let gone = client.ask(12, by_id(first)).await;
    assert_eq!((gone.topics[0].error_code, &gone.topics[0].name), (ErrorCode::UNKNOWN_TOPIC_ID, &None));
    let there = client.ask(12, by_id(second)).await;
    assert_eq!(there.topics[0].name.as_deref(), Some("again"));
}

#[tokio::test]
async fn deletions_that_cannot_be_are_refused() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let topic_id = client.ask(7, create_request("once", 1, &[])).await.topics[0].topic_id;
    let state = |name: Option<&str>, topic_id| DeleteTopicState { name: name.map(Text::from), topic_id };
    let zero = Default::default();
    let topics = vec![
        state(None, zero),
        state(Some("absent"), zero),
        state(Some("once"), zero),
        state(None, topic_id),
    ];
    let response = client.ask(6, DeleteTopicsRequest { topics, ..Default::default() }).await;
    let codes: Vec<_> = response.responses.iter().map(|result| result.error_code).collect();
    let (invalid, unknown) = (ErrorCode::INVALID_REQUEST, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(codes, [invalid, unknown, invalid, invalid]);
}

#[tokio::test]
async fn of_partitions_and_replicas_that_cannot_be_the_code_is_kafkas() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let (partitions, replicas) = (ErrorCode::INVALID_PARTITIONS, ErrorCode::INVALID_REPLICATION_FACTOR);
    for (count, factor, expected) in
        [(0, 0, replicas), (-2, -2, replicas), (-2, 3, partitions), (1, 3, replicas)]
    {
        let mut request = create_request("wrong", count, &[]);
        request.topics[0].replication_factor = factor;
        assert_eq!(code(&mut client, request).await, expected, "{count} partitions, {factor} replicas");
    }
}

#[tokio::test]
async fn a_topic_to_delete_that_is_named_twice_is_answered_once_and_stays() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("twice", 1, &[]).await;
    let state = |name| DeleteTopicState { name: Some(Text::from_static(name)), ..Default::default() };
    let topics = ["twice", "absent", "twice", "absent"].map(state).to_vec();
    let response = client.ask(6, DeleteTopicsRequest { topics, ..Default::default() }).await;
    let codes: Vec<_> = response.responses.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [ErrorCode::INVALID_REQUEST; 2]);
    let asked = MetadataRequestTopic { name: Some("twice".into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![asked]), ..Default::default() };
    assert_eq!(client.ask(9, request).await.topics[0].error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn nothing_is_said_of_what_may_be_done_to_an_id_that_no_topic_has() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let asked = MetadataRequestTopic { topic_id: TopicId([7; 16]), name: None };
    let request = MetadataRequest {
        topics: Some(vec![asked]),
        include_topic_authorized_operations: true,
        ..Default::default()
    };
    let topic = &client.ask(12, request).await.topics[0];
    assert_eq!(
        (topic.error_code, topic.topic_authorized_operations),
        (ErrorCode::UNKNOWN_TOPIC_ID, i32::MIN)
    );
}

#[tokio::test]
async fn settings_are_described_with_their_sources() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("set", 1, &[("retention.ms", "1000")]).await;
    for version in 1..=4 {
        let resource = DescribeConfigsResource {
            resource_type: 2,
            resource_name: Text::from_static("set"),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest {
            resources: vec![resource],
            include_synonyms: true,
            ..Default::default()
        };
        let described = client.ask(version, request).await.results.remove(0);
        assert_eq!(described.error_code, ErrorCode::NONE);
        let find = |name: &str| described.configs.iter().find(|config| config.name == name).unwrap();
        assert_eq!(
            (find("retention.ms").value.as_deref(), find("retention.ms").config_source),
            (Some("1000"), 1)
        );
        assert_eq!(find("retention.ms").synonyms.len(), 2);
        assert_eq!(find("segment.bytes").config_source, 5);
        // A topic keeps the durability that it was made with, whatever becomes the default.
        assert_eq!(find("flush.messages").config_source, 1);
    }
}

#[tokio::test]
async fn this_broker_is_found_everywhere() {
    let broker = TestBroker::start().await;
    let (mut client, port) = (broker.connect().await, i32::from(broker.broker().listeners()[0].1.port()));
    let cluster = client.ask(1, DescribeClusterRequest { endpoint_type: 1, ..Default::default() }).await;
    assert_eq!((cluster.brokers[0].host.as_ref(), cluster.brokers[0].port), ("127.0.0.1", port));
    let one =
        client.ask(3, FindCoordinatorRequest { key: Text::from_static("g"), ..Default::default() }).await;
    assert_eq!(
        (one.error_code, one.node_id, one.port),
        (ErrorCode::NONE, cluster.brokers[0].broker_id, port)
    );
    let keys = vec![Text::from_static("g"), Text::from_static("h")];
    let both = client.ask(4, FindCoordinatorRequest { coordinator_keys: keys, ..Default::default() }).await;
    assert_eq!(both.coordinators.len(), 2);
    assert!(both.coordinators.iter().all(|coordinator| coordinator.port == port));
}

#[tokio::test]
async fn idempotent_producers_get_an_identity_each() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
    let first = client.ask(4, request.clone()).await;
    let second = client.ask(4, request).await;
    assert_eq!((first.error_code, first.producer_epoch), (ErrorCode::NONE, ProducerEpoch(0)));
    assert_ne!(first.producer_id, second.producer_id);
}
