//! What a commit frame holds: entries that name topic id, partition and offset, never a file or a position.

use std::ops::Range;

use bytes::Bytes;
use mainstem_protocol::{
    BrokerId, LeaderEpoch, Offset, PartitionId, ProducerId, TopicId,
    records::{BatchHeader, EndTxnMarker, header::HEADER_BYTES},
};

use crate::{
    checkpoint::content::{decode_segment, encode_segment},
    codec::{DecodeError, Decoder, Encoder},
    config::{Overrides, Resource},
    segment::SegmentId,
    state::{Kept, KeptBits, SegmentState, marker_of},
};

/// One thing that a group does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Batch(PlacedBatch),
    TopicCreated(NewTopicEntry),
    TopicDeleted { topic: TopicId },
    ConfigChanged { topic: TopicId, overrides: Overrides },
    LogStartMoved { topic: TopicId, partition: PartitionId, offset: Offset },
    LeaderEpochRaised { topic: TopicId, partition: PartitionId, epoch: LeaderEpoch },
    SegmentSealed { topic: TopicId, partition: PartitionId },
    ProducerIdsAllocated { next: ProducerId },
    PartitionsAdded { topic: TopicId, partitions: u32 },
    SettingsChanged { resource: Resource, overrides: Overrides },
    SegmentsCleaned(Cleaned),
}

/// What a cleaning puts in the place of neighbouring segments. This one entry is of this node alone and names files: how
/// a log is cut and when it is cleaned says nothing about what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cleaned {
    pub(crate) topic: TopicId,
    pub(crate) partition: PartitionId,
    /// The segments that go, in their order; none where it is only said how far the log is clean.
    pub(crate) sources: Vec<SegmentId>,
    /// The one that comes, durable already; none where nothing is left.
    pub(crate) segment: Option<SegmentState>,
    /// Behind the last record of the sources.
    pub(crate) upto: Offset,
    /// Of the aborted transactions whose markers are among the sources, those that readers must still know of; of all
    /// others nothing is left.
    pub(crate) aborted: Kept,
    /// Up to where the log is clean.
    pub(crate) clean_to: Offset,
}

impl Cleaned {
    /// The offsets of the segments that go.
    pub(crate) fn range(&self) -> Range<Offset> {
        self.sources.first().map_or(self.upto, |first| first.base)..self.upto
    }
}

/// A topic as it is born.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewTopicEntry {
    pub(crate) id: TopicId,
    pub(crate) name: String,
    pub(crate) keyed: bool,
    pub(crate) partitions: u32,
    pub(crate) overrides: Overrides,
}

/// A batch that has its place: base offset and leader epoch are in the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlacedBatch {
    pub(crate) topic: TopicId,
    pub(crate) partition: PartitionId,
    pub(crate) starts_segment: bool,
    /// The header as it stands in the segment.
    pub(crate) encoded: [u8; HEADER_BYTES],
    pub(crate) header: BatchHeader,
    pub(crate) records: Bytes,
}

impl PlacedBatch {
    /// What it says where it ends a transaction.
    pub(crate) fn marker(&self) -> Option<EndTxnMarker> {
        marker_of(&self.header, &self.records)
    }

    /// Bytes in the segment.
    pub(crate) fn bytes(&self) -> u64 {
        (HEADER_BYTES + self.records.len()) as u64
    }
}

/// What a cleaning did, with the markers of what readers must still know of. It is not written any more.
const CLEANED_WITH_MARKERS: u8 = 10;
/// The same with a bit for each aborted transaction.
const CLEANED_WITH_BITS: u8 = 12;

const STARTS_SEGMENT: u8 = 1;
const RECORDS_AHEAD: u8 = 2;
const KEYED: u8 = 1;

/// The payload of a commit frame, in pieces, so that records are not copied. With `ahead` the records are in the
/// group's data frames.
pub(crate) fn encode(entries: &[Entry], ahead: bool) -> Vec<Bytes> {
    let mut pieces = Vec::with_capacity(2 * entries.len());
    let mut fixed = Encoder(Vec::with_capacity(128));
    fixed.count(entries.len());
    for entry in entries {
        encode_entry(&mut fixed, entry, ahead);
        if let (Entry::Batch(batch), false) = (entry, ahead) {
            pieces.push(std::mem::take(&mut fixed).0.into());
            pieces.push(batch.records.clone());
        }
    }
    pieces.push(fixed.0.into());
    pieces.retain(|piece: &Bytes| !piece.is_empty());
    pieces
}

