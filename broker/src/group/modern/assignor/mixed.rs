//! Numbers of partitions as equal as the wishes allow, for members that want different topics
//! (Kafka: `UniformHeterogeneousAssignmentBuilder`).
//!
//! Members keep what they have. What is free goes, topic by topic, to whoever of those that want it has least. Then
//! partitions move, topic by topic, from whoever has most to whoever has least, until a round moves none.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

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
            if !free.is_empty() {
                self.assign_free_of(topic, free);
            }
        }
    }

    fn assign_free_of(&mut self, topic: TopicId, free: Vec<PartitionId>) {
        let mut takers = Ranking::new(self.subscribers[&topic].iter().copied(), &self.sizes);
        for partition in free {
            let Some(least) = takers.least() else { return };
            self.give(topic, partition, least);
            takers.put(least, self.sizes[least]);
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
        // Most looks find nothing to move, and cost no order.
        if !self.is_uneven(topic) {
            return false;
        }
        let mut exchange = Exchange::new(&self.subscribers[&topic], &self.owners[&topic], &self.sizes);
        while let Some((most, partition, least)) = exchange.next(&self.sizes) {
            self.give(topic, partition, least);
            exchange.moved(partition, (most, self.sizes[most]), (least, self.sizes[least]));
        }
        true
    }

    /// Whether somebody has two partitions more than another who wants the topic, and one of this topic to give.
    fn is_uneven(&self, topic: TopicId) -> bool {
        let size = |place: &Place| self.sizes[*place];
        let least = self.subscribers[&topic].iter().map(size).min();
        let most = self.owners[&topic].iter().flatten().map(size).max();
        matches!((least, most), (Some(least), Some(most)) if most > least + 1)
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

/// Members in the order of how many partitions they are to have.
#[derive(Default)]
struct Ranking {
    order: BTreeSet<(usize, Place)>,
    sizes: BTreeMap<Place, usize>,
}

impl Ranking {
    fn new(places: impl Iterator<Item = Place>, sizes: &[usize]) -> Self {
        let mut ranking = Self::default();
        places.for_each(|place| ranking.put(place, sizes[place]));
        ranking
    }

    fn put(&mut self, place: Place, size: usize) {
        self.remove(place);
        self.sizes.insert(place, size);
        self.order.insert((size, place));
    }

    fn remove(&mut self, place: Place) {
        if let Some(size) = self.sizes.remove(&place) {
            self.order.remove(&(size, place));
        }
    }

    fn least(&self) -> Option<Place> {
        self.order.first().map(|(_, place)| *place)
    }

    fn most(&self) -> Option<Place> {
        self.order.last().map(|(_, place)| *place)
    }
}

/// The members that share a topic, while its partitions move.
struct Exchange {
    /// Who wants it.
    takers: Ranking,
    /// Who has partitions of it: nobody else can give one.
    givers: Ranking,
    held: BTreeMap<Place, BTreeSet<PartitionId>>,
}

impl Exchange {
    fn new(subscribers: &[Place], owners: &[Option<Place>], sizes: &[usize]) -> Self {
        let mut held: BTreeMap<Place, BTreeSet<PartitionId>> = BTreeMap::new();
        for (partition, owner) in owners.iter().enumerate() {
            if let Some(place) = owner {
                held.entry(*place).or_default().insert(PartitionId(partition as i32));
            }
        }
        let takers = Ranking::new(subscribers.iter().copied(), sizes);
        let givers = Ranking::new(held.keys().copied(), sizes);
        Self { takers, givers, held }
    }

    /// The next move: from whoever has most, the last of its partitions, to whoever has least. None once they are even.
    fn next(&self, sizes: &[usize]) -> Option<(Place, PartitionId, Place)> {
        let (most, least) = (self.givers.most()?, self.takers.least()?);
        let partition = self.held.get(&most)?.last()?;
        (sizes[most] > sizes[least] + 1).then_some((most, *partition, least))
    }

    fn moved(&mut self, partition: PartitionId, from: (Place, usize), to: (Place, usize)) {
        let (giver, taker) = (from.0, to.0);
        let left = self.held.entry(giver).or_default();
        left.remove(&partition);
        if left.is_empty() {
            self.givers.remove(giver);
        } else {
            self.givers.put(giver, from.1);
        }
        self.held.entry(taker).or_default().insert(partition);
        self.givers.put(taker, to.1);
        self.takers.put(giver, from.1);
        self.takers.put(taker, to.1);
    }
}
