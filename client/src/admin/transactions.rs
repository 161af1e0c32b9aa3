//! Transactions as administrators see them: which there are, how each one stands, who writes into a partition; and how one is
//! ended that nobody ends (KIP-664).

use std::time::Duration;

use mainstem_protocol::{
    BrokerId, Offset, ProducerEpoch, ProducerId, Text, Timestamp,
    messages::{
        DescribeProducersRequest, DescribeTransactionsRequest, ListTransactionsRequest,
        WriteTxnMarkersRequest,
        describe_producers::{ProducerState, TopicRequest},
        describe_transactions::TransactionState,
        list_transactions,
        write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic},
    },
};

use super::{Admin, AdminError};
use crate::{
    TopicPartition,
    cluster::{Coordinated, feature::Feature},
    transport::{Lane, Node},
};

/// Which transactions are listed; what is empty lets all through.
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::admin::TransactionFilter;
///
/// let old = TransactionFilter { open_for: Some(Duration::from_secs(60)), ..TransactionFilter::default() };
/// assert!(old.states.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionFilter {
    /// Those in one of these states, by Kafka's names.
    pub states: Vec<Text>,
    /// Those of these producers.
    pub producer_ids: Vec<ProducerId>,
    /// Those that have been open for longer than this (Kafka 3.8 or newer).
    pub open_for: Option<Duration>,
}

/// A transaction in a list.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, admin::TransactionFilter};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// for transaction in admin.list_transactions(&TransactionFilter::default()).await? {
///     println!("{}: {}", transaction.id, transaction.state);
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionListing {
    /// The transactional id.
    pub id: Text,
    /// Its producer.
    pub producer_id: ProducerId,
    /// Its state, by Kafka's name.
    pub state: Text,
    /// The broker that keeps it.
    pub coordinator: BrokerId,
}

/// How a transaction stands.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// # use mainstem_client::{ProducerConfig, TransactionalProducer, producer::TransactionConfig};
/// use mainstem_client::{Admin, AdminConfig};
///
/// # let config = TransactionConfig::new("billing-1");
/// # let producer = TransactionalProducer::new(&transport, ProducerConfig::default(), config);
/// # producer.init_transactions().await?;
/// let admin = Admin::new(&transport, AdminConfig::default());
/// let transaction = admin.describe_transaction("billing-1").await?;
/// assert_eq!((&*transaction.state, transaction.started), ("Empty", None));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionDescription {
    /// The transactional id.
    pub id: Text,
    /// Its state, by Kafka's name.
    pub state: Text,
    /// Its producer.
    pub producer_id: ProducerId,
    /// The producer's epoch.
    pub producer_epoch: ProducerEpoch,
    /// How long it may be open.
    pub timeout: Duration,
    /// Since when it is open; none where none is.
    pub started: Option<Timestamp>,
    /// The partitions that are in it.
    pub partitions: Vec<TopicPartition>,
    /// The broker that keeps it.
    pub coordinator: BrokerId,
}

/// A producer that a partition remembers.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, TopicPartition};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// for producer in admin.describe_producers(&TopicPartition::new("greetings", 0)).await? {
///     println!("{}: {:?}", producer.producer_id, producer.transaction_start);
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Its id.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// The sequence of its last record here; -1 where that is not known.
    pub last_sequence: i32,
    /// When it last wrote.
    pub last_timestamp: Timestamp,
    /// The epoch of the coordinator that has last ended a transaction of its here; -1 where none has.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins here; none where none is open.
    pub transaction_start: Option<Offset>,
}