fn encode_entry(out: &mut Encoder, entry: &Entry, ahead: bool) {
    match entry {
        Entry::Batch(batch) => encode_batch(out, batch, ahead),
        Entry::TopicCreated(topic) => encode_topic(out, topic),
        Entry::TopicDeleted { topic } => {
            out.u8(3);
            out.topic_id(*topic);
        }
        Entry::ConfigChanged { topic, overrides } => {
            out.u8(4);
            out.topic_id(*topic);
            encode_overrides(out, overrides);
        }
        Entry::LogStartMoved { topic, partition, offset } => {
            encode_partition(out, 5, *topic, *partition);
            out.i64(offset.0);
        }
        Entry::LeaderEpochRaised { topic, partition, epoch } => {
            encode_partition(out, 6, *topic, *partition);
            out.i32(epoch.0);
        }
        Entry::SegmentSealed { topic, partition } => encode_partition(out, 7, *topic, *partition),
        Entry::ProducerIdsAllocated { next } => {
            out.u8(8);
            out.i64(next.0);
        }
        Entry::PartitionsAdded { topic, partitions } => {
            out.u8(9);
            out.topic_id(*topic);
            out.u32(*partitions);
        }
        Entry::SegmentsCleaned(cleaned) => encode_cleaned(out, cleaned),
        Entry::SettingsChanged { resource, overrides } => {
            out.u8(11);
            encode_settings(out, resource, overrides);
        }
    }
}

fn encode_cleaned(out: &mut Encoder, cleaned: &Cleaned) {
    let Cleaned { topic, partition, sources, segment, upto, aborted, clean_to } = cleaned;
    let kind = match aborted {
        Kept::Bits(_) => CLEANED_WITH_BITS,
        Kept::Markers(_) => CLEANED_WITH_MARKERS,
    };
    encode_partition(out, kind, *topic, *partition);
    out.list(sources.iter(), |out, SegmentId { base, revision }| {
        out.i64(base.0);
        out.u32(*revision);
    });
    out.list(segment.iter(), encode_segment);
    out.i64(upto.0);
    match aborted {
        Kept::Bits(bits) => bits.encode(out),
        Kept::Markers(markers) => out.list(markers.iter(), |out, marker| out.i64(marker.0)),
    }
    out.i64(clean_to.0);
}

fn decode_kept_bits(from: &mut Decoder) -> Result<Kept, DecodeError> {
    KeptBits::decode(from).map(Kept::Bits)
}

fn decode_kept_markers(from: &mut Decoder) -> Result<Kept, DecodeError> {
    from.list(|from| Ok(Offset(from.i64()?))).map(Kept::Markers)
}

fn decode_cleaned(
    from: &mut Decoder,
    kept: fn(&mut Decoder) -> Result<Kept, DecodeError>,
) -> Result<Cleaned, DecodeError> {
    let (topic, partition) = decode_partition(from)?;
    let sources = from.list(|from| Ok(SegmentId { base: Offset(from.i64()?), revision: from.u32()? }))?;
    let segment = from.list::<_, Vec<_>>(decode_segment)?;
    if segment.len() > 1 {
        return Err(DecodeError("more than one cleaned segment"));
    }
    Ok(Cleaned {
        topic,
        partition,
        sources,
        segment: segment.first().copied(),
        upto: Offset(from.i64()?),
        aborted: kept(from)?,
        clean_to: Offset(from.i64()?),
    })
}

fn encode_partition(out: &mut Encoder, kind: u8, topic: TopicId, partition: PartitionId) {
    out.u8(kind);
    out.topic_id(topic);
    out.i32(partition.0);
}

fn encode_batch(out: &mut Encoder, batch: &PlacedBatch, ahead: bool) {
    encode_partition(out, 1, batch.topic, batch.partition);
    let starts = if batch.starts_segment { STARTS_SEGMENT } else { 0 };
    out.u8(starts | if ahead { RECORDS_AHEAD } else { 0 });
    out.count(batch.records.len());
    out.0.extend(batch.encoded);
}

fn encode_topic(out: &mut Encoder, topic: &NewTopicEntry) {
    out.u8(2);
    out.topic_id(topic.id);
    out.string(&topic.name);
    out.u8(if topic.keyed { KEYED } else { 0 });
    out.u32(topic.partitions);
    encode_overrides(out, &topic.overrides);
}

pub(crate) fn encode_overrides(out: &mut Encoder, overrides: &Overrides) {
    out.list(overrides.iter(), |out, (name, value)| {
        out.string(name);
        out.string(value);
    });
}

