//! A consumer group of the newer protocol (KIP-848) as a machine without I/O (Kafka: `ConsumerGroup` and the
//! `consumerGroup*` methods of `GroupMetadataManager`).
//!
//! A request or the time goes in, a [`Change`] comes out: records and an answer. The group changes only when the change is
//! [applied](Group::apply), which is done once its records have a place in the log. The same records, read from the log,
//! make the same group again. What is refused changes nothing.
//!
//! Three numbers drive a group. Its **epoch** rises with every change of members, subscriptions or topics. The **target's
//! epoch** follows when the next heartbeat makes a new assignment. Each **member's epoch** follows when the member has
//! given back what is no longer its own:
//!
//! ```text
//!                 the target takes something away
//!        ┌──────────────────────────────────────────────┐
//!        │                                              ▼
//!     Stable ◄───────── all is there ────────── Unrevoked (old epoch)
//!        │  ▲                                           │ given back
//!        │  └──────────── all is there ───────┐         │
//!        └─ others still have something ─► Unreleased ◄─┘
//!                                          (new epoch)
//! ```
//!
//! # Layout
//!
//! - `request`: what a heartbeat says, checked; `heartbeat`: what becomes of it; `leave`: members that go.
//! - `assignor`: who is to have what; `reconcile`: one member's way there; `subscription`: topics that members want, by
//!   name or by `pattern`.
//! - `classic`: members that speak the classic protocol; `upgrade`, `downgrade`: groups that go from one to the other.
//! - `record`, `format`: the records, and their bytes in `__consumer_offsets`.
//! - `offsets`: who may commit and fetch; `view`: what tools are told.

mod assignment;
mod assignor;
mod classic;
mod downgrade;
mod format;
mod heartbeat;
mod leave;
mod member;
mod offsets;
mod pattern;
mod reconcile;
mod record;
mod request;
mod subscription;
#[cfg(test)]
mod tests;
mod upgrade;
mod view;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use mainstem_protocol::{ErrorCode, Text};

pub(crate) use self::{
    assignment::Assignment,
    assignor::Assignor,
    format::{keys_of, stored_record},
    heartbeat::Beat,
    member::{ClassicProfile, Member},
    pattern::{Compiled, Looked, Matched},
    record::Record,
    request::{Client, Heartbeat},
    subscription::{Catalogue, Resolved},
};
use self::{assignment::TopicPartition, assignor::Targets, classic::Timer};
use crate::group::classic::Stored;

/// The epoch that a member sends in order to join.
pub(crate) const JOIN: i32 = 0;
/// The epoch that a member sends in order to leave.
pub(crate) const LEAVE: i32 = -1;
/// The epoch that a static member sends when it leaves and will be back.
pub(crate) const LEAVE_FOR_A_WHILE: i32 = -2;

/// What every group obeys.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// How long a member may be silent (Kafka: `group.consumer.session.timeout.ms`).
    pub(crate) session_timeout: Duration,
    /// Members that a group may have (Kafka: `group.consumer.max.size`).
    pub(crate) members_max: usize,
    /// The assignors that members may ask for; the first is for those who ask for none (Kafka:
    /// `group.consumer.assignors`).
    pub(crate) assignors: Vec<Assignor>,
    /// Whether a classic group with members may become one like this.
    pub(crate) may_upgrade: bool,
    /// Members that a classic group may have that this one would become; none where it may not become one.
    pub(crate) classic_members_max: Option<usize>,
}

/// A request that is refused: the code, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) error: ErrorCode,
    pub(crate) message: Option<String>,
}

/// What is to happen to a group, and what is answered once it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Change<A> {
    pub(crate) records: Vec<Record>,
    pub(crate) answer: A,
    /// The member that was heard of.
    heard: Option<Text>,
    /// The version of the topics that the change has looked at.
    looked_at: Option<u64>,
    /// What is to be waited for from now on, or no more, from a member of the classic protocol.
    timer: Option<(Text, Timer)>,
    /// The classic group that takes the place of this one.
    pub(crate) successor: Option<Stored>,
}

/// A group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: Text,
    pub(crate) epoch: i32,
    pub(crate) target_epoch: i32,
    pub(crate) members: BTreeMap<Text, Member>,
    /// What each member is to have.
    targets: Targets,
    /// The topics that each pattern matches.
    patterns: BTreeMap<Text, Resolved>,
    /// A hash of the topics that the epoch was made for.
    metadata_hash: i64,
    /// Which member holds an instance id.
    static_members: BTreeMap<Text, Text>,
    /// Who has each partition, or has still to give it back.
    owners: HashMap<TopicPartition, Text>,
    /// When a member is given up unless it is heard of.
    sessions: BTreeMap<Text, Duration>,
    /// When a member must have given back what was taken from it, and in which of its epochs it was told so.
    revocations: BTreeMap<Text, (Duration, i32)>,
    /// When members of the classic protocol must have joined again who were asked to.
    joins: BTreeMap<Text, Duration>,
    /// When members of the classic protocol must have asked for their assignment who have joined.
    syncs: BTreeMap<Text, Duration>,
    /// The version of the topics that the group knows.
    topics_version: Option<u64>,
    limits: Limits,
}

