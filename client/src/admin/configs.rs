//! Describes settings.

use mainstem_protocol::{
    BrokerId, Text,
    messages::{
        DescribeConfigsRequest,
        describe_configs::{DescribeConfigsResource, DescribeConfigsResourceResult},
    },
};

use super::{Admin, AdminError, ConfigResource};
use crate::transport::Node;

/// Resource types on the wire (Kafka: `ConfigResource.Type`).
pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
pub(super) const BROKER_LOGGER: i8 = 8;
pub(super) const GROUP: i8 = 32;

/// Where a setting comes from (Kafka: `DescribeConfigsResponse.ConfigSource`).
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, admin::ConfigSource};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// let configs = admin.describe_topic_configs("greetings").await?;
/// let own = configs.iter().filter(|config| config.source == ConfigSource::Topic);
/// println!("{} settings are the topic's own", own.count());
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// It was set for this topic.
    Topic,
    /// It was set for the broker while it ran.
    DynamicBroker,
    /// It was set for all brokers while they ran.
    DynamicDefault,
    /// It was set when the broker was started.
    StaticBroker,
    /// Nobody set it.
    Default,
    /// It was set for this group.
    Group,
    /// It is a level of a broker's log.
    BrokerLogger,
    /// Something else.
    Unknown,
}

impl From<i8> for ConfigSource {
    fn from(number: i8) -> Self {
        match number {
            1 => Self::Topic,
            2 => Self::DynamicBroker,
            3 => Self::DynamicDefault,
            4 => Self::StaticBroker,
            5 => Self::Default,
            6 => Self::BrokerLogger,
            8 => Self::Group,
            _ => Self::Unknown,
        }
    }
}

/// A setting.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// for config in admin.describe_topic_configs("greetings").await? {
///     println!("{} = {}", config.name, config.value.as_deref().unwrap_or("(secret)"));
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: Text,
    /// Its value; none where it is secret or not set.
    pub value: Option<Text>,
    /// Where it comes from.
    pub source: ConfigSource,
    /// Whether it cannot be changed.
    pub is_read_only: bool,
    /// Whether it is secret.
    pub is_sensitive: bool,
    /// What it does; brokers before 2.6 do not say, and none does unless it is asked.
    pub documentation: Option<Text>,
}

impl From<DescribeConfigsResourceResult> for ConfigEntry {
    fn from(result: DescribeConfigsResourceResult) -> Self {
        Self {
            name: result.name,
            value: result.value,
            source: result.config_source.into(),
            is_read_only: result.read_only,
            is_sensitive: result.is_sensitive,
            documentation: result.documentation,
        }
    }
}

impl Admin {
    /// The settings of a topic.
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
    /// let configs = admin.describe_topic_configs("greetings").await?;
    /// assert!(configs.iter().any(|config| config.name == "flush.messages"));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn describe_topic_configs(&self, topic: &str) -> Result<Vec<ConfigEntry>, AdminError> {
        self.describe(&ConfigResource::Topic(topic.into()), false).await
    }

    /// The settings of a broker.
    ///
    /// # Errors
    /// Where it cannot be asked.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// let broker = admin.describe_cluster().await?.controller;
    /// for config in admin.describe_broker_configs(broker).await? {
    ///     println!("{} = {:?}", config.name, config.value);
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub async fn describe_broker_configs(&self, broker: BrokerId) -> Result<Vec<ConfigEntry>, AdminError> {
        self.cluster.refresh(&[], false).await?;
        self.describe(&ConfigResource::Broker(broker), false).await
    }

    /// The settings of whatever has some, with what they do. Of all brokers together those that were set alone.
    ///
    /// # Errors
    /// Where there is no such thing, or no broker answers.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, admin::ConfigResource};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// let configs = admin.describe_configs(&ConfigResource::Topic("greetings".into())).await?;
    /// assert!(configs.iter().any(|config| config.name == "flush.messages"));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn describe_configs(&self, resource: &ConfigResource) -> Result<Vec<ConfigEntry>, AdminError> {
        self.cluster.refresh(&[], false).await?;
        self.describe(resource, true).await
    }

    async fn describe(
        &self,
        resource: &ConfigResource,
        include_documentation: bool,
    ) -> Result<Vec<ConfigEntry>, AdminError> {
        let (node, subject) = (resource.node().unwrap_or(Node::Any), resource.to_string());
        let (resource_type, resource_name) = resource.wire();
        let resource = DescribeConfigsResource { resource_type, resource_name, configuration_keys: None };
        let request = DescribeConfigsRequest {
            resources: vec![resource],
            include_documentation,
            ..DescribeConfigsRequest::default()
        };
        self.trying(|| async {
            let answer = self.cluster.ask(node, request.clone()).await?;
            let no_answer = || AdminError::NoAnswer { subject: subject.clone() };
            let result = answer.results.into_iter().next().ok_or_else(no_answer)?;
            AdminError::check(&subject, result.error_code, result.error_message.as_ref())?;
            Ok(result.configs.into_iter().map(Into::into).collect())
        })
        .await
    }
}
