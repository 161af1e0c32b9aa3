//! Whole batches that are still in their file.

use std::{any::Any, io, sync::Arc};

use bytes::Bytes;
use mainstem_protocol::{Offset, records::RecordsRange};

use crate::disk::{self, DiskFile};

/// Bytes from which a mapping costs less than a copy.
const MAP_BYTES_MIN: usize = 64 * 1024;

/// A range of a segment's file. The file stays open while it lives, even when the segment is deleted.
#[derive(Clone, Debug)]
pub struct FileRange {
    file: Arc<dyn DiskFile>,
    position: u64,
    len: usize,
    /// The base offset of the first batch.
    first: Offset,
    /// The offset behind the last batch; none where it is that behind all that the segment shows.
    next: Option<Offset>,
}

impl FileRange {
    pub(super) fn new(
        file: Arc<dyn DiskFile>,
        position: u64,
        len: usize,
        first: Offset,
        next: Option<Offset>,
    ) -> Self {
        Self { file, position, len, first, next }
    }

    /// The same range, in a segment of which all is shown up to `end`.
    #[must_use]
    pub(crate) fn shown_up_to(mut self, end: Offset) -> Self {
        self.next.get_or_insert(end);
        self
    }

    /// How many offsets the batches have at most: as many as records, unless some were compacted away or are damaged.
    #[must_use]
    pub fn offsets(&self) -> u64 {
        self.next.map_or(0, |next| u64::try_from(next.0 - self.first.0).unwrap_or(0))
    }

    /// The offset behind the last batch, or one behind that.
    #[must_use]
    pub const fn next_offset(&self) -> Option<Offset> {
        self.next
    }

    /// The file; its descriptor is for `sendfile`.
    #[must_use]
    pub fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    /// Where the range begins in the file.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    fn mapped(&self) -> io::Result<Bytes> {
        let bytes = self.file.map(self.position..self.position + self.len as u64)?;
        disk::populate(&bytes)?;
        Ok(bytes)
    }

    fn copied(&self) -> io::Result<Bytes> {
        let mut bytes = vec![0; self.len];
        self.file.read_exact_at(&mut bytes, self.position)?;
        Ok(bytes.into())
    }
}

impl RecordsRange for FileRange {
    fn len(&self) -> usize {
        self.len
    }

    fn bytes(&self) -> io::Result<Bytes> {
        // A mapping that cannot be had, because there are too many, is no reason to fail.
        let mapped = (self.len >= MAP_BYTES_MIN).then(|| self.mapped().ok()).flatten();
        mapped.map_or_else(|| self.copied(), Ok)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
