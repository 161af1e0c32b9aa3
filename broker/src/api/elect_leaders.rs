//! ElectLeaders, key 43: on a single node the preferred replica leads already (Kafka:
//! `ReplicationControlManager.electLeaders`).

use mainstem_protocol::{
    ErrorCode, PartitionId, TopicId,
    messages::{
        ElectLeadersRequest, ElectLeadersResponse,
        elect_leaders::{PartitionResult, ReplicaElectionResult, TopicPartitions},
    },
};

use super::Refusal;
use crate::node::Node;

/// Kinds of elections (Kafka: `ElectionType`): of the preferred replica, and of any that lives.
const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

pub(crate) fn answer(node: &Node, request: ElectLeadersRequest) -> ElectLeadersResponse {
    let ElectLeadersRequest { election_type, topic_partitions, .. } = request;
    if !matches!(election_type, PREFERRED | UNCLEAN) {
        return refused(election_type, topic_partitions.unwrap_or_default());
    }
    let replica_election_results = match topic_partitions {
        Some(asked) => {
            asked.into_iter().map(|topic| of_topic(topic, |name, id| elect(node, name, id))).collect()
        }
        None => all(node),
    };
    ElectLeadersResponse { replica_election_results, ..Default::default() }
}

fn of_topic(asked: TopicPartitions, elect: impl Fn(&str, PartitionId) -> Refusal) -> ReplicaElectionResult {
    let TopicPartitions { topic, partitions } = asked;
    let result = |partition_id| {
        let refusal = elect(&topic, partition_id);
        PartitionResult { partition_id, error_code: refusal.code, error_message: refusal.text() }
    };
    let partition_result = partitions.into_iter().map(result).collect();
    ReplicaElectionResult { topic, partition_result }
}

fn elect(node: &Node, name: &str, id: PartitionId) -> Refusal {
    let unknown = |message: String| Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message);
    match node.topic(name, TopicId::ZERO) {
        None => unknown(format!("there is no topic {name}")),
        Some(topic) if topic.partition(id).is_none() => {
            unknown(format!("there is no partition {id} of topic {name}"))
        }
        Some(_) => Refusal::new(ErrorCode::ELECTION_NOT_NEEDED, "its one replica leads the partition"),
    }
}

/// Where all partitions are meant, those that need no election are not told: none is.
fn all(node: &Node) -> Vec<ReplicaElectionResult> {
    let topics = node.store.topics();
    let result = |name: &str| ReplicaElectionResult { topic: name.into(), ..Default::default() };
    topics.iter().map(|topic| result(&topic.name)).collect()
}

fn refused(election_type: i8, asked: Vec<TopicPartitions>) -> ElectLeadersResponse {
    let message = format!("unknown election type {election_type}: 0 is preferred, 1 unclean");
    let refusal = Refusal::new(ErrorCode::INVALID_REQUEST, message);
    let results = asked.into_iter().map(|topic| of_topic(topic, |_, _| refusal.clone()));
    ElectLeadersResponse {
        error_code: ErrorCode::INVALID_REQUEST,
        replica_election_results: results.collect(),
        ..Default::default()
    }
}
