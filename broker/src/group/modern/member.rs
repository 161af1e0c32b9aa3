//! A member: what it says of itself, and how far it is on its way to the target (Kafka: `ConsumerGroupMember`).

use std::{collections::BTreeSet, time::Duration};

use mainstem_protocol::Text;

use super::{Assignment, Heartbeat, JOIN};
use crate::group::classic::Protocol;

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: Text,
    pub(crate) profile: Profile,
    pub(crate) current: Current,
}

/// What a member says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) instance_id: Option<Text>,
    pub(crate) rack_id: Option<Text>,
    pub(crate) client_id: Text,
    pub(crate) client_host: Text,
    /// The topics that it names.
    pub(crate) topics: BTreeSet<Text>,
    /// The pattern whose topics it wants; an empty one matches none.
    pub(crate) pattern: Option<Text>,
    /// How long it may take to give partitions back.
    pub(crate) rebalance_timeout: Duration,
    /// The assignor that it asks for.
    pub(crate) assignor: Option<Text>,
    /// What it says besides if it speaks the classic protocol.
    pub(crate) classic: Option<ClassicProfile>,
}

/// What a member of the classic protocol says that one of the newer protocol does not (Kafka:
/// `ClassicMemberMetadata`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClassicProfile {
    pub(crate) session_timeout: Duration,
    /// In the order of its liking; the first one is that of all answers.
    pub(crate) protocols: Vec<Protocol>,
}

/// What a member has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Current {
    pub(crate) state: State,
    pub(crate) epoch: i32,
    /// The epoch before, which a member sends whose answer got lost.
    pub(crate) previous_epoch: i32,
    pub(crate) assigned: Assignment,
    /// What it has still to give back.
    pub(crate) revoking: Assignment,
}

/// Where a member stands (Kafka: `MemberState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It has what the target of its epoch says.
    Stable,
    /// It has something to give back before it may go to the next epoch.
    Unrevoked,
    /// It waits for what others have still to give back.
    Unreleased,
}

impl Member {
    /// A member of which nothing is known yet.
    pub(crate) fn new(id: Text) -> Self {
        Self { id, profile: Profile::default(), current: Current::default() }
    }

    /// Whether the member has all that the target of this epoch says.
    pub(crate) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.current.state == State::Stable && self.current.epoch == target_epoch
    }

    /// Whether the member speaks the classic protocol.
    pub(crate) const fn is_classic(&self) -> bool {
        self.profile.classic.is_some()
    }

    /// A static member that comes back under another id has what it had.
    pub(super) fn returned_as(&self, id: Text) -> Self {
        let current = Current { epoch: JOIN, previous_epoch: JOIN, ..self.current.clone() };
        Self { id, profile: self.profile.clone(), current }
    }

    /// The pattern, if it is one that can match anything.
    pub(super) fn pattern(&self) -> Option<&Text> {
        self.profile.pattern.as_ref().filter(|pattern| !pattern.is_empty())
    }
}

impl Profile {
    /// What a heartbeat says replaces what was known; what it does not say stays. Members of the classic protocol have no
    /// patterns: what another member had under the same instance id is not theirs.
    pub(super) fn told(&self, beat: &Heartbeat) -> Self {
        Self {
            instance_id: beat.instance_id.clone().or_else(|| self.instance_id.clone()),
            rack_id: beat.rack_id.clone().or_else(|| self.rack_id.clone()),
            client_id: beat.client.id.clone(),
            client_host: beat.client.host.clone(),
            topics: beat.topics.clone().unwrap_or_else(|| self.topics.clone()),
            pattern: beat.pattern.clone().or_else(|| self.pattern.clone().filter(|_| beat.classic.is_none())),
            rebalance_timeout: beat.rebalance_timeout.unwrap_or(self.rebalance_timeout),
            assignor: beat.assignor.clone().or_else(|| self.assignor.clone()),
            classic: beat.classic.clone(),
        }
    }
}

impl Default for Current {
    fn default() -> Self {
        Self {
            state: State::Stable,
            epoch: JOIN,
            previous_epoch: -1,
            assigned: Assignment::default(),
            revoking: Assignment::default(),
        }
    }
}
