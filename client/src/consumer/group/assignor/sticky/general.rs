//! Where members want different topics: everybody keeps what it had, the rest goes to whoever has least, and then
//! partitions move from those who have more to those who have less, as long as that helps
//! (Kafka: `GeneralAssignmentBuilder`).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use mainstem_protocol::Text;

use super::{
    Taker,
    claims::{Claims, NO_GENERATION},
    movements::Movements,
};
use crate::{TopicPartition, consumer::group::assignor::partitions_of};

/// What each member gets.
pub(super) fn assign(claims: &Claims<'_>, topics: &BTreeMap<&Text, usize>) -> Vec<Vec<TopicPartition>> {
    let mut board = Board::new(claims, topics);
    let must_let_go = board.keep(claims);
    board.balance(&earlier_owners(claims), must_let_go);
    board.shares
}

struct Board<'a> {
    topics: &'a BTreeMap<&'a Text, usize>,
    /// The topics of each member, as far as they have partitions, and the members of each topic.
    wanted: Vec<HashSet<&'a Text>>,
    takers: HashMap<&'a Text, Vec<Taker>>,
    /// All partitions, those that fewest members want first.
    all: Vec<TopicPartition>,
    shares: Vec<Vec<TopicPartition>>,
    owners: HashMap<TopicPartition, Taker>,
    /// The members that may gain or lose, those with the least first.
    order: BTreeSet<(usize, Taker)>,
    movements: Movements,
}

impl<'a> Board<'a> {
    fn new(claims: &Claims<'a>, topics: &'a BTreeMap<&'a Text, usize>) -> Self {
        let known = |topic: &Text| topics.get_key_value(topic).map(|(topic, _)| *topic);
        let wanted: Vec<HashSet<_>> =
            claims.members.iter().map(|member| member.topics.iter().filter_map(known).collect()).collect();
        let mut takers: HashMap<&Text, Vec<Taker>> = HashMap::new();
        for (taker, topics) in wanted.iter().enumerate() {
            topics.iter().for_each(|topic| takers.entry(*topic).or_default().push(taker));
        }
        let mut sorted: Vec<_> = topics.iter().collect();
        sorted.sort_by_key(|(topic, _)| (takers.get(**topic).map_or(0, Vec::len), **topic));
        let all = sorted.into_iter().flat_map(|(topic, count)| partitions_of(topic, *count)).collect();
        Self {
            topics,
            all,
            shares: vec![Vec::new(); wanted.len()],
            wanted,
            takers,
            owners: HashMap::new(),
            order: BTreeSet::new(),
            movements: Movements::default(),
        }
    }

    /// Leaves everybody what it had; whether somebody had what it does not want any more.
    fn keep(&mut self, claims: &Claims<'_>) -> bool {
        let mut must_let_go = false;
        for (taker, owned) in claims.owned.iter().enumerate() {
            for partition in owned {
                if self.wanted[taker].contains(&partition.topic) {
                    self.owners.insert(partition.clone(), taker);
                    self.shares[taker].push(partition.clone());
                } else {
                    must_let_go = true;
                }
            }
            self.order.insert((self.shares[taker].len(), taker));
        }
        must_let_go
    }

    fn balance(&mut self, earlier: &HashMap<TopicPartition, Taker>, must_let_go: bool) {
        let begins_anew = self.shares.iter().all(Vec::is_empty);
        let mut fresh: Vec<_> =
            self.all.iter().filter(|partition| !self.owners.contains_key(*partition)).cloned().collect();
        fresh.iter().for_each(|partition| self.place(partition));
        let mut movable = std::mem::take(&mut self.all);
        for partitions in [&mut fresh, &mut movable] {
            partitions.retain(|partition| self.takers_of(partition).len() >= 2);
        }
        self.set_fixed_members_aside();
        let before = (self.shares.clone(), self.owners.clone());
        if !must_let_go {
            self.reassign(&fresh, earlier);
        }
        let moved = self.reassign(&movable, earlier);
        if !begins_anew && moved && self.score(&self.shares) >= self.score(&before.0) {
            (self.shares, self.owners) = before;
        }
    }

    /// Gives a partition to whoever wants it and has least.
    fn place(&mut self, partition: &TopicPartition) {
        if let Some(taker) = self.poorest(&partition.topic) {
            self.change(taker, |shares| shares.push(partition.clone()));
            self.owners.insert(partition.clone(), taker);
        }
    }

    fn poorest(&self, topic: &Text) -> Option<Taker> {
        let mut order = self.order.iter().map(|(_, taker)| *taker);
        order.find(|taker| self.wanted[*taker].contains(topic))
    }

