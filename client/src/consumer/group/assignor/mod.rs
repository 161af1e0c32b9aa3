//! How the leader of a classic group shares out partitions: pure functions from what the members say to what each of them
//! gets. Names, user data and results are those of Kafka's own assignors, since the leader of a group may be any client.
//!
//! - [`range`], [`round_robin`], [`sticky`]: the assignors; the cooperative one is the sticky one, but for [`cooperative`].
//! - [`java_order`]: the order in which Java walks its hash maps, on which the sticky ones depend.
//! - [`user_data`]: what the sticky ones put into a subscription beside its fields.
//!
//! Racks are not heeded: members say none, and without them Kafka's assignors do the same.

mod cooperative;
mod java_order;
mod range;
mod round_robin;
mod sticky;
#[cfg(test)]
mod tests;
mod user_data;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use mainstem_protocol::{PartitionId, Text, formats::consumer};

use crate::TopicPartition;

/// A way to share out partitions that the members of a classic group agree on (`partition.assignment.strategy`).
///
/// ```
/// use mainstem_client::{ConsumerConfig, consumer::Assignor};
///
/// // Partitions that stay where they are go on being read while others move.
/// let config = ConsumerConfig { assignors: vec![Assignor::CooperativeSticky], ..ConsumerConfig::group("readers") };
/// assert_eq!(config.assignors[0].name(), "cooperative-sticky");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Topic by topic, neighbouring partitions to each member: the same numbers of several topics go to the same member.
    Range,
    /// All partitions of all topics in turn.
    RoundRobin,
    /// As even as possible, then as little change as possible. Everybody lets go of everything first.
    Sticky,
    /// As sticky, and nobody lets go of what stays (KIP-429): what moves is first let go, and handed out by a second
    /// rebalance that follows at once.
    CooperativeSticky,
}

impl Assignor {
    /// All of them.
    pub(in crate::consumer) const ALL: [Self; 4] =
        [Self::Range, Self::RoundRobin, Self::Sticky, Self::CooperativeSticky];

    /// The name by which members agree on it.
    ///
    /// ```
    /// assert_eq!(mainstem_client::consumer::Assignor::RoundRobin.name(), "roundrobin");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Sticky => "sticky",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The assignor of that name.
    ///
    /// ```
    /// use mainstem_client::consumer::Assignor;
    ///
    /// assert_eq!(Assignor::by_name("sticky"), Some(Assignor::Sticky));
    /// assert_eq!(Assignor::by_name("dice"), None);
    /// ```
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// What the leader's assignor is to know of a member beside its subscription. `last` is what the member was given
    /// last, and in which generation.
    pub(super) fn user_data(self, last: Option<&(Vec<TopicPartition>, i32)>) -> Option<Bytes> {
        match self {
            Self::Range | Self::RoundRobin => None,
            Self::Sticky => last.map(|(partitions, generation)| user_data::sticky(partitions, *generation)),
            Self::CooperativeSticky => {
                Some(user_data::cooperative(last.map_or(-1, |(_, generation)| *generation)))
            }
        }
    }

    /// What each member gets. `partitions` says how many each topic has.
    pub(super) fn assign(self, members: &[Claim], partitions: &HashMap<Text, usize>) -> Shares {
        match self {
            Self::Range => range::assign(members, partitions),
            Self::RoundRobin => round_robin::assign(members, partitions),
            Self::Sticky => {
                let claims: Vec<_> = members.iter().map(user_data::claimed).collect();
                sticky::assign(members, claims, partitions).shares
            }
            Self::CooperativeSticky => cooperative::assign(members, partitions),
        }
    }
}

/// What each member gets, by its id.
pub(super) type Shares = BTreeMap<Text, Vec<TopicPartition>>;

/// What a member says when it joins.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim {
    pub(super) id: Text,
    /// The name of a static member.
    pub(super) instance: Option<Text>,
    pub(super) topics: Vec<Text>,
    /// What it has, and does not let go by joining.
    pub(super) owned: Vec<TopicPartition>,
    /// The generation in which it got that; negative where it does not say.
    pub(super) generation: i32,
    pub(super) user_data: Option<Bytes>,
}

impl Claim {
    pub(super) fn new(id: Text, instance: Option<Text>, subscription: consumer::Subscription) -> Self {
        let consumer::Subscription { topics, user_data, owned_partitions, generation_id, rack_id: _ } =
            subscription;
        let owned = flat(owned_partitions);
        Self { id, instance, topics, owned, generation: generation_id.max(-1), user_data }
    }

    /// Static members by their names, in front of the others by their ids (Kafka: `MemberInfo.compareTo`).
    fn rank(&self) -> (bool, &Text) {
        (self.instance.is_none(), self.instance.as_ref().unwrap_or(&self.id))
    }
}

/// The partitions by topic, as subscriptions and assignments have them.
pub(super) fn by_topic(partitions: &[TopicPartition]) -> Vec<consumer::TopicPartitions> {
    let mut topics: BTreeMap<&Text, Vec<PartitionId>> = BTreeMap::new();
    for TopicPartition { topic, partition } in partitions {
        topics.entry(topic).or_default().push(*partition);
    }
    let topics = topics.into_iter();
    topics.map(|(topic, partitions)| consumer::TopicPartitions { topic: topic.clone(), partitions }).collect()
}

/// The other way round.
pub(super) fn flat(topics: Vec<consumer::TopicPartitions>) -> Vec<TopicPartition> {
    let flat = topics.into_iter().flat_map(|consumer::TopicPartitions { topic, partitions }| {
        partitions.into_iter().map(move |partition| TopicPartition { topic: topic.clone(), partition })
    });
    flat.collect()
}

/// All topics that somebody wants and that have partitions, in order.
fn wanted<'a>(members: &'a [Claim], partitions: &HashMap<Text, usize>) -> BTreeMap<&'a Text, usize> {
    let topics: BTreeSet<_> = members.iter().flat_map(|member| &member.topics).collect();
    let counted = topics.into_iter().map(|topic| (topic, partitions.get(topic).copied().unwrap_or(0)));
    counted.filter(|(_, count)| *count > 0).collect()
}

/// The partitions of a topic, in order.
fn partitions_of(topic: &Text, count: usize) -> impl Iterator<Item = TopicPartition> {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    (0..count).map(|number| TopicPartition::new(topic.clone(), number))
}
