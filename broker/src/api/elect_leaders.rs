//! ElectLeaders, key 43: on a single node the preferred replica leads already (Kafka:
//! `ReplicationControlManager.electLeaders`).

use mainstem_protocol::{
    ErrorCode, PartitionId, Text, TopicId,
    messages::{
        ElectLeadersRequest, ElectLeadersResponse,
        elect_leaders::{PartitionResult, ReplicaElectionResult, TopicPartitions},
    },
};
use mainstem_storage::store::Topic;

use crate::{caps::PARTITIONS_NAMED_MAX, node::Node};

/// Kinds of elections (Kafka: `ElectionType`): of the preferred replica, and of any that lives.
const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// What is said of a partition. A request may name many of them, and so it repeats nothing of the request.
type Said = (ErrorCode, &'static str);

pub(crate) fn answer(node: &Node, request: ElectLeadersRequest) -> ElectLeadersResponse {
    let ElectLeadersRequest { election_type, topic_partitions, .. } = request;
    let named = topic_partitions.iter().flatten().map(|topic| topic.partitions.len());
    if named.sum::<usize>() > PARTITIONS_NAMED_MAX {
        return refused(Vec::new());
    }
    if !matches!(election_type, PREFERRED | UNCLEAN) {
        return refused(topic_partitions.unwrap_or_default());
    }
    let replica_election_results = match topic_partitions {
        Some(asked) => asked.into_iter().map(|topic| of_named(node, topic)).collect(),
        None => all(node),
    };
    ElectLeadersResponse { replica_election_results, ..Default::default() }
}

fn of_named(node: &Node, asked: TopicPartitions) -> ReplicaElectionResult {
    let topic = node.topic(&asked.topic, TopicId::ZERO);
    of_topic(asked, |id| elect(topic.as_deref(), id))
}

fn of_topic(asked: TopicPartitions, elect: impl Fn(PartitionId) -> Said) -> ReplicaElectionResult {
    let TopicPartitions { topic, partitions } = asked;
    let result = |partition_id| {
        let (error_code, message) = elect(partition_id);
        PartitionResult { partition_id, error_code, error_message: Some(Text::from_static(message)) }
    };
    let partition_result = partitions.into_iter().map(result).collect();
    ReplicaElectionResult { topic, partition_result }
}

fn elect(topic: Option<&Topic>, id: PartitionId) -> Said {
    match topic {
        None => (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic"),
        Some(topic) if topic.partition(id).is_none() => {
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "there is no such partition")
        }
        Some(_) => (ErrorCode::ELECTION_NOT_NEEDED, "its one replica leads the partition"),
    }
}

/// Where all partitions are meant, those that need no election are not told: none is.
fn all(node: &Node) -> Vec<ReplicaElectionResult> {
    let topics = node.store.topics();
    let result = |name: &str| ReplicaElectionResult { topic: name.into(), ..Default::default() };
    topics.iter().map(|topic| result(&topic.name)).collect()
}

fn refused(asked: Vec<TopicPartitions>) -> ElectLeadersResponse {
    let said = (ErrorCode::INVALID_REQUEST, "unknown election type: 0 is preferred, 1 unclean");
    let results = asked.into_iter().map(|topic| of_topic(topic, |_| said));
    ElectLeadersResponse {
        error_code: ErrorCode::INVALID_REQUEST,
        replica_election_results: results.collect(),
        ..Default::default()
    }
}
