//! What has its place in the journal and is not committed yet. Dropped as soon as nothing is in flight, so that an idle
//! partition pays nothing for it; dropped also to take everything back.

use std::collections::{VecDeque, btree_map};

use mainstem_protocol::{
    Offset, ProducerId,
    records::{BatchHeader, EndTxnMarker},
};

use super::{PartitionState, Producer, Producers, SegmentState};
use crate::{ids::Lsn, ticket::Resolver};

/// A partition's future, on top of its state.
#[derive(Debug)]
pub(crate) struct Overlay {
    pub(crate) draft: Draft,
    pub(crate) in_flight: VecDeque<InFlight>,
}

/// What batches that follow each other make of a partition's end.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) end: Offset,
    pub(crate) segment: Option<SegmentState>,
    pub(crate) is_sealed: bool,
    /// Only those that changed.
    producers: Producers,
}

/// A group on its way, as far as this partition is concerned.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) lsn: Lsn,
    /// Behind its last record here.
    pub(crate) end: Offset,
    pub(crate) resolver: Resolver,
}

impl Draft {
    /// Begins where the state ends.
    pub(crate) fn of(state: &PartitionState) -> Self {
        Self {
            end: state.end,
            segment: state.segments.last().copied(),
            is_sealed: state.is_sealed,
            producers: Producers::new(),
        }
    }

    /// Begins where this one ends, without its producers.
    pub(crate) fn next(&self) -> Self {
        Self { producers: Producers::new(), ..*self }
    }

    pub(crate) fn producer(&self, id: ProducerId) -> Option<&Producer> {
        self.producers.get(&id)
    }

    /// Producers that changed.
    pub(crate) fn producer_ids(&self) -> btree_map::Keys<'_, ProducerId, Producer> {
        self.producers.keys()
    }

    /// Gives a batch its place; `known` is what is known of its producer so far.
    pub(crate) fn append(
        &mut self,
        known: Option<&Producer>,
        header: &BatchHeader,
        marker: Option<EndTxnMarker>,
        starts_segment: bool,
    ) {
        if starts_segment {
            self.segment = Some(SegmentState::starting(header.base_offset, header.max_timestamp));
            self.is_sealed = false;
        }
        if let Some(segment) = &mut self.segment {
            segment.append(header);
        }
        if header.producer_id.is_some() {
            let known = known.filter(|_| !self.producers.contains_key(&header.producer_id)).cloned();
            self.producers.extend(known.map(|known| (header.producer_id, known)));
            Producer::remember(&mut self.producers, header, marker);
        }
        self.end = header.next_offset();
    }
}

impl Overlay {
    /// Nothing in flight yet.
    pub(crate) fn over(state: &PartitionState) -> Self {
        Self { draft: Draft::of(state), in_flight: VecDeque::new() }
    }

    /// What a group makes of this partition is now its future.
    pub(crate) fn adopt(&mut self, draft: Draft, lsn: Lsn, resolver: Resolver) {
        let Draft { end, segment, is_sealed, producers } = draft;
        self.draft.producers.extend(producers);
        (self.draft.end, self.draft.segment, self.draft.is_sealed) = (end, segment, is_sealed);
        self.in_flight.push_back(InFlight { lsn, end, resolver });
    }

    /// The group in flight that appends the record at `offset`.
    pub(crate) fn group_of(&self, offset: Offset) -> Option<&InFlight> {
        self.in_flight.iter().find(|group| offset < group.end)
    }
}
