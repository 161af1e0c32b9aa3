//! Partitions of topics: what a member has, is to have, or is to give up.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::{PartitionId, TopicId};

/// A set of partitions. A topic is in it only with at least one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Assignment(BTreeMap<TopicId, BTreeSet<PartitionId>>);

/// A partition of a topic.
pub(crate) type TopicPartition = (TopicId, PartitionId);

impl Assignment {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, (topic, partition): TopicPartition) -> bool {
        self.of(topic).is_some_and(|partitions| partitions.contains(&partition))
    }

    /// The partitions of one topic.
    pub(crate) fn of(&self, topic: TopicId) -> Option<&BTreeSet<PartitionId>> {
        self.0.get(&topic)
    }

    /// Topics with their partitions, in order.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (TopicId, &BTreeSet<PartitionId>)> {
        self.0.iter().map(|(topic, partitions)| (*topic, partitions))
    }

    /// All partitions, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = TopicPartition> {
        self.0.iter().flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
    }

    /// How many partitions there are.
    pub(crate) fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    pub(crate) fn insert(&mut self, (topic, partition): TopicPartition) {
        self.0.entry(topic).or_default().insert(partition);
    }

    /// Those that pass.
    pub(crate) fn filter(&self, keep: impl Fn(TopicPartition) -> bool) -> Self {
        self.iter().filter(|partition| keep(*partition)).collect()
    }

    /// Those that `other` has not.
    pub(crate) fn without(&self, other: &Self) -> Self {
        self.filter(|partition| !other.contains(partition))
    }

    /// Those that `other` has too.
    pub(crate) fn shared_with(&self, other: &Self) -> Self {
        self.filter(|partition| other.contains(partition))
    }

    /// These and those of `other`.
    pub(crate) fn joined_with(mut self, other: &Self) -> Self {
        self.extend(other.iter());
        self
    }

    pub(crate) fn is_subset_of(&self, other: &Self) -> bool {
        self.iter().all(|partition| other.contains(partition))
    }

    /// Whether there is a partition that `other` has too.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.iter().any(|partition| other.contains(partition))
    }
}

impl Extend<TopicPartition> for Assignment {
    fn extend<T: IntoIterator<Item = TopicPartition>>(&mut self, partitions: T) {
        partitions.into_iter().for_each(|partition| self.insert(partition));
    }
}

impl FromIterator<TopicPartition> for Assignment {
    fn from_iter<T: IntoIterator<Item = TopicPartition>>(partitions: T) -> Self {
        let mut assignment = Self::default();
        assignment.extend(partitions);
        assignment
    }
}
