//! Asks leaders for offsets: the first, the last, those at a time, or those of the largest time.

use std::{collections::HashMap, time::Duration};

use mainstem_protocol::{
    BrokerId, ErrorCode, LeaderEpoch, Offset, Timestamp,
    messages::{
        ListOffsetsRequest, ListOffsetsResponse,
        list_offsets::{ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopic},
    },
};

use crate::{
    TopicPartition,
    cluster::{Cluster, MetadataError, feature::Feature},
    consumer::IsolationLevel,
    topic_partition::by_topic,
    transport::{Lane, Node, TransportError},
};

/// Which offset of a partition is asked for.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, Offset, OffsetSpec, Timestamp, TopicPartition};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// let first = TopicPartition::new("greetings", 0);
/// for (spec, offset) in [
///     (OffsetSpec::Earliest, Offset(0)),
///     (OffsetSpec::Timestamp(Timestamp(1500)), Offset(1)),
///     (OffsetSpec::MaxTimestamp, Offset(1)),
///     (OffsetSpec::Latest, Offset(2)),
/// ] {
///     assert_eq!(admin.list_offsets(&[(first.clone(), spec)]).await?[&first].offset, offset);
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OffsetSpec {
    /// That of the first record that there still is.
    Earliest,
    /// The one behind the last record.
    Latest,
    /// That of the first record that is not older than this.
    Timestamp(Timestamp),
    /// That of the first of the records with the largest time (KIP-734, Kafka 3.0 or newer).
    MaxTimestamp,
}

impl OffsetSpec {
    /// The number on the wire (Kafka: `ListOffsetsRequest`).
    const fn timestamp(self) -> Timestamp {
        match self {
            Self::Latest => Timestamp(-1),
            Self::Earliest => Timestamp(-2),
            Self::MaxTimestamp => Timestamp(-3),
            Self::Timestamp(timestamp) => timestamp,
        }
    }
}

/// An offset that was asked for.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, OffsetSpec, Timestamp, TopicPartition};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// let first = TopicPartition::new("greetings", 0);
/// let found = admin.list_offsets(&[(first.clone(), OffsetSpec::Timestamp(Timestamp(1500)))]).await?;
/// assert_eq!((found[&first].offset.0, found[&first].timestamp.0), (1, 2000));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    /// The offset; [`Offset::NONE`] where all records are older than the time that was asked for.
    pub offset: Offset,
    /// The time of the record; [`Timestamp::NONE`] for the first and the last offset.
    pub timestamp: Timestamp,
    /// The leader epoch of the record.
    pub leader_epoch: LeaderEpoch,
}

/// Why offsets are not known.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, OffsetSpec, TopicPartition, offsets::ListOffsetsError};
///
/// let admin = Admin::new(&transport, AdminConfig { timeout: std::time::Duration::ZERO, ..AdminConfig::default() });
/// let third = TopicPartition::new("greetings", 2);
/// let error = admin.list_offsets(&[(third, OffsetSpec::Latest)]).await.unwrap_err();
/// assert!(matches!(error, ListOffsetsError::Refused { .. }));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum ListOffsetsError {
    /// The partition's topic cannot be had.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The leader could not be asked.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The leader refused.
    #[error("offsets of {partition} are not available: {code}")]
    Refused {
        /// The partition.
        partition: TopicPartition,
        /// What the broker says.
        code: ErrorCode,
    },
}

impl ListOffsetsError {
    /// Whether asking later may help.
    ///
    /// ```
    /// use mainstem_client::{ErrorCode, TopicPartition, offsets::ListOffsetsError};
    ///
    /// let partition = TopicPartition::new("greetings", 0);
    /// let error = ListOffsetsError::Refused { partition, code: ErrorCode::LEADER_NOT_AVAILABLE };
    /// assert!(error.is_retriable());
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Metadata(error) => error.is_retriable(),
            Self::Transport(error) => error.is_retriable(),
            Self::Refused { code, .. } => code.is_retriable(),
        }
    }
}

