//! How many tasks and partitions a topology takes, given how many partitions its inputs have.

use std::collections::HashMap;

use mainstem_client::Text;

use super::{Kind, Part, Topology};
use crate::caps;

/// Why a topology does not fit the topics that there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A topic has no partitions.
    #[error("source {node} reads topic {topic}, which has no partitions; create it first")]
    NoPartitions {
        /// The source.
        node: Text,
        /// The topic.
        topic: Text,
    },
    /// Topics whose keys meet in one store have different numbers of partitions, so that keys would not meet.
    #[error(
        "node {node} needs its topics co-partitioned, but {topic} has {partitions} partitions and {other} has \
         {others}; give them as many as each other, or put a repartition in front of {node}"
    )]
    NotCoPartitioned {
        /// The node where they meet.
        node: Text,
        /// A topic.
        topic: Text,
        /// Its partitions.
        partitions: i32,
        /// Another topic.
        other: Text,
        /// Its partitions.
        others: i32,
    },
    /// Topics whose keys meet in one store were written by different partitioners, so that keys would not meet.
    #[error(
        "node {node} needs its topics co-partitioned, but the keys of {topic} are not in the partitions that Kafka's \
         default partitioner (murmur2) chooses, and those of {other} are; have one partitioner write both (librdkafka: \
         partitioner=murmur2_random), or put a repartition in front of {node}"
    )]
    OtherPartitioner {
        /// The node where they meet.
        node: Text,
        /// The topic that another partitioner has written.
        topic: Text,
        /// The one that the default partitioner has.
        other: Text,
    },
    /// More tasks than there may be.
    #[error("the topology would have {tasks} tasks, and {limit} is the limit")]
    TooManyTasks {
        /// How many there would be.
        tasks: usize,
        /// How many there may be.
        limit: usize,
    },
}

/// How many tasks and partitions a topology takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The tasks of each part; none of those that make global tables.
    pub(crate) tasks: Vec<i32>,
    /// The partitions of each topic that is read, or is a repartition topic.
    pub(crate) partitions: HashMap<Text, i32>,
    /// How many tasks write to each repartition topic.
    pub(crate) writers: HashMap<Text, i32>,
}

impl Plan {
    /// `partitions` says how many the topics have that the topology reads and does not write.
    pub(crate) fn new(topology: &Topology, partitions: HashMap<Text, i32>) -> Result<Self, PlanError> {
        let parts = topology.parts();
        let mut plan = Self { tasks: vec![0; parts.len()], partitions, writers: HashMap::new() };
        let asked =
            topology.nodes().iter().filter_map(|node| Some((node.topic()?.clone(), node.partitions?)));
        plan.partitions.extend(asked);
        // A repartition topic has as many partitions as the program asks for, or as the topics have that it meets, or the
        // others behind it, or else as the tasks in front of it, or of those that it meets: parts are planned in the order of
        // the records' way. Each round plans at least one.
        // What a part has back from others is not waited for: its own partitions follow from the others.
        for _ in 0..parts.len() {
            for (number, part) in parts.iter().enumerate() {
                plan.part(topology, number, part)?;
            }
        }
        let tasks = plan.tasks.iter().map(|tasks| *tasks as usize).sum();
        let limit = caps::TASKS_MAX;
        if tasks > limit { Err(PlanError::TooManyTasks { tasks, limit }) } else { Ok(plan) }
    }

    /// The partitions of the repartition topic that a node writes; none where it writes no such.
    pub(crate) fn repartitions(&self, kind: &Kind) -> i32 {
        match kind {
            Kind::Sink { topic, is_repartition: true } => self.partitions.get(topic).copied().unwrap_or(0),
            _ => 0,
        }
    }

    fn part(&mut self, topology: &Topology, number: usize, part: &Part) -> Result<(), PlanError> {
        let sources = sources(topology, part);
        let own = sources.iter().filter(|(_, _, is_repartition)| !is_repartition);
        let own: Option<i32> = own.filter_map(|(_, topic, _)| self.partitions.get(topic)).copied().max();
        let moved =
            sources.iter().filter(|(_, _, is_repartition)| *is_repartition).map(|(_, topic, _)| topic);
        let fed_back = fed_back(topology, part);
        let waited_for = moved.clone().filter(|topic| !fed_back.contains(topic));
        let writers: Option<Vec<i32>> = waited_for.map(|topic| self.writers.get(topic).copied()).collect();
        let others = own.or_else(|| writers?.into_iter().max());
        for topic in moved {
            let company = company(topology, part, topic);
            let known = company.iter().filter_map(|topic| self.partitions.get(topic)).copied().max();
            if let Some(partitions) = known.or(others) {
                self.partitions.entry(topic.clone()).or_insert(partitions);
            }
        }
        let known: Option<Vec<_>> = sources
            .iter()
            .map(|(_, topic, _)| self.partitions.get(topic).map(|count| (topic, *count)))
            .collect();
        let Some(known) = known else { return Ok(()) };
        if let Some(((node, topic, _), _)) = sources.iter().zip(&known).find(|(_, (_, count))| *count < 1) {
            return Err(PlanError::NoPartitions { node: node.clone(), topic: topic.clone() });
        }
        if part.is_global() {
            return Ok(());
        }
        check_co_partitioned(topology, part, &known)?;
        let tasks = known.iter().map(|(_, count)| *count).max().unwrap_or(0);
        self.tasks[number] = tasks;
        for topic in repartition_sinks(topology, part) {
            self.writers.insert(topic, tasks);
        }
        Ok(())
    }
}

