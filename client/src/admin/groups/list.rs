//! Lists the groups of a cluster.

use mainstem_protocol::{
    BrokerId, Text,
    messages::{ListGroupsRequest, list_groups::ListedGroup},
};

use super::super::{Admin, AdminError};
use crate::{
    cluster::feature::Feature,
    transport::{Lane, Node, TransportError},
};

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
    /// `classic` or `consumer` (KIP-848), or another type; empty where the broker is too old to say.
    pub group_type: Text,
    /// The broker that coordinates it.
    pub coordinator: BrokerId,
}

/// Which groups to list.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, Offset, TopicPartition, admin::GroupFilter};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// admin.alter_group_offsets("readers", &[(TopicPartition::new("greetings", 0), Offset(1))]).await?;
/// let stable = GroupFilter { states: vec!["Stable".into()], ..GroupFilter::default() };
/// assert_eq!(admin.list_groups_by(&stable).await?, []);
/// assert_eq!(admin.list_groups_by(&GroupFilter::default()).await?[0].id, "readers");
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupFilter {
    /// In one of these states, such as `Stable` or `Empty`; with none given, in any.
    pub states: Vec<Text>,
    /// Of one of these types, `classic` or `consumer`; with none given, of any.
    pub types: Vec<Text>,
}

impl GroupFilter {
    /// Older brokers would list every group, whatever was asked for.
    fn request(&self, version: i16) -> Result<ListGroupsRequest, TransportError> {
        let Self { states, types } = self.clone();
        if !states.is_empty() {
            Feature::GROUPS_BY_STATE.require(version)?;
        }
        if !types.is_empty() {
            Feature::GROUPS_BY_TYPE.require(version)?;
        }
        Ok(ListGroupsRequest { states_filter: states, types_filter: types })
    }
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
        self.list_groups_by(&GroupFilter::default()).await
    }

    /// The groups of the cluster that pass a filter, in the order of their names.
    ///
    /// # Errors
    /// Where a broker does not answer, or is too old to filter (states from Kafka 2.6 on, types from 3.8 on).
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, admin::GroupFilter};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// let modern = GroupFilter { types: vec!["consumer".into()], ..GroupFilter::default() };
    /// println!("{} groups of KIP-848", admin.list_groups_by(&modern).await?.len());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn list_groups_by(&self, filter: &GroupFilter) -> Result<Vec<GroupListing>, AdminError> {
        self.trying(|| async { Ok(self.cluster.refresh(&[], false).await?) }).await?;
        let mut groups = Vec::new();
        for broker in self.cluster.metadata().brokers() {
            let listed = self.trying(|| self.list_groups_of(broker.id, filter)).await?;
            groups.extend(listed.into_iter().map(|group| listing(group, broker.id)));
        }
        groups.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(groups)
    }

    async fn list_groups_of(
        &self,
        broker: BrokerId,
        filter: &GroupFilter,
    ) -> Result<Vec<ListedGroup>, AdminError> {
        let (request, limit) = (|version| filter.request(version), self.config.request_timeout);
        let answer = self.cluster.call_if(Node::Id(broker), Lane::General, request, limit).await?;
        AdminError::check("groups", answer.error_code, None)?;
        Ok(answer.groups)
    }
}

fn listing(group: ListedGroup, coordinator: BrokerId) -> GroupListing {
    let ListedGroup { group_id: id, protocol_type, group_state: state, group_type } = group;
    GroupListing { id, protocol_type, state, group_type, coordinator }
}
