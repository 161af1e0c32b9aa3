//! Where a batch gets its place: producer checked, offset assigned, segment chosen (durability rule 6).

use std::sync::Arc;

use mainstem_protocol::{
    LeaderEpoch, Offset, PartitionId, ProducerId, Timestamp, TopicId,
    records::{
        BatchHeader, TimestampType,
        header::{HEADER_BYTES, patch_base_offset, patch_leader_epoch, patch_timestamp},
    },
};

use super::Partition;
use crate::{
    caps::PRODUCER_REPEAT_TIME,
    config::TopicConfig,
    group::GroupBatch,
    ids::Lsn,
    journal::PlacedBatch,
    segment::Segment,
    state::{Check, Draft, Overlay, PartitionState, Producer, ProducerBatch},
    store::AppendError,
    ticket::Resolver,
};

/// What appends see of a partition: the state, and over it what is in flight.
#[derive(Debug, Default)]
pub(crate) struct Placing {
    state: PartitionState,
    overlay: Option<Box<Overlay>>,
    /// Segments that were created ahead of need and hold nothing yet.
    pub(crate) prepared: Vec<Arc<Segment>>,
    /// A deletion of the topic has its place: nothing is placed behind it.
    pub(crate) is_deleted: bool,
    /// Somebody was asked to allocate ahead.
    pub(crate) is_space_asked: bool,
}

/// A batch with its place, or what it repeats.
#[derive(Debug)]
pub(crate) enum Planned {
    Placed(PlacedBatch),
    Duplicate(ProducerBatch),
}

/// Space that a batch needs in a segment before it may have its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) base: Offset,
    pub(crate) is_new: bool,
    /// Position behind the batch.
    pub(crate) end: u64,
}

impl Placing {
    pub(crate) fn new(state: PartitionState) -> Self {
        Self { state, ..Self::default() }
    }

    /// What is committed.
    pub(crate) const fn state(&self) -> &PartitionState {
        &self.state
    }

    pub(crate) const fn state_mut(&mut self) -> &mut PartitionState {
        &mut self.state
    }

    /// A future to begin with.
    pub(crate) fn draft(&self) -> Draft {
        self.overlay.as_ref().map_or_else(|| Draft::of(&self.state), |overlay| overlay.draft.next())
    }

    fn producer<'a>(&'a self, draft: &'a Draft, id: ProducerId) -> Option<&'a Producer> {
        let overlay = self.overlay.as_ref();
        let in_flight = || overlay.and_then(|overlay| overlay.draft.producer(id));
        draft.producer(id).or_else(in_flight).or_else(|| self.state.producers.get(&id))
    }

    /// What is known of a producer, in the draft, in flight or committed.
    pub(crate) fn known_producer(&self, draft: &Draft, id: ProducerId) -> Option<Producer> {
        id.is_some().then(|| self.producer(draft, id)).flatten().cloned()
    }

    /// Sees to it that a producer can be remembered: where there are as many as there may be, those that were silent for
    /// longest are forgotten before their time, an eighth of all, so that this is rare. Returns how many.
    ///
    /// # Errors
    /// Where all of them may still repeat a batch, and must be known then.
    pub(crate) fn admit_producer(
        &mut self,
        id: ProducerId,
        most: u32,
        now: Timestamp,
    ) -> Result<usize, AppendError> {
        let at_most = self.state.producers.len() + self.draft_producers().len();
        if !id.is_some() || at_most < most as usize || self.is_remembered(id) {
            return Ok(0);
        }
        let kept = most - (most / 8).max(1);
        let forgotten = self.forget_silent(kept as usize, now);
        if self.producers() < most as usize {
            Ok(forgotten)
        } else {
            Err(AppendError::TooManyProducers { most })
        }
    }

    /// Those in flight that are new among them.
    fn producers(&self) -> usize {
        let is_new = |id: &&ProducerId| !self.state.producers.contains_key(*id);
        self.state.producers.len() + self.draft_producers().filter(is_new).count()
    }

