//! What may be done with the offsets of a group, and with the group itself.

use std::{collections::BTreeSet, time::Duration};

use mainstem_protocol::{
    ErrorCode, Text,
    formats::consumer::{PROTOCOL_TYPE, Subscription},
};

use super::{Checked, Group, State};
use crate::group::Ageing;

impl Group {
    /// Whether an offset commit may come in (Kafka: `ClassicGroup.validateOffsetCommit`).
    ///
    /// # Errors
    /// The code to answer.
    pub(crate) fn check_commit(
        &mut self,
        id: &Text,
        instance_id: Option<&Text>,
        generation: i32,
        now: Duration,
    ) -> Checked {
        if generation < 0 && self.state == State::Empty {
            // A consumer that assigns itself its partitions, or an administrator.
            return Ok(());
        }
        if generation >= 0 || !id.is_empty() || instance_id.is_some() {
            self.check_generation(id, instance_id, generation)?;
        } else {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if matches!(self.state, State::Completing { .. }) {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        self.touch(id, now);
        Ok(())
    }

    /// Whether a member may commit in a transaction: also while the group is assigning.
    ///
    /// # Errors
    /// The code to answer.
    pub(crate) fn check_txn_commit(&self, id: &Text, instance_id: Option<&Text>, generation: i32) -> Checked {
        if generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        self.check_generation(id, instance_id, generation)
    }

    /// Whether the group may be deleted (Kafka: `ClassicGroup.validateDeleteGroup`).
    ///
    /// # Errors
    /// The code to answer.
    pub(crate) fn check_delete(&self) -> Checked {
        if self.state == State::Empty { Ok(()) } else { Err(ErrorCode::NON_EMPTY_GROUP) }
    }

    /// Whether single offsets may be deleted (Kafka: `ClassicGroup.validateOffsetDelete`): while there are members
    /// only where it can be told what they read.
    ///
    /// # Errors
    /// The code to answer.
    pub(crate) fn check_offset_delete(&self) -> Checked {
        let allowed = self.state == State::Empty || self.speaks_consumer();
        if allowed { Ok(()) } else { Err(ErrorCode::NON_EMPTY_GROUP) }
    }

    /// From when on the offsets grow old (Kafka: `ClassicGroup.offsetExpirationCondition`). Of a stable group only those
    /// of topics that nobody reads are looked at, so it must be told what its members read.
    pub(crate) fn ageing(&self) -> Ageing {
        let is_known = self.speaks_consumer() && self.subscribed.is_some();
        match self.state {
            // A consumer that assigns itself its partitions: it only ever commits.
            _ if self.protocol_type.is_none() => Ageing::SinceCommit,
            State::Empty => Ageing::SinceEmpty,
            State::Stable if is_known => Ageing::SinceCommit,
            _ => Ageing::Never,
        }
    }

    /// Whether a member reads the topic. Where members say so in a way that cannot be read, they may read anything
    /// (Kafka: `ClassicGroup.isSubscribedToTopic`).
    pub(crate) fn is_subscribed(&self, topic: &Text) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.speaks_consumer(),
        }
    }

    /// Whether the members say in the consumer protocol what they read.
    pub(crate) fn speaks_consumer(&self) -> bool {
        self.protocol_type.as_deref() == Some(PROTOCOL_TYPE)
    }

    /// What the members of a generation have subscribed to, as far as they say it in the consumer protocol
    /// (Kafka: `ClassicGroup.computeSubscribedTopics`).
    pub(super) fn subscribed_topics(&self) -> Option<BTreeSet<Text>> {
        if !self.speaks_consumer() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol.as_ref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(Subscription::topics_of(member.metadata(protocol)).ok()?);
        }
        Some(topics)
    }
}
