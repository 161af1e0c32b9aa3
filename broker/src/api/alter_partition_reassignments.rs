//! AlterPartitionReassignments, key 45 (KIP-455): a partition is on this broker and stays there (Kafka:
//! `ReplicationControlManager.alterPartitionReassignments`).

use mainstem_protocol::{
    BrokerId, ErrorCode, Text, TopicId,
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
use crate::{caps::PARTITIONS_NAMED_MAX, node::Node};

pub(crate) fn answer(
    node: &Node,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let AlterPartitionReassignmentsRequest { allow_replication_factor_change, topics, .. } = request;
    let response =
        AlterPartitionReassignmentsResponse { allow_replication_factor_change, ..Default::default() };
    match check(&topics) {
        Ok(()) => AlterPartitionReassignmentsResponse { responses: respond(node, topics), ..response },
        Err(refusal) => AlterPartitionReassignmentsResponse {
            error_code: refusal.code,
            error_message: refusal.text(),
            ..response
        },
    }
}

fn check(topics: &[ReassignableTopic]) -> Result<(), Refusal> {
    if topics.iter().map(|topic| topic.partitions.len()).sum::<usize>() <= PARTITIONS_NAMED_MAX {
        return Ok(());
    }
    let message = format!("one request may name at most {PARTITIONS_NAMED_MAX} partitions");
    Err(Refusal::new(ErrorCode::INVALID_REQUEST, message))
}

fn respond(node: &Node, topics: Vec<ReassignableTopic>) -> Vec<ReassignableTopicResponse> {
    let here = Here {
        id: node.id(),
        alone: format!("each partition must be assigned to broker {} alone", node.id()).into(),
    };
    topics.into_iter().map(|topic| of_topic(node, &here, topic)).collect()
}

/// Where all replicas are.
struct Here {
    id: BrokerId,
    /// Said of each partition that shall be elsewhere, and so made once.
    alone: Text,
}

fn of_topic(node: &Node, here: &Here, asked: ReassignableTopic) -> ReassignableTopicResponse {
    let ReassignableTopic { name, partitions } = asked;
    let topic = node.topic(&name, TopicId::ZERO);
    let respond = |partition: ReassignablePartition| {
        let result = reassign(topic.as_deref(), &partition, here);
        let (error_code, error_message) = match result {
            Ok(()) => (ErrorCode::NONE, None),
            Err((code, message)) => (code, Some(message)),
        };
        let partition_index = partition.partition_index;
        ReassignablePartitionResponse { partition_index, error_code, error_message }
    };
    let partitions = partitions.into_iter().map(respond).collect();
    ReassignableTopicResponse { name, partitions }
}

/// Nothing is to be done for the one replica that there is, and nothing else can be. A request may name many partitions:
/// what is said of one of them repeats nothing of the request.
fn reassign(
    topic: Option<&Topic>,
    asked: &ReassignablePartition,
    here: &Here,
) -> Result<(), (ErrorCode, Text)> {
    let unknown = |message| Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, Text::from_static(message)));
    let Some(topic) = topic else { return unknown("there is no such topic") };
    if topic.partition(asked.partition_index).is_none() {
        return unknown("there is no such partition");
    }
    match asked.replicas.as_deref() {
        None => {
            let message = Text::from_static("nothing is on its way that could be called off");
            Err((ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, message))
        }
        Some([only]) if *only == here.id => Ok(()),
        Some(_) => Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, here.alone.clone())),
    }
}
