//! A classic consumer group as a machine without I/O: requests and the time go in, [`Action`]s come out
//! (Kafka: `ClassicGroup` and the `classicGroup*` methods of `GroupMetadataManager`).
//!
//! ```text
//!          first join             all joined          leader's SyncGroup stored
//! Empty ─────────────► Preparing ───────────► Completing ───────────────────► Stable
//!   ▲                   ▲    │                    │                             │
//!   └── nobody joined ──┼────┘                    │ join, leave, expiry         │
//!                       └─────────────────────────┴─────────────────────────────┘
//! ```

mod heartbeat;
mod join;
mod leave;
mod member;
mod offsets;
mod rebalance;
mod sync;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use mainstem_protocol::{ErrorCode, Text};

pub(crate) use self::{
    join::JoinRequest,
    leave::Leaver,
    member::{Member, Protocol},
    rebalance::common_protocol,
    sync::SyncRequest,
};

/// A request whose answer is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Waiter(pub(crate) u64);

/// Where a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No members; perhaps committed offsets.
    Empty,
    /// Members are joining the next generation, until `deadline` at the latest. The first generation of an empty group
    /// waits for its deadline in any case, so that all who start at once come in together.
    Preparing { deadline: Duration, initial: Option<Initial> },
    /// The generation stands and waits for its leader's assignment.
    Completing { is_storing: bool },
    /// Every member has its assignment.
    Stable,
}

impl State {
    /// The name as Kafka has it (`ClassicGroupState`).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Preparing { .. } => "PreparingRebalance",
            Self::Completing { .. } => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// What the first rebalance of an empty group has left of its patience (Kafka:
/// `GroupMetadataManager.tryCompleteInitialRebalanceElseSchedule`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Initial {
    /// How long it has been waiting for since somebody new came.
    delay: Duration,
    /// How much longer it may be put off altogether.
    remaining: Duration,
    /// Whether somebody new came meanwhile.
    is_growing: bool,
}

/// What a member says of itself when it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) instance_id: Option<Text>,
    pub(crate) client_id: Text,
    pub(crate) client_host: Text,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocols: Vec<Protocol>,
}

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Answer a JoinGroup.
    Joined(Waiter, JoinAnswer),
    /// Answer a SyncGroup.
    Synced(Waiter, SyncAnswer),
    /// Store the group as it is, then say [`Group::stored`].
    Store(Store),
}

/// A generation that is to be stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Store {
    pub(crate) generation: i32,
    pub(crate) assignments: BTreeMap<Text, Bytes>,
    purpose: Purpose,
}

/// What is to be done once a generation is stored.
#[derive(Clone, Debug, PartialEq)]
enum Purpose {
    /// Hand out the leader's assignment.
    HandOut,
    /// Answer a static member that came back under a new id, or else put the former one back in its place.
    Replace { former: Box<Member>, waiter: Waiter, answer: JoinAnswer },
    /// Nothing: the last member has gone.
    Emptied,
}

/// The answer to a JoinGroup.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct JoinAnswer {
    pub(crate) error: ErrorCode,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<Text>,
    pub(crate) protocol: Option<Text>,
    pub(crate) leader: Text,
    pub(crate) skip_assignment: bool,
    pub(crate) member_id: Text,
    /// Id, instance id and metadata of every member, for the leader alone.
    pub(crate) members: Vec<(Text, Option<Text>, Bytes)>,
}

impl JoinAnswer {
    pub(crate) fn refused(error: ErrorCode, member_id: Text) -> Self {
        Self { error, generation: -1, member_id, ..Self::default() }
    }
}

/// The answer to a SyncGroup.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SyncAnswer {
    pub(crate) error: ErrorCode,
    pub(crate) protocol_type: Option<Text>,
    pub(crate) protocol: Option<Text>,
    pub(crate) assignment: Bytes,
}

impl SyncAnswer {
    pub(crate) fn refused(error: ErrorCode) -> Self {
        Self { error, ..Self::default() }
    }
}

/// What every group obeys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Members that a group may have (Kafka: `group.max.size`).
    pub(crate) members_max: usize,
    /// How long the first rebalance of an empty group waits for more members (Kafka:
    /// `group.initial.rebalance.delay.ms`).
    pub(crate) initial_delay: Duration,
}

/// A group as the log has it. Members without a leader have yet to join the next generation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<Text>,
    pub(crate) protocol: Option<Text>,
    pub(crate) leader: Option<Text>,
    /// Id, what the member said of itself, and its assignment.
    pub(crate) members: Vec<(Text, Profile, Bytes)>,
}

