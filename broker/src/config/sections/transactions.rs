//! Settings of `transaction`.

use std::time::Duration;

use super::INT_MAX;
use crate::config::{Shape, setting::settings};

settings! {
    /// Transactions and the transactional ids of producers.
    pub struct TransactionSettings at transactions, "Transactions" {
        /// The longest time for which a producer may ask to have a transaction open.
        timeout_max: Duration = Duration::from_secs(15 * 60), "transaction.max.timeout.ms",
            Shape::milliseconds(1, INT_MAX).kafka("TransactionStateManagerConfig");

        /// How often transactions are looked for that are open for longer than they may be; those are aborted.
        abort_interval: Duration = Duration::from_secs(10),
            "transaction.abort.timed.out.transaction.cleanup.interval.ms",
            Shape::milliseconds(1, INT_MAX).kafka("TransactionStateManagerConfig");

        /// How long a transactional id is remembered that nobody uses.
        id_expiration: Duration = Duration::from_secs(7 * 24 * 60 * 60), "transactional.id.expiration.ms",
            Shape::milliseconds(1, INT_MAX).kafka("TransactionStateManagerConfig");

        /// How often transactional ids are looked for that nobody has used for so long.
        expiration_interval: Duration = Duration::from_secs(60 * 60),
            "transaction.remove.expired.transaction.cleanup.interval.ms",
            Shape::milliseconds(1, INT_MAX).kafka("TransactionStateManagerConfig");

        /// Partitions of `__transaction_state` when it is created, which it is for the first transactional id; later changes
        /// are without effect.
        partitions: u32 = 50, "transaction.state.log.num.partitions",
            Shape::count(1, 100_000).kafka("TransactionLogConfig");

        /// Bytes of a segment of `__transaction_state` when it is created; later changes are without effect.
        segment_bytes: u64 = 100 * 1024 * 1024, "transaction.state.log.segment.bytes",
            Shape::bytes(1024 * 1024, INT_MAX).kafka("TransactionLogConfig");
    }
}
