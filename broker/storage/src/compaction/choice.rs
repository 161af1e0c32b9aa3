//! Which part of a log may be cleaned, and how dirty it is (Kafka: `LogCleanerManager.cleanableOffsets`,
//! `grabFilthiestCompactedLog`).

use mainstem_protocol::{Offset, Timestamp};

use crate::{
    config::TopicConfig,
    state::{PartitionState, SegmentState},
};

/// How dirty a log is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dirt {
    /// Where the dirty part begins.
    pub(crate) from: Offset,
    /// Behind what may be cleaned: the base of a segment that may not, or where the dirty part begins.
    pub(crate) end: Offset,
    /// Bytes of the segments of the dirty part that may be cleaned.
    pub(crate) dirty_bytes: u64,
    /// Bytes of all segments that may be cleaned.
    pub(crate) bytes: u64,
    /// A record was out of compaction for as long as it may be.
    pub(crate) is_overdue: bool,
}

impl Dirt {
    /// The share of the log that is dirty.
    pub(crate) fn ratio(&self) -> f64 {
        if self.bytes == 0 { 0.0 } else { self.dirty_bytes as f64 / self.bytes as f64 }
    }

    /// Whether it is time to clean it.
    pub(crate) fn is_due(&self, config: &TopicConfig) -> bool {
        let is_dirty = self.ratio() > config.min_cleanable_dirty_ratio.get();
        self.dirty_bytes > 0 && (is_dirty || self.is_overdue)
    }
}

/// How dirty a log is now. The segment that is written to is never cleaned, nor what an open transaction may hold.
pub(crate) fn dirt(state: &PartitionState, stable: Offset, config: &TopicConfig, now: Timestamp) -> Dirt {
    let from = state.cleaned_to.max(state.log_start);
    let closed = state.segments.split_last().map_or(&[][..], |(_, closed)| closed);
    let active = state.segments.last().map_or(state.end, |active| active.base);
    let dirty = closed.iter().enumerate().filter(|(at, _)| end_of(state, *at) > from);
    let too_young = dirty.clone().find(|(_, segment)| is_young(segment, config, now));
    let least = too_young.map_or(active, |(_, segment)| segment.base).min(stable);
    let bases = state.segments.iter().map(|segment| segment.base);
    let end = bases.take_while(|base| *base <= least).last().unwrap_or(from).max(from);
    let within = |at: usize| end_of(state, at) <= end;
    let bytes = |from: Offset| -> u64 {
        let counted = closed.iter().enumerate().filter(|(at, _)| within(*at) && end_of(state, *at) > from);
        counted.map(|(_, segment)| segment.end_position).sum()
    };
    let oldest = dirty.map(|(_, segment)| segment.first_timestamp.0).filter(|first| *first > 0).min();
    let must_since = now.0.saturating_sub_unsigned(config.max_compaction_lag_ms);
    let is_overdue = oldest.is_some_and(|oldest| oldest < must_since);
    Dirt { from, end, dirty_bytes: bytes(from), bytes: bytes(Offset(-1)), is_overdue }
}

/// The offset behind the last one of a segment that is not the last.
fn end_of(state: &PartitionState, at: usize) -> Offset {
    state.segments.get(at + 1).map_or(state.end, |next| next.base)
}

fn is_young(segment: &SegmentState, config: &TopicConfig, now: Timestamp) -> bool {
    let lag = config.min_compaction_lag_ms;
    lag > 0 && segment.largest_timestamp.0 > now.0.saturating_sub_unsigned(lag)
}
