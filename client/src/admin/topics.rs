//! Creates and deletes topics.

use mainstem_protocol::{
    Text, TopicId,
    messages::{
        CreateTopicsRequest, DeleteTopicsRequest,
        create_topics::{CreatableTopic, CreatableTopicConfig},
        delete_topics::DeleteTopicState,
    },
};

use super::{Admin, AdminError};
use crate::{
    cluster::feature::Feature,
    transport::{Lane, TransportError},
};

/// A topic that is to be created.
///
/// ```
/// use mainstem_client::NewTopic;
///
/// let topic = NewTopic { replication_factor: 3, ..NewTopic::new("orders", 12) };
/// assert_eq!((topic.partitions, topic.replication_factor), (12, 3));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: Text,
    /// How many partitions; -1 for as many as the broker thinks right (Kafka 2.4 or newer).
    pub partitions: i32,
    /// How many brokers keep each partition; -1 for as many as the broker thinks right (Kafka 2.4 or newer).
    pub replication_factor: i16,
    /// Settings that differ from the broker's.
    pub configs: Vec<(Text, Text)>,
}

/// A topic that was created.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, NewTopic};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// let created = admin.create_topic(NewTopic::new("orders", 3)).await?;
/// println!("{} partitions, id {}", created.partitions, created.id);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its identity; zero where the broker is too old to say.
    pub id: TopicId,
    /// How many partitions it has; -1 where the broker is too old to say.
    pub partitions: i32,
}

impl NewTopic {
    /// A topic with the broker's settings.
    ///
    /// ```
    /// assert_eq!(mainstem_client::NewTopic::new("orders", 3).name, "orders");
    /// ```
    #[must_use]
    pub fn new(name: impl Into<Text>, partitions: i32) -> Self {
        Self { name: name.into(), partitions, replication_factor: -1, configs: Vec::new() }
    }

    /// The same, with a setting of its own.
    ///
    /// ```
    /// let topic = mainstem_client::NewTopic::new("orders", 3).config("retention.ms", "3600000");
    /// assert_eq!(topic.configs.len(), 1);
    /// ```
    #[must_use]
    pub fn config(mut self, name: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.configs.push((name.into(), value.into()));
        self
    }
}

impl Admin {
    /// Creates a topic.
    ///
    /// # Errors
    /// Where there is one of that name already, or the broker does not want it.
    ///
    /// # Cancel safety
    /// Dropped, the topic may be created all the same; calling again then says that it exists.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, NewTopic};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// admin.create_topic(NewTopic::new("orders", 3)).await?;
    /// assert_eq!(admin.describe_topic("orders").await?.partitions.len(), 3);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn create_topic(&self, topic: NewTopic) -> Result<CreatedTopic, AdminError> {
        let subject = format!("topic {}", topic.name);
        self.cluster.refresh(&[], false).await?;
        let request = self.create_request(topic);
        self.trying(|| async {
            let (node, limit) = (self.cluster.controller(), self.config.request_timeout);
            let in_version = |version| in_version(request.clone(), version);
            let answer = self.cluster.call_if(node, Lane::General, in_version, limit).await?;
            let no_answer = || AdminError::NoAnswer { subject: subject.clone() };
            let topic = answer.topics.into_iter().next().ok_or_else(no_answer)?;
            AdminError::check(&subject, topic.error_code, topic.error_message.as_ref())?;
            Ok(CreatedTopic { id: topic.topic_id, partitions: topic.num_partitions })
        })
        .await
    }

    fn create_request(&self, topic: NewTopic) -> CreateTopicsRequest {
        let NewTopic { name, partitions, replication_factor, configs } = topic;
        let config = |(name, value)| CreatableTopicConfig { name, value: Some(value) };
        let topic = CreatableTopic {
            name,
            num_partitions: partitions,
            replication_factor,
            assignments: Vec::new(),
            configs: configs.into_iter().map(config).collect(),
        };
        CreateTopicsRequest { topics: vec![topic], timeout_ms: self.timeout_ms(), validate_only: false }
    }

    /// Deletes a topic, with everything in it.
    ///
    /// # Errors
    /// Where there is no such topic, or the broker keeps it.
    ///
    /// # Cancel safety
    /// Dropped, the topic may be deleted all the same; calling again then says that there is none.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// admin.delete_topic("greetings").await?;
    /// assert!(admin.list_topics().await?.is_empty());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn delete_topic(&self, name: &str) -> Result<(), AdminError> {
        let (subject, name) = (format!("topic {name}"), Text::from(name));
        self.cluster.refresh(&[], false).await?;
        let deleted = self.trying(|| async {
            let request = |version| self.delete_request(&name, version);
            let (node, limit) = (self.cluster.controller(), self.config.request_timeout);
            let answer = self.cluster.call_in_version(node, Lane::General, request, limit).await?;
            let no_answer = || AdminError::NoAnswer { subject: subject.clone() };
            let topic = answer.responses.into_iter().next().ok_or_else(no_answer)?;
            AdminError::check(&subject, topic.error_code, topic.error_message.as_ref())
        });
        let deleted = deleted.await;
        self.cluster.forget(&name);
        deleted
    }

    /// Version 6 can also name a topic by its id, and has another place for names.
    fn delete_request(&self, name: &Text, version: i16) -> DeleteTopicsRequest {
        let state = DeleteTopicState { name: Some(name.clone()), topic_id: TopicId::ZERO };
        let (topics, topic_names) =
            if version < 6 { (Vec::new(), vec![name.clone()]) } else { (vec![state], Vec::new()) };
        DeleteTopicsRequest { topics, topic_names, timeout_ms: self.timeout_ms() }
    }

    pub(super) fn timeout_ms(&self) -> i32 {
        i32::try_from(self.config.request_timeout.as_millis()).unwrap_or(i32::MAX)
    }
}

/// Older brokers would refuse -1 as a number of partitions or replicas.
fn in_version(request: CreateTopicsRequest, version: i16) -> Result<CreateTopicsRequest, TransportError> {
    let leaves_it_to_the_broker =
        |topic: &CreatableTopic| topic.num_partitions < 0 || topic.replication_factor < 0;
    if request.topics.iter().any(leaves_it_to_the_broker) {
        Feature::COUNTS_OF_THE_BROKER.require(version)?;
    }
    Ok(request)
}
