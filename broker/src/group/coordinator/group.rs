//! A group of either kind (Kafka: the interface `Group`): what requests need that do not care which one it is.
//!
//! Requests of one kind alone take the variant that they are for.

use std::time::Duration;

use mainstem_protocol::{
    Text,
    formats::offsets::{GroupMetadataKey, Key},
};

use crate::group::{
    Ageing,
    classic::{self, Action, Checked},
    log::Records,
    modern,
};

/// What Kafka calls the protocol of every group of the newer kind.
const PROTOCOL_TYPE: Text = Text::from_static("consumer");

/// A group of either kind.
#[derive(Debug)]
pub(in crate::group) enum Group {
    /// Its members share the partitions among themselves.
    Classic(classic::Group),
    /// The broker shares them out (KIP-848).
    Modern(modern::Group),
}

impl Group {
    pub(in crate::group) const fn id(&self) -> &Text {
        match self {
            Self::Classic(group) => &group.id,
            Self::Modern(group) => &group.id,
        }
    }

    pub(in crate::group) const fn is_modern(&self) -> bool {
        matches!(self, Self::Modern(_))
    }

    pub(in crate::group) const fn id_mut(&mut self) -> &mut Text {
        match self {
            Self::Classic(group) => &mut group.id,
            Self::Modern(group) => &mut group.id,
        }
    }

    /// What kind of group it is (Kafka: `Group.GroupType`).
    pub(in crate::group) const fn kind(&self) -> Text {
        match self {
            Self::Classic(_) => Text::from_static("classic"),
            Self::Modern(_) => Text::from_static("consumer"),
        }
    }

    /// The name of its state as Kafka has it.
    pub(in crate::group) fn state(&self) -> Text {
        match self {
            Self::Classic(group) => Text::from_static(group.state.name()),
            Self::Modern(group) => Text::from_static(group.state().name()),
        }
    }

    pub(in crate::group) fn protocol_type(&self) -> Text {
        match self {
            Self::Classic(group) => group.protocol_type.clone().unwrap_or_default(),
            Self::Modern(_) => PROTOCOL_TYPE,
        }
    }

    pub(in crate::group) fn members(&self) -> usize {
        match self {
            Self::Classic(group) => group.members.len(),
            Self::Modern(group) => group.members.len(),
        }
    }

    /// Whether nobody uses the group: no members, none announced.
    pub(in crate::group) fn is_empty(&self) -> bool {
        match self {
            Self::Classic(group) => group.is_empty(),
            Self::Modern(group) => group.is_empty(),
        }
    }

    /// When the group wants to be told the time again.
    pub(in crate::group) fn next_deadline(&self) -> Option<Duration> {
        match self {
            Self::Classic(group) => group.next_deadline(),
            Self::Modern(group) => group.next_deadline(),
        }
    }

    /// Lets time pass; a group of the newer protocol does so by changes.
    pub(in crate::group) fn tick(&mut self, now: Duration) -> Vec<Action> {
        match self {
            Self::Classic(group) => group.tick(now),
            Self::Modern(_) => Vec::new(),
        }
    }

    /// Whether an offset commit may come in.
    ///
    /// # Errors
    /// The code to answer.
    pub(in crate::group) fn check_commit(
        &mut self,
        member_id: &Text,
        instance_id: Option<&Text>,
        generation_or_epoch: i32,
        version: i16,
        now: Duration,
    ) -> Checked {
        match self {
            Self::Classic(group) => group.check_commit(member_id, instance_id, generation_or_epoch, now),
            Self::Modern(group) => group.check_commit(version, member_id, generation_or_epoch),
        }
    }

    /// Whether offsets may be committed in a transaction.
    ///
    /// # Errors
    /// The code to answer.
    pub(in crate::group) fn check_txn_commit(
        &self,
        member_id: &Text,
        instance_id: Option<&Text>,
        generation_or_epoch: i32,
    ) -> Checked {
        // Old versions of TxnOffsetCommit say nothing of the member.
        if generation_or_epoch < 0 && member_id.is_empty() && instance_id.is_none() {
            return Ok(());
        }
        match self {
            Self::Classic(group) => group.check_txn_commit(member_id, instance_id, generation_or_epoch),
            Self::Modern(group) => group.check_txn_commit(member_id, generation_or_epoch),
        }
    }

    /// Whether offsets may be fetched (Kafka: `Group.validateOffsetFetch`).
    ///
    /// # Errors
    /// The code to answer.
    pub(in crate::group) fn check_fetch(&self, member_id: Option<&Text>, member_epoch: i32) -> Checked {
        match self {
            // A member of a classic group says nothing of itself.
            Self::Classic(_) => Ok(()),
            Self::Modern(group) => group.check_fetch(member_id, member_epoch),
        }
    }

    /// Whether the group may be deleted (Kafka: `Group.validateDeleteGroup`).
    ///
    /// # Errors
    /// The code to answer.
    pub(in crate::group) fn check_delete(&self) -> Checked {
        match self {
            Self::Classic(group) => group.check_delete(),
            Self::Modern(group) => group.check_delete(),
        }
    }

    /// Whether single offsets of the group may be deleted (Kafka: `Group.validateOffsetDelete`).
    ///
    /// # Errors
    /// The code to answer.
    pub(in crate::group) fn check_offset_delete(&self) -> Checked {
        match self {
            Self::Classic(group) => group.check_offset_delete(),
            // What its members read is known.
            Self::Modern(_) => Ok(()),
        }
    }

    /// From when on the group's offsets grow old (Kafka: `Group.offsetExpirationCondition`).
    pub(in crate::group) fn ageing(&self) -> Ageing {
        match self {
            Self::Classic(group) => group.ageing(),
            Self::Modern(_) => Ageing::SinceCommit,
        }
    }

    /// Whether a member reads the topic, as far as the group knows.
    pub(in crate::group) fn is_subscribed(&self, topic: &Text) -> bool {
        match self {
            Self::Classic(group) => group.is_subscribed(topic),
            Self::Modern(group) => group.is_subscribed_to(topic),
        }
    }

    /// What takes the group out of the log, offsets aside (Kafka: `Group.createGroupTombstoneRecords`).
    pub(in crate::group) fn tombstones(&self) -> Records {
        match self {
            Self::Classic(group) => vec![(Key::Group(GroupMetadataKey { group: group.id.clone() }), None)],
            Self::Modern(group) => group.tombstones(),
        }
    }
}
