//! Compaction: of each key the last value stays (Kafka: `LogCleaner`, `Cleaner`, `LogCleanerManager`).
//!
//! - [`choice`]: which part of a log may be cleaned, and how dirty it is.
//! - [`keys`]: the last offset of each key, in bounded memory.
//! - [`transactions`]: which batches were aborted, and which markers are still needed.
//! - [`batches`]: what stays of a batch.
//! - [`source`]: the batches of a segment, read in large pieces.
//! - [`pass`]: one pass over a log: the keys of its dirty part, then every segment before the end of that, rewritten.
//! - [`pace`]: not faster than it may be.
//!
//! Nothing here is held while it waits for the disk, and nothing is changed in place: a pass writes other segments, and
//! the store puts them in the place of their sources by an entry of its journal (`store::cleaning`).
//!
//! What a pass may drop is Kafka's: a record of a key that has a later one below the end of the pass; a tombstone whose
//! time is over; what was aborted; a marker of a transaction of which nothing is left, when its time is over. Offsets,
//! base offsets and the last offset of a batch never change. Of the last batch of each producer, and of the last one of
//! the pass, the header stays.

mod batches;
mod choice;
mod keys;
mod pace;
mod pass;
mod source;
mod transactions;

pub(crate) use batches::LastWritten;
pub(crate) use choice::{Dirt, dirt};
pub(crate) use keys::KeyMap;
#[cfg(test)]
pub(crate) use keys::SLOT_BYTES;
pub(crate) use pace::Pace;
pub(crate) use pass::{CleanError, Job, Pass, Rewritten, Tally, discard};
