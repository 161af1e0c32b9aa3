//! From batch to batch, by their headers alone.

use std::ops::Range;

use mainstem_protocol::{
    Offset,
    records::{BatchHeader, header::HEADER_BYTES},
};

use super::{Damage, ReadError, Wait};
use crate::disk::DiskFile;

/// Bytes that are read at once: small batches are passed over without a call for each.
const CHUNK_BYTES: usize = 4096;

/// The batches of a range that begins and ends between two batches.
pub(super) struct Walk<'a> {
    file: &'a dyn DiskFile,
    wait: Wait,
    position: u64,
    end: u64,
    /// The lowest offset that the next batch may have.
    least: Offset,
    chunk: Box<[u8; CHUNK_BYTES]>,
    chunk_range: Range<u64>,
}

/// A batch in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) position: u64,
    pub(super) header: BatchHeader,
}

impl Step {
    /// The position behind the batch.
    pub(super) fn end(&self) -> u64 {
        self.position + self.header.size() as u64
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(file: &'a dyn DiskFile, range: Range<u64>, wait: Wait) -> Self {
        let Range { start, end } = range;
        let chunk = Box::new([0; CHUNK_BYTES]);
        Self { file, wait, position: start, end, least: Offset::ZERO, chunk, chunk_range: 0..0 }
    }

    /// Where the next batch begins.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// The next batch; `None` at the end of the range.
    pub(super) fn next(&mut self) -> Result<Option<Step>, ReadError> {
        if self.position >= self.end {
            return Ok(None);
        }
        self.fetch()?;
        let step = self.parse()?;
        self.position = step.end();
        self.least = step.header.next_offset();
        Ok(Some(step))
    }

    fn fetch(&mut self) -> Result<(), ReadError> {
        let wanted = self.end.min(self.position + HEADER_BYTES as u64);
        if self.chunk_range.start <= self.position && wanted <= self.chunk_range.end {
            return Ok(());
        }
        let count = CHUNK_BYTES.min(usize::try_from(self.end - self.position).unwrap_or(usize::MAX));
        let read = match self.read(count) {
            // Perhaps it is a later page that cannot be read.
            Err(ReadError::Io(_)) => self.read((wanted - self.position) as usize)?,
            result => result?,
        };
        self.chunk_range = self.position..self.position + read as u64;
        if self.wait == Wait::No && self.chunk_range.end < wanted {
            return Err(ReadError::Cold);
        }
        Ok(())
    }

    fn read(&mut self, count: usize) -> Result<usize, ReadError> {
        self.wait.read(self.file, &mut self.chunk[..count], self.position)
    }

    fn parse(&self) -> Result<Step, ReadError> {
        let at = (self.position - self.chunk_range.start) as usize;
        let end = (self.chunk_range.end - self.chunk_range.start) as usize;
        let bytes = self.chunk.get(at..end).unwrap_or_default();
        let damage = |reason: String| Damage {
            path: self.file.path().to_owned(),
            range: self.position..self.end,
            reason,
        };
        let header = BatchHeader::parse(bytes).map_err(|error| damage(error.to_string()))?;
        let step = Step { position: self.position, header };
        if step.end() > self.end {
            return Err(damage(format!("a batch of {} bytes reaches behind the end", header.size())).into());
        }
        if header.base_offset < self.least || header.last_offset_delta < 0 {
            return Err(damage(format!("offset {} follows {}", header.base_offset, self.least)).into());
        }
        Ok(step)
    }
}
