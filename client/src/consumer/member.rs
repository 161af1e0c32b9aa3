//! What a consumer is to its group.

use mainstem_protocol::Text;

use super::{Consumer, group::MemberIdentity};

impl Consumer {
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
