//! All partitions of all topics in turn, to the next member that wants them
//! (`org.apache.kafka.clients.consumer.RoundRobinAssignor`).

use std::collections::HashMap;

use mainstem_protocol::Text;

use super::{Claim, Shares, partitions_of, wanted};

pub(super) fn assign(members: &[Claim], partitions: &HashMap<Text, usize>) -> Shares {
    let mut shares: Shares = members.iter().map(|member| (member.id.clone(), Vec::new())).collect();
    let mut ranked: Vec<_> = members.iter().collect();
    ranked.sort_by_key(|member| member.rank());
    let mut turns = ranked.iter().cycle();
    for (topic, count) in wanted(members, partitions) {
        for partition in partitions_of(topic, count) {
            // Somebody wants the topic, so the search ends within one round.
            let taker = turns.by_ref().find(|member| member.topics.contains(topic));
            taker.into_iter().for_each(|member| {
                shares.entry(member.id.clone()).or_default().push(partition.clone());
            });
        }
    }
    shares
}
