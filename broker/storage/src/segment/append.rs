//! How bytes get into a segment's file.

use std::{fmt, io, io::IoSlice};

use crate::disk::DiskFile;

/// Puts bytes into a file that has space for them. All implementations pass one suite.
pub trait Append: Send + Sync + fmt::Debug {
    /// Writes all of `buffers` at `position`; afterwards every kind of read sees them.
    ///
    /// # Errors
    /// What the disk says; then any part of the bytes may be there.
    fn append(&self, file: &dyn DiskFile, buffers: &[IoSlice<'_>], position: u64) -> io::Result<()>;
}

/// By `pwritev`: stays out of resident memory and reports errors as errors (durability 20).
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteAppend;

impl Append for WriteAppend {
    fn append(&self, file: &dyn DiskFile, buffers: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        file.write_at(buffers, position)
    }
}

/// Through a mapping that slides over the file (`log.append=map`): the pages stay mapped for a
/// moment, and small appends cost a fault for each page.
#[derive(Clone, Copy, Debug, Default)]
pub struct MapAppend;

impl Append for MapAppend {
    fn append(&self, file: &dyn DiskFile, buffers: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        file.write_mapped(buffers, position)
    }
}
