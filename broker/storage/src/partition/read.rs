//! From an offset or a time to batches, never beyond what is shown.

use std::sync::Arc;

use mainstem_protocol::{Offset, Timestamp, records::Records};

use super::{Isolation, Partition, Visible};
use crate::segment::{Limit, ReadError, Segment, SegmentId, Wait};

/// How much to read.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// Bytes of whole batches.
    pub bytes_max: usize,
    /// The first batch comes even when it is larger than that.
    pub at_least_one: bool,
    /// Whether the read may wait for the disk.
    pub wait: Wait,
    /// Where it ends at the latest.
    pub isolation: Isolation,
}

/// The first record at or after some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeMatch {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: Timestamp,
}

impl Partition {
    /// Whole batches from the one that holds `offset` on, of one segment. Nothing at the end of what such a reader sees.
    ///
    /// # Errors
    /// [`ReadError::Cold`] only where it may not wait: again on a thread that may block; damage; what the disk says.
    pub fn read(&self, visible: &Visible, offset: Offset, how: Read) -> Result<Records, ReadError> {
        let end = visible.end(how.isolation);
        if offset >= end {
            return Ok(Records::EMPTY);
        }
        let segments = self.segments();
        let behind = segments.partition_point(|segment| segment.base_offset() <= offset);
        // A compacted segment may end before the next one begins: what is asked for is then in a later one.
        for (at, segment) in segments.iter().enumerate().skip(behind.saturating_sub(1)) {
            if segment.base_offset() > visible.segment || segment.base_offset() >= end {
                break;
            }
            let next = segments.get(at + 1).map_or(end, |next| next.base_offset().min(end));
            let limit = Limit {
                end: position_of(end, next, visible, segment, how.wait)?,
                bytes_max: how.bytes_max,
                at_least_one: how.at_least_one,
            };
            if let Some(range) = segment.read(offset, limit, how.wait)? {
                return Ok(Records::Range(Arc::new(range.shown_up_to(next))));
            }
            if segment.position_of(offset, limit.end, how.wait)?.is_some() {
                break;
            }
        }
        Ok(Records::EMPTY)
    }

    /// The first record whose timestamp is not before `timestamp`. Blocks.
    ///
    /// # Errors
    /// Damage; what the disk says.
    pub fn offset_for_timestamp(
        &self,
        visible: &Visible,
        timestamp: Timestamp,
    ) -> Result<Option<TimeMatch>, ReadError> {
        let segments = self.segments();
        let shown = segments.iter().take_while(|segment| segment.base_offset() <= visible.segment);
        for segment in shown.filter(|segment| segment.largest_timestamp() >= timestamp) {
            let found = segment.record_at_time(timestamp, visible.offsets(), limit_of(visible, segment))?;
            if let Some((offset, timestamp)) = found {
                return Ok(Some(TimeMatch { offset, timestamp }));
            }
        }
        Ok(None)
    }

    /// The record with the largest timestamp, the first of them. Blocks.
    ///
    /// # Errors
    /// Damage; what the disk says.
    pub fn offset_of_largest_timestamp(&self, visible: &Visible) -> Result<Option<TimeMatch>, ReadError> {
        let mut best: Option<TimeMatch> = None;
        for segment in self.segments().iter().take_while(|segment| segment.base_offset() <= visible.segment) {
            let is_later = |timestamp| best.is_none_or(|best| timestamp > best.timestamp);
            if !is_later(segment.largest_timestamp()) {
                continue;
            }
            let found = segment.record_with_largest_time(visible.offsets(), limit_of(visible, segment))?;
            let found = found.filter(|(_, timestamp)| is_later(*timestamp));
            best = found.map(|(offset, timestamp)| TimeMatch { offset, timestamp }).or(best);
        }
        Ok(best)
    }
}

/// The position in a segment at which a read ends that sees nothing from `end` on; `next` is the offset at which the segment
/// ends, or `end` where that comes first. Only an open transaction ends within a segment, and before the last batch that
/// is shown; or all that is shown does so, where the segment was written to then and has become one with later ones since.
fn position_of(
    end: Offset,
    next: Offset,
    visible: &Visible,
    segment: &Segment,
    wait: Wait,
) -> Result<u64, ReadError> {
    let limit = limit_of(visible, segment);
    let is_all =
        end >= visible.high_watermark && (is_last_of(visible, segment) || segment.id().revision == 0);
    if is_all || next < end {
        return Ok(limit);
    }
    Ok(segment.position_of(end, limit, wait)?.unwrap_or(limit))
}

/// All of a segment is shown, but for the last one.
fn limit_of(visible: &Visible, segment: &Segment) -> u64 {
    if is_last_of(visible, segment) { visible.position } else { segment.end() }
}

/// Whether it is the very file that the position is of: a segment that was cleaned since has the same base, and its batches
/// are elsewhere.
fn is_last_of(visible: &Visible, segment: &Segment) -> bool {
    segment.id() == SegmentId::from(visible.segment)
}
