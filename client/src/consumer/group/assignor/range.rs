//! Topic by topic, each member gets a range of neighbouring partitions, the first members one more where it does not come
//! out even (`org.apache.kafka.clients.consumer.RangeAssignor`).

use std::collections::HashMap;

use mainstem_protocol::Text;

use super::{Claim, Shares, partitions_of, wanted};

pub(super) fn assign(members: &[Claim], partitions: &HashMap<Text, usize>) -> Shares {
    let mut shares: Shares = members.iter().map(|member| (member.id.clone(), Vec::new())).collect();
    let mut ranked: Vec<_> = members.iter().collect();
    ranked.sort_by_key(|member| member.rank());
    for (topic, count) in wanted(members, partitions) {
        let takers: Vec<_> = ranked.iter().filter(|member| member.topics.contains(topic)).collect();
        let mut all = partitions_of(topic, count);
        let (each, more) = (count / takers.len(), count % takers.len());
        for (index, taker) in takers.iter().enumerate() {
            let range = all.by_ref().take(each + usize::from(index < more));
            shares.entry(taker.id.clone()).or_default().extend(range);
        }
    }
    shares
}
