//! What the journal is folded into: one pure fold, for commit and for replay alike.
//!
//! - [`PartitionState`]: log start, end, segments, leader epochs, producers.
//! - [`producers`]: the last batches of each idempotent producer.
//! - [`Overlay`]: what has its place and is not committed yet, laid over the state while there is any.

mod epochs;
mod overlay;
mod partition;
pub(crate) mod producers;

pub(crate) use epochs::{EpochStart, Epochs};
pub(crate) use overlay::{Draft, Overlay};
pub(crate) use partition::{PartitionState, SegmentState};
pub(crate) use producers::{Check, Producer, ProducerBatch, Producers};
