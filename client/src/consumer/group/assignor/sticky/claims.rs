//! Who had what before. Where two members claim the same partition, the one of the newer generation has it, and nobody
//! where both are of the same.

use std::collections::{BTreeMap, HashMap, HashSet};

use mainstem_protocol::Text;

use super::{
    super::{Claim, java_order::JavaSet, user_data::Claimed},
    Taker,
};
use crate::TopicPartition;

/// The generation of whoever does not say one.
pub(super) const NO_GENERATION: i32 = -1;

/// Members in the order of their ids, with what they had.
pub(super) struct Claims<'a> {
    pub(super) members: Vec<&'a Claim>,
    /// The members in the order in which Kafka looks at them.
    pub(super) walk: Vec<Taker>,
    /// What each has had, of the topics that there are.
    pub(super) owned: Vec<Vec<TopicPartition>>,
    /// What several claim in the same generation.
    pub(super) contested: HashSet<TopicPartition>,
    /// What each says it has had, whatever the others say.
    pub(super) said: Vec<Claimed>,
    pub(super) newest: i32,
}

impl<'a> Claims<'a> {
    pub(super) fn new(members: &'a [Claim], claimed: Vec<Claimed>, topics: &BTreeMap<&Text, usize>) -> Self {
        let mut ids = JavaSet::new();
        members.iter().for_each(|member| ids.insert(member.id.clone()));
        let mut sorted: Vec<_> = members.iter().zip(claimed).collect();
        sorted.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
        let (members, said): (Vec<_>, Vec<_>) = sorted.into_iter().unzip();
        let place = |id: &Text| members.binary_search_by(|member| member.id.cmp(id)).ok();
        let walk = ids.iter().filter_map(place).collect();
        let owned = vec![Vec::new(); members.len()];
        let mut claims =
            Self { members, walk, owned, contested: HashSet::new(), said, newest: NO_GENERATION };
        claims.settle(topics);
        claims
    }

    fn settle(&mut self, topics: &BTreeMap<&Text, usize>) {
        let mut owners = HashMap::new();
        for taker in self.walk.clone() {
            let (partitions, generation) = self.said[taker].clone();
            let generation = generation.unwrap_or(NO_GENERATION);
            self.newest = self.newest.max(generation);
            for partition in partitions.into_iter().filter(|partition| exists(partition, topics)) {
                self.claim(taker, generation, partition, &mut owners);
            }
        }
    }

    fn claim(
        &mut self,
        taker: Taker,
        generation: i32,
        partition: TopicPartition,
        owners: &mut HashMap<TopicPartition, Taker>,
    ) {
        let Some(&other) = owners.get(&partition) else {
            owners.insert(partition.clone(), taker);
            self.owned[taker].push(partition);
            return;
        };
        // Kafka compares with the generation in the other's subscription, wherever its claim comes from.
        let others = self.members[other].generation.max(NO_GENERATION);
        if generation < others {
            return;
        }
        self.owned[other].retain(|owned| *owned != partition);
        owners.insert(partition.clone(), taker);
        if generation == others {
            self.contested.insert(partition);
        } else {
            self.owned[taker].push(partition);
        }
    }

    /// Whether all members want the same topics.
    pub(super) fn are_equal(&self) -> bool {
        let topics = |member: &&Claim| member.topics.iter().cloned().collect::<HashSet<_>>();
        let mut all = self.members.iter().map(topics);
        let first = all.next();
        all.all(|other| Some(other) == first)
    }
}

/// Whether there is such a partition. Kafka looks at the topic alone, and hands partitions out twice where a topic was
/// created anew with fewer of them.
fn exists(partition: &TopicPartition, topics: &BTreeMap<&Text, usize>) -> bool {
    let count = topics.get(&partition.topic).copied().unwrap_or(0);
    usize::try_from(partition.partition.0).is_ok_and(|number| number < count)
}
