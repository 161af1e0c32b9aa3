//! How a producer gets its identity, and how transactions end.

use mainstem_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    messages::{
        ApiVersionsRequest, ApiVersionsResponse, EndTxnRequest, EndTxnResponse, InitProducerIdRequest,
    },
};

use super::{
    error::{Operation, TransactionCause, TransactionError},
    shared::Transactions,
    state::{Ending, Generation, Started},
};
use crate::cluster::feature::Feature;

/// The feature whose level says which generation of transactions a cluster has, and the first level of the second one
/// (KIP-890).
const FEATURE: (&str, i16) = ("transaction.version", 2);

impl Transactions {
    /// Learns which generation of transactions the cluster has, and asks for an identity. Whoever had the transactional id is
    /// fenced, and what it left open is aborted.
    pub(super) async fn identify(&self) -> Result<(), TransactionError> {
        let (generation, identity) = self.persist(Operation::Init, || self.who()).await?;
        self.state().identified(generation, identity);
        Ok(())
    }

    async fn who(&self) -> Result<(Generation, (ProducerId, ProducerEpoch)), TransactionCause> {
        let generation = generation(&self.ask(|_| Ok(ApiVersionsRequest::default())).await?);
        Ok((generation, self.producer_id(None).await?))
    }

    /// An identity; with the one that is, the same id under the next epoch.
    async fn producer_id(
        &self,
        now: Option<(ProducerId, ProducerEpoch)>,
    ) -> Result<(ProducerId, ProducerEpoch), TransactionCause> {
        let (producer_id, producer_epoch) = now.unwrap_or((ProducerId::NONE, ProducerEpoch::NONE));
        let request = InitProducerIdRequest {
            transactional_id: Some(self.config.id.clone()),
            transaction_timeout_ms: self.config.timeout_ms(),
            producer_id,
            producer_epoch,
        };
        let asked = |version| {
            if now.is_some() {
                Feature::NEXT_EPOCH.require(version)?;
            }
            Ok(request)
        };
        let answer = self.ask(asked).await?;
        self.coordinator.check::<InitProducerIdRequest>(answer.error_code)?;
        Ok((answer.producer_id, answer.producer_epoch))
    }

    /// Ends the transaction, if there is something to end.
    pub(super) async fn end(&self, operation: Operation) -> Result<(), TransactionError> {
        let Ending { end, renew } = self.state().ending();
        let mut next = None;
        if end > Started::No {
            let committed = operation == Operation::Commit;
            next = self.persist(operation, || self.end_txn(committed, end)).await?;
        }
        if renew {
            let now = self.state().identity;
            next = Some(self.persist(operation, || self.producer_id(now)).await?);
        }
        self.enlisting().clear();
        self.state().finish(next);
        Ok(())
    }

    /// Has the coordinator decide; yields the identity that goes on, where that is another one.
    async fn end_txn(
        &self,
        committed: bool,
        started: Started,
    ) -> Result<Option<(ProducerId, ProducerEpoch)>, TransactionCause> {
        let (producer_id, producer_epoch) = self.identity();
        let transactional_id = self.config.id.clone();
        let request = EndTxnRequest { transactional_id, producer_id, producer_epoch, committed };
        let answer: EndTxnResponse = self.ask(|_| Ok(request)).await?;
        // The coordinator has never heard of a transaction whose first partition it was not told of.
        let is_unheard = started == Started::Perhaps && answer.error_code == ErrorCode::INVALID_TXN_STATE;
        if is_unheard && !committed {
            return Ok(None);
        }
        self.coordinator.check::<EndTxnRequest>(answer.error_code)?;
        Ok(answer.producer_id.is_some().then_some((answer.producer_id, answer.producer_epoch)))
    }

    /// Waits until no request is under way that adds partitions: it must not come behind the end.
    pub(super) async fn settled(&self) {
        loop {
            let enlisted = self.enlisted.notified();
            let mut enlisted = std::pin::pin!(enlisted);
            enlisted.as_mut().enable();
            if !self.enlisting().is_under_way() {
                return;
            }
            enlisted.await;
        }
    }
}

fn generation(answer: &ApiVersionsResponse) -> Generation {
    let (name, level) = FEATURE;
    let is_second = answer
        .finalized_features
        .iter()
        .any(|feature| &*feature.name == name && feature.max_version_level >= level);
    if is_second { Generation::Second } else { Generation::First }
}
