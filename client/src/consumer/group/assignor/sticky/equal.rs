//! Where all members want the same topics: each keeps what it had up to its share, and the rest goes round
//! (Kafka: `ConstrainedAssignmentBuilder`).

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use mainstem_protocol::Text;

use super::{Taker, claims::Claims};
use crate::{TopicPartition, consumer::group::assignor::partitions_of};

/// What each member gets, and what goes from one member to another.
pub(super) fn assign(
    claims: &Claims<'_>,
    topics: &BTreeMap<&Text, usize>,
) -> (Vec<Vec<TopicPartition>>, HashSet<TopicPartition>) {
    let total: usize = topics.values().sum();
    let mut sharing = Sharing::new(claims, total);
    for &taker in &claims.walk {
        sharing.keep(taker);
    }
    let kept: HashSet<_> = sharing.shares.iter().flatten().cloned().collect();
    let all = topics.iter().flat_map(|(topic, count)| partitions_of(topic, *count));
    sharing.hand_out(all.filter(|partition| !kept.contains(partition)));
    (sharing.shares, sharing.moving)
}

struct Sharing<'a> {
    claims: &'a Claims<'a>,
    /// What everybody gets at least.
    least: usize,
    /// How many get one more.
    more: usize,
    /// How many have one more so far.
    larger: usize,
    shares: Vec<Vec<TopicPartition>>,
    /// Members with less than the least, and with exactly that.
    below: Vec<Taker>,
    exact: VecDeque<Taker>,
    /// What members had beyond their share.
    spare: HashMap<TopicPartition, Taker>,
    moving: HashSet<TopicPartition>,
}

impl<'a> Sharing<'a> {
    fn new(claims: &'a Claims<'a>, total: usize) -> Self {
        let count = claims.members.len();
        Self {
            claims,
            least: total / count,
            more: total % count,
            larger: 0,
            shares: vec![Vec::new(); count],
            below: Vec::new(),
            exact: VecDeque::new(),
            spare: HashMap::new(),
            moving: HashSet::new(),
        }
    }

    /// Leaves a member what it had, as far as that is not more than its share.
    fn keep(&mut self, taker: Taker) {
        let contested = |partition: &&TopicPartition| !self.claims.contested.contains(partition);
        let mut owned: Vec<_> = self.claims.owned[taker].iter().filter(contested).cloned().collect();
        owned.sort_by(|a, b| (a.partition, &a.topic).cmp(&(b.partition, &b.topic)));
        let most = self.least + usize::from(self.more > 0);
        if owned.len() < self.least {
            self.below.push(taker);
        } else if owned.len() >= most && self.larger < self.more {
            self.larger += 1;
            if self.larger == self.more {
                self.exact.clear();
            }
            self.let_go(taker, owned.split_off(most));
        } else {
            self.let_go(taker, owned.split_off(self.least));
            if self.larger < self.more {
                self.exact.push_back(taker);
            }
        }
        self.shares[taker] = owned;
    }

    fn let_go(&mut self, taker: Taker, partitions: Vec<TopicPartition>) {
        self.spare.extend(partitions.into_iter().map(|partition| (partition, taker)));
    }

    /// Hands out the rest in turn: first to those below the least, then one each to those that may have one more.
    fn hand_out(&mut self, rest: impl Iterator<Item = TopicPartition>) {
        self.below.sort_unstable();
        self.exact.make_contiguous().sort_unstable();
        let mut turn = 0;
        for partition in rest {
            if turn >= self.below.len() {
                turn = 0;
            }
            let Some(taker) = self.below.get(turn).copied().or_else(|| self.exact.pop_front()) else {
                return;
            };
            self.give(taker, partition);
            if self.shares[taker].len() == self.least {
                self.below.remove(turn);
                self.exact.push_back(taker);
            } else {
                turn += 1;
            }
        }
    }

    fn give(&mut self, taker: Taker, partition: TopicPartition) {
        let is_anothers = self.spare.get(&partition).is_some_and(|before| *before != taker);
        if is_anothers || self.claims.contested.contains(&partition) {
            self.moving.insert(partition.clone());
        }
        self.shares[taker].push(partition);
    }
}
