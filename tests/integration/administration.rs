//! What administrators list, describe page by page, and elect.

use mainstem::caps::PARTITIONS_NAMED_MAX;
use mainstem_protocol::{
    ErrorCode, PartitionId, Text, TopicId,
    messages::{
        AlterPartitionReassignmentsRequest, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
        ElectLeadersRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
        alter_partition_reassignments::{ReassignablePartition, ReassignableTopic},
        describe_topic_partitions::{Cursor, TopicRequest},
        elect_leaders::TopicPartitions,
        incremental_alter_configs::{AlterConfigsResource, AlterableConfig},
    },
};

use crate::harness::{Client, TestBroker};

fn asked(names: &[&str], limit: i32, cursor: Option<(&str, i32)>) -> DescribeTopicPartitionsRequest {
    let cursor =
        cursor.map(|(name, index)| Cursor { topic_name: name.into(), partition_index: PartitionId(index) });
    let topics = names.iter().map(|name| TopicRequest { name: Text::from(*name) }).collect();
    DescribeTopicPartitionsRequest { topics, response_partition_limit: limit, cursor }
}

/// The names with their partitions, and where to go on.
type Page = (Vec<(String, Vec<i32>)>, Option<(String, i32)>);

fn page(response: &DescribeTopicPartitionsResponse) -> Page {
    let topics = response.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| partition.partition_index.0).collect();
        (topic.name.as_deref().unwrap_or_default().to_owned(), partitions)
    });
    let next = response.next_cursor.as_ref();
    (topics.collect(), next.map(|next| (next.topic_name.to_string(), next.partition_index.0)))
}

async fn pages(client: &mut Client, names: &[&str], limit: i32) -> Vec<Page> {
    let (mut pages, mut cursor) = (Vec::new(), None::<(String, i32)>);
    loop {
        let from = cursor.as_ref().map(|(name, index)| (name.as_str(), *index));
        let found = page(&client.ask(0, asked(names, limit, from)).await);
        cursor.clone_from(&found.1);
        pages.push(found);
        if cursor.is_none() {
            return pages;
        }
    }
}

async fn with_topics() -> (TestBroker, Client) {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("a", 3, &[]).await;
    client.create_topic("b", 2, &[]).await;
    (broker, client)
}

#[tokio::test]
async fn partitions_are_described_page_by_page_and_none_is_left_out() {
    let (_broker, mut client) = with_topics().await;
    let whole = client.ask(0, asked(&["b", "a"], 2000, None)).await;
    assert_eq!(page(&whole), (vec![("a".into(), vec![0, 1, 2]), ("b".into(), vec![0, 1])], None));
    assert_ne!(whole.topics[0].topic_authorized_operations, i32::MIN);
    assert_eq!(whole.topics[0].partitions[0].eligible_leader_replicas, Some(Vec::new()));
    for limit in [0, 1, 2, 3, 4, 5] {
        let mut found: Vec<(String, i32)> = Vec::new();
        for (topics, _) in pages(&mut client, &["a", "b"], limit).await {
            let count: usize = topics.iter().map(|(_, partitions)| partitions.len()).sum();
            assert!(count <= limit.max(1) as usize, "{limit}");
            for (name, partitions) in topics {
                found.extend(partitions.into_iter().map(|index| (name.clone(), index)));
            }
        }
        let expected = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)];
        assert_eq!(found, expected.map(|(name, index)| (name.to_owned(), index)), "{limit}");
    }
}

#[tokio::test]
async fn topics_that_are_not_there_are_told_where_they_are_named() {
    let (_broker, mut client) = with_topics().await;
    let response = client.ask(0, asked(&["absent", "a", "x y"], 9, None)).await;
    let codes: Vec<_> = response.topics.iter().map(|topic| topic.error_code).collect();
    let (unknown, invalid) = (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::INVALID_TOPIC_EXCEPTION);
    assert_eq!(codes, [ErrorCode::NONE, unknown, invalid]);
    assert_eq!(response.topics[1].topic_id, TopicId::ZERO);
}

#[tokio::test]
async fn cursors_that_point_nowhere_are_refused() {
    let (_broker, mut client) = with_topics().await;
    for cursor in [("c", 0), ("a", -1)] {
        let response = client.ask(0, asked(&["a", "b"], 9, Some(cursor))).await;
        assert_eq!(response.topics.len(), 2);
        assert!(response.topics.iter().all(|topic| topic.error_code == ErrorCode::INVALID_REQUEST));
    }
    let beyond = client.ask(0, asked(&["a", "b"], 9, Some(("a", 7)))).await;
    assert_eq!(page(&beyond), (vec![("a".into(), vec![]), ("b".into(), vec![0, 1])], None));
}

