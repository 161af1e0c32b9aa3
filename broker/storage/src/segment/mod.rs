//! One file of batches of a partition, and the two indexes beside it.
//!
//! # Layout
//!
//! - [`Segment`] (`log`): appends, allocation, seals, syncs.
//! - `append`: how bytes get into the file: [`Append`], and its implementations.
//! - `read`: offset to position to a [`FileRange`]; `time`: timestamp to offset.
//! - `walk`: from batch to batch by their headers alone.
//! - [`index`]: the sparse indexes, in memory at the end and guarded in files before it.
//! - `files`: names, descriptors that are open, a bounded number of them.
//! - `damage`: what was found broken, and is not served again.
//!
//! A segment knows its written end, not what readers may see: whoever reads says where to stop. Bytes below the
//! end never change and are never taken back: a segment gets only what is committed (durability 1).

mod append;
mod damage;
mod files;
pub mod index;
mod log;
mod range;
mod read;
mod time;
mod walk;

#[cfg(test)]
mod tests;

pub use append::{Append, MapAppend, WriteAppend};
pub use damage::{Damage, ReadError};
pub use files::{SegmentFiles, SegmentId, file_name, parse_file_name};
pub use log::{Origin, Segment, SegmentSync};
pub use range::FileRange;
pub use read::{Limit, Wait};
