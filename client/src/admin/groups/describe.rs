//! Describes a group and its members, whichever of the two protocols they speak.

use mainstem_protocol::{
    BrokerId, ErrorCode, Text,
    formats::consumer::{Assignment, PROTOCOL_TYPE, Subscription},
    messages::{
        ConsumerGroupDescribeRequest, DescribeGroupsRequest, consumer_group_describe,
        describe_groups::{DescribedGroup, DescribedGroupMember},
    },
};

use super::super::{Admin, AdminError};
use crate::{
    TopicPartition,
    transport::{Node, TransportError},
};

/// The state of a group that does not exist, as brokers before version 6 of DescribeGroups have it (KIP-1043).
const DEAD: &str = "Dead";

/// Kafka's names for the types of groups (`Group.GroupType`).
const CLASSIC: Text = Text::from_static("classic");
const CONSUMER: Text = Text::from_static("consumer");

/// A group and its members.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::time::Duration;
/// use mainstem_client::{Admin, AdminConfig, Consumer, ConsumerConfig};
///
/// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
/// consumer.subscribe(["greetings"])?;
/// consumer.poll(Duration::from_secs(10)).await?;
/// let group = Admin::new(&transport, AdminConfig::default()).describe_group("readers").await?;
/// assert_eq!((&*group.state, &*group.protocol, group.members.len()), ("Stable", "range", 1));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its name.
    pub id: Text,
    /// `classic`, or `consumer` where its members speak the newer protocol (KIP-848).
    pub group_type: Text,
    /// Its state, such as `Stable` or `Empty`.
    pub state: Text,
    /// What its members speak; `consumer` for consumers.
    pub protocol_type: Text,
    /// How partitions are shared out, such as `range`; empty while nobody has agreed on it.
    pub protocol: Text,
    /// The epochs of a group of the newer protocol.
    pub epochs: Option<GroupEpochs>,
    /// The broker that coordinates it.
    pub coordinator: BrokerId,
    /// Its members, by client id and member id.
    pub members: Vec<GroupMember>,
}

/// How often a group of the newer protocol has changed (KIP-848).
///
/// ```
/// let epochs = mainstem_client::admin::GroupEpochs { group: 3, assignment: 2 };
/// assert!(epochs.assignment < epochs.group, "the assignment is not made yet");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupEpochs {
    /// Counts changes of members, subscriptions and topics.
    pub group: i32,
    /// The group's epoch that the assignment was made for.
    pub assignment: i32,
}

/// A member of a group.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::time::Duration;
/// use mainstem_client::{Admin, AdminConfig, Consumer, ConsumerConfig};
///
/// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
/// consumer.subscribe(["greetings"])?;
/// consumer.poll(Duration::from_secs(10)).await?;
/// let group = Admin::new(&transport, AdminConfig::default()).describe_group("readers").await?;
/// for member in &group.members {
///     println!("{} at {} reads {:?}", member.client_id, member.host, member.assignment);
/// }
/// assert_eq!(group.members[0].assignment.len(), 2);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// Its id, which the coordinator has given it.
    pub id: Text,
    /// The id that it has brought along, where it is a static member.
    pub instance_id: Option<Text>,
    /// What it calls itself.
    pub client_id: Text,
    /// Where it is.
    pub host: Text,
    /// The topics that it wants to read; empty where it is no consumer, or follows a pattern.
    pub subscribed: Vec<Text>,
    /// The pattern of the topics that it wants to read; the newer protocol alone has such.
    pub pattern: Option<Text>,
    /// What it reads; empty where it is no consumer, or has been given nothing.
    pub assignment: Vec<TopicPartition>,
    /// What it is to read once others have let go; the same as `assignment` in a classic group.
    pub target: Vec<TopicPartition>,
    /// Its epoch, where it speaks the newer protocol.
    pub epoch: Option<i32>,
}

