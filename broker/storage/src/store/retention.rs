//! Old segments go: by age and by size, through the journal first (durability rule 12).

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use mainstem_protocol::{Offset, Timestamp};

use super::{AppendError, Store, Topic};
use crate::{
    config::TopicConfig,
    journal::Entry,
    partition::{Partition, Placing},
    state::{PartitionState, SegmentState},
    ticket::Ticket,
};

/// Where a log is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NewStart {
    pub(super) offset: Offset,
    /// The segment that is written to goes, too: it is left for a new one first. Then nothing is in flight.
    pub(super) seals: bool,
}

impl Store {
    /// Looks after all partitions; returns how many log starts move. Producers that were silent for long are
    /// forgotten.
    pub fn retention_step(&self) -> usize {
        let now = self.clock.now();
        // In an order of their own, so that a simulation is the same each time.
        let topics = self.topics().sorted();
        let partitions =
            topics.iter().flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition)));
        partitions.filter(|(topic, partition)| self.retain(topic, partition, now)).count()
    }

    /// How long a producer is remembered after its last batch, from now on (Kafka: `producer.id.expiration.ms`).
    pub fn set_producer_expiration(&self, expiration: Duration) {
        self.producer_expiration.store(millis(expiration), Ordering::Relaxed);
    }

    pub(super) fn retention_when_due(&self) {
        let now = self.clock.monotonic();
        let due = Duration::from_millis(self.retention_due.load(Ordering::Relaxed));
        if now >= due {
            let next = now.saturating_add(self.options.retention_check_interval).as_millis();
            self.retention_due.store(u64::try_from(next).unwrap_or(u64::MAX), Ordering::Relaxed);
            self.retention_step();
        }
    }

    fn retain(&self, topic: &Topic, partition: &Arc<Partition>, now: Timestamp) -> bool {
        let mut placing = partition.placing();
        self.forget_producers(&mut placing, now);
        let Some(start) = expired(placing.state(), &topic.config, now) else { return false };
        // What is in flight would be behind a seal that does not know it.
        if placing.is_deleted || (start.seals && placing.has_in_flight()) {
            return false;
        }
        self.place_log_start(partition, &mut placing, start).is_ok()
    }

    /// Has the log begin later; segments that then hold nothing of it go when that is durable.
    pub(super) fn place_log_start(
        &self,
        partition: &Arc<Partition>,
        placing: &mut Placing,
        start: NewStart,
    ) -> Result<Ticket, AppendError> {
        let (topic, id) = (partition.topic(), partition.id());
        let NewStart { offset, seals } = start;
        let seal = seals.then_some(Entry::SegmentSealed { topic, partition: id });
        let moved = Entry::LogStartMoved { topic, partition: id, offset };
        let entries = seal.into_iter().chain([moved]).collect();
        let (lsn, resolver) = self.request_own(entries, vec![Arc::clone(partition)])?;
        let ticket = resolver.ticket(lsn, Vec::new());
        if seals {
            let mut draft = placing.draft();
            draft.is_sealed = true;
            placing.adopt(draft, lsn, resolver);
        }
        Ok(ticket)
    }

    fn forget_producers(&self, placing: &mut Placing, now: Timestamp) {
        if placing.has_in_flight() || placing.state().producers.is_empty() {
            return;
        }
        let millis = i64::try_from(self.producer_expiration.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        let oldest = Timestamp(now.0.saturating_sub(millis));
        placing.state_mut().producers.retain(|_, producer| !producer.is_silent_since(oldest));
    }

    /// Segments that were prepared and hold nothing.
    pub(super) fn remove_prepared(&self) {
        let _one_at_a_time = self.lock_allocation();
        for partition in self.topics().iter().flat_map(|topic| &topic.partitions) {
            let prepared = std::mem::take(&mut partition.placing().prepared);
            for segment in prepared {
                if let Err(error) = segment.remove() {
                    tracing::warn!(?segment, %error, "a segment without batches was not removed");
                }
            }
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Whether, and up to where, a partition's records are past their time or too many (Kafka:
/// `UnifiedLog.deleteOldSegments`).
fn expired(state: &PartitionState, config: &TopicConfig, now: Timestamp) -> Option<NewStart> {
    if !config.cleanup_policy.delete {
        return None;
    }
    let old = state.segments.iter().take_while(|segment| is_old(segment, config, now)).count();
    let closed = state.segments.len().saturating_sub(1);
    let many = excess(state, config);
    let gone = old.max(many);
    if gone == 0 {
        return None;
    }
    if gone > closed {
        return Some(NewStart { offset: state.end, seals: true });
    }
    Some(NewStart { offset: state.segments[gone].base, seals: false })
}

/// A segment without timestamps never grows old; neither does one with a timestamp in the future.
fn is_old(segment: &SegmentState, config: &TopicConfig, now: Timestamp) -> bool {
    let age = u64::try_from(now.0.saturating_sub(segment.largest_timestamp.0)).unwrap_or(0);
    segment.largest_timestamp.0 >= 0 && config.retention_ms.is_some_and(|most| age > most)
}

/// Closed segments that the size limit does without.
fn excess(state: &PartitionState, config: &TopicConfig) -> usize {
    let Some(most) = config.retention_bytes else { return 0 };
    let mut over = state.bytes().saturating_sub(most);
    let closed = state.segments.split_last().map_or(&[][..], |(_, closed)| closed);
    let fits = |segment: &&SegmentState| {
        let goes = over >= segment.end_position && over > 0;
        over = over.saturating_sub(segment.end_position);
        goes
    };
    closed.iter().take_while(fits).count()
}
