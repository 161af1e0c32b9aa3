//! What a client knows of its cluster, and how it asks: versions, leaders, coordinators, what to try again.
//!
//! - [`Metadata`]: who leads what, as it was last heard.
//! - `retry`: how long to go on trying.

mod coordinator;
mod error;
pub(crate) mod feature;
mod metadata;
pub(crate) mod retry;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mainstem_protocol::{
    ApiKey, BrokerId, ErrorCode, Text,
    messages::{MetadataRequest, MetadataResponse, Request, metadata::MetadataRequestTopic},
};
use tokio::time::Instant;

use crate::{
    TopicPartition,
    metrics::{Meter, Metrics},
    transport::{Call, Lane, Node, Transport, TransportError},
};
pub use coordinator::{Coordinated, CoordinatorError};
pub use error::MetadataError;
pub use metadata::{Metadata, PartitionMetadata, TopicMetadata};
use retry::Retry;

/// A cluster behind a transport.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::time::Duration;
/// use mainstem_client::{Cluster};
///
/// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
/// cluster.refresh_all().await?;
/// println!("{} topics", cluster.metadata().topics().count());
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct Cluster {
    transport: Arc<dyn Transport>,
    request_timeout: Duration,
    metadata: Mutex<Arc<Metadata>>,
    /// How often the metadata has changed.
    changes: AtomicU64,
    meter: Arc<Meter>,
}