pub(crate) fn decode_overrides(from: &mut Decoder) -> Result<Overrides, DecodeError> {
    from.list(|from| Ok((from.string()?, from.string()?)))
}

/// Kafka's numbers of these resources (`ConfigResource.Type`).
const BROKER: u8 = 4;
const GROUP: u8 = 32;

pub(crate) fn encode_settings(out: &mut Encoder, resource: &Resource, overrides: &Overrides) {
    let (kind, name) = match resource {
        Resource::Brokers => (BROKER, String::new()),
        Resource::Broker(id) => (BROKER, id.to_string()),
        Resource::Group(name) => (GROUP, name.clone()),
    };
    out.u8(kind);
    out.string(&name);
    encode_overrides(out, overrides);
}

pub(crate) fn decode_settings(from: &mut Decoder) -> Result<(Resource, Overrides), DecodeError> {
    let resource = match (from.u8()?, from.string()?) {
        (BROKER, name) if name.is_empty() => Resource::Brokers,
        (BROKER, name) => {
            Resource::Broker(BrokerId(name.parse().map_err(|_| DecodeError("a broker's number"))?))
        }
        (GROUP, name) => Resource::Group(name),
        _ => return Err(DecodeError("settings of an unknown resource")),
    };
    Ok((resource, decode_overrides(from)?))
}

/// The entries of a commit frame; `ahead` is the stream of bytes that the group's data frames made.
pub(crate) fn decode(payload: Bytes, ahead: Bytes) -> Result<Vec<Entry>, DecodeError> {
    let mut from = Decoder(payload);
    let mut ahead = Decoder(ahead);
    let entries = from.list(|from| decode_entry(from, &mut ahead))?;
    from.end()?;
    Ok(entries)
}

fn decode_entry(from: &mut Decoder, ahead: &mut Decoder) -> Result<Entry, DecodeError> {
    Ok(match from.u8()? {
        1 => Entry::Batch(decode_batch(from, ahead)?),
        2 => Entry::TopicCreated(decode_topic(from)?),
        3 => Entry::TopicDeleted { topic: from.topic_id()? },
        4 => Entry::ConfigChanged { topic: from.topic_id()?, overrides: decode_overrides(from)? },
        5 => {
            let (topic, partition) = decode_partition(from)?;
            Entry::LogStartMoved { topic, partition, offset: Offset(from.i64()?) }
        }
        6 => {
            let (topic, partition) = decode_partition(from)?;
            Entry::LeaderEpochRaised { topic, partition, epoch: LeaderEpoch(from.i32()?) }
        }
        7 => {
            let (topic, partition) = decode_partition(from)?;
            Entry::SegmentSealed { topic, partition }
        }
        8 => Entry::ProducerIdsAllocated { next: ProducerId(from.i64()?) },
        9 => Entry::PartitionsAdded { topic: from.topic_id()?, partitions: from.u32()? },
        CLEANED_WITH_MARKERS => Entry::SegmentsCleaned(decode_cleaned(from, decode_kept_markers)?),
        11 => {
            let (resource, overrides) = decode_settings(from)?;
            Entry::SettingsChanged { resource, overrides }
        }
        CLEANED_WITH_BITS => Entry::SegmentsCleaned(decode_cleaned(from, decode_kept_bits)?),
        _ => return Err(DecodeError("an entry of an unknown kind")),
    })
}

fn decode_partition(from: &mut Decoder) -> Result<(TopicId, PartitionId), DecodeError> {
    Ok((from.topic_id()?, PartitionId(from.i32()?)))
}

fn decode_batch(from: &mut Decoder, ahead: &mut Decoder) -> Result<PlacedBatch, DecodeError> {
    let (topic, partition) = decode_partition(from)?;
    let flags = from.u8()?;
    let length = from.u32()? as usize;
    let encoded = from.array::<HEADER_BYTES>()?;
    let header = BatchHeader::parse(&encoded).map_err(|_| DecodeError("a batch header"))?;
    if header.records_size() != length {
        return Err(DecodeError("a batch of another length"));
    }
    let records = if flags & RECORDS_AHEAD == 0 { from.take(length)? } else { ahead.take(length)? };
    Ok(PlacedBatch {
        topic,
        partition,
        starts_segment: flags & STARTS_SEGMENT != 0,
        encoded,
        header,
        records,
    })
}