/// A classic group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: Text,
    pub(crate) state: State,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<Text>,
    pub(crate) protocol: Option<Text>,
    pub(crate) leader: Option<Text>,
    pub(crate) members: BTreeMap<Text, Member>,
    /// What the members of the generation read, where they say it in the consumer protocol.
    subscribed: Option<BTreeSet<Text>>,
    /// Which member holds an instance id.
    static_members: BTreeMap<Text, Text>,
    /// Ids that were handed out and must be used in a second JoinGroup before they expire (KIP-394).
    pending: BTreeMap<Text, Duration>,
    /// When those who have not asked for their assignment are taken for dead.
    sync_deadline: Option<Duration>,
    limits: Limits,
}

/// A request that is refused, with the code that says why.
pub(crate) type Checked = Result<(), ErrorCode>;

impl Group {
    pub(crate) const fn new(id: Text, limits: Limits) -> Self {
        Self {
            id,
            state: State::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            subscribed: None,
            static_members: BTreeMap::new(),
            pending: BTreeMap::new(),
            sync_deadline: None,
            limits,
        }
    }

    /// The group as it was stored: stable with its members, who get a session to be heard of again. Where nobody leads
    /// them, which only a group leaves behind that came from the newer protocol, they are to join again.
    pub(crate) fn restored(id: Text, limits: Limits, stored: Stored, now: Duration) -> Self {
        let Stored { generation, protocol_type, protocol, leader, members } = stored;
        let mut group = Self { generation, protocol_type, ..Self::new(id, limits) };
        for (id, profile, assignment) in members {
            group.insert(Member { assignment, ..Member::new(id, profile, now) });
        }
        if !group.members.is_empty() {
            (group.protocol, group.leader) = (protocol, leader);
            group.state = match group.leader {
                Some(_) => State::Stable,
                None => State::Preparing { deadline: now + group.rebalance_timeout(), initial: None },
            };
        }
        group.subscribed = group.subscribed_topics();
        group
    }

    /// Those who have been in a generation, so that they may have partitions. Anybody else has still to join, and can do so
    /// elsewhere (`upgrade` of the newer protocol).
    pub(crate) fn settled_members(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| !member.is_new)
    }

    /// Everybody who waits is to join again: a group of the newer protocol takes the place of this one.
    pub(crate) fn send_away(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for member in self.members.values() {
            self.refuse(member, ErrorCode::REBALANCE_IN_PROGRESS, &mut actions);
        }
        actions
    }

    /// Whether nobody uses the group: no members, none announced.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty()
    }

    /// When the group wants to be told the time again.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let state = match self.state {
            State::Preparing { deadline, .. } => Some(deadline),
            State::Completing { .. } | State::Empty | State::Stable => self.sync_deadline,
        };
        let sessions = self.members.values().filter_map(Member::deadline);
        sessions.chain(self.pending.values().copied()).chain(state).min()
    }

    /// Checks that a request comes from a member that was not replaced (Kafka: `ClassicGroup.validateMember`).
    fn check_member(&self, id: &Text, instance_id: Option<&Text>) -> Checked {
        if let Some(holder) = instance_id.and_then(|instance_id| self.static_members.get(instance_id)) {
            return if holder == id { Ok(()) } else { Err(ErrorCode::FENCED_INSTANCE_ID) };
        }
        let known = self.members.contains_key(id) && instance_id.is_none();
        if known { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) }
    }

    fn insert(&mut self, member: Member) {
        if let Some(instance_id) = &member.profile.instance_id {
            self.static_members.insert(instance_id.clone(), member.id.clone());
        }
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member out; what it waits for is answered as unknown.
    fn remove(&mut self, id: &Text, actions: &mut Vec<Action>) {
        let Some(member) = self.members.remove(id) else { return };
        self.refuse(&member, ErrorCode::UNKNOWN_MEMBER_ID, actions);
        if let Some(instance_id) = &member.profile.instance_id {
            self.static_members.remove(instance_id);
        }
        if self.leader.as_ref() == Some(id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    fn refuse(&self, member: &Member, error: ErrorCode, actions: &mut Vec<Action>) {
        // Who is not known any more begins anew, without an id.
        let id = if error == ErrorCode::UNKNOWN_MEMBER_ID { Text::new() } else { member.id.clone() };
        actions.extend(member.joining.map(|waiter| Action::Joined(waiter, JoinAnswer::refused(error, id))));
        actions.extend(member.syncing.map(|waiter| Action::Synced(waiter, SyncAnswer::refused(error))));
    }

    fn is_leader(&self, id: &Text) -> bool {
        self.leader.as_ref() == Some(id)
    }

    fn all_joined(&self) -> bool {
        self.pending.is_empty() && self.members.values().all(|member| member.joining.is_some())
    }
}