impl Cluster {
    /// A cluster of which nothing is known yet. `request_timeout` is how long one answer may take.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// assert_eq!(cluster.metadata().brokers().len(), 0);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, request_timeout: Duration) -> Self {
        Self {
            transport,
            request_timeout,
            metadata: Mutex::default(),
            changes: AtomicU64::new(0),
            meter: Arc::default(),
        }
    }

    /// How long one answer may take.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// assert_eq!(cluster.request_timeout(), Duration::from_secs(5));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// What was last heard of the cluster.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// cluster.refresh_all().await?;
    /// assert!(cluster.metadata().topic("greetings").is_some());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn metadata(&self) -> Arc<Metadata> {
        Arc::clone(&self.metadata.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A number that is another one after each change of the metadata: while it stays, what was read from them holds.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Asks in the newest version that both ends speak. `timeout` is how long that may take, with the look-up of the
    /// versions, and the connection that may have to be opened for that.
    ///
    /// # Errors
    /// Where there is no response, or one to another request.
    ///
    /// # Cancel safety
    /// Dropped, the request may take place all the same, or not; nobody gets its answer.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster, Node, transport::Lane};
    ///
    /// use mainstem_client::protocol::messages::DescribeClusterRequest;
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// let request = DescribeClusterRequest::default();
    /// let answer = cluster.call(Node::Any, Lane::General, request, Duration::from_secs(5)).await?;
    /// println!("cluster {}", answer.cluster_id);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn call<R: Request>(
        &self,
        node: Node,
        lane: Lane,
        request: R,
        timeout: Duration,
    ) -> Result<R::Response, TransportError> {
        self.call_in_version(node, lane, |_| request, timeout).await
    }

    /// As [`Self::call`], for a request that differs from version to version in more than its encoding.
    ///
    /// # Errors
    /// As [`Self::call`].
    ///
    /// # Cancel safety
    /// As [`Self::call`].
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster, Node, transport::Lane};
    ///
    /// use mainstem_client::protocol::messages::FindCoordinatorRequest;
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// // From version 4 on, the group is one of several.
    /// let request = |version| match version {
    ///     ..4 => FindCoordinatorRequest { key: "readers".into(), ..Default::default() },
    ///     _ => FindCoordinatorRequest { coordinator_keys: vec!["readers".into()], ..Default::default() },
    /// };
    /// cluster.call_in_version(Node::Any, Lane::General, request, Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn call_in_version<R: Request>(
        &self,
        node: Node,
        lane: Lane,
        request: impl FnOnce(i16) -> R,
        timeout: Duration,
    ) -> Result<R::Response, TransportError> {
        self.call_if(node, lane, |version| Ok(request(version)), timeout).await
    }

    /// The same, for a request that not every version can carry: where it says so, nothing is sent.
    pub(crate) async fn call_if<R: Request>(
        &self,
        node: Node,
        lane: Lane,
        request: impl FnOnce(i16) -> Result<R, TransportError>,
        timeout: Duration,
    ) -> Result<R::Response, TransportError> {
        self.call_up_to(i16::MAX, node, lane, request, timeout).await
    }

    /// The same, in no version above `newest`: where a newer one says more than is meant.
    pub(crate) async fn call_up_to<R: Request>(
        &self,
        newest: i16,
        node: Node,
        lane: Lane,
        request: impl FnOnce(i16) -> Result<R, TransportError>,
        timeout: Duration,
    ) -> Result<R::Response, TransportError> {
        let started = Instant::now();
        let timed_out = || TransportError::TimedOut { key: R::KEY, timeout_ms: timeout.as_millis() };
        // A connection may have to be opened first; that is a part of the time.
        let version = tokio::time::timeout(timeout, self.version::<R>(node, newest)).await;
        let version = version.unwrap_or_else(|_| Err(timed_out()))?;
        let request = request(version)?.into();
        let left = timeout.saturating_sub(started.elapsed());
        let call = Call { node, lane, version, request, timeout: left };
        let wrong = |asked, answered| TransportError::WrongResponse { asked, answered };
        let sent = Instant::now();
        let answer = self.transport.call(call).await;
        self.meter.called(R::KEY, sent.elapsed(), &answer);
        let answer = answer.map_err(|error| match error {
            TransportError::TimedOut { .. } => timed_out(),
            error => error,
        })?;
        R::Response::try_from(answer).map_err(|other| wrong(R::KEY, other.key()))
    }

    /// Where this client counts what it does.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Attempts at one thing within a time; those after the first are counted.
    pub(crate) fn retry(&self, limit: Duration) -> Retry {
        Retry::within(limit, Arc::clone(&self.meter))
    }

    /// What was done so far.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::Cluster;
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// cluster.refresh_all().await?;
    /// assert_eq!(cluster.metrics().requests["Metadata"].count, 1);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.meter.snapshot(self.transport.traffic())
    }

    /// The version in which a broker is asked: the newest that both ends speak and this client makes use of.
    async fn version<R: Request>(&self, node: Node, newest: i16) -> Result<i16, TransportError> {
        let versions = self.transport.versions(node, R::KEY).await?;
        let version = usable(R::KEY).min(newest).min(*versions.end());
        if version < *versions.start() {
            return Err(TransportError::Unsupported { key: R::KEY });
        }
        Ok(version)
    }

    /// Asks a broker on the general lane, within the request timeout.
    ///
    /// # Errors
    /// As [`Self::call`].
    ///
    /// # Cancel safety
    /// As [`Self::call`].
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster, Node};
    ///
    /// use mainstem_client::protocol::messages::DescribeClusterRequest;
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// let answer = cluster.ask(Node::Any, DescribeClusterRequest::default()).await?;
    /// println!("cluster {}", answer.cluster_id);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn ask<R: Request>(&self, node: Node, request: R) -> Result<R::Response, TransportError> {
        self.call(node, Lane::General, request, self.request_timeout).await
    }

    /// A topic, from what is known or from any broker; tried again until `limit` is over while the topic is not
    /// there yet. With `create`, a broker that may create topics creates it.
    ///
    /// # Errors
    /// Where the topic cannot be had.
    ///
    /// # Cancel safety
    /// Dropped, at worst less is known than might be; with `create`, the topic may be created all the same.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// let topic = cluster.topic(&"greetings".into(), false, Duration::from_secs(5)).await?;
    /// assert_eq!(topic.partitions.len(), 2);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn topic(
        &self,
        name: &Text,
        create: bool,
        limit: Duration,
    ) -> Result<Arc<TopicMetadata>, MetadataError> {
        let mut retry = self.retry(limit);
        loop {
            if let Some(topic) = self.metadata().topic(name) {
                return Ok(topic);
            }
            let error = match self.refresh(std::slice::from_ref(name), create).await {
                Ok(()) => MetadataError::topic(name, self.metadata().error(name)),
                Err(error) => error,
            };
            if self.metadata().topic(name).is_none() && !(error.is_retriable() && retry.pause().await) {
                return Err(error);
            }
        }
    }

    /// Asks any broker about topics, and remembers what it says.
    ///
    /// # Errors
    /// Where no broker answers; a topic that is in trouble is no error here.
    ///
    /// # Cancel safety
    /// Dropped, at worst less is known than might be; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// cluster.refresh(&["greetings".into()], false).await?;
    /// assert!(cluster.metadata().topic("greetings").is_some());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn refresh(&self, names: &[Text], create: bool) -> Result<(), MetadataError> {
        let topic = |name: &Text| MetadataRequestTopic { name: Some(name.clone()), ..Default::default() };
        let topics = Some(names.iter().map(topic).collect());
        self.ask_metadata(topics, create).await
    }

    /// Asks any broker about all topics, and remembers what it says.
    ///
    /// # Errors
    /// Where no broker answers.
    ///
    /// # Cancel safety
    /// Dropped, at worst less is known than might be; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// cluster.refresh_all().await?;
    /// assert_eq!(cluster.metadata().topics().count(), 1);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn refresh_all(&self) -> Result<(), MetadataError> {
        self.ask_metadata(None, false).await
    }

    async fn ask_metadata(
        &self,
        topics: Option<Vec<MetadataRequestTopic>>,
        create: bool,
    ) -> Result<(), MetadataError> {
        let everything = topics.is_none();
        let request =
            MetadataRequest { topics, allow_auto_topic_creation: create, ..MetadataRequest::default() };
        let response: MetadataResponse = self.ask(Node::Any, request).await?;
        if response.error_code == ErrorCode::REBOOTSTRAP_REQUIRED {
            // The broker does not belong to the cluster any more (KIP-1102).
            self.transport.learn(&[]);
        }
        if !response.error_code.is_none() {
            return Err(MetadataError::Refused(response.error_code));
        }
        self.remember(&response, everything);
        Ok(())
    }

    fn remember(&self, response: &MetadataResponse, everything: bool) {
        let heard = {
            let mut known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
            *known = Arc::new(known.heard(response, everything));
            self.changes.fetch_add(1, Ordering::Release);
            Arc::clone(&known)
        };
        self.transport.learn(heard.brokers());
    }

    /// Forgets a topic whose leaders are not where they were.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// cluster.refresh_all().await?;
    /// cluster.forget(&"greetings".into());
    /// assert!(cluster.metadata().topic("greetings").is_none());
    /// # Ok(())
    /// # });
    /// ```
    pub fn forget(&self, name: &Text) {
        let mut known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut known).forget(name);
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Who leads a partition, as far as is known.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster, TopicPartition};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// cluster.refresh_all().await?;
    /// assert!(cluster.leader(&TopicPartition::new("greetings", 0)).is_some());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn leader(&self, partition: &TopicPartition) -> Option<BrokerId> {
        self.metadata().topic(&partition.topic)?.partition(partition.partition)?.leader
    }

    /// A broker that may change the cluster: its controller, where one is known.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster, Node};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// assert_eq!(cluster.controller(), Node::Any);
    /// cluster.refresh_all().await?;
    /// assert_ne!(cluster.controller(), Node::Any);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn controller(&self) -> Node {
        let metadata = self.metadata();
        let known = metadata.brokers().iter().any(|broker| broker.id == metadata.controller());
        if known { Node::Id(metadata.controller()) } else { Node::Any }
    }
}

/// The newest version of an API that this client makes use of: from the next one on, these carry the ids of topics
/// instead of their names, or are for brokers among themselves.
fn usable(key: ApiKey) -> i16 {
    match key {
        ApiKey::AddPartitionsToTxn => 3,
        ApiKey::Produce | ApiKey::Fetch => 12,
        ApiKey::OffsetCommit | ApiKey::OffsetFetch => 9,
        _ => *key.versions().end(),
    }
}

/// Whether an error says that another broker leads the partition now (Kafka: `InvalidMetadataException`).
#[must_use]
pub(crate) const fn is_stale_metadata(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode::LEADER_NOT_AVAILABLE
            | ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::REPLICA_NOT_AVAILABLE
            | ErrorCode::KAFKA_STORAGE_ERROR
            | ErrorCode::FENCED_LEADER_EPOCH
            | ErrorCode::UNKNOWN_LEADER_EPOCH
            | ErrorCode::NOT_CONTROLLER
            | ErrorCode::UNKNOWN_TOPIC_ID
            | ErrorCode::INCONSISTENT_TOPIC_ID
    )
}