/// The topics that must have as many partitions as one has, itself among them: those that it meets in nodes that keep or
/// look up something, and those that these meet.
fn company(topology: &Topology, part: &Part, topic: &Text) -> Vec<Text> {
    let keeps = part.nodes.iter().filter(|index| !topology.nodes()[**index].stores.is_empty());
    let met: Vec<Vec<Text>> = keeps.map(|index| topology.upstream(*index)).collect();
    let mut company = vec![topic.clone()];
    let mut next = 0;
    while let Some(topic) = company.get(next).cloned() {
        next += 1;
        for other in met.iter().filter(|met| met.contains(&topic)).flatten() {
            if !company.contains(other) {
                company.push(other.clone());
            }
        }
    }
    company
}

/// A node that keeps or looks up something and has records of several topics: their keys must lie in the same partitions.
pub(crate) struct Meeting {
    pub(crate) node: Text,
    /// The topics that others have written.
    pub(crate) inputs: Vec<Text>,
    /// A repartition topic, where one is among them. What comes back from elsewhere goes where it is told, and is none.
    pub(crate) moved: Option<Text>,
}

/// Where topics meet.
pub(crate) fn meetings(topology: &Topology) -> Vec<Meeting> {
    let of = |part: &Part| {
        let fed_back = fed_back(topology, part);
        let keeps = part.nodes.iter().filter(|index| !topology.nodes()[**index].stores.is_empty());
        keeps.map(|index| meeting(topology, *index, &fed_back)).collect::<Vec<_>>()
    };
    let all = topology.parts().iter().flat_map(of);
    all.filter(|meeting| meeting.inputs.len() + usize::from(meeting.moved.is_some()) > 1).collect()
}

fn meeting(topology: &Topology, index: usize, fed_back: &[Text]) -> Meeting {
    let (mut inputs, mut moved) = (Vec::new(), None);
    for source in topology.sources_of(index) {
        match &topology.nodes()[source].kind {
            Kind::Source { topic, is_repartition: false } => inputs.push(topic.clone()),
            Kind::Source { topic, .. } if !fed_back.contains(topic) => moved = Some(topic.clone()),
            _ => {}
        }
    }
    Meeting { node: topology.nodes()[index].name.clone(), inputs, moved }
}

/// The sources of a part: name, topic, and whether that is a repartition topic.
pub(crate) fn sources(topology: &Topology, part: &Part) -> Vec<(Text, Text, bool)> {
    let source = |index: &usize| match &topology.nodes()[*index] {
        super::Node { name, kind: Kind::Source { topic, is_repartition }, .. } => {
            Some((name.clone(), topic.clone(), *is_repartition))
        }
        _ => None,
    };
    part.nodes.iter().filter_map(source).collect()
}

/// The repartition topics that a part writes to.
pub(crate) fn repartition_sinks(topology: &Topology, part: &Part) -> Vec<Text> {
    let sink = |index: &usize| match &topology.nodes()[*index].kind {
        Kind::Sink { topic, is_repartition: true } => Some(topic.clone()),
        _ => None,
    };
    part.nodes.iter().filter_map(sink).collect()
}

/// The repartition topics that a part reads and that are written, by itself or by others, because of what it writes.
pub(crate) fn fed_back(topology: &Topology, part: &Part) -> Vec<Text> {
    let mut written = repartition_sinks(topology, part);
    let mut next = 0;
    while let Some(topic) = written.get(next).cloned() {
        next += 1;
        let reads = |part: &&Part| sources(topology, part).iter().any(|(_, read, _)| *read == topic);
        for behind in topology.parts().iter().filter(reads).flat_map(|part| repartition_sinks(topology, part))
        {
            if !written.contains(&behind) {
                written.push(behind);
            }
        }
    }
    let read = sources(topology, part).into_iter().map(|(_, topic, _)| topic);
    read.filter(|topic| written.contains(topic)).collect()
}

/// Topics meet in a node that keeps or looks up something and has records of several.
fn check_co_partitioned(topology: &Topology, part: &Part, topics: &[(&Text, i32)]) -> Result<(), PlanError> {
    for index in &part.nodes {
        let node = &topology.nodes()[*index];
        let met: Vec<_> = topology
            .sources_of(*index)
            .into_iter()
            .filter_map(|source| counted(topology, source, topics))
            .collect();
        let Some((topic, partitions)) = met.first().filter(|_| !node.stores.is_empty()) else { continue };
        if let Some((other, others)) = met.iter().find(|(_, others)| others != partitions) {
            let (node, topic, other) = (node.name.clone(), topic.clone(), other.clone());
            return Err(PlanError::NotCoPartitioned {
                node,
                topic,
                partitions: *partitions,
                other,
                others: *others,
            });
        }
    }
    Ok(())
}

/// The topic of a source, with its partitions.
fn counted(topology: &Topology, source: usize, topics: &[(&Text, i32)]) -> Option<(Text, i32)> {
    let Kind::Source { topic, .. } = &topology.nodes()[source].kind else { return None };
    topics.iter().find(|(known, _)| *known == topic).map(|(known, count)| ((*known).clone(), *count))
}