impl Admin {
    /// A group and its members, whichever protocol they speak. Brokers that know the newer one are asked for a group of
    /// it first (Kafka: `DescribeConsumerGroupsHandler`).
    ///
    /// # Errors
    /// Where there is no such group, or its coordinator does not answer.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Admin, AdminConfig, Consumer, ConsumerConfig};
    ///
    /// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
    /// consumer.subscribe(["greetings"])?;
    /// consumer.poll(Duration::from_secs(10)).await?;
    /// let group = Admin::new(&transport, AdminConfig::default()).describe_group("readers").await?;
    /// assert_eq!((&*group.state, &*group.protocol, group.members.len()), ("Stable", "range", 1));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn describe_group(&self, group: &str) -> Result<GroupDescription, AdminError> {
        let id = Text::from(group);
        self.trying(|| async {
            let coordinator = self.cluster.coordinator(&id, self.config.timeout).await?;
            match self.describe_modern(&id, coordinator).await {
                Err(error) if is_no_modern_group(&error) => self.describe_classic(&id, coordinator).await,
                described => described,
            }
        })
        .await
    }

    async fn describe_modern(
        &self,
        group: &Text,
        coordinator: BrokerId,
    ) -> Result<GroupDescription, AdminError> {
        let subject = format!("group {group}");
        let request = ConsumerGroupDescribeRequest { group_ids: vec![group.clone()], ..Default::default() };
        let answer = self.cluster.ask(Node::Id(coordinator), request).await?;
        let no_answer = || AdminError::NoAnswer { subject: subject.clone() };
        let described = answer.groups.into_iter().next().ok_or_else(no_answer)?;
        AdminError::check(&subject, described.error_code, described.error_message.as_ref())?;
        Ok(modern(described, coordinator))
    }

    async fn describe_classic(
        &self,
        group: &Text,
        coordinator: BrokerId,
    ) -> Result<GroupDescription, AdminError> {
        let subject = format!("group {group}");
        let request = DescribeGroupsRequest { groups: vec![group.clone()], ..Default::default() };
        let answer = self.cluster.ask(Node::Id(coordinator), request).await?;
        let no_answer = || AdminError::NoAnswer { subject: subject.clone() };
        let described = answer.groups.into_iter().next().ok_or_else(no_answer)?;
        AdminError::check(&subject, described.error_code, described.error_message.as_ref())?;
        let is_there = &*described.group_state != DEAD;
        let code = if is_there { ErrorCode::NONE } else { ErrorCode::GROUP_ID_NOT_FOUND };
        AdminError::check(&subject, code, None)?;
        Ok(classic(described, coordinator))
    }
}

/// The broker does not know the newer protocol, or no group of it by that name.
fn is_no_modern_group(error: &AdminError) -> bool {
    let unsupported = matches!(error, AdminError::Transport(TransportError::Unsupported { .. }));
    unsupported
        || matches!(error.code(), Some(ErrorCode::GROUP_ID_NOT_FOUND | ErrorCode::UNSUPPORTED_VERSION))
}

fn modern(group: consumer_group_describe::DescribedGroup, coordinator: BrokerId) -> GroupDescription {
    GroupDescription {
        id: group.group_id,
        group_type: CONSUMER,
        state: group.group_state,
        protocol_type: Text::from_static(PROTOCOL_TYPE),
        protocol: group.assignor_name,
        epochs: Some(GroupEpochs { group: group.group_epoch, assignment: group.assignment_epoch }),
        coordinator,
        members: in_order(group.members.into_iter().map(modern_member)),
    }
}

fn modern_member(member: consumer_group_describe::Member) -> GroupMember {
    GroupMember {
        id: member.member_id,
        instance_id: member.instance_id,
        client_id: member.client_id,
        host: member.client_host,
        subscribed: member.subscribed_topic_names,
        pattern: member.subscribed_topic_regex.filter(|pattern| !pattern.is_empty()),
        assignment: partitions(member.assignment),
        target: partitions(member.target_assignment),
        epoch: Some(member.member_epoch),
    }
}

fn partitions(assignment: consumer_group_describe::Assignment) -> Vec<TopicPartition> {
    let topics = assignment.topic_partitions.into_iter();
    spread(topics.map(|topic| (topic.topic_name, topic.partitions)))
}

fn classic(group: DescribedGroup, coordinator: BrokerId) -> GroupDescription {
    let is_of_consumers = &*group.protocol_type == PROTOCOL_TYPE;
    GroupDescription {
        id: group.group_id,
        group_type: CLASSIC,
        state: group.group_state,
        protocol_type: group.protocol_type,
        protocol: group.protocol_data,
        epochs: None,
        coordinator,
        members: in_order(group.members.into_iter().map(|each| classic_member(each, is_of_consumers))),
    }
}

fn in_order(members: impl Iterator<Item = GroupMember>) -> Vec<GroupMember> {
    let mut members: Vec<_> = members.collect();
    members.sort_by(|left, right| (&left.client_id, &left.id).cmp(&(&right.client_id, &right.id)));
    members
}

/// Subscriptions and assignments are the members' own business: what cannot be read is told as nothing.
fn classic_member(member: DescribedGroupMember, is_consumer: bool) -> GroupMember {
    let [metadata, assigned] = [member.member_metadata, member.member_assignment]
        .map(|bytes| Some(bytes).filter(|bytes| is_consumer && !bytes.is_empty()));
    let subscription = metadata.and_then(|bytes| Subscription::from_bytes(bytes).ok()).unwrap_or_default();
    let assigned = assigned.and_then(|bytes| Assignment::from_bytes(bytes).ok()).unwrap_or_default();
    let topics = assigned.assigned_partitions.into_iter();
    let assignment = spread(topics.map(|topic| (topic.topic, topic.partitions)));
    GroupMember {
        id: member.member_id,
        instance_id: member.group_instance_id,
        client_id: member.client_id,
        host: member.client_host,
        subscribed: subscription.topics,
        pattern: None,
        target: assignment.clone(),
        assignment,
        epoch: None,
    }
}

fn spread(topics: impl Iterator<Item = (Text, Vec<mainstem_protocol::PartitionId>)>) -> Vec<TopicPartition> {
    let each = topics.flat_map(|(topic, partitions)| {
        let partitions = partitions.into_iter();
        partitions.map(move |partition| TopicPartition { topic: topic.clone(), partition })
    });
    each.collect()
}
