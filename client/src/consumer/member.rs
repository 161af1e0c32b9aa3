//! What a consumer is to its group.

use mainstem_protocol::Text;

use super::{Consumer, group::MemberIdentity};

/// On whose behalf offsets are committed in a transaction
/// ([`send_offsets_to_transaction`](crate::TransactionalProducer::send_offsets_to_transaction)): a group, and the member of it
/// that has read, as it was when it did.
///
/// ```
/// use mainstem_client::consumer::GroupMetadata;
///
/// let group = GroupMetadata::of_group("readers");
/// assert_eq!((&*group.member_id, group.generation), ("", -1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMetadata {
    /// The group.
    pub group: Text,
    /// The generation of the group, or in the newer protocol the epoch of the member; -1 for somebody outside of the group.
    pub generation: i32,
    /// The member; empty for somebody outside of the group.
    pub member_id: Text,
    /// The name of a static member.
    pub instance_id: Option<Text>,
}

impl GroupMetadata {
    /// Somebody who chooses partitions by itself: brokers take its offsets only while the group has no members.
    ///
    /// ```
    /// let group = mainstem_client::consumer::GroupMetadata::of_group("readers");
    /// assert_eq!(group.group, "readers");
    /// ```
    #[must_use]
    pub fn of_group(group: impl Into<Text>) -> Self {
        let MemberIdentity { id: member_id, generation } = MemberIdentity::OUTSIDER;
        Self { group: group.into(), generation, member_id, instance_id: None }
    }

    /// Whether a member is named.
    pub(crate) fn is_member(&self) -> bool {
        self.generation >= 0 || !self.member_id.is_empty() || self.instance_id.is_some()
    }
}

impl Consumer {
    /// On whose behalf this consumer's offsets are committed in a transaction. None without a group, and while a consumer that
    /// has subscribed is no member: what it has read may belong to others.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Consumer, ConsumerConfig};
    ///
    /// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
    /// consumer.subscribe(["greetings"])?;
    /// assert_eq!(consumer.group_metadata(), None);
    /// consumer.poll(Duration::from_secs(10)).await?;
    /// assert_eq!(consumer.group_metadata().map(|group| group.member_id), consumer.member_id());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        let group = self.config.group_id.clone()?;
        let Some(membership) = &self.membership else { return Some(GroupMetadata::of_group(group)) };
        let MemberIdentity { id: member_id, generation } = membership.identity().borrow().clone();
        let is_member = generation != MemberIdentity::OUTSIDER.generation;
        let instance_id = self.config.group_instance_id.clone();
        is_member.then_some(GroupMetadata { group, generation, member_id, instance_id })
    }

    /// As whom the group's coordinator knows the consumer, as [`GroupMember::id`](crate::admin::GroupMember::id) has it; none
    /// while it is no member.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Consumer, ConsumerConfig};
    ///
    /// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
    /// consumer.subscribe(["greetings"])?;
    /// assert_eq!(consumer.member_id(), None);
    /// consumer.poll(Duration::from_secs(10)).await?;
    /// assert!(consumer.member_id().is_some());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn member_id(&self) -> Option<Text> {
        let identity = self.membership.as_ref()?.identity().borrow().clone();
        (identity != MemberIdentity::OUTSIDER).then_some(identity.id)
    }
}
