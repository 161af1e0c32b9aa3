//! Brokers, topics and leaders, as one broker described them.

use std::{collections::HashMap, sync::Arc};

use mainstem_protocol::{
    BrokerId, ErrorCode, LeaderEpoch, PartitionId, Text, TopicId,
    messages::{
        MetadataResponse,
        metadata::{MetadataResponsePartition, MetadataResponseTopic},
    },
};

use crate::transport::BrokerAddress;

/// What was last heard of a cluster.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::time::Duration;
/// use mainstem_client::{Cluster};
///
/// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
/// cluster.refresh_all().await?;
/// let metadata = cluster.metadata();
/// println!("{} topics on {} brokers", metadata.topics().count(), metadata.brokers().len());
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Metadata {
    cluster_id: Option<Text>,
    controller: BrokerId,
    brokers: Vec<BrokerAddress>,
    topics: HashMap<Text, Arc<TopicMetadata>>,
    errors: HashMap<Text, ErrorCode>,
}

/// A topic.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::time::Duration;
/// use mainstem_client::{Cluster};
///
/// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
/// let topic = cluster.topic(&"greetings".into(), false, Duration::from_secs(5)).await?;
/// println!("{} has {} partitions", topic.name, topic.partitions.len());
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMetadata {
    /// Its name.
    pub name: Text,
    /// Its identity; zero where the broker has none.
    pub id: TopicId,
    /// Whether it belongs to the cluster itself.
    pub is_internal: bool,
    /// Its partitions, in the order of their numbers.
    pub partitions: Vec<PartitionMetadata>,
}

/// A partition.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::time::Duration;
/// use mainstem_client::{Cluster};
///
/// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
/// let topic = cluster.topic(&"greetings".into(), false, Duration::from_secs(5)).await?;
/// for partition in &topic.partitions {
///     println!("{} is led by {:?}, kept by {:?}", partition.id, partition.leader, partition.replicas);
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// Its number.
    pub id: PartitionId,
    /// The broker that leads it; none for the moment, where there is none.
    pub leader: Option<BrokerId>,
    /// How often the leader has changed.
    pub leader_epoch: LeaderEpoch,
    /// The brokers that keep it.
    pub replicas: Vec<BrokerId>,
    /// Those of them that are up to date.
    pub in_sync: Vec<BrokerId>,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            cluster_id: None,
            controller: BrokerId::NONE,
            brokers: Vec::new(),
            topics: HashMap::new(),
            errors: HashMap::new(),
        }
    }
}

impl Metadata {
    /// The identity of the cluster.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// cluster.refresh_all().await?;
    /// let metadata = cluster.metadata();
    /// assert!(metadata.cluster_id().is_some());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn cluster_id(&self) -> Option<&Text> {
        self.cluster_id.as_ref()
    }

    /// The broker that changes the cluster; [`BrokerId::NONE`] where it is not known.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// cluster.refresh_all().await?;
    /// let metadata = cluster.metadata();
    /// assert_eq!(metadata.controller(), metadata.brokers()[0].id);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn controller(&self) -> BrokerId {
        self.controller
    }

    /// The brokers.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// cluster.refresh_all().await?;
    /// let metadata = cluster.metadata();
    /// for broker in metadata.brokers() {
    ///     println!("{} at {broker}", broker.id);
    /// }
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn brokers(&self) -> &[BrokerAddress] {
        &self.brokers
    }

    /// The topics that were asked about.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// cluster.refresh_all().await?;
    /// let metadata = cluster.metadata();
    /// assert!(metadata.topics().any(|topic| topic.name == "greetings"));
    /// # Ok(())
    /// # });
    /// ```
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicMetadata>> {
        self.topics.values()
    }

    /// A topic, where it was asked about and is there.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// cluster.refresh_all().await?;
    /// let metadata = cluster.metadata();
    /// assert!(metadata.topic("greetings").is_some() && metadata.topic("farewells").is_none());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<Arc<TopicMetadata>> {
        self.topics.get(name).cloned()
    }

    /// What was last wrong with a topic.
    pub(super) fn error(&self, name: &str) -> ErrorCode {
        self.errors.get(name).copied().unwrap_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.topics.remove(name);
    }

    /// What is known after an answer; `everything` where it names all topics there are.
    pub(super) fn heard(&self, response: &MetadataResponse, everything: bool) -> Self {
        let before = if everything { Self::default() } else { self.clone() };
        let mut now = Self {
            cluster_id: response.cluster_id.clone(),
            controller: response.controller_id,
            brokers: response.brokers.iter().filter_map(address).collect(),
            ..before
        };
        for topic in &response.topics {
            now.hear_topic(topic);
        }
        now
    }

    fn hear_topic(&mut self, heard: &MetadataResponseTopic) {
        let Some(name) = heard.name.clone() else { return };
        if heard.error_code.is_none() {
            self.errors.remove(&name);
            self.topics.insert(name.clone(), Arc::new(topic(name, heard)));
        } else {
            self.topics.remove(&name);
            self.errors.insert(name, heard.error_code);
        }
    }
}

