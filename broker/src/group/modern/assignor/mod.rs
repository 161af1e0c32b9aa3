//! Who is to have which partitions (Kafka: `ConsumerGroupPartitionAssignor`).
//!
//! - `range`: contiguous ranges of each topic, alike for topics with as many partitions.
//! - `uniform`: equal numbers of partitions, and as few moves as possible; `mixed` for members with different topics.
//!
//! Where Kafka's outcome depends on the order of a hash map, ours follows the order of ids: the same group has the same
//! assignment every time.

mod mixed;
mod range;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::{PartitionId, Text, TopicId};

use super::Assignment;

/// An assignor of this broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Assignor {
    Uniform,
    Range,
}

/// A member as an assignor sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidate {
    pub(crate) instance_id: Option<Text>,
    /// The topics that it wants, all of which exist.
    pub(crate) topics: BTreeSet<TopicId>,
    /// What it is to have so far.
    pub(crate) assignment: Assignment,
}

/// Everybody who wants partitions, by id.
pub(crate) type Candidates = BTreeMap<Text, Candidate>;

/// How many partitions each topic has.
pub(crate) type PartitionCounts = BTreeMap<TopicId, u32>;

/// What everybody is to have, by id.
pub(crate) type Targets = BTreeMap<Text, Assignment>;

impl Assignor {
    /// All of them, the one that Kafka takes by default first.
    pub(crate) const ALL: [Self; 2] = [Self::Uniform, Self::Range];

    /// The name as Kafka has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// Gives every partition of the topics that somebody wants to exactly one who wants it.
    pub(crate) fn assign(self, candidates: &Candidates, partitions: &PartitionCounts) -> Targets {
        match self {
            Self::Range => range::assign(candidates, partitions),
            Self::Uniform if is_homogeneous(candidates) => uniform::assign(candidates, partitions),
            Self::Uniform => mixed::assign(candidates, partitions),
        }
    }
}

/// Whether all want the same topics.
fn is_homogeneous(candidates: &Candidates) -> bool {
    let mut topics = candidates.values().map(|candidate| &candidate.topics);
    let first = topics.next();
    topics.all(|topics| Some(topics) == first)
}

/// The partitions of a topic.
fn partitions_of(topic: TopicId, counts: &PartitionCounts) -> impl Iterator<Item = PartitionId> + use<> {
    (0..count_of(topic, counts)).map(|partition| PartitionId(partition as i32))
}

fn count_of(topic: TopicId, counts: &PartitionCounts) -> u32 {
    counts.get(&topic).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
