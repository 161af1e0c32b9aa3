//! Who may commit and fetch offsets (Kafka: `ConsumerGroup.validateOffsetCommit`, `validateOffsetFetch`).

use mainstem_protocol::{ErrorCode, Text};

use super::{Group, Member};

/// From this version on OffsetCommit knows members' epochs (KIP-848).
const EPOCHS_SINCE: i16 = 9;

impl Group {
    /// Whether offsets may be committed.
    ///
    /// # Errors
    /// The code to answer.
    pub(crate) fn check_commit(&self, version: i16, member: &Text, epoch: i32) -> Result<(), ErrorCode> {
        // A consumer that assigns itself its partitions, or an administrator.
        if epoch < 0 && self.members.is_empty() {
            return Ok(());
        }
        let known = self.members.get(member).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if version < EPOCHS_SINCE && !known.is_classic() {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        check_epoch(known, epoch)
    }

    /// Whether a member may commit in a transaction. The request knows no epochs, so that a stale one is a generation.
    ///
    /// # Errors
    /// The code to answer.
    pub(crate) fn check_txn_commit(&self, member: &Text, epoch: i32) -> Result<(), ErrorCode> {
        self.check_commit(EPOCHS_SINCE, member, epoch).map_err(|error| match error {
            ErrorCode::STALE_MEMBER_EPOCH => ErrorCode::ILLEGAL_GENERATION,
            error => error,
        })
    }

    /// Whether offsets may be fetched. Who names no member needs none.
    ///
    /// # Errors
    /// The code to answer.
    pub(crate) fn check_fetch(&self, member: Option<&Text>, epoch: i32) -> Result<(), ErrorCode> {
        if member.is_none() && epoch < 0 {
            return Ok(());
        }
        let known = member.and_then(|member| self.members.get(member)).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        check_epoch(known, epoch)
    }

    /// Whether the group may be deleted (Kafka: `ConsumerGroup.validateDeleteGroup`).
    ///
    /// # Errors
    /// The code to answer.
    pub(crate) fn check_delete(&self) -> Result<(), ErrorCode> {
        if self.is_empty() { Ok(()) } else { Err(ErrorCode::NON_EMPTY_GROUP) }
    }

    /// Whether a member wants a topic, so that its offsets must stay (Kafka: `ConsumerGroup.isSubscribedToTopic`).
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        let named = self.members.values().any(|member| member.profile.topics.contains(topic));
        named || self.patterns.values().any(|pattern| pattern.topics.contains(topic))
    }
}

/// To a member of the classic protocol its epoch is a generation.
const fn check_epoch(member: &Member, epoch: i32) -> Result<(), ErrorCode> {
    match epoch == member.current.epoch {
        true => Ok(()),
        false if member.is_classic() => Err(ErrorCode::ILLEGAL_GENERATION),
        false => Err(ErrorCode::STALE_MEMBER_EPOCH),
    }
}
