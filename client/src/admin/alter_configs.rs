//! Changes settings (KIP-339).

use std::fmt;

use mainstem_protocol::{
    BrokerId, Text,
    messages::{
        IncrementalAlterConfigsRequest,
        incremental_alter_configs::{AlterConfigsResource, AlterableConfig},
    },
};

use super::{
    Admin, AdminError,
    configs::{BROKER, BROKER_LOGGER, GROUP, TOPIC},
};
use crate::transport::Node;

/// Changes of the settings of a topic, a broker, or what else has some.
///
/// ```
/// use mainstem_client::admin::AlterConfigs;
///
/// let changes = AlterConfigs::topic("orders").set("retention.ms", "3600000").delete("segment.ms");
/// assert_eq!(changes.changes.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterConfigs {
    /// Whose settings.
    pub resource: ConfigResource,
    /// What happens to them; each setting once at most.
    pub changes: Vec<ConfigChange>,
    /// Whether nothing is changed, and the answer says whether it could be.
    pub validate_only: bool,
}

/// What has settings.
///
/// ```
/// use mainstem_client::admin::{AlterConfigs, ConfigResource};
///
/// assert_eq!(AlterConfigs::topic("orders").resource, ConfigResource::Topic("orders".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigResource {
    /// A topic.
    Topic(Text),
    /// A broker.
    Broker(BrokerId),
    /// All brokers; what one sets itself goes before it.
    Brokers,
    /// A consumer group (KIP-848), whether there is one of that name or not.
    Group(Text),
    /// What a broker logs: levels by logger (KIP-412, Kafka 2.4 or newer), which it does not keep.
    BrokerLogger(BrokerId),
}

impl ConfigResource {
    /// Its number and name on the wire (Kafka: `ConfigResource.Type`).
    pub(super) fn wire(&self) -> (i8, Text) {
        match self {
            Self::Topic(name) => (TOPIC, name.clone()),
            Self::Broker(id) => (BROKER, Text::from(id.to_string())),
            Self::Brokers => (BROKER, Text::default()),
            Self::Group(name) => (GROUP, name.clone()),
            Self::BrokerLogger(id) => (BROKER_LOGGER, Text::from(id.to_string())),
        }
    }

    /// The one broker that must be asked, if any one will not do.
    pub(super) const fn node(&self) -> Option<Node> {
        match self {
            Self::Broker(id) | Self::BrokerLogger(id) => Some(Node::Id(*id)),
            Self::Topic(_) | Self::Brokers | Self::Group(_) => None,
        }
    }
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Broker(id) => write!(f, "broker {id}"),
            Self::Brokers => f.write_str("all brokers"),
            Self::Group(name) => write!(f, "group {name}"),
            Self::BrokerLogger(id) => write!(f, "the log of broker {id}"),
        }
    }
}

/// A change of one setting.
///
/// ```
/// use mainstem_client::admin::{AlterConfigs, ConfigOperation};
///
/// let changes = AlterConfigs::topic("orders").delete("segment.ms").changes;
/// assert_eq!(changes[0].operation, ConfigOperation::Delete);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// The setting.
    pub name: Text,
    /// What happens to it.
    pub operation: ConfigOperation,
}

/// What happens to a setting.
///
/// ```
/// use mainstem_client::admin::{AlterConfigs, ConfigOperation};
///
/// let changes = AlterConfigs::topic("orders").append("cleanup.policy", "compact").changes;
/// assert_eq!(changes[0].operation, ConfigOperation::Append("compact".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigOperation {
    /// It has this value.
    Set(Text),
    /// It is what it would be if nobody had set it.
    Delete,
    /// A list gets these words, with commas between them, where it has them not yet.
    Append(Text),
    /// A list does without these words.
    Subtract(Text),
}

impl AlterConfigs {
    /// Those of a topic; none to begin with.
    ///
    /// ```
    /// assert!(mainstem_client::admin::AlterConfigs::topic("orders").changes.is_empty());
    /// ```
    #[must_use]
    pub fn topic(name: impl Into<Text>) -> Self {
        Self { resource: ConfigResource::Topic(name.into()), changes: Vec::new(), validate_only: false }
    }

    /// Those of a broker; none to begin with.
    ///
    /// ```
    /// use mainstem_client::{BrokerId, admin::AlterConfigs};
    ///
    /// assert!(AlterConfigs::broker(BrokerId(1)).changes.is_empty());
    /// ```
    #[must_use]
    pub const fn broker(id: BrokerId) -> Self {
        Self { resource: ConfigResource::Broker(id), changes: Vec::new(), validate_only: false }
    }

