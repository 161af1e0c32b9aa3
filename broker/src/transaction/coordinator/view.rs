//! What there is to be told of transactional ids: as the log has them, so that nothing is told that could be taken back.

use mainstem_protocol::Text;

use super::Coordinator;
use crate::transaction::machine::{State, Transaction};

impl Coordinator {
    /// A transactional id, where it is known.
    pub(crate) fn transaction(&self, id: &Text) -> Option<Transaction> {
        self.0.log.get()?.load(id)
    }

    /// All of them. Takes as long as there are many.
    pub(crate) fn transactions(&self) -> impl Iterator<Item = (Text, Transaction)> + '_ {
        self.0.log.get().into_iter().flat_map(super::TransactionLog::all)
    }

    /// How many there are in each state.
    pub(crate) fn by_state(&self) -> Vec<(&'static str, u64)> {
        let mut counts = [0; State::ALL.len()];
        for (_, transaction) in self.transactions() {
            counts[transaction.state as usize] += 1;
        }
        State::ALL.iter().zip(counts).map(|(state, count)| (state.name(), count)).collect()
    }
}
