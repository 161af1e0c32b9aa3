//! Deletes groups, and takes members out of them.

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{
        DeleteGroupsRequest, LeaveGroupRequest, LeaveGroupResponse,
        leave_group::{MemberIdentity, MemberResponse},
    },
};

use super::{
    super::{Admin, AdminError},
    DeleteGroupError, RemoveMembersError,
};
use crate::{
    cluster::feature::Feature,
    transport::{Lane, Node, TransportError},
};

/// The first version of LeaveGroup that takes several members out at once (KIP-345).
const SEVERAL: i16 = 3;

/// What a member is told by whom it was taken out.
const REASON: Text = Text::from_static("removed by an admin");

/// Somebody who is to be taken out of a group.
///
/// ```
/// use mainstem_client::admin::Departure;
///
/// assert_ne!(Departure::Member("billing-1".into()), Departure::Instance("billing-1".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Departure {
    /// The member of that id, which the coordinator has given it.
    Member(Text),
    /// The static member of that instance id, which it has brought along (Kafka 2.4 or newer).
    Instance(Text),
}

impl Departure {
    const fn name(&self) -> &Text {
        match self {
            Self::Member(id) | Self::Instance(id) => id,
        }
    }

    fn identity(&self) -> MemberIdentity {
        let reason = Some(REASON);
        match self.clone() {
            Self::Member(member_id) => MemberIdentity { member_id, group_instance_id: None, reason },
            Self::Instance(id) => {
                MemberIdentity { group_instance_id: Some(id), reason, ..Default::default() }
            }
        }
    }
}

impl Admin {
    /// Deletes a group with its committed offsets.
    ///
    /// # Errors
    /// Where it has members, there is none of that name, or its coordinator does not answer.
    ///
    /// # Cancel safety
    /// Dropped, the group may be deleted all the same; calling again then says that there is none.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, Offset, TopicPartition};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// admin.alter_group_offsets("readers", &[(TopicPartition::new("greetings", 0), Offset(1))]).await?;
    /// admin.delete_group("readers").await?;
    /// assert_eq!(admin.list_groups().await?, []);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn delete_group(&self, group: &str) -> Result<(), DeleteGroupError> {
        let (subject, id) = (format!("group {group}"), Text::from(group));
        let request = DeleteGroupsRequest { groups_names: vec![id.clone()] };
        let deleted = self.trying(|| async {
            let coordinator = self.cluster.coordinator(&id, self.config.timeout).await?;
            let answer = self.cluster.ask(Node::Id(coordinator), request.clone()).await?;
            let no_answer = || AdminError::NoAnswer { subject: subject.clone() };
            let result = answer.results.into_iter().next().ok_or_else(no_answer)?;
            AdminError::check(&subject, result.error_code, None)
        });
        deleted.await.map_err(|error| DeleteGroupError::of(error, &id))
    }

    /// Takes members out of a group, as if they had left it. A member that still runs joins again.
    ///
    /// # Errors
    /// Where the group does not know one of them, its coordinator does not answer, or a static member is named and the
    /// broker is older than Kafka 2.4.
    ///
    /// # Cancel safety
    /// Dropped, some of them may be out all the same; calling again then says that they are no members.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Admin, AdminConfig, Consumer, ConsumerConfig, admin::Departure};
    ///
    /// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
    /// consumer.subscribe(["greetings"])?;
    /// consumer.poll(Duration::from_secs(10)).await?;
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// let all = admin.describe_group("readers").await?.members.into_iter();
    /// let all: Vec<_> = all.map(|member| Departure::Member(member.id)).collect();
    /// admin.remove_members("readers", &all).await?;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn remove_members(&self, group: &str, members: &[Departure]) -> Result<(), RemoveMembersError> {
        let id = Text::from(group);
        let several = self.take_out(&id, members);
        match several.await {
            // Older brokers take one at a time.
            Err(AdminError::Transport(TransportError::TooOld { .. })) => {
                for member in members {
                    let left = self.take_out(&id, std::slice::from_ref(member)).await?;
                    check(&id, std::slice::from_ref(member), &left)?;
                }
                Ok(())
            }
            left => check(&id, members, &left?),
        }
    }

    async fn take_out(&self, group: &Text, members: &[Departure]) -> Result<LeaveGroupResponse, AdminError> {
        self.trying(|| async {
            let node = Node::Id(self.cluster.coordinator(group, self.config.timeout).await?);
            let (request, limit) = (|version| request(group, members, version), self.config.request_timeout);
            let answer = self.cluster.call_if(node, Lane::General, request, limit).await?;
            let code = answer.error_code;
            // What it says of a single member in older versions is read with the members.
            let code = if code == ErrorCode::UNKNOWN_MEMBER_ID { ErrorCode::NONE } else { code };
            AdminError::check(&format!("members of group {group}"), code, None)?;
            Ok(answer)
        })
        .await
    }
}

/// Up to version 2 it names one member, by its id.
fn request(group: &Text, members: &[Departure], version: i16) -> Result<LeaveGroupRequest, TransportError> {
    let group_id = group.clone();
    match members {
        [Departure::Member(member_id)] if version < SEVERAL => {
            Ok(LeaveGroupRequest { group_id, member_id: member_id.clone(), ..Default::default() })
        }
        members => {
            Feature::REMOVAL_OF_STATIC_MEMBERS.require(version)?;
            let members = members.iter().map(Departure::identity).collect();
            Ok(LeaveGroupRequest { group_id, members, ..Default::default() })
        }
    }
}

/// The broker says for each member whether it has left, in the order of the request.
fn check(group: &Text, members: &[Departure], left: &LeaveGroupResponse) -> Result<(), RemoveMembersError> {
    let codes = left.members.iter().map(|MemberResponse { error_code, .. }| *error_code);
    let codes = codes.chain([left.error_code]);
    match members.iter().zip(codes).find(|(_, code)| !code.is_none()) {
        Some((member, code)) => Err(RemoveMembersError::of(group, member.name(), code)),
        None => Ok(()),
    }
}