impl Admin {
    /// The transactions of all coordinators, in the order of their ids.
    ///
    /// # Errors
    /// Where a broker does not answer.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, admin::TransactionFilter};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// assert!(admin.list_transactions(&TransactionFilter::default()).await?.is_empty());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn list_transactions(
        &self,
        filter: &TransactionFilter,
    ) -> Result<Vec<TransactionListing>, AdminError> {
        self.cluster.refresh(&[], false).await?;
        let mut all = Vec::new();
        for broker in self.cluster.metadata().brokers() {
            all.extend(self.trying(|| self.transactions_of(broker.id, filter)).await?);
        }
        all.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(all)
    }

    async fn transactions_of(
        &self,
        coordinator: BrokerId,
        filter: &TransactionFilter,
    ) -> Result<Vec<TransactionListing>, AdminError> {
        let request = list_request(filter);
        let asked = |version| {
            if filter.open_for.is_some() {
                Feature::TRANSACTIONS_BY_DURATION.require(version)?;
            }
            Ok(request)
        };
        let (node, timeout) = (Node::Id(coordinator), self.config.request_timeout);
        let answer = self.cluster.call_if(node, Lane::General, asked, timeout).await?;
        AdminError::check(&format!("transactions of broker {coordinator}"), answer.error_code, None)?;
        let listing = |listed: list_transactions::TransactionState| TransactionListing {
            id: listed.transactional_id,
            producer_id: listed.producer_id,
            state: listed.transaction_state,
            coordinator,
        };
        Ok(answer.transaction_states.into_iter().map(listing).collect())
    }

    /// How the transaction of a transactional id stands.
    ///
    /// # Errors
    /// Where there is none of that id (TRANSACTIONAL_ID_NOT_FOUND), or its coordinator does not answer.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, ErrorCode};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// let error = admin.describe_transaction("nobody").await.unwrap_err();
    /// assert_eq!(error.code(), Some(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn describe_transaction(
        &self,
        id: impl Into<Text>,
    ) -> Result<TransactionDescription, AdminError> {
        let id = id.into();
        let (of, subject) = (Coordinated::Transactions(id.clone()), format!("transactional id {id}"));
        self.trying(|| async {
            let coordinator = self.cluster.coordinator_of(&of, self.config.timeout).await?;
            let request = DescribeTransactionsRequest { transactional_ids: vec![id.clone()] };
            let answer = self.cluster.ask(Node::Id(coordinator), request).await?;
            let no_answer = || AdminError::NoAnswer { subject: subject.clone() };
            let state = answer.transaction_states.into_iter().next().ok_or_else(no_answer)?;
            AdminError::check(&subject, state.error_code, None)?;
            Ok(description(state, coordinator))
        })
        .await
    }

    /// The producers that a partition remembers, as its leader tells of them.
    ///
    /// # Errors
    /// Where there is no such partition, or its leader does not answer.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, TopicPartition};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// let producers = admin.describe_producers(&TopicPartition::new("greetings", 1)).await?;
    /// assert!(producers.iter().all(|producer| producer.transaction_start.is_none()));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn describe_producers(
        &self,
        partition: &TopicPartition,
    ) -> Result<Vec<ActiveProducer>, AdminError> {
        let TopicPartition { topic: name, partition: index } = partition.clone();
        let topics = vec![TopicRequest { name, partition_indexes: vec![index] }];
        let request = DescribeProducersRequest { topics };
        self.trying(|| async {
            let answer = self.cluster.ask(self.leader_of(partition).await?, request.clone()).await?;
            let found = answer.topics.into_iter().flat_map(|topic| topic.partitions).next();
            let found = found.ok_or_else(|| AdminError::NoAnswer { subject: partition.to_string() })?;
            self.check_leader(partition, found.error_code, found.error_message.as_ref())?;
            Ok(found.active_producers.into_iter().map(active).collect())
        })
        .await
    }

    /// Aborts the transaction that a producer has open in one partition, past its coordinator: for one that the coordinator
    /// does not know of any more, so that nobody else would end it. What readers of committed records wait for there is then
    /// over. Of a transaction that somebody still writes in, this loses records.
    ///
    /// # Errors
    /// Where the leader refuses, as it does for an epoch that is too old.
    ///
    /// # Cancel safety
    /// Dropped, the transaction may be aborted or not; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, TopicPartition};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// let partition = TopicPartition::new("greetings", 0);
    /// for producer in admin.describe_producers(&partition).await? {
    ///     if producer.transaction_start.is_some() {
    ///         admin.abort_transaction(&partition, &producer).await?;
    ///     }
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub async fn abort_transaction(
        &self,
        partition: &TopicPartition,
        producer: &ActiveProducer,
    ) -> Result<(), AdminError> {
        let request = abort_request(partition, producer);
        self.trying(|| async {
            let answer = self.cluster.ask(self.leader_of(partition).await?, request.clone()).await?;
            let topics = answer.markers.into_iter().flat_map(|marker| marker.topics);
            let found = topics.flat_map(|topic| topic.partitions).next();
            let found = found.ok_or_else(|| AdminError::NoAnswer { subject: partition.to_string() })?;
            self.check_leader(partition, found.error_code, None)
        })
        .await
    }
}

fn list_request(filter: &TransactionFilter) -> ListTransactionsRequest {
    let TransactionFilter { states, producer_ids, open_for } = filter.clone();
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    ListTransactionsRequest {
        state_filters: states,
        producer_id_filters: producer_ids,
        duration_filter: open_for.map_or(-1, millis),
        ..ListTransactionsRequest::default()
    }
}

fn description(state: TransactionState, coordinator: BrokerId) -> TransactionDescription {
    let partitions = state.topics.into_iter().flat_map(|topic| {
        let name = topic.topic;
        topic.partitions.into_iter().map(move |partition| TopicPartition { topic: name.clone(), partition })
    });
    TransactionDescription {
        id: state.transactional_id,
        state: state.transaction_state,
        producer_id: state.producer_id,
        producer_epoch: state.producer_epoch,
        timeout: Duration::from_millis(u64::try_from(state.transaction_timeout_ms).unwrap_or(0)),
        started: Some(state.transaction_start_time_ms).filter(|time| time.0 >= 0),
        partitions: partitions.collect(),
        coordinator,
    }
}

fn active(state: ProducerState) -> ActiveProducer {
    ActiveProducer {
        producer_id: state.producer_id,
        producer_epoch: ProducerEpoch(i16::try_from(state.producer_epoch).unwrap_or(i16::MAX)),
        last_sequence: state.last_sequence,
        last_timestamp: state.last_timestamp,
        coordinator_epoch: state.coordinator_epoch,
        transaction_start: Some(state.current_txn_start_offset).filter(|start| *start != Offset::NONE),
    }
}

/// A marker in the name of the last coordinator that the partition has heard of, or the first one
/// (Kafka: `TransactionsCommand.AbortTransactionCommand`).
fn abort_request(partition: &TopicPartition, producer: &ActiveProducer) -> WriteTxnMarkersRequest {
    let TopicPartition { topic: name, partition } = partition.clone();
    let marker = WritableTxnMarker {
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch,
        transaction_result: false,
        topics: vec![WritableTxnMarkerTopic { name, partition_indexes: vec![partition] }],
        coordinator_epoch: producer.coordinator_epoch.max(0),
        ..WritableTxnMarker::default()
    };
    WriteTxnMarkersRequest { markers: vec![marker] }
}
