//! Which records of transactions are read.

use clap::ValueEnum;
use mainstem_client::consumer::IsolationLevel;

/// Kafka's names, and the default of its console consumer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Isolation {
    /// All records, also those of transactions that are open or were aborted
    #[default]
    #[value(alias = "read-uncommitted")]
    ReadUncommitted,
    /// Those of committed transactions, and none behind the first transaction that is open
    #[value(alias = "read-committed")]
    ReadCommitted,
}

impl From<Isolation> for IsolationLevel {
    fn from(isolation: Isolation) -> Self {
        match isolation {
            Isolation::ReadUncommitted => Self::ReadUncommitted,
            Isolation::ReadCommitted => Self::ReadCommitted,
        }
    }
}
