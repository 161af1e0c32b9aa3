//! What the sender does for transactions: it writes as they say, adds partitions for them, and tells them what was lost.

use tokio::time::Instant;

use super::{Identity, Landed, Sender};
use crate::producer::{ProduceError, outcome::Outcome, transaction::Enlisted};

impl Sender {
    /// Gives up what waits where its transaction will not be committed, and begins the sequences anew where a transaction does.
    pub(super) fn follow_transactions(&mut self, now: Instant) {
        let (Some(transactions), Identity::OfTransactions(known)) = (&self.transactions, &mut self.identity)
        else {
            return;
        };
        if let Some((_, numbering)) = transactions.author().filter(|(_, numbering)| numbering != known) {
            *known = numbering;
            self.partitions.clear();
        }
        if let Some(reason) = transactions.gives_up() {
            for batch in self.accumulator.take_older(now) {
                self.accumulator.resolve(&batch.outcome, Err(ProduceError::Aborted(reason.clone())));
            }
        }
    }

    /// Adds partitions to the transaction that records wait for.
    pub(super) fn enlist(&mut self, now: Instant) {
        let enlisting = self.transactions.as_ref().and_then(|transactions| transactions.enlist(now));
        if let Some(enlisting) = enlisting {
            self.flights.push(Box::pin(async move { Landed::Enlisted(enlisting.await) }));
        }
    }

    pub(super) fn on_enlisted(&self, enlisted: Enlisted) {
        if let Some(transactions) = &self.transactions {
            transactions.on_enlisted(enlisted);
        }
    }

    /// Tells whoever waits that a batch is not stored, and its transaction, unless that was told before: the transaction may be
    /// another one by now.
    pub(super) fn lose(&self, outcome: &Outcome, error: ProduceError) {
        if let Some(transactions) = self.transactions.as_ref().filter(|_| !outcome.is_resolved()) {
            transactions.record_failed(error.clone());
        }
        self.accumulator.resolve(outcome, Err(error));
    }
}