    /// Those with something in flight.
    fn draft_producers(&self) -> impl ExactSizeIterator<Item = &ProducerId> {
        self.overlay.as_ref().map(|overlay| overlay.draft.producer_ids()).unwrap_or_default()
    }

    fn is_remembered(&self, id: ProducerId) -> bool {
        self.state.producers.contains_key(&id) || self.is_producer_in_flight(id)
    }

    fn is_producer_in_flight(&self, id: ProducerId) -> bool {
        self.overlay.as_ref().is_some_and(|overlay| overlay.draft.producer(id).is_some())
    }

    fn forget_silent(&mut self, kept: usize, now: Timestamp) -> usize {
        let millis = i64::try_from(PRODUCER_REPEAT_TIME.as_millis()).unwrap_or(i64::MAX);
        let oldest = Timestamp(now.0.saturating_sub(millis));
        let silent =
            self.state.producers.iter().filter(|(id, producer)| {
                producer.is_silent_since(oldest) && !self.is_producer_in_flight(**id)
            });
        let mut silent: Vec<_> = silent.map(|(id, producer)| (producer.last_timestamp, *id)).collect();
        silent.sort_unstable();
        silent.truncate(self.state.producers.len().saturating_sub(kept));
        silent.iter().for_each(|(_, id)| drop(self.state.producers.remove(id)));
        silent.len()
    }

    /// Gives a batch its place in the draft, and says what space that needs.
    pub(crate) fn plan(
        &self,
        draft: &mut Draft,
        batch: &GroupBatch,
        config: &TopicConfig,
        now: Timestamp,
    ) -> Result<(Planned, Option<Need>), AppendError> {
        let GroupBatch { topic, partition, ref header, ref records, version: _ } = *batch;
        if self.is_deleted {
            return Err(AppendError::UnknownPartition { topic, partition });
        }
        let known = self.known_producer(draft, header.producer_id);
        let claim = batch.claim();
        if let Check::Duplicate(original) = Producer::check(known.as_ref(), &claim)? {
            return Ok((Planned::Duplicate(original), None));
        }
        let (encoded, header) = self.patched(header, draft.end, config, now);
        let starts_segment = self.must_start(draft, config, (topic, partition), &header);
        draft.append(known.as_ref(), &header, claim.marker, starts_segment);
        let need = draft.segment.map(|segment| Need {
            base: segment.base,
            is_new: starts_segment,
            end: segment.end_position,
        });
        let records = records.clone();
        Ok((
            Planned::Placed(PlacedBatch { topic, partition, starts_segment, encoded, header, records }),
            need,
        ))
    }

    fn patched(
        &self,
        header: &BatchHeader,
        base_offset: Offset,
        config: &TopicConfig,
        now: Timestamp,
    ) -> ([u8; HEADER_BYTES], BatchHeader) {
        let mut encoded = header.encode();
        patch_base_offset(&mut encoded, base_offset);
        patch_leader_epoch(&mut encoded, self.state.leader_epoch);
        if config.timestamp_type == TimestampType::LogAppendTime {
            patch_timestamp(&mut encoded, TimestampType::LogAppendTime, now);
        }
        let leader_epoch: LeaderEpoch = self.state.leader_epoch;
        let patched = BatchHeader::parse(&encoded);
        (encoded, patched.unwrap_or(BatchHeader { base_offset, leader_epoch, ..*header }))
    }

    /// Whether the batch leaves the segment for a new one (Kafka: `LogSegment.shouldRoll`).
    fn must_start(
        &self,
        draft: &Draft,
        config: &TopicConfig,
        of: (TopicId, PartitionId),
        header: &BatchHeader,
    ) -> bool {
        let Some(segment) = draft.segment.filter(|_| !draft.is_sealed) else { return true };
        let end = segment.end_position + header.size() as u64;
        let age = header.max_timestamp.0.saturating_sub(segment.first_timestamp.0);
        let age_max = config.segment_ms_max().saturating_sub(jitter(config, of, segment.base));
        let entries = segment.end_position / config.index_interval_bytes.max(HEADER_BYTES as u64);
        let is_prepared = self.prepared.iter().any(|next| next.base_offset() == draft.end);
        end > config.segment_bytes.min(i32::MAX.unsigned_abs().into())
            || u64::try_from(age).is_ok_and(|age| age > age_max)
            || entries * 8 >= config.segment_index_bytes
            || header.last_offset().0 - segment.base.0 > i32::MAX.into()
            || is_prepared
    }

