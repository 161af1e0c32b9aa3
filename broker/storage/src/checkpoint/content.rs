//! How a checkpoint stands on disk (`docs/formats.md`).

use mainstem_protocol::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use super::{Checkpoint, PartitionSnapshot, TopicSnapshot};
use crate::{
    codec::{DecodeError, Decoder, Encoder},
    config::Resources,
    ids::{Incarnation, Lsn},
    journal::{
        Point,
        entry::{decode_overrides, decode_settings, encode_overrides, encode_settings},
    },
    partition::{KeyedState, Pending, PendingValue},
    state::{
        Aborted, AbortedTransaction, EpochStart, Epochs, OpenTransactions, PartitionState, Producer,
        ProducerBatch, SegmentState,
    },
};

const KEYED: u8 = 1;

/// Of a value that an open transaction has written: it is none that removes its key; a later one counts already.
const PENDING_VALUE: u8 = 1;
const PENDING_SUPERSEDED: u8 = 2;

impl Checkpoint {
    pub(crate) fn encode(&self) -> Encoder {
        let Self { lsn, incarnation, journal, next_group, is_clean, next_producer_id, topics, resources } =
            self;
        let mut out = Encoder::default();
        out.u64(lsn.0);
        out.u64(incarnation.0);
        out.u64(journal.number);
        out.u64(journal.position);
        out.u64(journal.lsn.0);
        out.u64(*next_group);
        out.u8(u8::from(*is_clean));
        out.i64(next_producer_id.0);
        out.list(topics.iter(), encode_topic);
        out.list(resources.iter(), |out, (resource, overrides)| encode_settings(out, resource, overrides));
        out
    }

    pub(crate) fn decode(mut from: Decoder) -> Result<Self, DecodeError> {
        let checkpoint = Self {
            lsn: Lsn(from.u64()?),
            incarnation: Incarnation(from.u64()?),
            journal: Point { number: from.u64()?, position: from.u64()?, lsn: Lsn(from.u64()?) },
            next_group: from.u64()?,
            is_clean: from.u8()? != 0,
            next_producer_id: ProducerId(from.i64()?),
            topics: from.list(decode_topic)?,
            // The first versions knew of no resources and ended here.
            resources: if from.end().is_ok() { Resources::new() } else { from.list(decode_settings)? },
        };
        from.end()?;
        Ok(checkpoint)
    }
}

fn encode_topic(out: &mut Encoder, topic: &TopicSnapshot) {
    let TopicSnapshot { id, name, keyed, overrides, partitions } = topic;
    out.topic_id(*id);
    out.string(name);
    out.u8(if *keyed { KEYED } else { 0 });
    encode_overrides(out, overrides);
    out.list(partitions.iter(), encode_partition);
}

fn decode_topic(from: &mut Decoder) -> Result<TopicSnapshot, DecodeError> {
    Ok(TopicSnapshot {
        id: from.topic_id()?,
        name: from.string()?,
        keyed: from.u8()? & KEYED != 0,
        overrides: decode_overrides(from)?,
        partitions: from.list(decode_partition)?,
    })
}

fn encode_partition(out: &mut Encoder, partition: &PartitionSnapshot) {
    let PartitionSnapshot { state, keyed, aborted } = partition;
    let PartitionState {
        log_start,
        end,
        leader_epoch,
        is_sealed,
        epochs,
        segments,
        producers,
        cleaned_to,
        open: _,
    } = state;
    out.i64(log_start.0);
    out.i64(end.0);
    out.i32(leader_epoch.0);
    out.u8(u8::from(*is_sealed));
    out.list(epochs.0.iter(), |out, EpochStart { epoch, start }| {
        out.i32(epoch.0);
        out.i64(start.0);
    });
    out.list(segments.iter(), encode_segment);
    out.list(producers.iter(), |out, (id, producer)| encode_producer(out, *id, producer));
    out.i64(cleaned_to.0);
    out.list(keyed.values.iter(), |out, (key, value)| {
        out.bytes(key);
        out.bytes(value);
    });
    out.list(aborted.iter(), encode_aborted);
    out.list(keyed.pending.producers(), |out, id| encode_pending(out, id, &keyed.pending));
}

