//! The state of a partition, folded from the journal.

use mainstem_protocol::{
    LeaderEpoch, Offset, Timestamp,
    records::{BatchHeader, EndTxnMarker},
};

use super::{AbortedTransaction, Epochs, OpenTransactions, Producer, Producers, Turn};
use crate::segment::SegmentId;

/// Everything that a partition is, but its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartitionState {
    /// The first offset that may be read.
    pub(crate) log_start: Offset,
    /// The offset behind the last record.
    pub(crate) end: Offset,
    pub(crate) leader_epoch: LeaderEpoch,
    /// The next batch starts a segment.
    pub(crate) is_sealed: bool,
    pub(crate) epochs: Epochs,
    /// In the order of their offsets; the last one is written to.
    pub(crate) segments: Vec<SegmentState>,
    pub(crate) producers: Producers,
    /// Up to here every key had its last value alone when the log was cleaned.
    pub(crate) cleaned_to: Offset,
    pub(crate) open: OpenTransactions,
}

/// A segment, as far as it is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentState {
    /// The offset of its first record, which names its files.
    pub(crate) base: Offset,
    /// How often it was cleaned; the last segment, which is written to, never was.
    pub(crate) revision: u32,
    /// Bytes in it.
    pub(crate) end_position: u64,
    /// The largest timestamp in it.
    pub(crate) largest_timestamp: Timestamp,
    /// The largest timestamp of its first batch: its age counts from there.
    pub(crate) first_timestamp: Timestamp,
}

impl SegmentState {
    pub(crate) const fn starting(base: Offset, first_timestamp: Timestamp) -> Self {
        Self { base, revision: 0, end_position: 0, largest_timestamp: Timestamp::NONE, first_timestamp }
    }

    /// Which of a partition's segments it is.
    pub(crate) const fn id(&self) -> SegmentId {
        SegmentId { base: self.base, revision: self.revision }
    }

    pub(crate) fn append(&mut self, header: &BatchHeader) {
        self.end_position += header.size() as u64;
        self.largest_timestamp = self.largest_timestamp.max(header.max_timestamp);
    }
}

impl PartitionState {
    /// Folds a batch, of which `marker` is what it says where it ends a transaction; its base offset is not below the end.
    /// Returns the transaction that it takes back.
    pub(crate) fn append(
        &mut self,
        header: &BatchHeader,
        marker: Option<EndTxnMarker>,
        starts_segment: bool,
    ) -> Option<AbortedTransaction> {
        assert!(header.base_offset >= self.end, "offsets rise");
        if starts_segment || self.segments.is_empty() {
            self.segments.push(SegmentState::starting(header.base_offset, header.max_timestamp));
            self.is_sealed = false;
        }
        if let Some(segment) = self.segments.last_mut() {
            segment.append(header);
        }
        self.epochs.note(header.leader_epoch, header.base_offset);
        self.end = header.next_offset();
        let turn = Producer::remember(&mut self.producers, header, marker)?;
        self.open.turn(header.producer_id, turn);
        self.aborted(header, marker?, turn)
    }

    fn aborted(&self, header: &BatchHeader, marker: EndTxnMarker, turn: Turn) -> Option<AbortedTransaction> {
        let first_offset = match turn {
            Turn::Ended { first } if !marker.committed => first,
            Turn::Ended { .. } | Turn::Begun { .. } => return None,
        };
        Some(AbortedTransaction {
            producer_id: header.producer_id,
            first_offset,
            last_offset: header.base_offset,
            last_stable_offset: self.open.first().unwrap_or(self.end),
        })
    }

    /// The offset behind the last record that no open transaction holds back (Kafka: `UnifiedLog.lastStableOffset`).
    pub(crate) fn last_stable(&self) -> Offset {
        self.open.first().map_or(self.end, |first| first.max(self.log_start))
    }

    /// Folds a move of the log start. Returns the segments that hold nothing of the log any more.
    pub(crate) fn move_log_start(&mut self, offset: Offset) -> Vec<SegmentState> {
        self.log_start = self.log_start.max(offset).min(self.end);
        self.epochs.cut_before(self.log_start);
        let ends = self.segments.iter().skip(1).map(|segment| segment.base);
        let whole = ends.take_while(|end| *end <= self.log_start).count();
        let last_too = self.is_sealed && whole + 1 == self.segments.len() && self.end <= self.log_start;
        self.segments.drain(..whole + usize::from(last_too)).collect()
    }

    /// Folds a cleaning: one segment, or none, for neighbours. Returns the segments that went; `None`, and nothing
    /// changed, where not all of them are there any more: a log start moved meanwhile, and what they became goes too.
    pub(crate) fn replace_segments(
        &mut self,
        sources: &[SegmentId],
        cleaned: Option<SegmentState>,
    ) -> Option<Vec<SegmentState>> {
        let first = *sources.first()?;
        let start = self.segments.iter().position(|segment| segment.id() == first)?;
        let range = start..start.checked_add(sources.len())?;
        let found = self.segments.get(range.clone())?;
        let is_last = range.end == self.segments.len();
        if is_last || !found.iter().map(SegmentState::id).eq(sources.iter().copied()) {
            return None;
        }
        Some(self.segments.splice(range, cleaned).collect())
    }

    /// Folds how far the log is clean.
    pub(crate) fn clean_to(&mut self, offset: Offset) {
        self.cleaned_to = self.cleaned_to.max(offset).min(self.end);
    }

    /// Folds a seal: the next batch starts a segment.
    pub(crate) fn seal(&mut self) {
        self.is_sealed = !self.segments.is_empty();
    }

    pub(crate) fn raise_leader_epoch(&mut self, epoch: LeaderEpoch) {
        self.leader_epoch = self.leader_epoch.max(epoch);
    }

    /// Bytes in all segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.end_position).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::batch;

    fn state() -> PartitionState {
        let mut state = PartitionState::default();
        for at in 0..4 {
            let header = BatchHeader {
                base_offset: Offset(at * 5),
                ..*batch(5, Some((1, 0, at as i32 * 5))).header()
            };
            state.append(&header, None, at % 2 == 0);
        }
        state
    }

    #[test]
    fn batches_fold_into_segments_and_end() {
        let state = state();
        assert_eq!((state.end, state.segments.len()), (Offset(20), 2));
        assert_eq!(state.segments[1].base, Offset(10));
        assert_eq!(state.bytes(), 4 * (61 + 50));
        assert_eq!(state.producers.len(), 1);
    }

    #[test]
    fn segments_below_the_log_start_go_and_the_last_only_when_sealed() {
        let mut state = state();
        assert_eq!(state.move_log_start(Offset(9)), []);
        assert_eq!(state.move_log_start(Offset(10)).len(), 1);
        assert_eq!(state.move_log_start(Offset(99)), []);
        assert_eq!(state.log_start, Offset(20));
        state.seal();
        assert_eq!(state.move_log_start(Offset(20)).len(), 1);
        assert_eq!(state.segments, []);
    }
}
