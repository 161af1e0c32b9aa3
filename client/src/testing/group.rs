//! A classic group in memory: joins wait for one another, the first member leads. Sessions have no end of their own: a test
//! says whose is over.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use mainstem_protocol::{ErrorCode, Offset, PartitionId, Text};

#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) generation: i32,
    pub(super) protocol: Text,
    pub(super) offsets: HashMap<(Text, PartitionId), Offset>,
    /// What was said beside the offsets.
    pub(super) said: HashMap<(Text, PartitionId), Text>,
    members: BTreeMap<Text, Member>,
    /// Ids that were handed out and whose members have not joined yet.
    pending: BTreeSet<Text>,
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
    /// The name of a static member.
    instance: Option<Text>,
    /// What it says to each assignor that it offers, the best first.
    protocols: Vec<(Text, Bytes)>,
    joined: bool,
    assignment: Bytes,
}

impl Group {
    pub(super) fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Takes note of a member that joins; the others have to join again.
    pub(super) fn join(&mut self, id: Text, instance: Option<Text>, protocols: Vec<(Text, Bytes)>) {
        // Whoever comes back under a name takes the place of whoever had it.
        self.members
            .retain(|other, member| *other == id || instance.is_none() || member.instance != instance);
        if self.phase != Phase::Joining {
            self.phase = Phase::Joining;
            self.members.values_mut().for_each(|member| member.joined = false);
        }
        self.pending.remove(&id);
        let member = self.members.entry(id).or_default();
        *member = Member { instance, protocols, joined: true, assignment: Bytes::new() };
    }

    /// Hands out an id for somebody to join with.
    pub(super) fn expect(&mut self, id: Text) {
        self.pending.insert(id);
    }

    pub(super) fn check_id(&self, id: &Text) -> Result<(), ErrorCode> {
        let is_known = id.is_empty() || self.members.contains_key(id) || self.pending.contains(id);
        if is_known { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) }
    }

    /// The first assignor of the first member that all know.
    fn choose(&self) -> Text {
        let offers = |member: &Member, name: &Text| member.protocols.iter().any(|(other, _)| other == name);
        let first = self.members.values().next().into_iter().flat_map(|member| &member.protocols);
        let mut common = first.filter(|(name, _)| self.members.values().all(|member| offers(member, name)));
        common.next().map(|(name, _)| name.clone()).unwrap_or_default()
    }

    /// The generation that a member joined, once all have; no generation where the next rebalance has begun meanwhile.
    pub(super) fn joined(&mut self, id: &Text) -> Option<Option<(i32, Text)>> {
        let is_over =
            self.phase == Phase::Joining && self.members.get(id).is_some_and(|member| !member.joined);
        if is_over { Some(None) } else { self.generation().map(Some) }
    }

    fn generation(&mut self) -> Option<(i32, Text)> {
        if self.phase == Phase::Joining && self.members.values().all(|member| member.joined) {
            self.phase = Phase::Syncing;
            self.generation += 1;
            self.protocol = self.choose();
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

    /// Ids, names of static members, and what each says to the assignor that was chosen.
    pub(super) fn metadata(&self) -> Vec<(Text, Option<Text>, Bytes)> {
        let said = |member: &Member| {
            let chosen = member.protocols.iter().find(|(name, _)| *name == self.protocol);
            chosen.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
        };
        let members = self.members.iter();
        members.map(|(id, member)| (id.clone(), member.instance.clone(), said(member))).collect()
    }

    /// Whether a static member's name is another member's by now.
    pub(super) fn check_instance(&self, id: &Text, instance: Option<&Text>) -> Result<(), ErrorCode> {
        let is_taken =
            |(other, member): (&Text, &Member)| other != id && member.instance.as_ref() == instance;
        let fenced = instance.is_some() && !id.is_empty() && self.members.iter().any(is_taken);
        if fenced { Err(ErrorCode::FENCED_INSTANCE_ID) } else { Ok(()) }
    }

    pub(super) fn ids(&self) -> Vec<Text> {
        self.members.keys().cloned().collect()
    }

    /// Hands out what the leader says; where somebody has joined since, the leader is told so instead.
    pub(super) fn assign(&mut self, assignments: Vec<(Text, Bytes)>) {
        if self.phase != Phase::Syncing {
            return;
        }
        if self.phase != Phase::Syncing {
            return;
        }
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
        if self.members.is_empty() {
            self.phase = Phase::Stable;
        } else if self.phase != Phase::Joining {
            self.phase = Phase::Joining;
            self.members.values_mut().for_each(|member| member.joined = false);
        }
        ErrorCode::NONE
    }
}