    /// Changes what a member has, and its place in the order.
    fn change(&mut self, taker: Taker, change: impl FnOnce(&mut Vec<TopicPartition>)) {
        self.order.remove(&(self.shares[taker].len(), taker));
        change(&mut self.shares[taker]);
        self.order.insert((self.shares[taker].len(), taker));
    }

    fn takers_of(&self, partition: &TopicPartition) -> &[Taker] {
        self.takers.get(&partition.topic).map_or(&[], Vec::as_slice)
    }

    /// Takes those out of the order who have everything they want, and share none of it with others.
    fn set_fixed_members_aside(&mut self) {
        for (taker, share) in self.shares.iter().enumerate() {
            let is_shared = share.iter().any(|partition| self.takers_of(partition).len() >= 2);
            if share.len() >= self.most(taker) && !is_shared {
                self.order.remove(&(share.len(), taker));
            }
        }
    }

    /// How many partitions a member could have.
    fn most(&self, taker: Taker) -> usize {
        self.wanted[taker].iter().filter_map(|topic| self.topics.get(*topic)).sum()
    }

    /// Moves partitions, again and again, until nothing is left that helps; whether any was moved.
    fn reassign(&mut self, partitions: &[TopicPartition], earlier: &HashMap<TopicPartition, Taker>) -> bool {
        let mut moved = false;
        loop {
            let mut moved_now = false;
            for partition in partitions {
                if self.is_balanced() {
                    break;
                }
                let target = self.better(partition, earlier);
                moved_now |= target.is_some();
                target.into_iter().for_each(|taker| self.move_to(partition, taker));
            }
            moved |= moved_now;
            if !moved_now {
                return moved;
            }
        }
    }

    /// Who should have a partition instead of its owner: whoever had it before, or has least.
    fn better(&self, partition: &TopicPartition, earlier: &HashMap<TopicPartition, Taker>) -> Option<Taker> {
        let owner = *self.owners.get(partition)?;
        let is_poorer = |taker: &Taker| self.shares[owner].len() > self.shares[*taker].len() + 1;
        let takers = self.takers_of(partition);
        let before = earlier.get(partition).copied();
        if let Some(before) = before.filter(|before| takers.contains(before) && is_poorer(before)) {
            return Some(before);
        }
        if takers.iter().any(is_poorer) { self.poorest(&partition.topic) } else { None }
    }

    fn move_to(&mut self, partition: &TopicPartition, taker: Taker) {
        let Some(&owner) = self.owners.get(partition) else { return };
        let partition = self.movements.instead(partition, owner, taker);
        let Some(&owner) = self.owners.get(&partition) else { return };
        self.movements.note(&partition, owner, taker);
        self.change(owner, |share| share.retain(|other| *other != partition));
        self.change(taker, |share| share.push(partition.clone()));
        self.owners.insert(partition, taker);
    }

    /// Whether nobody could gain by a partition of somebody who has at least two more.
    fn is_balanced(&self) -> bool {
        let (Some((least, _)), Some((most, _))) = (self.order.first(), self.order.last()) else {
            return true;
        };
        if least + 1 >= *most {
            return true;
        }
        self.order.iter().all(|(count, taker)| !self.could_gain(*taker, *count))
    }

    fn could_gain(&self, taker: Taker, count: usize) -> bool {
        if count == self.most(taker) {
            return false;
        }
        let wanted = self.wanted[taker].iter().filter_map(|topic| self.topics.get_key_value(*topic));
        let mut partitions = wanted.flat_map(|(topic, count)| partitions_of(topic, *count));
        partitions.any(|partition| {
            let owner = self.owners.get(&partition);
            owner.is_some_and(|owner| *owner != taker && count + 1 < self.shares[*owner].len())
        })
    }

    /// The differences between all pairs: the less the better.
    fn score(&self, shares: &[Vec<TopicPartition>]) -> usize {
        let counts: Vec<_> = self.order.iter().map(|(_, taker)| shares[*taker].len()).collect();
        let pairs =
            counts.iter().enumerate().flat_map(|(at, a)| counts[at + 1..].iter().map(|b| a.abs_diff(*b)));
        pairs.sum()
    }
}

/// Who had partitions in an older generation than the newest.
fn earlier_owners(claims: &Claims<'_>) -> HashMap<TopicPartition, Taker> {
    let mut owners: HashMap<TopicPartition, (Taker, i32)> = HashMap::new();
    for &taker in &claims.walk {
        let (partitions, generation) = &claims.said[taker];
        let generation = generation.unwrap_or(NO_GENERATION);
        if generation >= claims.newest {
            continue;
        }
        for partition in partitions {
            let is_newer = owners.get(partition).is_none_or(|(_, other)| generation > *other);
            if is_newer {
                owners.insert(partition.clone(), (taker, generation));
            }
        }
    }
    owners.into_iter().map(|(partition, (taker, _))| (partition, taker)).collect()
}
