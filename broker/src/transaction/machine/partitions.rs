//! The partitions of a transaction, and how they come into it.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::{ErrorCode, PartitionId, Text, Timestamp, wire::Detach};

use super::{Producer, State, Step, Transaction};

/// Partitions by the names of their topics, as `__transaction_state` has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Partitions(BTreeMap<Text, BTreeSet<PartitionId>>);

impl Partitions {
    /// Adds a partition.
    pub(crate) fn insert(&mut self, topic: &Text, partition: PartitionId) {
        match self.0.get_mut(topic) {
            Some(partitions) => drop(partitions.insert(partition)),
            None => {
                // What is kept must not keep the request that it came with.
                let mut topic = topic.clone();
                topic.detach();
                self.0.insert(topic, BTreeSet::from([partition]));
            }
        }
    }

    /// Whether a partition is among them.
    pub(crate) fn contains(&self, topic: &str, partition: PartitionId) -> bool {
        self.0.get(topic).is_some_and(|partitions| partitions.contains(&partition))
    }

    /// All of them by topic, in the order of names.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (&Text, &BTreeSet<PartitionId>)> {
        self.0.iter()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Text, PartitionId)> {
        self.0.iter().flat_map(|(topic, partitions)| partitions.iter().map(move |id| (topic, *id)))
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    fn contains_all(&self, others: &Self) -> bool {
        others.iter().all(|(topic, partition)| self.contains(topic, partition))
    }
}

impl<'a> FromIterator<(&'a Text, PartitionId)> for Partitions {
    fn from_iter<I: IntoIterator<Item = (&'a Text, PartitionId)>>(all: I) -> Self {
        let mut partitions = Self::default();
        all.into_iter().for_each(|(topic, partition)| partitions.insert(topic, partition));
        partitions
    }
}

impl Transaction {
    /// Adds partitions, which begins a transaction where none is open. It may have `most` of them: its end is one append
    /// group, with a marker for each.
    pub(crate) fn add(
        &self,
        producer: Producer,
        partitions: &Partitions,
        most: usize,
        now: Timestamp,
    ) -> Step<()> {
        if let Err(error) = self.check_open_to(producer) {
            return Step::refused(error);
        }
        if self.state == State::Ongoing && self.partitions.contains_all(partitions) {
            return Step::unchanged(());
        }
        let next = self.with(partitions, now);
        if next.partitions.len() > most {
            return Step::refused(ErrorCode::POLICY_VIOLATION);
        }
        Step::changed(next, None, ())
    }

    /// Whether the producer may write to a partition, because it is in its transaction.
    ///
    /// # Errors
    /// As in Kafka (`handleVerifyPartitionsInTransaction`).
    pub(crate) fn verify(
        &self,
        producer: Producer,
        topic: &str,
        partition: PartitionId,
    ) -> Result<(), ErrorCode> {
        self.check_open_to(producer)?;
        if self.partitions.contains(topic, partition) {
            Ok(())
        } else {
            Err(ErrorCode::TRANSACTION_ABORTABLE)
        }
    }

    fn check_open_to(&self, producer: Producer) -> Result<(), ErrorCode> {
        if self.producer.id != producer.id {
            Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING)
        } else if self.producer.epoch != producer.epoch {
            Err(ErrorCode::PRODUCER_FENCED)
        } else if self.state.prepared().is_some() {
            Err(ErrorCode::CONCURRENT_TRANSACTIONS)
        } else {
            Ok(())
        }
    }

    fn with(&self, partitions: &Partitions, now: Timestamp) -> Self {
        let mut next = self.clone();
        if self.state != State::Ongoing {
            next.state = State::Ongoing;
            next.started = now;
        }
        next.updated = now;
        partitions.iter().for_each(|(topic, partition)| next.partitions.insert(topic, partition));
        next
    }
}
