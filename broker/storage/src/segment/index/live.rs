//! The entries of the newest bytes, in memory.

use mainstem_protocol::{Offset, Timestamp, records::BatchHeader};

use super::{
    entry::{OffsetEntry, TimeEntry, floor},
    file::Sealed,
};

/// Entries for every batch from [`Live::start`] on; those before are in files.
#[derive(Debug)]
pub(in crate::segment) struct Live {
    base_offset: Offset,
    interval: u64,
    /// Batches that begin before this position are indexed in the files.
    pub(in crate::segment) start: u64,
    /// The position behind the last batch that was pushed.
    pub(in crate::segment) end: u64,
    pub(in crate::segment) offsets: Vec<OffsetEntry>,
    pub(in crate::segment) times: Vec<TimeEntry>,
    /// The next batch that begins here or later gets an entry.
    due: u64,
    pub(in crate::segment) largest: Timestamp,
    /// Whoever has the largest timestamp, until an entry says so.
    unsaid: Option<TimeEntry>,
}

/// A batch that was appended.
#[derive(Clone, Copy, Debug)]
pub(in crate::segment) struct Batch {
    pub(in crate::segment) position: u64,
    pub(in crate::segment) base_offset: Offset,
    pub(in crate::segment) max_timestamp: Timestamp,
}

impl Batch {
    pub(in crate::segment) fn new(header: &BatchHeader, position: u64) -> Self {
        Self { position, base_offset: header.base_offset, max_timestamp: header.max_timestamp }
    }
}

/// What to find the last batch before.
#[derive(Clone, Copy, Debug)]
pub(in crate::segment) enum Key {
    /// A batch that begins at this offset or before.
    Offset(Offset),
    /// A batch that begins at this position or before.
    Position(u64),
}

impl Live {
    /// An index whose entries before `start` are in files; `largest` is the largest timestamp before it.
    pub(in crate::segment) fn new(
        base_offset: Offset,
        interval: u64,
        start: u64,
        largest: Timestamp,
    ) -> Self {
        // The position of the last entry in the files is not known: better one entry too many.
        let due = if start == 0 { interval } else { start };
        let (offsets, times) = (Vec::new(), Vec::new());
        Self { base_offset, interval, start, end: start, offsets, times, due, largest, unsaid: None }
    }

    pub(in crate::segment) fn push(&mut self, batch: Batch) {
        let Some(relative_offset) = relative(self.base_offset, batch.base_offset) else { return };
        if batch.max_timestamp > self.largest {
            self.largest = batch.max_timestamp;
            self.unsaid = Some(TimeEntry { timestamp: batch.max_timestamp.0, relative_offset });
        }
        let Ok(position) = i32::try_from(batch.position) else { return };
        if batch.position >= self.due {
            self.due = batch.position + self.interval.max(1);
            self.offsets.push(OffsetEntry { relative_offset, position });
            self.times.extend(self.unsaid.take());
        }
    }

    /// The last entry at or before the key; `None` where that is in the files.
    pub(in crate::segment) fn floor(&self, key: Key) -> Option<OffsetEntry> {
        let count = self.offsets.partition_point(|entry| key.is_at_or_behind(*entry, self.base_offset));
        count.checked_sub(1).and_then(|last| self.offsets.get(last)).copied()
    }

    /// The last entry whose timestamp is not above this one; `None` where that is in the files.
    pub(in crate::segment) fn floor_time(&self, timestamp: Timestamp) -> Option<TimeEntry> {
        let count = self.times.partition_point(|entry| entry.timestamp <= timestamp.0);
        count.checked_sub(1).and_then(|last| self.times.get(last)).copied()
    }

    /// So many entries are in the files now, and with them all batches before `start`.
    pub(in crate::segment) fn moved(&mut self, offsets: usize, times: usize, start: u64) {
        // What stays is mostly nothing, and then no memory is kept.
        self.offsets = self.offsets.split_off(offsets);
        self.times = self.times.split_off(times);
        self.start = start;
    }
}

impl Key {
    fn is_at_or_behind(self, entry: OffsetEntry, base_offset: Offset) -> bool {
        match self {
            Self::Offset(offset) => base_offset.plus(entry.relative_offset.into()) <= offset,
            Self::Position(position) => entry.position as u64 <= position,
        }
    }
}

impl Sealed {
    /// The last entry at or before the key.
    pub(in crate::segment) fn floor(&self, base_offset: Offset, key: Key) -> Option<OffsetEntry> {
        floor(&self.offsets, |entry| key.is_at_or_behind(entry, base_offset))
    }

    /// The last entry whose timestamp is not above this one.
    pub(in crate::segment) fn floor_time(&self, timestamp: Timestamp) -> Option<TimeEntry> {
        floor(&self.times, |entry: TimeEntry| entry.timestamp <= timestamp.0)
    }
}

/// An offset counted from the segment's; `None` where an index has no room for it.
pub(in crate::segment) fn relative(base_offset: Offset, offset: Offset) -> Option<i32> {
    offset.0.checked_sub(base_offset.0).and_then(|relative| i32::try_from(relative).ok())
}