    /// A group has its place: the draft is this partition's future now.
    pub(crate) fn adopt(&mut self, draft: Draft, lsn: Lsn, resolver: Resolver) {
        let state = &self.state;
        let overlay = self.overlay.get_or_insert_with(|| Box::new(Overlay::over(state)));
        overlay.adopt(draft, lsn, resolver);
    }

    /// Groups up to `lsn` are committed: the state has them now.
    pub(crate) fn settle(&mut self, lsn: Lsn) {
        let Some(overlay) = &mut self.overlay else { return };
        while overlay.in_flight.front().is_some_and(|group| group.lsn <= lsn) {
            overlay.in_flight.pop_front();
        }
        if overlay.in_flight.is_empty() {
            self.overlay = None;
        }
    }

    /// Takes back what is in flight; all of it, since a truncation leaves none.
    pub(crate) fn take_back(&mut self) {
        self.overlay = None;
    }

    pub(crate) const fn has_in_flight(&self) -> bool {
        self.overlay.is_some()
    }

    /// Who tells the fate of the batch that ends with `offset`, where that is not known yet.
    pub(crate) fn in_flight(&self, offset: Offset) -> Option<(Lsn, Resolver)> {
        let overlay = self.overlay.as_ref().filter(|_| offset >= self.state.end)?;
        overlay.group_of(offset).map(|group| (group.lsn, group.resolver.clone()))
    }

    /// The end that the next batch will have as its base.
    pub(crate) fn end(&self) -> Offset {
        self.overlay.as_ref().map_or(self.state.end, |overlay| overlay.draft.end)
    }
}

/// By how much a segment is left before its age is reached: as good as random, and yet the same each time it is asked
/// (Kafka: `LogConfig.randomSegmentJitter`).
fn jitter(config: &TopicConfig, (topic, partition): (TopicId, PartitionId), base: Offset) -> u64 {
    let most = config.segment_jitter_ms.min(config.segment_ms);
    if most == 0 {
        return 0;
    }
    let mut hash = crc32fast::Hasher::new();
    hash.update(&topic.0);
    hash.update(&partition.0.to_le_bytes());
    hash.update(&base.0.to_le_bytes());
    u64::from(hash.finalize()) % most
}

impl Partition {
    /// Whether there is space already for what a batch needs.
    pub(crate) fn has_space(&self, placing: &Placing, need: &Need) -> bool {
        let prepared = placing.prepared.iter().find(|segment| segment.base_offset() == need.base).cloned();
        let segment = prepared.or_else(|| self.segment(need.base).filter(|_| !need.is_new));
        segment.is_some_and(|segment| segment.allocated() >= need.end)
    }

    /// A batch starts the segment that was prepared for it.
    pub(crate) fn start_segment(&self, placing: &mut Placing, base: Offset) {
        if let Some(at) = placing.prepared.iter().position(|segment| segment.base_offset() == base) {
            let mut segments = self.segments().to_vec();
            segments.push(placing.prepared.swap_remove(at));
            self.set_segments(segments);
        }
    }

    /// Takes back what is in flight. Segments that it started are prepared ones again.
    pub(crate) fn take_back(&self, placing: &mut Placing) {
        placing.take_back();
        let last = placing.state.segments.last().map(|last| last.base);
        let is_committed = |segment: &Arc<Segment>| last.is_some_and(|last| segment.base_offset() <= last);
        let (kept, prepared): (Vec<_>, Vec<_>) = self.segments().iter().cloned().partition(is_committed);
        if !prepared.is_empty() {
            self.set_segments(kept);
            placing.prepared.extend(prepared);
        }
    }
}
