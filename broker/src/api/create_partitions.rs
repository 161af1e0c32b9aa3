//! CreatePartitions, key 37 (Kafka: `ControllerApis.createPartitions`, `ReplicationControlManager.createPartitions`).
//!
//! Topics of the broker itself are refused, unlike in Kafka: which partition has a group's offsets follows from how many
//! there are, so that with more of them the offsets of most groups would not be found again.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::{
    ErrorCode, Text, TopicId,
    messages::{
        CreatePartitionsRequest, CreatePartitionsResponse,
        create_partitions::{CreatePartitionsAssignment, CreatePartitionsTopic, CreatePartitionsTopicResult},
    },
};
use mainstem_storage::{
    Ticket,
    store::{Topic, TopicError},
};

use super::{Refusal, creation, topic_name};
use crate::{
    caps::{PARTITIONS_PER_REQUEST_MAX, TOPICS_PER_REQUEST_MAX},
    node::Node,
};

pub(crate) async fn answer(node: &Node, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let mut growth = Growth { node, validate_only: request.validate_only, new: 0 };
    let mut begun = Vec::new();
    for (topic, times) in by_name(request.topics) {
        let result = match times {
            1 if begun.len() < TOPICS_PER_REQUEST_MAX => growth.begin(&topic).await,
            1 => Err(Refusal::new(ErrorCode::POLICY_VIOLATION, "too many topics in one request")),
            _ => Err(Refusal::new(ErrorCode::INVALID_REQUEST, "duplicate topic name")),
        };
        begun.push((topic.name, result));
    }
    let mut results = Vec::with_capacity(begun.len());
    for (name, begun) in begun {
        results.push(respond(name, creation::finish(begun).await));
    }
    CreatePartitionsResponse { results, ..Default::default() }
}

/// Each topic once, in the order of the request, and how often it is named.
fn by_name(topics: Vec<CreatePartitionsTopic>) -> Vec<(CreatePartitionsTopic, usize)> {
    let mut times: BTreeMap<Text, usize> = BTreeMap::new();
    topics.iter().for_each(|topic| *times.entry(topic.name.clone()).or_default() += 1);
    let mut seen = BTreeSet::new();
    let firsts = topics.into_iter().filter(|topic| seen.insert(topic.name.clone()));
    let with_times = |topic: CreatePartitionsTopic| {
        let times = times.get(&topic.name).copied().unwrap_or(1);
        (topic, times)
    };
    firsts.map(with_times).collect()
}

fn respond(name: Text, result: Result<(), Refusal>) -> CreatePartitionsTopicResult {
    let (error_code, error_message) = Refusal::told(&result);
    CreatePartitionsTopicResult { name, error_code, error_message }
}

/// What one request does.
struct Growth<'a> {
    node: &'a Node,
    validate_only: bool,
    /// Partitions that it has added so far, or would have.
    new: usize,
}

impl Growth<'_> {
    /// Begins to add partitions to one topic; no ticket where nothing is to be done.
    async fn begin(&mut self, asked: &CreatePartitionsTopic) -> Result<Option<Ticket>, Refusal> {
        let unknown = || creation::refusal(&TopicError::Unknown(TopicId::ZERO));
        let topic = self.node.topic(&asked.name, TopicId::ZERO).ok_or_else(unknown)?;
        let partitions = self.check(&topic, asked)?;
        let new = partitions as usize - topic.partitions.len();
        if self.new + new > PARTITIONS_PER_REQUEST_MAX {
            let message = format!("one request may create at most {PARTITIONS_PER_REQUEST_MAX} partitions");
            return Err(Refusal::new(ErrorCode::POLICY_VIOLATION, message));
        }
        let ticket = match self.validate_only {
            true => self.validate(&topic, partitions).map(|()| None),
            false => creation::begin_growth(self.node, topic.id, partitions).await.map(Some),
        }?;
        self.new += new;
        Ok(ticket)
    }

    fn validate(&self, topic: &Topic, partitions: u32) -> Result<(), Refusal> {
        let besides = u32::try_from(self.new).unwrap_or(u32::MAX);
        let checked = self.node.store.check_added_partitions(topic.id, partitions, besides);
        checked.map_err(|error| creation::refusal(&error))
    }

    /// How many partitions the topic will have.
    fn check(&self, topic: &Topic, asked: &CreatePartitionsTopic) -> Result<u32, Refusal> {
        let CreatePartitionsTopic { name, count, assignments } = asked;
        if topic_name::is_internal(name) {
            let message = "internal topics are the broker's own, and keep the partitions that they have";
            return Err(Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message));
        }
        let present = topic.partitions.len();
        let more = u32::try_from(*count).ok().filter(|count| *count as usize > present);
        let partitions = more.ok_or_else(|| {
            let message = format!("topic {name} has {present} partition(s) already: {count} is no increase");
            Refusal::new(ErrorCode::INVALID_PARTITIONS, message)
        })?;
        if let Some(assignments) = assignments {
            self.check_assignments(assignments, partitions as usize - present)?;
        }
        Ok(partitions)
    }

    /// A manual assignment names, for each new partition, this broker alone.
    fn check_assignments(
        &self,
        assignments: &[CreatePartitionsAssignment],
        new: usize,
    ) -> Result<(), Refusal> {
        let wrong = |message| Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        if assignments.len() != new {
            return wrong(format!("{new} partition(s) are new, but {} are assigned", assignments.len()));
        }
        let here = self.node.id();
        match assignments.iter().all(|assignment| assignment.broker_ids[..] == [here]) {
            true => Ok(()),
            false => wrong(format!("each partition must be assigned to broker {here} alone")),
        }
    }
}
