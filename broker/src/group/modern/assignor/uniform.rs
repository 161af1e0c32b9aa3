//! Equal numbers of partitions for members that all want the same topics (Kafka: `UniformHomogeneousAssignmentBuilder`).
//!
//! Balance comes first, staying where one is second: a member keeps what it has up to its quota, what is above goes to
//! those who are below theirs.

use mainstem_protocol::Text;

use super::{Candidate, Candidates, PartitionCounts, Targets, partitions_of};
use crate::group::modern::{Assignment, assignment::TopicPartition};

/// What members may have.
struct Quotas {
    /// What each member has at least.
    minimum: usize,
    /// How many members get one more.
    extra: usize,
    /// Members that are not yet looked at.
    members_left: usize,
}

pub(super) fn assign(candidates: &Candidates, counts: &PartitionCounts) -> Targets {
    let Some(first) = candidates.values().next() else { return Targets::new() };
    let all: Vec<_> = first
        .topics
        .iter()
        .flat_map(|topic| partitions_of(*topic, counts).map(|partition| (*topic, partition)))
        .collect();
    let mut free = free(&all, candidates);
    let mut quotas = Quotas::new(all.len(), candidates.len());
    let mut targets = Targets::new();
    let mut unfilled: Vec<(Text, usize)> = Vec::new();
    for (id, candidate) in candidates {
        let (kept, given_up) = keep(candidate, quotas.most(), counts);
        let room = quotas.take(kept.len());
        unfilled.extend((room > 0).then(|| (id.clone(), room)));
        targets.insert(id.clone(), kept);
        free.extend(given_up);
    }
    fill(&mut targets, unfilled, free);
    targets
}

/// What nobody has.
fn free(all: &[TopicPartition], candidates: &Candidates) -> Vec<TopicPartition> {
    let taken: Assignment = candidates.values().flat_map(|candidate| candidate.assignment.iter()).collect();
    all.iter().copied().filter(|partition| !taken.contains(*partition)).collect()
}

/// What a member keeps of what it has, and what it gives up for others. What it does not want, or what is no more, is in
/// neither.
fn keep(candidate: &Candidate, most: usize, counts: &PartitionCounts) -> (Assignment, Vec<TopicPartition>) {
    let is_there = |(topic, partition): &TopicPartition| {
        let count = counts.get(topic).copied().unwrap_or(0);
        candidate.topics.contains(topic) && partition.0 >= 0 && partition.0.unsigned_abs() < count
    };
    let wanted: Vec<_> = candidate.assignment.iter().filter(is_there).collect();
    let (kept, given_up) = wanted.split_at(most.min(wanted.len()));
    (kept.iter().copied().collect(), given_up.to_vec())
}

fn fill(targets: &mut Targets, unfilled: Vec<(Text, usize)>, free: Vec<TopicPartition>) {
    let mut free = free.into_iter();
    for (id, room) in unfilled {
        targets.entry(id).or_default().extend(free.by_ref().take(room));
    }
}

impl Quotas {
    const fn new(partitions: usize, members: usize) -> Self {
        Self { minimum: partitions / members, extra: partitions % members, members_left: members }
    }

    /// What the next member may have at most.
    const fn most(&self) -> usize {
        self.minimum + (self.extra > 0) as usize
    }

    /// Settles the quota of a member that keeps so many, and says how many it gets on top. One that is below leaves the
    /// extra partition to those who have it already, unless it is among the last who must take one.
    fn take(&mut self, kept: usize) -> usize {
        let mut quota = self.most();
        let may_give_up = self.extra > 0 && kept < quota && self.members_left > self.extra;
        if may_give_up {
            quota -= 1;
        } else if self.extra > 0 {
            self.extra -= 1;
        }
        self.members_left -= 1;
        quota - kept
    }
}
