//! What has its place in the journal and is not committed yet. Dropped as soon as nothing is in flight, so that an idle
//! partition pays nothing for it; dropped also to take everything back.

use std::collections::VecDeque;

use mainstem_protocol::{Offset, ProducerId, records::BatchHeader};

use super::{PartitionState, Producer, Producers, SegmentState};
use crate::{ids::Lsn, ticket::Resolver};

/// A partition's future, on top of its state.
#[derive(Debug)]
pub(crate) struct Overlay {
    pub(crate) end: Offset,
    pub(crate) segment: Option<SegmentState>,
    pub(crate) is_sealed: bool,
    /// Only those that changed.
    producers: Producers,
    pub(crate) in_flight: VecDeque<InFlight>,
}

/// A group on its way, as far as this partition is concerned.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) lsn: Lsn,
    /// Behind its last record here.
    pub(crate) end: Offset,
    pub(crate) resolver: Resolver,
}

impl Overlay {
    /// Nothing in flight yet.
    pub(crate) fn over(state: &PartitionState) -> Self {
        Self {
            end: state.end,
            segment: state.segments.last().copied(),
            is_sealed: state.is_sealed,
            producers: Producers::new(),
            in_flight: VecDeque::new(),
        }
    }

    /// What is known of a producer, committed or not.
    pub(crate) fn producer<'a>(&'a self, state: &'a PartitionState, id: ProducerId) -> Option<&'a Producer> {
        self.producers.get(&id).or_else(|| state.producers.get(&id))
    }

    /// Gives a batch its place.
    pub(crate) fn append(&mut self, state: &PartitionState, header: &BatchHeader, starts_segment: bool) {
        if starts_segment {
            self.segment = Some(SegmentState::starting(header.base_offset, header.max_timestamp));
            self.is_sealed = false;
        }
        if let Some(segment) = &mut self.segment {
            segment.append(header);
        }
        if header.producer_id.is_some() {
            self.remember(state, header);
        }
        self.end = header.next_offset();
    }

    fn remember(&mut self, state: &PartitionState, header: &BatchHeader) {
        let id = header.producer_id;
        if !self.producers.contains_key(&id)
            && let Some(known) = state.producers.get(&id)
        {
            self.producers.insert(id, known.clone());
        }
        Producer::remember(&mut self.producers, header);
    }

    /// The group in flight that appends the record at `offset`.
    pub(crate) fn group_of(&self, offset: Offset) -> Option<&InFlight> {
        self.in_flight.iter().find(|group| offset < group.end)
    }
}
