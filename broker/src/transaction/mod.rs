//! Transactions: who may write in them, and how they end (KIP-98, KIP-360, KIP-890).
//!
//! # Layout
//!
//! - `machine`: a transactional id as a machine without I/O.
//! - `log`: `__transaction_state`, where transactional ids are kept.
//! - `coordinator`: the transactional ids of this broker; one file per thing that may be asked of one.
//!
//! On one node a transaction cannot be torn: the record that says how it ends and the markers of all its partitions are one
//! append group. Nothing can come late into a partition either: whether the partition is in the transaction is asked, and
//! the batch gets its place, under one lock of the transactional id that no wait ever holds.

mod coordinator;
mod log;
mod machine;

pub use coordinator::Coordinator;
pub(crate) use coordinator::{InPlace, InTransaction, Made, NotPlaced, Verification};
pub(crate) use machine::{Outcome, Partitions, Producer, State, Transaction, Version};
