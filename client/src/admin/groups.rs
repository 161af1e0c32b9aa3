//! Lists and describes consumer groups, and says how far they have read.

use std::collections::BTreeMap;

use mainstem_protocol::{
    BrokerId, ErrorCode, Offset, Text,
    formats::consumer::{Assignment, PROTOCOL_TYPE},
    messages::{
        DescribeGroupsRequest, ListGroupsRequest, ListGroupsResponse,
        describe_groups::{DescribedGroup, DescribedGroupMember},
    },
};

use super::{Admin, AdminError};
use crate::{
    TopicPartition,
    consumer::{committed_answer, committed_request},
    transport::{Lane, Node},
};

/// The state of a group that does not exist, as brokers before version 6 of DescribeGroups have it (KIP-1043).
const DEAD: &str = "Dead";

/// A group, as a list of groups has it.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// for group in admin.list_groups().await? {
///     println!("{} is {}", group.id, group.state);
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    /// Its name.
    pub id: Text,
    /// What its members speak; `consumer` for consumers, empty where it only keeps offsets.
    pub protocol_type: Text,
    /// Its state; empty where the broker is too old to say.
    pub state: Text,
    /// The broker that coordinates it.
    pub coordinator: BrokerId,
}

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
    /// Its state, such as `Stable` or `Empty`.
    pub state: Text,
    /// What its members speak; `consumer` for consumers.
    pub protocol_type: Text,
    /// How partitions are shared out, such as `range`; empty while nobody has agreed on it.
    pub protocol: Text,
    /// The broker that coordinates it.
    pub coordinator: BrokerId,
    /// Its members, by client id and member id.
    pub members: Vec<GroupMember>,
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
    /// What it reads; empty where it is no consumer, or has been given nothing.
    pub assignment: Vec<TopicPartition>,
}

impl Admin {
    /// Every group of the cluster, in the order of their names.
    ///
    /// # Errors
    /// Where a broker does not answer.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// println!("{} groups", admin.list_groups().await?.len());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn list_groups(&self) -> Result<Vec<GroupListing>, AdminError> {
        self.trying(|| async { Ok(self.cluster.refresh(&[], false).await?) }).await?;
        let mut groups = Vec::new();
        for broker in self.cluster.metadata().brokers() {
            let ask =
                || async { Ok(self.cluster.ask(Node::Id(broker.id), ListGroupsRequest::default()).await?) };
            let answer: ListGroupsResponse = self.trying(ask).await?;
            AdminError::check("groups", answer.error_code, None)?;
            let listed = answer.groups.into_iter().map(|group| GroupListing {
                id: group.group_id,
                protocol_type: group.protocol_type,
                state: group.group_state,
                coordinator: broker.id,
            });
            groups.extend(listed);
        }
        groups.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(groups)
    }

    /// A group and its members.
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
        let (subject, id) = (format!("group {group}"), Text::from(group));
        let request = DescribeGroupsRequest { groups: vec![id.clone()], ..DescribeGroupsRequest::default() };
        self.trying(|| async {
            let coordinator = self.cluster.coordinator(&id, self.config.timeout).await?;
            let answer = self.cluster.ask(Node::Id(coordinator), request.clone()).await?;
            let no_answer = || AdminError::NoAnswer { subject: subject.clone() };
            let described = answer.groups.into_iter().next().ok_or_else(no_answer)?;
            AdminError::check(&subject, described.error_code, described.error_message.as_ref())?;
            let is_there = &*described.group_state != DEAD;
            let code = if is_there { ErrorCode::NONE } else { ErrorCode::GROUP_ID_NOT_FOUND };
            AdminError::check(&subject, code, None)?;
            Ok(description(described, coordinator))
        })
        .await
    }

    /// How far a group has read: every partition for which it has committed an offset. A group that is not there has
    /// committed nothing.
    ///
    /// # Errors
    /// Where its coordinator does not answer.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, Consumer, ConsumerConfig, Offset, TopicPartition};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
    /// consumer.commit(&[(first.clone(), Offset(1))]).await?;
    /// let offsets = Admin::new(&transport, AdminConfig::default()).group_offsets("readers").await?;
    /// assert_eq!(offsets[&first], Offset(1));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn group_offsets(&self, group: &str) -> Result<BTreeMap<TopicPartition, Offset>, AdminError> {
        let (subject, id) = (format!("offsets of group {group}"), Text::from(group));
        self.trying(|| async {
            let node = Node::Id(self.cluster.coordinator(&id, self.config.timeout).await?);
            let (request, limit) =
                (|version| committed_request(&id, None, version), self.config.request_timeout);
            let answer = self.cluster.call_in_version(node, Lane::General, request, limit).await?;
            let (code, offsets) = committed_answer(answer);
            let mut codes = offsets.iter().map(|(_, _, code)| *code).chain([code]);
            AdminError::check(&subject, codes.find(|code| !code.is_none()).unwrap_or_default(), None)?;
            let known = offsets.into_iter().filter(|(_, offset, _)| *offset >= Offset::ZERO);
            Ok(known.map(|(partition, offset, _)| (partition, offset)).collect())
        })
        .await
    }
}

fn description(group: DescribedGroup, coordinator: BrokerId) -> GroupDescription {
    let is_of_consumers = &*group.protocol_type == PROTOCOL_TYPE;
    let mut members: Vec<_> = group.members.into_iter().map(|each| member(each, is_of_consumers)).collect();
    members.sort_by(|left, right| (&left.client_id, &left.id).cmp(&(&right.client_id, &right.id)));
    GroupDescription {
        id: group.group_id,
        state: group.group_state,
        protocol_type: group.protocol_type,
        protocol: group.protocol_data,
        coordinator,
        members,
    }
}

/// An assignment is its members' own business: what cannot be read is told as nothing.
fn member(member: DescribedGroupMember, is_consumer: bool) -> GroupMember {
    let bytes = Some(member.member_assignment).filter(|bytes| is_consumer && !bytes.is_empty());
    let assignment = bytes.and_then(|bytes| Assignment::from_bytes(bytes).ok()).unwrap_or_default();
    GroupMember {
        id: member.member_id,
        instance_id: member.group_instance_id,
        client_id: member.client_id,
        host: member.client_host,
        assignment: assigned(assignment),
    }
}

fn assigned(assignment: Assignment) -> Vec<TopicPartition> {
    let topics = assignment.assigned_partitions.into_iter();
    let partitions = topics.flat_map(|topic| {
        let name = topic.topic;
        let partitions = topic.partitions.into_iter();
        partitions.map(move |partition| TopicPartition { topic: name.clone(), partition })
    });
    partitions.collect()
}