    /// Those of whatever has settings; none to begin with.
    ///
    /// ```
    /// use mainstem_client::admin::{AlterConfigs, ConfigResource};
    ///
    /// assert!(AlterConfigs::of(ConfigResource::Brokers).changes.is_empty());
    /// ```
    #[must_use]
    pub const fn of(resource: ConfigResource) -> Self {
        Self { resource, changes: Vec::new(), validate_only: false }
    }

    /// A setting gets a value.
    ///
    /// ```
    /// let changes = mainstem_client::admin::AlterConfigs::topic("orders").set("retention.ms", "1000");
    /// assert_eq!(changes.changes[0].name, "retention.ms");
    /// ```
    #[must_use]
    pub fn set(self, name: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.change(name.into(), ConfigOperation::Set(value.into()))
    }

    /// A setting becomes what it would be if nobody had set it.
    ///
    /// ```
    /// let changes = mainstem_client::admin::AlterConfigs::topic("orders").delete("retention.ms");
    /// assert_eq!(changes.changes[0].name, "retention.ms");
    /// ```
    #[must_use]
    pub fn delete(self, name: impl Into<Text>) -> Self {
        self.change(name.into(), ConfigOperation::Delete)
    }

    /// A setting that is a list gets more words, with commas between them.
    ///
    /// ```
    /// let changes = mainstem_client::admin::AlterConfigs::topic("orders").append("cleanup.policy", "compact");
    /// assert_eq!(changes.changes[0].name, "cleanup.policy");
    /// ```
    #[must_use]
    pub fn append(self, name: impl Into<Text>, words: impl Into<Text>) -> Self {
        self.change(name.into(), ConfigOperation::Append(words.into()))
    }

    /// A setting that is a list does without these words.
    ///
    /// ```
    /// let changes = mainstem_client::admin::AlterConfigs::topic("orders").subtract("cleanup.policy", "delete");
    /// assert_eq!(changes.changes[0].name, "cleanup.policy");
    /// ```
    #[must_use]
    pub fn subtract(self, name: impl Into<Text>, words: impl Into<Text>) -> Self {
        self.change(name.into(), ConfigOperation::Subtract(words.into()))
    }

    /// The same, to be checked and not done.
    ///
    /// ```
    /// assert!(mainstem_client::admin::AlterConfigs::topic("orders").validate_only().validate_only);
    /// ```
    #[must_use]
    pub fn validate_only(self) -> Self {
        Self { validate_only: true, ..self }
    }

    fn change(mut self, name: Text, operation: ConfigOperation) -> Self {
        self.changes.push(ConfigChange { name, operation });
        self
    }

    fn request(self) -> IncrementalAlterConfigsRequest {
        let Self { resource, changes, validate_only } = self;
        let (resource_type, resource_name) = resource.wire();
        let configs = changes.into_iter().map(config).collect();
        let resources = vec![AlterConfigsResource { resource_type, resource_name, configs }];
        IncrementalAlterConfigsRequest { resources, validate_only }
    }
}

/// Operations on the wire (Kafka: `AlterConfigOp.OpType`).
fn config(change: ConfigChange) -> AlterableConfig {
    let (config_operation, value) = match change.operation {
        ConfigOperation::Set(value) => (0, Some(value)),
        ConfigOperation::Delete => (1, None),
        ConfigOperation::Append(words) => (2, Some(words)),
        ConfigOperation::Subtract(words) => (3, Some(words)),
    };
    AlterableConfig { name: change.name, config_operation, value }
}

impl Admin {
    /// Changes settings of a topic or a broker: all of the changes, or none. Kafka has it since 2.3.
    ///
    /// # Errors
    /// Where there is no such topic or broker, or a setting cannot be changed so.
    ///
    /// # Cancel safety
    /// Dropped, the settings may be changed all the same; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, admin::AlterConfigs};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// admin.incremental_alter_configs(AlterConfigs::topic("greetings").set("retention.ms", "1000")).await?;
    /// let configs = admin.describe_topic_configs("greetings").await?;
    /// let retention = configs.iter().find(|config| config.name == "retention.ms");
    /// assert_eq!(retention.and_then(|config| config.value.as_deref()), Some("1000"));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn incremental_alter_configs(&self, changes: AlterConfigs) -> Result<(), AdminError> {
        self.cluster.refresh(&[], false).await?;
        let (node, subject) = (changes.resource.node(), changes.resource.to_string());
        let request = changes.request();
        self.trying(|| async {
            let node = node.unwrap_or_else(|| self.cluster.controller());
            let answer = self.cluster.ask(node, request.clone()).await?;
            let no_answer = || AdminError::NoAnswer { subject: subject.clone() };
            let result = answer.responses.into_iter().next().ok_or_else(no_answer)?;
            AdminError::check(&subject, result.error_code, result.error_message.as_ref())
        })
        .await
    }
}
