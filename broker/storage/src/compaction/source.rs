//! The batches of a segment, read in large pieces and checked: what is broken must not get a new checksum.

use std::sync::Arc;

use bytes::Bytes;
use mainstem_protocol::records::{Batch, HeaderError};

use crate::segment::{Damage, ReadError, Segment};

/// Bytes that are read at once (Kafka: `log.cleaner.io.buffer.size`).
const PIECE_BYTES: usize = 512 * 1024;

/// Goes through the batches of a segment.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    segment: &'a Arc<Segment>,
    position: u64,
    end: u64,
    held: Bytes,
    /// Bytes that were read from the file.
    pub(crate) read: u64,
}

impl<'a> Source<'a> {
    /// The batches from `position` on, up to `end`; both between two batches.
    pub(crate) fn new(segment: &'a Arc<Segment>, position: u64, end: u64) -> Self {
        Self { segment, position, end, held: Bytes::new(), read: 0 }
    }

    /// The next batch; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Batch>, ReadError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let batch = match Batch::split_from(&mut self.held) {
            Err(HeaderError::Truncated { wanted, .. }) => {
                self.fill(wanted)?;
                Batch::split_from(&mut self.held)
            }
            found => found,
        };
        let batch = batch.map_err(|error| self.damage(self.end, error.to_string()))?;
        let end = self.position + batch.bytes().len() as u64;
        if !batch.is_intact() {
            return Err(self.damage(end, "the checksum of a batch is wrong".to_owned()).into());
        }
        self.position = end;
        Ok(Some(batch))
    }

    /// Reads on from the position; twice where the header must tell first how long the batch is.
    fn fill(&mut self, wanted: usize) -> Result<(), ReadError> {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        self.held = self.segment.bytes_at(self.position, left.min(wanted.max(PIECE_BYTES)))?;
        self.read += self.held.len() as u64;
        match Batch::split_from(&mut self.held.clone()) {
            Err(HeaderError::Truncated { wanted, left: held }) if wanted > held && wanted <= left => {
                self.held = self.segment.bytes_at(self.position, wanted)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn damage(&self, end: u64, reason: String) -> Damage {
        Damage { path: self.segment.log_path(), range: self.position..end, reason }
    }
}