fn decode_partition(from: &mut Decoder) -> Result<PartitionSnapshot, DecodeError> {
    let mut state = PartitionState {
        log_start: Offset(from.i64()?),
        end: Offset(from.i64()?),
        leader_epoch: LeaderEpoch(from.i32()?),
        is_sealed: from.u8()? != 0,
        epochs: Epochs(
            from.list(|from| Ok(EpochStart { epoch: LeaderEpoch(from.i32()?), start: Offset(from.i64()?) }))?,
        ),
        segments: from.list(decode_segment)?,
        producers: from.list(decode_producer)?,
        cleaned_to: Offset(from.i64()?),
        open: OpenTransactions::default(),
    };
    state.open = OpenTransactions::of(&state.producers);
    let values = from.list(|from| Ok((from.bytes()?, from.bytes()?)))?;
    let aborted: Vec<_> = from.list(decode_aborted)?;
    let aborted = Aborted::new(state.log_start, aborted);
    let keyed = KeyedState { values, pending: decode_pending(from)? };
    Ok(PartitionSnapshot { state, keyed, aborted })
}

pub(crate) fn encode_segment(out: &mut Encoder, segment: &SegmentState) {
    let SegmentState { base, revision, end_position, largest_timestamp, first_timestamp } = segment;
    out.i64(base.0);
    out.u32(*revision);
    out.u64(*end_position);
    out.i64(largest_timestamp.0);
    out.i64(first_timestamp.0);
}

pub(crate) fn decode_segment(from: &mut Decoder) -> Result<SegmentState, DecodeError> {
    Ok(SegmentState {
        base: Offset(from.i64()?),
        revision: from.u32()?,
        end_position: from.u64()?,
        largest_timestamp: Timestamp(from.i64()?),
        first_timestamp: Timestamp(from.i64()?),
    })
}

fn encode_producer(out: &mut Encoder, id: ProducerId, producer: &Producer) {
    let Producer { epoch, last_timestamp, batches, coordinator_epoch, transaction } = producer;
    out.i64(id.0);
    out.i16(epoch.0);
    out.i64(last_timestamp.0);
    out.list(batches.iter(), |out, batch| {
        let ProducerBatch { last_sequence, last_offset, offset_delta, timestamp } = batch;
        out.i32(last_sequence.0);
        out.i64(last_offset.0);
        out.i32(*offset_delta);
        out.i64(timestamp.0);
    });
    out.i32(*coordinator_epoch);
    out.i64(transaction.unwrap_or(Offset::NONE).0);
}

fn encode_aborted(out: &mut Encoder, aborted: &AbortedTransaction) {
    let AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset } = aborted;
    out.i64(producer_id.0);
    out.i64(first_offset.0);
    out.i64(last_offset.0);
    out.i64(last_stable_offset.0);
}

fn encode_pending(out: &mut Encoder, id: ProducerId, pending: &Pending) {
    out.i64(id.0);
    out.count(pending.count(id));
    for PendingValue { offset, key, value, is_superseded } in pending.values(id) {
        out.i64(offset.0);
        out.bytes(&key);
        out.u8(if value.is_some() { PENDING_VALUE } else { 0 }
            | if is_superseded { PENDING_SUPERSEDED } else { 0 });
        out.bytes(value.as_deref().unwrap_or_default());
    }
}

fn decode_pending(from: &mut Decoder) -> Result<Pending, DecodeError> {
    let mut pending = Pending::default();
    for _ in 0..from.u32()? {
        let id = ProducerId(from.i64()?);
        for _ in 0..from.u32()? {
            pending.push(id, decode_pending_value(from)?);
        }
    }
    Ok(pending)
}

fn decode_pending_value(from: &mut Decoder) -> Result<PendingValue, DecodeError> {
    let (offset, key, flags, value) = (Offset(from.i64()?), from.bytes()?, from.u8()?, from.bytes()?);
    let value = Some(value).filter(|_| flags & PENDING_VALUE != 0);
    Ok(PendingValue { offset, key, value, is_superseded: flags & PENDING_SUPERSEDED != 0 })
}

fn decode_aborted(from: &mut Decoder) -> Result<AbortedTransaction, DecodeError> {
    Ok(AbortedTransaction {
        producer_id: ProducerId(from.i64()?),
        first_offset: Offset(from.i64()?),
        last_offset: Offset(from.i64()?),
        last_stable_offset: Offset(from.i64()?),
    })
}

fn decode_producer(from: &mut Decoder) -> Result<(ProducerId, Producer), DecodeError> {
    let id = ProducerId(from.i64()?);
    let producer = Producer {
        epoch: ProducerEpoch(from.i16()?),
        last_timestamp: Timestamp(from.i64()?),
        batches: from.list(|from| {
            Ok(ProducerBatch {
                last_sequence: Sequence(from.i32()?),
                last_offset: Offset(from.i64()?),
                offset_delta: from.i32()?,
                timestamp: Timestamp(from.i64()?),
            })
        })?,
        coordinator_epoch: from.i32()?,
        transaction: Some(Offset(from.i64()?)).filter(|first| first.0 >= 0),
    };
    Ok((id, producer))
}
