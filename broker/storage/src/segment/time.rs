//! From a timestamp to the record that has it.

use std::ops::Range;

use bytes::Bytes;
use mainstem_protocol::{
    Offset, Timestamp,
    caps::DECOMPRESSED_BYTES_MAX,
    records::{Batch, Decompressor, OpenBatch},
};

use super::{Damage, ReadError, Segment, Wait, index::Key, walk::Step};
use crate::disk::DiskFile;

impl Segment {
    /// Offset and timestamp of the first record of the range whose timestamp is not before this one; `None` where there is
    /// none before the position `end`. Blocks.
    ///
    /// # Errors
    /// Where the log is damaged or the disk does not answer.
    pub fn record_at_time(
        &self,
        timestamp: Timestamp,
        range: Range<Offset>,
        end: u64,
    ) -> Result<Option<(Offset, Timestamp)>, ReadError> {
        let file = self.file()?;
        let end = end.min(self.end());
        let first = self.floor_time(timestamp)?.max(range.start);
        let mut start = self.floor(Key::Offset(first), Wait::Yes)?;
        loop {
            let found = self.first_where(&*file, start..end, Wait::Yes, |header| {
                header.max_timestamp >= timestamp && header.last_offset() >= range.start
            })?;
            let Some(step) = found.filter(|step| step.header.base_offset < range.end) else {
                return Ok(None);
            };
            let record = self.record_of(&*file, &step, timestamp, &range)?;
            if record.is_some() {
                return Ok(record);
            }
            start = step.end();
        }
    }

    /// The first record of the range that has the largest timestamp there; `None` where there is no record before the
    /// position `end`. Blocks.
    ///
    /// # Errors
    /// As [`Segment::record_at_time`].
    pub fn record_with_largest_time(
        &self,
        range: Range<Offset>,
        end: u64,
    ) -> Result<Option<(Offset, Timestamp)>, ReadError> {
        let found = self.record_at_time(self.largest_timestamp(), range.clone(), end)?;
        if found.is_some() {
            return Ok(found);
        }
        // Whoever has it lies outside the range, behind `end`, or was taken back.
        let mut largest = None;
        self.headers(end, |_, header| {
            let is_within = header.last_offset() >= range.start && header.base_offset < range.end;
            let counts = is_within && header.record_count > 0;
            largest = if counts { largest.max(Some(header.max_timestamp)) } else { largest };
            true
        })?;
        largest.map_or(Ok(None), |timestamp| self.record_at_time(timestamp, range, end))
    }

    /// An offset before which every timestamp is before this one.
    fn floor_time(&self, timestamp: Timestamp) -> Result<Offset, ReadError> {
        let (found, start) = {
            let live = self.live();
            (live.floor_time(timestamp), live.start)
        };
        let entry = match found {
            Some(entry) => Some(entry),
            None => self.sealed_index(start, Wait::Yes)?.floor_time(timestamp),
        };
        Ok(self.base_offset().plus(entry.map_or(0, |entry| entry.relative_offset.into())))
    }

    fn record_of(
        &self,
        file: &dyn DiskFile,
        step: &Step,
        timestamp: Timestamp,
        range: &Range<Offset>,
    ) -> Result<Option<(Offset, Timestamp)>, ReadError> {
        let batch = self.opened(file, step)?;
        for record in batch.refs() {
            let record = record.map_err(|error| self.broken(step, error.to_string()))?;
            let found = (batch.offset(&record), batch.timestamp(&record));
            if range.contains(&found.0) && found.1 >= timestamp {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn opened(&self, file: &dyn DiskFile, step: &Step) -> Result<OpenBatch, ReadError> {
        let mut bytes = vec![0; step.header.size()];
        file.read_exact_at(&mut bytes, step.position)?;
        let batch = Batch::split_from(&mut Bytes::from(bytes));
        let batch = batch.map_err(|error| self.broken(step, error.to_string()))?;
        if !batch.is_intact() {
            return Err(self.broken(step, "the checksum of a batch is wrong".to_owned()));
        }
        let opened = batch.open(&mut Decompressor::new(), DECOMPRESSED_BYTES_MAX);
        opened.map_err(|error| self.broken(step, error.to_string()))
    }

    fn broken(&self, step: &Step, reason: String) -> ReadError {
        let damage = Damage { path: self.log_path(), range: step.position..step.end(), reason };
        self.quarantine.add(&damage);
        damage.into()
    }
}
