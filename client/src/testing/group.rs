//! A classic group in memory: joins wait for one another, the first member leads.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use mainstem_protocol::{ErrorCode, Offset, PartitionId, Text};

#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) generation: i32,
    pub(super) protocol: Text,
    pub(super) offsets: HashMap<(Text, PartitionId), Offset>,
    members: BTreeMap<Text, Member>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Stable,
    Joining,
    Syncing,
}

#[derive(Debug, Default)]
struct Member {
    metadata: Bytes,
    joined: bool,
    assignment: Bytes,
}

impl Group {
    pub(super) fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Takes note of a member that joins; the others have to join again.
    pub(super) fn join(&mut self, id: Text, protocol: Text, metadata: Bytes) {
        if self.phase != Phase::Joining {
            self.phase = Phase::Joining;
            self.members.values_mut().for_each(|member| member.joined = false);
        }
        self.protocol = protocol;
        let member = self.members.entry(id).or_default();
        member.metadata = metadata;
        member.joined = true;
    }

    /// The generation that a member joined, once all have.
    pub(super) fn joined(&mut self) -> Option<(i32, Text)> {
        if self.phase == Phase::Joining && self.members.values().all(|member| member.joined) {
            self.phase = Phase::Syncing;
            self.generation += 1;
            self.members.values_mut().for_each(|member| member.assignment = Bytes::new());
        }
        (self.phase != Phase::Joining).then(|| (self.generation, self.leader()))
    }

    pub(super) fn leader(&self) -> Text {
        self.members.keys().next().cloned().unwrap_or_default()
    }

    /// Its state, in Kafka's words.
    pub(super) fn state(&self) -> Text {
        Text::from_static(match self.phase {
            Phase::Stable if self.members.is_empty() => "Empty",
            Phase::Stable => "Stable",
            Phase::Joining => "PreparingRebalance",
            Phase::Syncing => "CompletingRebalance",
        })
    }

    pub(super) fn assignments(&self) -> impl Iterator<Item = (&Text, &Bytes)> {
        self.members.iter().map(|(id, member)| (id, &member.assignment))
    }

    pub(super) fn metadata(&self) -> Vec<(Text, Bytes)> {
        self.members.iter().map(|(id, member)| (id.clone(), member.metadata.clone())).collect()
    }

    pub(super) fn assign(&mut self, assignments: Vec<(Text, Bytes)>) {
        for (id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = assignment;
            }
        }
        self.phase = Phase::Stable;
    }

    /// The assignment of a member, once the leader has handed it out.
    pub(super) fn assignment(&self, id: &Text, generation: i32) -> Option<Result<Bytes, ErrorCode>> {
        match self.check(id, generation) {
            Err(ErrorCode::REBALANCE_IN_PROGRESS) if self.phase == Phase::Syncing => None,
            Err(code) => Some(Err(code)),
            Ok(()) => {
                Some(Ok(self.members.get(id).map(|member| member.assignment.clone()).unwrap_or_default()))
            }
        }
    }

    /// Whether a member belongs to the generation that is at work.
    pub(super) fn check(&self, id: &Text, generation: i32) -> Result<(), ErrorCode> {
        if generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        if !self.members.contains_key(id) {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        if self.phase == Phase::Stable { Ok(()) } else { Err(ErrorCode::REBALANCE_IN_PROGRESS) }
    }

    /// Whether an offset may be committed: while others join, the old generation may still hand in its work.
    pub(super) fn check_commit(&self, id: &Text, generation: i32) -> Result<(), ErrorCode> {
        match self.check(id, generation) {
            Err(ErrorCode::REBALANCE_IN_PROGRESS) if self.phase == Phase::Joining => Ok(()),
            checked => checked,
        }
    }

    pub(super) fn leave(&mut self, id: &Text) -> ErrorCode {
        if self.members.remove(id).is_none() {
            return ErrorCode::UNKNOWN_MEMBER_ID;
        }
        self.phase = if self.members.is_empty() { Phase::Stable } else { Phase::Joining };
        self.members.values_mut().for_each(|member| member.joined = false);
        ErrorCode::NONE
    }
}