impl Cluster {
    /// Offsets of partitions, from their leaders; tried again until `limit` is over.
    ///
    /// # Errors
    /// Where one of them cannot be had.
    ///
    /// # Cancel safety
    /// Dropped, at worst less is known than might be; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster, Offset, OffsetSpec, TopicPartition};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// let wanted = [(TopicPartition::new("greetings", 0), OffsetSpec::Latest)];
    /// let found = cluster.list_offsets(&wanted, Duration::from_secs(5)).await?;
    /// assert_eq!(found[&wanted[0].0].offset, Offset(2));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn list_offsets(
        &self,
        wanted: &[(TopicPartition, OffsetSpec)],
        limit: Duration,
    ) -> Result<HashMap<TopicPartition, FoundOffset>, ListOffsetsError> {
        self.list_offsets_for(wanted, IsolationLevel::ReadUncommitted, limit).await
    }

    /// As [`Self::list_offsets`]; whoever reads only what was committed finds its end where the first open transaction
    /// begins.
    pub(crate) async fn list_offsets_for(
        &self,
        wanted: &[(TopicPartition, OffsetSpec)],
        isolation: IsolationLevel,
        limit: Duration,
    ) -> Result<HashMap<TopicPartition, FoundOffset>, ListOffsetsError> {
        let mut retry = self.retry(limit);
        loop {
            match self.list_offsets_once(wanted, isolation, limit).await {
                Err(error) if error.is_retriable() && retry.pause().await => {
                    wanted.iter().for_each(|(partition, _)| self.forget(&partition.topic));
                }
                listed => return listed,
            }
        }
    }

    async fn list_offsets_once(
        &self,
        wanted: &[(TopicPartition, OffsetSpec)],
        isolation: IsolationLevel,
        limit: Duration,
    ) -> Result<HashMap<TopicPartition, FoundOffset>, ListOffsetsError> {
        let mut found = HashMap::new();
        for (leader, wanted) in self.by_leader(wanted, limit).await? {
            let limit = self.request_timeout();
            let request = |version| request(&wanted, isolation, version);
            let answer = self.call_if(Node::Id(leader), Lane::General, request, limit).await?;
            collect(answer, &mut found)?;
        }
        Ok(found)
    }

    async fn by_leader(
        &self,
        wanted: &[(TopicPartition, OffsetSpec)],
        limit: Duration,
    ) -> Result<HashMap<BrokerId, Vec<(TopicPartition, OffsetSpec)>>, ListOffsetsError> {
        let mut leaders: HashMap<BrokerId, Vec<_>> = HashMap::new();
        for (partition, spec) in wanted {
            let topic = self.topic(&partition.topic, false, limit).await?;
            let refused = |code| ListOffsetsError::Refused { partition: partition.clone(), code };
            let known = topic.partition(partition.partition);
            let known = known.ok_or_else(|| refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))?;
            let leader = known.leader.ok_or_else(|| refused(ErrorCode::LEADER_NOT_AVAILABLE))?;
            leaders.entry(leader).or_default().push((partition.clone(), *spec));
        }
        Ok(leaders)
    }
}

/// Older brokers would take the number that stands for the largest time for a time.
fn request(
    wanted: &[(TopicPartition, OffsetSpec)],
    isolation: IsolationLevel,
    version: i16,
) -> Result<ListOffsetsRequest, TransportError> {
    if wanted.iter().any(|(_, spec)| *spec == OffsetSpec::MaxTimestamp) {
        Feature::LARGEST_TIMESTAMP.require(version)?;
    }
    let partitions = wanted.iter().map(|(TopicPartition { topic, partition }, spec)| {
        let (partition_index, timestamp) = (*partition, spec.timestamp());
        (topic, ListOffsetsPartition { partition_index, timestamp, ..ListOffsetsPartition::default() })
    });
    let topics =
        by_topic(partitions).into_iter().map(|(name, partitions)| ListOffsetsTopic { name, partitions });
    let (replica_id, isolation_level) = (BrokerId::NONE, isolation.id());
    let topics = topics.collect();
    // How long a broker may look into a tiered log is left to it.
    Ok(ListOffsetsRequest { replica_id, isolation_level, topics, ..Default::default() })
}

fn collect(
    answer: ListOffsetsResponse,
    found: &mut HashMap<TopicPartition, FoundOffset>,
) -> Result<(), ListOffsetsError> {
    for topic in answer.topics {
        for answer in topic.partitions {
            let ListOffsetsPartitionResponse { partition_index, error_code: code, .. } = answer;
            let partition = TopicPartition { topic: topic.name.clone(), partition: partition_index };
            if !code.is_none() {
                return Err(ListOffsetsError::Refused { partition, code });
            }
            let ListOffsetsPartitionResponse { offset, timestamp, leader_epoch, .. } = answer;
            found.insert(partition, FoundOffset { offset, timestamp, leader_epoch });
        }
    }
    Ok(())
}
