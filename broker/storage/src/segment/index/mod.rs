//! The sparse indexes of a segment: offset to position, timestamp to offset.
//!
//! Entries for the newest bytes are in memory; at each checkpoint they move into the files, whose checksums tell
//! whether they can be believed. Both are only a shortcut: whatever is missing or wrong is made anew from the log.

mod entry;
mod file;
mod live;

pub use entry::{OffsetEntry, TimeEntry};
pub use file::Sealed;
pub(super) use file::{Covered, Written, covers_at_most, rewrite};
pub(super) use live::{Batch, Key, Live};
