//! Adds partitions to a transaction of the first generation before anything is written there (AddPartitionsToTxn): all that
//! are waiting at once, one request at a time, as the sender finds that it has something for them.

use std::{collections::HashSet, sync::Arc, time::Duration};

use mainstem_protocol::{
    ErrorCode,
    messages::{
        AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, add_partitions_to_txn::AddPartitionsToTxnTopic,
    },
};
use tokio::time::Instant;

use super::{error::TransactionCause, shared::Transactions, state::Started};
use crate::{TopicPartition, backoff::Backoff, caps, topic_partition::by_topic, transport::BoxFuture};

/// How long to wait where the transaction before is still being completed: not long, since that holds up all there is
/// (Kafka: `ADD_PARTITIONS_RETRY_BACKOFF_MS`).
const BEHIND_THE_LAST: Duration = Duration::from_millis(20);

/// Partitions that wait to be added.
#[derive(Debug)]
pub(super) struct Enlisting {
    wanted: HashSet<TopicPartition>,
    /// Those that the coordinator has been asked to add; empty where it has answered.
    under_way: HashSet<TopicPartition>,
    not_before: Option<Instant>,
    backoff: Backoff,
}

impl Default for Enlisting {
    fn default() -> Self {
        Self {
            wanted: HashSet::new(),
            under_way: HashSet::new(),
            not_before: None,
            backoff: Backoff::new(caps::RETRY_BACKOFF, caps::RETRY_BACKOFF_MAX),
        }
    }
}

impl Enlisting {
    pub(super) fn want(&mut self, partition: &TopicPartition) {
        if !self.wanted.contains(partition) && !self.under_way.contains(partition) {
            self.wanted.insert(partition.clone());
        }
    }

    fn take(&mut self, now: Instant) -> Option<Vec<TopicPartition>> {
        let waits = self.is_under_way() || self.not_before.is_some_and(|wait| wait > now);
        if waits || self.wanted.is_empty() {
            return None;
        }
        self.under_way = std::mem::take(&mut self.wanted);
        Some(self.under_way.iter().cloned().collect())
    }

    fn succeeded(&mut self) {
        self.under_way.clear();
        self.not_before = None;
        self.backoff.reset();
    }

    fn failed(&mut self, wait: Option<Duration>) {
        self.not_before = Some(Instant::now() + wait.unwrap_or_else(|| self.backoff.next()));
        self.wanted.extend(self.under_way.drain());
    }

    pub(super) fn is_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Wants nothing more: the transaction has failed, or is over.
    pub(super) fn clear(&mut self) {
        self.wanted.clear();
        self.succeeded();
    }
}

/// Partitions, and what the coordinator said of them.
#[derive(Debug)]
pub(in crate::producer) struct Enlisted {
    partitions: Vec<TopicPartition>,
    answer: Result<(), TransactionCause>,
}

impl Transactions {
    /// The request that is due, if any.
    pub(in crate::producer) fn enlist(
        self: &Arc<Self>,
        now: Instant,
    ) -> Option<BoxFuture<'static, Enlisted>> {
        // Under the state's lock: once a transaction is being aborted, none is on its way that nobody waits for.
        let mut state = self.state();
        if !state.is_open() {
            return None;
        }
        let partitions = self.enlisting().take(now)?;
        state.started(Started::Perhaps);
        drop(state);
        let this = Arc::clone(self);
        Some(Box::pin(async move {
            let answer = this.add(&partitions).await;
            Enlisted { partitions, answer }
        }))
    }

    /// When the next request is due.
    pub(in crate::producer) fn next_enlisting(&self) -> Option<Instant> {
        let enlisting = self.enlisting();
        enlisting.not_before.filter(|_| !enlisting.is_under_way() && !enlisting.wanted.is_empty())
    }

    async fn add(&self, partitions: &[TopicPartition]) -> Result<(), TransactionCause> {
        let request = self.request(partitions);
        let answer = self.ask(|_| Ok(request)).await?;
        self.coordinator.check::<AddPartitionsToTxnRequest>(worst(&answer))
    }

    fn request(&self, partitions: &[TopicPartition]) -> AddPartitionsToTxnRequest {
        let (producer_id, producer_epoch) = self.identity();
        let topics = by_topic(partitions.iter().map(|partition| (&partition.topic, partition.partition)));
        let topic = |(name, partitions)| AddPartitionsToTxnTopic { name, partitions };
        AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.config.id.clone(),
            v3_and_below_producer_id: producer_id,
            v3_and_below_producer_epoch: producer_epoch,
            v3_and_below_topics: topics.into_iter().map(topic).collect(),
            ..AddPartitionsToTxnRequest::default()
        }
    }

    /// Notes what the coordinator said.
    pub(in crate::producer) fn on_enlisted(&self, Enlisted { partitions, answer }: Enlisted) {
        match answer {
            Ok(()) => {
                let mut state = self.state();
                state.started(Started::Yes);
                state.partitions.extend(partitions);
                drop(state);
                self.enlisting().succeeded();
            }
            Err(cause) if cause.is_retriable() && self.state().is_open() => {
                let is_behind = cause.code() == Some(ErrorCode::CONCURRENT_TRANSACTIONS)
                    && self.state().partitions.is_empty();
                self.enlisting().failed(is_behind.then_some(BEHIND_THE_LAST));
            }
            Err(cause) => {
                if !cause.is_retriable() {
                    self.state().failed(cause);
                }
                self.enlisting().clear();
            }
        }
        self.enlisted.notify_waiters();
    }
}

/// What the answer comes to: a refusal that says more than that the partition was not tried because of another one.
fn worst(answer: &AddPartitionsToTxnResponse) -> ErrorCode {
    let topics = answer.results_by_topic_v3_and_below.iter();
    let codes = topics.flat_map(|topic| &topic.results_by_partition).map(|each| each.partition_error_code);
    let mut worst = ErrorCode::NONE;
    for code in codes.filter(|code| !code.is_none()) {
        if worst.is_none() || worst == ErrorCode::OPERATION_NOT_ATTEMPTED {
            worst = code;
        }
    }
    worst
}
