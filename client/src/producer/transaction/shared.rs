//! What the producer's calls and its sender share: the state, and the coordinator that both ask.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainstem_protocol::{ApiKey, ProducerEpoch, ProducerId, Text, messages::Request};
use tokio::sync::Notify;

use super::{
    config::TransactionConfig,
    coordinator::Coordinator,
    enlisting::Enlisting,
    error::{Operation, TransactionCause, TransactionError},
    state::{Generation, Started, State},
};
use crate::{
    TopicPartition,
    cluster::{Cluster, Coordinated},
    producer::{ProduceError, partition::Author},
    transport::TransportError,
};

/// The transactions of a producer.
#[derive(Debug)]
pub(in crate::producer) struct Transactions {
    pub(super) config: TransactionConfig,
    /// How long an operation may take.
    pub(super) limit: Duration,
    pub(super) coordinator: Coordinator,
    state: Mutex<State>,
    enlisting: Mutex<Enlisting>,
    /// Told when an answer about partitions has come.
    pub(super) enlisted: Notify,
}

/// The turn of an operation; the next one may begin when this is dropped.
pub(super) struct Turn<'a>(&'a Transactions);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().rest();
    }
}

impl Transactions {
    pub(in crate::producer) fn new(
        cluster: Arc<Cluster>,
        config: TransactionConfig,
        limit: Duration,
    ) -> Self {
        let coordinator = Coordinator::new(cluster, Coordinated::Transactions(config.id.clone()));
        let state = Mutex::new(State::new(config.clone()));
        Self { config, limit, coordinator, state, enlisting: Mutex::default(), enlisted: Notify::new() }
    }

    /// Begins an operation, where it may begin.
    pub(super) fn turn(&self, operation: Operation) -> Result<Turn<'_>, TransactionError> {
        self.state().take_turn(operation)?;
        let turn = Turn(self);
        self.state().begin(operation)?;
        Ok(turn)
    }

    /// Tries until it succeeds, fails in a way that does not pass, or the time is over.
    pub(super) async fn persist<T, F>(
        &self,
        operation: Operation,
        attempt: impl Fn() -> F,
    ) -> Result<T, TransactionError>
    where
        F: Future<Output = Result<T, TransactionCause>>,
    {
        let mut retry = self.coordinator.retry(self.limit);
        loop {
            let cause = match attempt().await {
                Ok(done) => return Ok(done),
                Err(cause) => cause,
            };
            if !cause.is_retriable() {
                return Err(self.state().failed(cause));
            }
            if !retry.pause().await {
                return Err(TransactionError::TimedOut {
                    operation,
                    waited: self.limit,
                    last: Box::new(cause),
                });
            }
        }
    }

    /// Asks the coordinator once, in a version of the producer's generation.
    pub(super) async fn ask<R: Request>(
        &self,
        request: impl FnOnce(i16) -> Result<R, TransportError>,
    ) -> Result<R::Response, TransactionCause> {
        self.coordinator.ask(self.newest(R::KEY), request).await
    }

    /// The newest version of an API that the producer's generation of transactions has.
    pub(in crate::producer) fn newest(&self, key: ApiKey) -> i16 {
        self.state().generation.newest(key)
    }

    pub(in crate::producer) const fn id(&self) -> &Text {
        &self.config.id
    }

    /// As whom batches are written, and a number that is another one where their sequences begin anew.
    pub(in crate::producer) fn author(&self) -> Option<(Author, u64)> {
        let state = self.state();
        let (id, epoch) = state.identity?;
        Some((Author { id, epoch, transactional: true }, state.numbering))
    }

    /// Whether a new batch may go to a partition now. Where the partition has to be added first, it is from here on.
    pub(in crate::producer) fn admits(&self, partition: &TopicPartition) -> bool {
        let state = self.state();
        if !state.is_open() {
            return false;
        }
        let is_in = state.generation == Generation::Second || state.partitions.contains(partition);
        drop(state);
        if !is_in {
            self.enlisting().want(partition);
        }
        is_in
    }

    /// Notes that records are on their way: in the second generation they add their partition.
    pub(in crate::producer) fn sending(&self) {
        let mut state = self.state();
        if state.generation == Generation::Second {
            state.started(Started::Yes);
        }
    }

    /// Why records that wait are given up, where they are.
    pub(in crate::producer) fn gives_up(&self) -> Option<String> {
        self.state().gives_up()
    }

    /// Notes that a record was not stored.
    pub(in crate::producer) fn record_failed(&self, error: ProduceError) {
        self.state().record_failed(error);
    }

    /// Who the producer is, for requests.
    pub(super) fn identity(&self) -> (ProducerId, ProducerEpoch) {
        self.state().identity.unwrap_or((ProducerId::NONE, ProducerEpoch::NONE))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enlisting(&self) -> MutexGuard<'_, Enlisting> {
        self.enlisting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