fn decode_topic(from: &mut Decoder) -> Result<NewTopicEntry, DecodeError> {
    Ok(NewTopicEntry {
        id: from.topic_id()?,
        name: from.string()?,
        keyed: from.u8()? & KEYED != 0,
        partitions: from.u32()?,
        overrides: decode_overrides(from)?,
    })
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::Timestamp;

    use super::*;
    use crate::testing::batch;

    fn placed(records: usize) -> PlacedBatch {
        let batch = batch(records, None);
        PlacedBatch {
            topic: TopicId([7; 16]),
            partition: PartitionId(3),
            starts_segment: true,
            encoded: batch.header().encode(),
            header: *batch.header(),
            records: batch.payload(),
        }
    }

    fn entries() -> Vec<Entry> {
        let (topic, partition) = (TopicId([9; 16]), PartitionId(2));
        let overrides = Overrides::from([("retention.ms".to_owned(), "5".to_owned())]);
        let name = "access-log".to_owned();
        vec![
            Entry::Batch(placed(3)),
            Entry::TopicCreated(NewTopicEntry {
                id: topic,
                name,
                keyed: true,
                partitions: 4,
                overrides: overrides.clone(),
            }),
            Entry::Batch(placed(1)),
            Entry::TopicDeleted { topic },
            Entry::ConfigChanged { topic, overrides: overrides.clone() },
            Entry::LogStartMoved { topic, partition, offset: Offset(77) },
            Entry::LeaderEpochRaised { topic, partition, epoch: LeaderEpoch(5) },
            Entry::SegmentSealed { topic, partition },
            Entry::ProducerIdsAllocated { next: ProducerId(1000) },
            Entry::PartitionsAdded { topic, partitions: 9 },
            cleaned(Kept::of([true, false, true])),
            cleaned(Kept::Markers([Offset(6), Offset(10)].into())),
            Entry::SettingsChanged { resource: Resource::Brokers, overrides: overrides.clone() },
            Entry::SettingsChanged { resource: Resource::Broker(BrokerId(3)), overrides: Overrides::new() },
            Entry::SettingsChanged { resource: Resource::Group("g".to_owned()), overrides },
        ]
    }

    fn cleaned(aborted: Kept) -> Entry {
        let state = SegmentState::starting(Offset(5), Timestamp(8));
        Entry::SegmentsCleaned(Cleaned {
            topic: TopicId([9; 16]),
            partition: PartitionId(2),
            sources: vec![Offset(5).into(), SegmentId { base: Offset(9), revision: 2 }],
            segment: Some(SegmentState { revision: 3, end_position: 77, ..state }),
            upto: Offset(11),
            aborted,
            clean_to: Offset(12),
        })
    }

    /// The bytes of a frame with that cleaning alone, whose kind and aborted transactions are these.
    fn golden(kind: &str, aborted: &str) -> Bytes {
        let text = [
            "01000000",
            kind,
            "09090909090909090909090909090909 02000000",
            "02000000 0500000000000000 00000000 0900000000000000 02000000",
            "01000000 0500000000000000 03000000 4d00000000000000 ffffffffffffffff 0800000000000000",
            "0b00000000000000",
            aborted,
            "0c00000000000000",
        ];
        let digits: Vec<_> = text.concat().chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
    }

    #[test]
    fn a_cleaning_is_written_with_a_bit_for_each_aborted_transaction() {
        let (entry, bytes) = (cleaned(Kept::of([true, false, true])), golden("0c", "03000000 05"));
        assert_eq!(encode(std::slice::from_ref(&entry), false).concat(), bytes);
        assert_eq!(decode(bytes, Bytes::new()).unwrap(), [entry]);
    }

    #[test]
    fn a_cleaning_with_a_list_of_markers_is_still_read() {
        let bytes = golden("0a", "02000000 0600000000000000 0a00000000000000");
        let entry = cleaned(Kept::Markers([Offset(6), Offset(10)].into()));
        assert_eq!(decode(bytes, Bytes::new()).unwrap(), [entry]);
    }

    #[test]
    fn entries_read_back_as_written() {
        let payload: Bytes = encode(&entries(), false).concat().into();
        assert_eq!(decode(payload, Bytes::new()).unwrap(), entries());
    }

    #[test]
    fn records_written_ahead_are_found_again_in_order() {
        let ahead: Bytes = [placed(3).records, placed(1).records].concat().into();
        let payload: Bytes = encode(&entries(), true).concat().into();
        assert_eq!(decode(payload.clone(), ahead).unwrap(), entries());
        assert!(decode(payload, Bytes::new()).is_err());
    }

    #[test]
    fn every_cut_of_a_payload_is_an_error() {
        let payload: Bytes = encode(&entries(), false).concat().into();
        for end in 0..payload.len() {
            assert!(decode(payload.slice(..end), Bytes::new()).is_err(), "{end}");
        }
    }
}
