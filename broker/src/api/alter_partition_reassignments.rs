//! AlterPartitionReassignments, key 45 (KIP-455): a partition is on this broker and stays there (Kafka:
//! `ReplicationControlManager.alterPartitionReassignments`).

use mainstem_protocol::{
    BrokerId, ErrorCode, TopicId,
    messages::{
        AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
        alter_partition_reassignments::{
            ReassignablePartition, ReassignablePartitionResponse, ReassignableTopic,
            ReassignableTopicResponse,
        },
    },
};
use mainstem_storage::store::Topic;

use super::Refusal;
use crate::node::Node;

pub(crate) fn answer(
    node: &Node,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: request.allow_replication_factor_change,
        error_message: None,
        responses: request.topics.into_iter().map(|topic| of_topic(node, topic)).collect(),
        ..Default::default()
    }
}

fn of_topic(node: &Node, asked: ReassignableTopic) -> ReassignableTopicResponse {
    let ReassignableTopic { name, partitions } = asked;
    let topic = node.topic(&name, TopicId::ZERO);
    let respond = |partition: ReassignablePartition| {
        let result = match &topic {
            Some(topic) => reassign(topic, &partition, node.id()),
            None => Err(unknown(format!("there is no topic {name}"))),
        };
        let (error_code, error_message) = Refusal::told(&result);
        let partition_index = partition.partition_index;
        ReassignablePartitionResponse { partition_index, error_code, error_message }
    };
    let partitions = partitions.into_iter().map(respond).collect();
    ReassignableTopicResponse { name, partitions }
}

/// Nothing is to be done for the one replica that there is, and nothing else can be.
fn reassign(topic: &Topic, asked: &ReassignablePartition, here: BrokerId) -> Result<(), Refusal> {
    let ReassignablePartition { partition_index: id, replicas } = asked;
    if topic.partition(*id).is_none() {
        return Err(unknown(format!("there is no partition {id} of topic {}", topic.name)));
    }
    match replicas.as_deref() {
        None => {
            let message = "nothing is on its way that could be called off";
            Err(Refusal::new(ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, message))
        }
        Some([only]) if *only == here => Ok(()),
        Some(_) => {
            let message = format!("each partition must be assigned to broker {here} alone");
            Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message))
        }
    }
}

fn unknown(message: String) -> Refusal {
    Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message)
}
