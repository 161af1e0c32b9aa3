//! As the sticky assignor, without taking anything from a member that has not let go of it yet
//! (`org.apache.kafka.clients.consumer.CooperativeStickyAssignor`).

use std::collections::{HashMap, HashSet};

use mainstem_protocol::Text;

use super::{
    Claim, Shares,
    sticky::{self, Outcome},
    user_data,
};
use crate::TopicPartition;

pub(super) fn assign(members: &[Claim], partitions: &HashMap<Text, usize>) -> Shares {
    let claims = members.iter().map(user_data::claimed_cooperatively).collect();
    let Outcome { mut shares, moving } = sticky::assign(members, claims, partitions);
    let moving = moving.unwrap_or_else(|| moved(members, &shares));
    // What moves is nobody's until its owner has let it go, and joins again.
    shares.values_mut().for_each(|share| share.retain(|partition| !moving.contains(partition)));
    shares
}

/// Partitions that one member has and another is to get.
fn moved(members: &[Claim], shares: &Shares) -> HashSet<TopicPartition> {
    let mut lost = HashSet::new();
    let mut gained = HashSet::new();
    for member in members {
        let owned: HashSet<_> = member.owned.iter().collect();
        let share: HashSet<_> = shares.get(&member.id).into_iter().flatten().collect();
        lost.extend(owned.difference(&share).map(|partition| (*partition).clone()));
        gained.extend(share.difference(&owned).map(|partition| (*partition).clone()));
    }
    gained.retain(|partition| lost.contains(partition));
    gained
}