/// Where a group stands (Kafka: `ConsumerGroupState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No members.
    Empty,
    /// The target is older than the group.
    Assigning,
    /// Somebody is on the way to the target.
    Reconciling,
    /// Everybody has what the target says.
    Stable,
}

impl State {
    /// The name as Kafka has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

impl Refusal {
    pub(crate) fn new(error: ErrorCode, message: impl Into<String>) -> Self {
        Self { error, message: Some(message.into()) }
    }
}

impl<A> Change<A> {
    const fn new(answer: A) -> Self {
        Self { records: Vec::new(), answer, heard: None, looked_at: None, timer: None, successor: None }
    }

    /// The same change with another answer.
    fn map<B>(self, other: impl FnOnce(A) -> B) -> Change<B> {
        let Self { records, answer, heard, looked_at, timer, successor } = self;
        Change { records, answer: other(answer), heard, looked_at, timer, successor }
    }
}

impl Group {
    /// A group that nothing is known of.
    pub(crate) fn new(id: Text, limits: Limits) -> Self {
        Self {
            id,
            epoch: 0,
            target_epoch: 0,
            members: BTreeMap::new(),
            targets: Targets::new(),
            patterns: BTreeMap::new(),
            metadata_hash: 0,
            static_members: BTreeMap::new(),
            owners: HashMap::new(),
            sessions: BTreeMap::new(),
            revocations: BTreeMap::new(),
            joins: BTreeMap::new(),
            syncs: BTreeMap::new(),
            topics_version: None,
            limits,
        }
    }

    /// The group that its records tell of. Members get a session to be heard of again, and those who have something to
    /// give back the time for that.
    pub(crate) fn restored(
        id: Text,
        limits: Limits,
        records: impl IntoIterator<Item = Record>,
        now: Duration,
    ) -> Self {
        let mut group = Self::new(id, limits);
        for record in records {
            group.replay(record, now);
        }
        group.begin_sessions(now);
        group
    }

    fn begin_sessions(&mut self, now: Duration) {
        let sessions = self.members.iter().map(|(id, member)| (id.clone(), now + self.session_of(member)));
        self.sessions = sessions.collect();
    }

    /// How long members may be silent from their next heartbeat on.
    pub(crate) const fn set_session_timeout(&mut self, session_timeout: Duration) {
        self.limits.session_timeout = session_timeout;
    }

    /// How long a member may be silent; one of the classic protocol says so itself.
    fn session_of(&self, member: &Member) -> Duration {
        member.profile.classic.as_ref().map_or(self.limits.session_timeout, |classic| classic.session_timeout)
    }

    /// Makes a change happen.
    pub(crate) fn apply<A>(&mut self, change: Change<A>, now: Duration) -> A {
        let Change { records, answer, heard, looked_at, timer, successor: _ } = change;
        for record in records {
            self.replay(record, now);
        }
        if let Some(member) = heard.as_ref().and_then(|id| self.members.get(id)) {
            self.sessions.insert(member.id.clone(), now + self.session_of(member));
        }
        if let Some((member, timer)) = timer {
            self.set_timer(member, timer, now);
        }
        self.topics_version = looked_at.or(self.topics_version);
        answer
    }

    pub(crate) fn state(&self) -> State {
        let is_reconciled = |member: &Member| member.is_reconciled_to(self.target_epoch);
        if self.members.is_empty() {
            State::Empty
        } else if self.epoch > self.target_epoch {
            State::Assigning
        } else if self.members.values().all(is_reconciled) {
            State::Stable
        } else {
            State::Reconciling
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// What a member is to have.
    pub(crate) fn target(&self, member: &Text) -> Assignment {
        self.targets.get(member).cloned().unwrap_or_default()
    }

    /// When the group wants to be told the time again.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let revocations = self.revocations.values().map(|(deadline, _)| *deadline);
        let classic = self.joins.values().chain(self.syncs.values());
        self.sessions.values().chain(classic).copied().chain(revocations).min()
    }

    /// The assignor that most members ask for; of several, the one whose name comes last, so that it is always the same.
    /// None where nobody asks.
    fn preferred_assignor<'a>(&self, members: impl Iterator<Item = &'a Member>) -> Option<Assignor> {
        let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
        for assignor in members.filter_map(|member| Assignor::named(member.profile.assignor.as_ref()?)) {
            *votes.entry(assignor).or_default() += 1;
        }
        votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(assignor, _)| assignor)
    }

    /// The assignor for those who ask for none.
    fn default_assignor(&self) -> Assignor {
        self.limits.assignors.first().copied().unwrap_or(Assignor::Uniform)
    }
}
