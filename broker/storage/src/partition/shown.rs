//! The ends that readers see. All partitions change them together, under the store's publication lock.

use std::{
    ops::Range,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
};

use mainstem_protocol::Offset;

use crate::state::PartitionState;

/// What readers may see of a partition, as of one cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visible {
    /// The first offset.
    pub log_start: Offset,
    /// The offset behind the last record.
    pub high_watermark: Offset,
    /// The offset behind the last record of which it is known whether its transaction was committed: the high watermark,
    /// unless a transaction is open.
    pub last_stable: Offset,
    /// The segment that holds the last record, and the position behind it there.
    pub(crate) segment: Offset,
    pub(crate) position: u64,
}

/// Written under the publication lock for writing, read under it for reading, or singly without it.
#[derive(Debug)]
pub(super) struct Shown {
    log_start: AtomicI64,
    high_watermark: AtomicI64,
    last_stable: AtomicI64,
    segment: AtomicI64,
    position: AtomicU64,
}

impl Visible {
    /// Those that a reader may see.
    pub(crate) const fn offsets(&self) -> Range<Offset> {
        self.log_start..self.high_watermark
    }

    /// All of a state.
    pub(crate) fn of(state: &PartitionState) -> Self {
        let last = state.segments.last();
        Self {
            log_start: state.log_start,
            high_watermark: state.end,
            last_stable: state.last_stable(),
            segment: last.map_or(state.end, |segment| segment.base),
            position: last.map_or(0, |segment| segment.end_position),
        }
    }
}

impl Shown {
    pub(super) fn new(visible: Visible) -> Self {
        let Visible { log_start, high_watermark, last_stable, segment, position } = visible;
        Self {
            log_start: AtomicI64::new(log_start.0),
            high_watermark: AtomicI64::new(high_watermark.0),
            last_stable: AtomicI64::new(last_stable.0),
            segment: AtomicI64::new(segment.0),
            position: AtomicU64::new(position),
        }
    }

    pub(super) fn get(&self) -> Visible {
        Visible {
            log_start: Offset(self.log_start.load(Ordering::Acquire)),
            high_watermark: Offset(self.high_watermark.load(Ordering::Acquire)),
            last_stable: Offset(self.last_stable.load(Ordering::Acquire)),
            segment: Offset(self.segment.load(Ordering::Acquire)),
            position: self.position.load(Ordering::Acquire),
        }
    }

    pub(super) fn set(&self, visible: Visible) {
        let Visible { log_start, high_watermark, last_stable, segment, position } = visible;
        self.segment.store(segment.0, Ordering::Release);
        self.position.store(position, Ordering::Release);
        self.high_watermark.store(high_watermark.0, Ordering::Release);
        self.last_stable.store(last_stable.0, Ordering::Release);
        self.log_start.store(log_start.0, Ordering::Release);
    }
}