#[tokio::test]
async fn leaders_that_lead_already_need_no_election() {
    let (_broker, mut client) = with_topics().await;
    let topic = |name: &str, ids: &[i32]| TopicPartitions {
        topic: name.into(),
        partitions: ids.iter().copied().map(PartitionId).collect(),
    };
    for (version, kind) in [(0, 0), (1, 0), (2, 0), (1, 1), (2, 1)] {
        let topics = vec![topic("a", &[0, 9]), topic("absent", &[0])];
        let request =
            ElectLeadersRequest { election_type: kind, topic_partitions: Some(topics), timeout_ms: 1000 };
        let response = client.ask(version, request).await;
        let results = response.replica_election_results.iter().flat_map(|topic| &topic.partition_result);
        let codes: Vec<_> = results.map(|result| result.error_code).collect();
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(codes, [ErrorCode::ELECTION_NOT_NEEDED, unknown, unknown]);
    }
    let all = ElectLeadersRequest { election_type: 0, topic_partitions: None, timeout_ms: 1000 };
    let response = client.ask(2, all).await;
    assert_eq!(response.error_code, ErrorCode::NONE);
    assert!(response.replica_election_results.iter().all(|topic| topic.partition_result.is_empty()));
    let odd = ElectLeadersRequest {
        election_type: 7,
        topic_partitions: Some(vec![topic("a", &[0])]),
        timeout_ms: 1000,
    };
    let response = client.ask(2, odd).await;
    assert_eq!(response.error_code, ErrorCode::INVALID_REQUEST);
    let result = &response.replica_election_results[0].partition_result[0];
    assert_eq!(result.error_code, ErrorCode::INVALID_REQUEST);
}

/// What is said of partitions is not longer for a long name, and more than can be told of are refused as a whole.
#[tokio::test]
async fn partitions_that_are_not_there_are_told_in_few_words_and_capped() {
    let (_broker, mut client) = with_topics().await;
    let name = Text::from("n".repeat(20_000));
    for count in [3, PARTITIONS_NAMED_MAX + 1] {
        let topic = TopicPartitions { topic: name.clone(), partitions: vec![PartitionId(0); count] };
        let request =
            ElectLeadersRequest { election_type: 0, topic_partitions: Some(vec![topic]), timeout_ms: 1000 };
        let elected = client.ask(2, request).await;
        let partition = ReassignablePartition { partition_index: PartitionId(0), replicas: None };
        let topic = ReassignableTopic { name: name.clone(), partitions: vec![partition; count] };
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: 1000,
            allow_replication_factor_change: true,
            topics: vec![topic],
        };
        let moved = client.ask(1, request).await;
        if count > PARTITIONS_NAMED_MAX {
            assert_eq!(
                (elected.error_code, moved.error_code),
                (ErrorCode::INVALID_REQUEST, ErrorCode::INVALID_REQUEST)
            );
            assert!(elected.replica_election_results.is_empty() && moved.responses.is_empty());
            continue;
        }
        let elected = elected.replica_election_results[0].partition_result.iter();
        let moved = moved.responses[0].partitions.iter();
        let said = elected.map(|it| (it.error_code, it.error_message.clone()));
        let said: Vec<_> = said.chain(moved.map(|it| (it.error_code, it.error_message.clone()))).collect();
        let unknown =
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, Some(Text::from_static("there is no such topic")));
        assert_eq!(said, vec![unknown; 6]);
    }
}

#[tokio::test]
async fn what_has_settings_is_listed_by_kind() {
    let (broker, mut client) = with_topics().await;
    let config = AlterableConfig {
        name: "consumer.session.timeout.ms".into(),
        config_operation: 0,
        value: Some("50000".into()),
    };
    let resource =
        AlterConfigsResource { resource_type: 32, resource_name: "g".into(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    assert_eq!(client.ask(1, request).await.responses[0].error_code, ErrorCode::NONE);
    let id = broker.broker().node().id().0.to_string();
    let everything = [("g", 32), (&*id, 8), (&*id, 4), ("__consumer_offsets", 2), ("a", 2), ("b", 2)];
    for (version, kinds, expected) in [
        (0, &[][..], &[][..]),
        (1, &[16], &[]),
        (1, &[32], &everything[..1]),
        (1, &[4, 8], &everything[1..3]),
        (1, &[2], &everything[3..]),
        (1, &[], &everything[..]),
    ] {
        let request = ListConfigResourcesRequest { resource_types: kinds.to_vec() };
        let response = client.ask(version, request).await;
        assert_eq!(response.error_code, ErrorCode::NONE);
        let found: Vec<_> = response
            .config_resources
            .iter()
            .map(|resource| (&*resource.resource_name, resource.resource_type))
            .collect();
        assert_eq!(found, expected, "{kinds:?}");
    }
    let unknown = ListConfigResourcesRequest { resource_types: vec![2, 7] };
    assert_eq!(client.ask(1, unknown).await.error_code, ErrorCode::UNSUPPORTED_VERSION);
}