fn address(broker: &mainstem_protocol::messages::metadata::MetadataResponseBroker) -> Option<BrokerAddress> {
    let port = u16::try_from(broker.port).ok()?;
    Some(BrokerAddress { id: broker.node_id, host: broker.host.to_string(), port })
}

fn topic(name: Text, heard: &MetadataResponseTopic) -> TopicMetadata {
    let mut partitions: Vec<_> = heard.partitions.iter().map(partition).collect();
    partitions.sort_by_key(|partition| partition.id);
    TopicMetadata { name, id: heard.topic_id, is_internal: heard.is_internal, partitions }
}

fn partition(heard: &MetadataResponsePartition) -> PartitionMetadata {
    PartitionMetadata {
        id: heard.partition_index,
        leader: Some(heard.leader_id).filter(|leader| leader.0 >= 0),
        leader_epoch: heard.leader_epoch,
        replicas: heard.replica_nodes.clone(),
        in_sync: heard.isr_nodes.clone(),
    }
}

impl TopicMetadata {
    /// Whether there is such a partition: they are numbered from 0 on.
    pub(crate) fn has(&self, id: PartitionId) -> bool {
        usize::try_from(id.0).is_ok_and(|id| id < self.partitions.len())
    }

    /// A partition of the topic.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster, PartitionId};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// let topic = cluster.topic(&"greetings".into(), false, Duration::from_secs(5)).await?;
    /// assert!(topic.partition(PartitionId(1)).is_some() && topic.partition(PartitionId(2)).is_none());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn partition(&self, id: PartitionId) -> Option<&PartitionMetadata> {
        self.partitions.iter().find(|partition| partition.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(name: &str, error_code: ErrorCode, leaders: &[i32]) -> MetadataResponse {
        let partitions = leaders.iter().zip(0..leaders.len() as i32).rev().map(|(leader, index)| {
            MetadataResponsePartition {
                partition_index: PartitionId(index),
                leader_id: BrokerId(*leader),
                ..Default::default()
            }
        });
        let partitions = partitions.collect();
        let topic = MetadataResponseTopic {
            name: Some(Text::from(name)),
            error_code,
            partitions,
            ..Default::default()
        };
        MetadataResponse { topics: vec![topic], ..MetadataResponse::default() }
    }

    #[test]
    fn topics_that_were_not_asked_about_stay_known() {
        let known = Metadata::default().heard(&response("a", ErrorCode::NONE, &[1]), false);
        let known = known.heard(&response("b", ErrorCode::NONE, &[2]), false);
        assert!(known.topic("a").is_some() && known.topic("b").is_some());
        let all = known.heard(&response("c", ErrorCode::NONE, &[2]), true);
        assert!(all.topic("a").is_none() && all.topic("c").is_some());
    }

    #[test]
    fn topic_in_trouble_is_not_known_any_more() {
        let known = Metadata::default().heard(&response("a", ErrorCode::NONE, &[1]), false);
        let known = known.heard(&response("a", ErrorCode::LEADER_NOT_AVAILABLE, &[]), false);
        assert_eq!(known.topic("a"), None);
        assert_eq!(known.error("a"), ErrorCode::LEADER_NOT_AVAILABLE);
    }

    #[test]
    fn partitions_are_sorted_and_may_lack_a_leader() {
        let known = Metadata::default().heard(&response("a", ErrorCode::NONE, &[3, -1]), false);
        let topic = known.topic("a").unwrap();
        let leaders: Vec<_> = topic.partitions.iter().map(|partition| partition.leader).collect();
        assert_eq!(leaders, [Some(BrokerId(3)), None]);
    }
}
