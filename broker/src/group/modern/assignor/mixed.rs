//! Numbers of partitions as equal as the wishes allow, for members that want different topics
//! (Kafka: `UniformHeterogeneousAssignmentBuilder`).
//!
//! Members keep what they have. What is free goes, topic by topic, to whoever of those that want it has least. Then
//! partitions move, topic by topic, from whoever has most to whoever has least, until a round moves none.

use std::{cmp::Ordering, collections::BTreeMap};

use mainstem_protocol::{PartitionId, Text, TopicId};

use super::{Candidates, PartitionCounts, Targets, count_of, partitions_of};

/// Rounds of moves at most (Kafka: `MAX_ITERATION_COUNT`). Each about halves the imbalance; where all who want a topic
/// want the same topics, one round is enough.
const ROUNDS_MAX: usize = 16;

/// A member by its place in the order of ids.
type Place = usize;

struct Builder<'a> {
    candidates: &'a Candidates,
    counts: &'a PartitionCounts,
    /// Who wants each topic.
    subscribers: BTreeMap<TopicId, Vec<Place>>,
    /// Who is to have each partition of each topic.
    owners: BTreeMap<TopicId, Vec<Option<Place>>>,
    /// How many partitions each member is to have.
    sizes: Vec<usize>,
}

pub(super) fn assign(candidates: &Candidates, counts: &PartitionCounts) -> Targets {
    let mut builder = Builder::new(candidates, counts);
    builder.keep();
    builder.assign_free();
    builder.balance();
    builder.targets()
}

impl<'a> Builder<'a> {
    fn new(candidates: &'a Candidates, counts: &'a PartitionCounts) -> Self {
        let mut subscribers: BTreeMap<TopicId, Vec<Place>> = BTreeMap::new();
        for (place, candidate) in candidates.values().enumerate() {
            for topic in &candidate.topics {
                subscribers.entry(*topic).or_default().push(place);
            }
        }
        let unowned = |topic: &TopicId| (*topic, vec![None; count_of(*topic, counts) as usize]);
        let owners = subscribers.keys().map(unowned).collect();
        Self { candidates, counts, subscribers, owners, sizes: vec![0; candidates.len()] }
    }

    /// Members keep what they have and still want.
    fn keep(&mut self) {
        for (place, candidate) in self.candidates.values().enumerate() {
            for (topic, partition) in candidate.assignment.iter() {
                if candidate.topics.contains(&topic) {
                    self.give(topic, partition, place);
                }
            }
        }
    }

    fn give(&mut self, topic: TopicId, partition: PartitionId, place: Place) {
        let owners = self.owners.get_mut(&topic);
        let Some(owner) = owners.and_then(|owners| owners.get_mut(usize::try_from(partition.0).ok()?)) else {
            return;
        };
        if let Some(before) = owner.replace(place) {
            self.sizes[before] -= 1;
        }
        self.sizes[place] += 1;
    }

    fn assign_free(&mut self) {
        for topic in self.in_order(|_| true) {
            let owners = &self.owners[&topic];
            let free: Vec<_> = partitions_of(topic, self.counts)
                .filter(|partition| owners[partition.0 as usize].is_none())
                .collect();
            for partition in free {
                if let Some(least) = self.least_loaded(topic) {
                    self.give(topic, partition, least);
                }
            }
        }
    }

    fn balance(&mut self) {
        let topics = self.in_order(|subscribers| subscribers.len() >= 2);
        // Where a whole round after the last move moved nothing, nothing can.
        let mut still = 0;
        for topic in topics.iter().cycle().take(topics.len() * ROUNDS_MAX) {
            still = if self.balance_topic(*topic) { 0 } else { still + 1 };
            if still >= topics.len() {
                return;
            }
        }
    }

    /// Moves partitions of a topic from whoever has most to whoever has least, and says whether any was moved.
    fn balance_topic(&mut self, topic: TopicId) -> bool {
        let mut has_moved = false;
        // Only those who have a partition of this topic can give one.
        while let (Some(least), Some((partition, most))) = (self.least_loaded(topic), self.most_loaded(topic))
        {
            if self.sizes[most] <= self.sizes[least] + 1 {
                break;
            }
            self.give(topic, partition, least);
            has_moved = true;
        }
        has_moved
    }

    fn least_loaded(&self, topic: TopicId) -> Option<Place> {
        self.subscribers[&topic].iter().copied().min_by_key(|place| (self.sizes[*place], *place))
    }

    /// Whoever has most of those that have a partition of the topic, with the last of them.
    fn most_loaded(&self, topic: TopicId) -> Option<(PartitionId, Place)> {
        let owned = self.owners[&topic].iter().enumerate();
        let owned = owned.filter_map(|(partition, owner)| Some((partition, (*owner)?)));
        let (partition, place) =
            owned.max_by_key(|(partition, place)| (self.sizes[*place], *place, *partition))?;
        Some((PartitionId(partition as i32), place))
    }

    /// Topics with most partitions per member first, then those with few members: the others can even out what these do.
    fn in_order(&self, is_wanted: impl Fn(&[Place]) -> bool) -> Vec<TopicId> {
        let wanted = self.subscribers.iter().filter(|(_, subscribers)| is_wanted(subscribers));
        let mut topics: Vec<TopicId> = wanted.map(|(topic, _)| *topic).collect();
        topics.sort_by(|left, right| self.compare(*left, *right));
        topics
    }

    fn compare(&self, left: TopicId, right: TopicId) -> Ordering {
        let members = |topic: TopicId| self.subscribers[&topic].len() as u64;
        let partitions = |topic: TopicId| u64::from(count_of(topic, self.counts));
        // Fractions are compared without dividing.
        let per_member = (partitions(right) * members(left)).cmp(&(partitions(left) * members(right)));
        per_member.then_with(|| members(left).cmp(&members(right))).then_with(|| left.cmp(&right))
    }

    fn targets(&self) -> Targets {
        let ids: Vec<&Text> = self.candidates.keys().collect();
        let mut targets: Targets = ids.iter().map(|id| ((*id).clone(), Default::default())).collect();
        for (topic, owners) in &self.owners {
            for (partition, owner) in owners.iter().enumerate() {
                let target = owner.and_then(|place| targets.get_mut(ids[place]));
                if let Some(target) = target {
                    target.insert((*topic, PartitionId(partition as i32)));
                }
            }
        }
        targets
    }
}
