//! The write-ahead journal: every append goes through it first, in one order (`docs/formats.md`, durability rules 1–11).
//!
//! - [`entry`]: what a group does; [`frame`]: what it is wrapped in; [`file`]: what frames stand in.
//! - [`pool`]: the files, those in use and those that wait for their turn.
//! - [`Writer`] and [`Reader`]: the way in and the way out.

pub(crate) mod entry;
pub(crate) mod file;
pub(crate) mod frame;
pub(crate) mod pool;
mod reader;
mod writer;

pub(crate) use entry::{Cleaned, Entry, NewTopicEntry, PlacedBatch};
pub(crate) use file::Layout;
pub(crate) use pool::Pool;
pub use reader::JournalError;
pub(crate) use reader::Reader;
pub(crate) use writer::{Frame, Writer};

use crate::ids::Lsn;

/// A place in the journal: where the frame with this LSN is or will be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    pub(crate) number: u64,
    pub(crate) position: u64,
    pub(crate) lsn: Lsn,
}

#[cfg(test)]
mod tests;
