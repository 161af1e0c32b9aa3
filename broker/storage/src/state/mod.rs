//! What the journal is folded into: one pure fold, for commit and for replay alike.
//!
//! - [`PartitionState`]: log start, end, segments, leader epochs, producers.
//! - [`producers`]: the last batches of each idempotent producer.
//! - [`transactions`]: which are open, and what a marker ends; [`aborted`]: which were taken back.
//! - [`Overlay`]: what has its place and is not committed yet, laid over the state while there is any.

mod aborted;
mod epochs;
mod overlay;
mod partition;
pub(crate) mod producers;
mod transactions;

pub(crate) use aborted::{Aborted, Kept, KeptBits};
pub(crate) use epochs::{EpochStart, Epochs};
pub(crate) use overlay::{Draft, Overlay};
pub(crate) use partition::{PartitionState, SegmentState};
pub(crate) use producers::{Check, Claim, Producer, ProducerBatch, Producers};
pub use transactions::AbortedTransaction;
pub(crate) use transactions::{OpenTransactions, Turn, marker_of};
