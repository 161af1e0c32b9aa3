//! Contiguous ranges of each topic (Kafka: `RangeAssignor`).

use std::collections::BTreeMap;

use mainstem_protocol::{PartitionId, Text, TopicId};

use super::{Candidate, Candidates, PartitionCounts, Targets, count_of};

/// How far a topic is given away.
struct Cutting {
    partitions: u32,
    /// What each of its members gets at least.
    share: u32,
    /// How many members get one more.
    extra: u32,
    next: u32,
}

pub(super) fn assign(candidates: &Candidates, counts: &PartitionCounts) -> Targets {
    let mut topics = cuttings(candidates, counts);
    let mut targets = Targets::new();
    for (id, candidate) in in_order(candidates) {
        let target = targets.entry(id.clone()).or_default();
        for topic in &candidate.topics {
            let range = topics.get_mut(topic).map_or(0..0, Cutting::cut);
            target.extend(range.map(|partition| (*topic, PartitionId(partition as i32))));
        }
    }
    targets
}

/// Static members first: they keep their place when they come back under another id.
fn in_order(candidates: &Candidates) -> Vec<(&Text, &Candidate)> {
    let mut ordered: Vec<_> = candidates.iter().collect();
    ordered.sort_by_key(|(id, candidate)| {
        (candidate.instance_id.is_none(), candidate.instance_id.as_ref().unwrap_or(id))
    });
    ordered
}

fn cuttings(candidates: &Candidates, counts: &PartitionCounts) -> BTreeMap<TopicId, Cutting> {
    let mut members: BTreeMap<TopicId, u32> = BTreeMap::new();
    for topic in candidates.values().flat_map(|candidate| &candidate.topics) {
        *members.entry(*topic).or_default() += 1;
    }
    let cutting = |(topic, members): (TopicId, u32)| {
        let partitions = count_of(topic, counts);
        (topic, Cutting { partitions, share: partitions / members, extra: partitions % members, next: 0 })
    };
    members.into_iter().map(cutting).collect()
}

impl Cutting {
    fn cut(&mut self) -> std::ops::Range<u32> {
        let extra = u32::from(self.extra > 0);
        self.extra -= extra;
        let start = self.next;
        self.next = (start + self.share + extra).min(self.partitions);
        start..self.next
    }
}
