//! One member of a group.

use std::time::Duration;

use bytes::Bytes;
use mainstem_protocol::Text;

use super::{Profile, Waiter};

/// A way of assigning partitions that a member can follow, with what the leader needs to know of the member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) name: Text,
    pub(crate) metadata: Bytes,
}

/// A member and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: Text,
    pub(crate) profile: Profile,
    /// What the leader gave it in the current generation.
    pub(crate) assignment: Bytes,
    /// The JoinGroup that is not answered yet.
    pub(super) joining: Option<Waiter>,
    /// The SyncGroup that is not answered yet.
    pub(super) syncing: Option<Waiter>,
    /// Whether it has not been in a generation yet.
    pub(super) is_new: bool,
    /// Whether its SyncGroup for this generation is still to come.
    pub(super) sync_expected: bool,
    /// When it is taken for dead, unless it is heard of.
    pub(super) expires: Duration,
}

impl Member {
    pub(super) fn new(id: Text, profile: Profile, now: Duration) -> Self {
        let expires = now + profile.session_timeout;
        Self {
            id,
            profile,
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            is_new: false,
            sync_expected: false,
            expires,
        }
    }

    pub(crate) fn is_static(&self) -> bool {
        self.profile.instance_id.is_some()
    }

    /// When it is taken for dead. A member that waits for an answer sends no heartbeats meanwhile; but one that is new
    /// may have given up and come again under another id, and must not stay for ever (Kafka:
    /// `ClassicGroupMember.hasSatisfiedHeartbeat`).
    pub(super) fn deadline(&self) -> Option<Duration> {
        let waits = self.joining.is_some() || self.syncing.is_some();
        (self.is_new || !waits).then_some(self.expires)
    }

    pub(super) fn touch(&mut self, now: Duration) {
        self.expires = now + self.profile.session_timeout;
    }

    pub(super) fn supports(&self, name: &str) -> bool {
        self.profile.protocols.iter().any(|protocol| protocol.name == name)
    }

    /// What the member says of itself for a protocol.
    pub(crate) fn metadata(&self, name: &str) -> Bytes {
        let found = self.profile.protocols.iter().find(|protocol| protocol.name == name);
        found.map(|protocol| protocol.metadata.clone()).unwrap_or_default()
    }
}
