//! What may be set of transactions. The names in parentheses are Kafka's.

use std::time::Duration;

use mainstem_protocol::Text;

/// Whose transactions they are, and how long one may take.
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::producer::TransactionConfig;
///
/// let config = TransactionConfig { timeout: Duration::from_secs(10), ..TransactionConfig::new("billing-1") };
/// assert_eq!(config.id, "billing-1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionConfig {
    /// The same for a producer and for whoever takes its place (`transactional.id`): of those that have it, the last one to
    /// call [`init_transactions`](super::TransactionalProducer::init_transactions) fences the others.
    pub id: Text,
    /// How long a transaction may be open before the broker aborts it (`transaction.timeout.ms`); brokers allow fifteen
    /// minutes unless they are told otherwise.
    pub timeout: Duration,
}

impl TransactionConfig {
    /// The defaults, for a transactional id.
    ///
    /// ```
    /// use mainstem_client::producer::TransactionConfig;
    ///
    /// assert_eq!(TransactionConfig::new("billing-1").timeout.as_secs(), 60);
    /// ```
    #[must_use]
    pub fn new(id: impl Into<Text>) -> Self {
        Self { id: id.into(), timeout: Duration::from_secs(60) }
    }

    /// The timeout on the wire.
    pub(super) fn timeout_ms(&self) -> i32 {
        i32::try_from(self.timeout.as_millis()).unwrap_or(i32::MAX)
    }
}
