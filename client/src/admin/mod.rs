//! Creates, lists, describes, changes and deletes topics; the same for groups, with their offsets and members; describes settings,
//! log directories and the cluster.
//!
//! - [`NewTopic`]: a topic that is to be created.
//! - [`NewPartitions`]: more partitions for a topic.
//! - [`ConfigEntry`]: a setting, and where it comes from.
//! - [`AlterConfigs`]: changes of settings.
//! - [`GroupDescription`]: a group and its members, of either protocol.
//! - [`LogDir`]: where a broker keeps its logs, and how large they are.
//! - [`TransactionDescription`], [`ActiveProducer`]: how transactions stand, and who writes into a partition.

mod alter_configs;
mod configs;
mod error;
mod groups;
mod log_dirs;
mod partitions;
mod records;
#[cfg(test)]
mod tests;
mod topics;
mod transactions;

use std::{sync::Arc, time::Duration};

use mainstem_protocol::{
    BrokerId, Text,
    messages::{DescribeClusterRequest, DescribeClusterResponse},
};

use crate::{
    TopicPartition,
    cluster::{Cluster, TopicMetadata},
    metrics::Metrics,
    offsets::{FoundOffset, ListOffsetsError, OffsetSpec},
    transport::{BrokerAddress, Node, Transport, TransportError},
};
pub use alter_configs::{AlterConfigs, ConfigChange, ConfigOperation, ConfigResource};
pub use configs::{ConfigEntry, ConfigSource};
pub use error::AdminError;
pub use groups::{
    AlterGroupOffsetsError, DeleteGroupError, DeleteGroupOffsetsError, Departure, GroupDescription,
    GroupEpochs, GroupFilter, GroupListing, GroupMember, RemoveMembersError,
};
pub use log_dirs::LogDir;
pub use partitions::NewPartitions;
pub use topics::{CreatedTopic, NewTopic};
pub use transactions::{ActiveProducer, TransactionDescription, TransactionFilter, TransactionListing};

/// The settings of an admin.
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::AdminConfig;
///
/// let hurried = AdminConfig { timeout: Duration::from_secs(5), ..AdminConfig::default() };
/// assert!(hurried.timeout < hurried.request_timeout);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AdminConfig {
    /// How long one answer may take.
    pub request_timeout: Duration,
    /// How long to go on trying.
    pub timeout: Duration,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { request_timeout: Duration::from_secs(30), timeout: Duration::from_secs(60) }
    }
}

/// A cluster, as its brokers describe it.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// let cluster = admin.describe_cluster().await?;
/// assert_eq!(cluster.controller, cluster.brokers[0].id);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDescription {
    /// Its identity.
    pub cluster_id: Text,
    /// The broker that changes it; [`BrokerId::NONE`] where there is none at the moment.
    pub controller: BrokerId,
    /// Its brokers.
    pub brokers: Vec<BrokerAddress>,
}

/// Changes and describes a cluster.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, NewTopic};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// admin.create_topic(NewTopic::new("orders", 3).config("flush.messages", "1")).await?;
/// for topic in admin.list_topics().await? {
///     println!("{} has {} partitions", topic.name, topic.partitions.len());
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct Admin {
    config: AdminConfig,
    cluster: Cluster,
}

impl Admin {
    /// An admin with connections of its own.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// assert_eq!(admin.list_topics().await?.len(), 1);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn new(transport: &dyn Transport, config: AdminConfig) -> Self {
        Self { config, cluster: Cluster::new(transport.split(), config.request_timeout) }
    }

    /// All topics, in the order of their names.
    ///
    /// # Errors
    /// Where no broker answers.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// let topics = admin.list_topics().await?;
    /// assert_eq!(topics[0].name, "greetings");
    /// # Ok(())
    /// # });
    /// ```
    pub async fn list_topics(&self) -> Result<Vec<Arc<TopicMetadata>>, AdminError> {
        self.trying(|| async { Ok(self.cluster.refresh_all().await?) }).await?;
        let mut topics: Vec<_> = self.cluster.metadata().topics().cloned().collect();
        topics.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(topics)
    }

    /// A topic, as its brokers have it now. It is not created by being asked for.
    ///
    /// # Errors
    /// Where there is no such topic, or no broker answers.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// let topic = admin.describe_topic("greetings").await?;
    /// assert_eq!(topic.partitions.len(), 2);
    /// assert!(admin.describe_topic("farewells").await.is_err());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn describe_topic(&self, name: &str) -> Result<Arc<TopicMetadata>, AdminError> {
        let name = Text::from(name);
        self.trying(|| async { Ok(self.cluster.refresh(std::slice::from_ref(&name), false).await?) }).await?;
        Ok(self.cluster.topic(&name, false, Duration::ZERO).await?)
    }

    /// The cluster, as its brokers describe it. Those older than Kafka 2.8 are asked for their metadata instead, which says
    /// the same.
    ///
    /// # Errors
    /// Where no broker answers.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// println!("cluster {}", admin.describe_cluster().await?.cluster_id);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, AdminError> {
        let request = DescribeClusterRequest::default();
        let answer = self.trying(|| async { Ok(self.cluster.ask(Node::Any, request.clone()).await?) });
        match answer.await {
            Ok(answer) => {
                AdminError::check("the cluster", answer.error_code, answer.error_message.as_ref())?;
                Ok(description(answer))
            }
            Err(AdminError::Transport(TransportError::Unsupported { .. })) => self.known_cluster().await,
            Err(error) => Err(error),
        }
    }

    async fn known_cluster(&self) -> Result<ClusterDescription, AdminError> {
        self.trying(|| async { Ok(self.cluster.refresh(&[], false).await?) }).await?;
        let metadata = self.cluster.metadata();
        Ok(ClusterDescription {
            cluster_id: metadata.cluster_id().cloned().unwrap_or_default(),
            controller: metadata.controller(),
            brokers: metadata.brokers().to_vec(),
        })
    }

    /// Offsets of partitions: first, last, by time, or that of the largest time.
    ///
    /// # Errors
    /// Where one of them cannot be had.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, Offset, OffsetSpec, TopicPartition};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// let first = TopicPartition::new("greetings", 0);
    /// let ends = admin.list_offsets(&[(first.clone(), OffsetSpec::Latest)]).await?;
    /// assert_eq!(ends[&first].offset, Offset(2));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn list_offsets(
        &self,
        wanted: &[(TopicPartition, OffsetSpec)],
    ) -> Result<std::collections::HashMap<TopicPartition, FoundOffset>, ListOffsetsError> {
        self.cluster.list_offsets(wanted, self.config.timeout).await
    }

    /// What this admin has done so far.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// admin.list_topics().await?;
    /// assert_eq!(admin.metrics().requests["Metadata"].count, 1);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.cluster.metrics()
    }

    /// Tries until something succeeds, fails for good, or the time is up.
    async fn trying<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, AdminError>
    where
        F: Future<Output = Result<T, AdminError>>,
    {
        let mut retry = self.cluster.retry(self.config.timeout);
        loop {
            match attempt().await {
                Err(error) if error.is_retriable() && retry.pause().await => {}
                result => return result,
            }
        }
    }
}

fn description(answer: DescribeClusterResponse) -> ClusterDescription {
    let brokers = answer.brokers.into_iter().filter_map(|broker| {
        let port = u16::try_from(broker.port).ok()?;
        Some(BrokerAddress { id: broker.broker_id, host: broker.host.to_string(), port })
    });
    ClusterDescription {
        cluster_id: answer.cluster_id,
        controller: answer.controller_id,
        brokers: brokers.collect(),
    }
}
