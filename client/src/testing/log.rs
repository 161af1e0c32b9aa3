//! A partition in memory, with the checks of an idempotent append.

use std::collections::{HashMap, VecDeque};

use bytes::{Bytes, BytesMut};
use mainstem_protocol::{
    ErrorCode, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp,
    messages::fetch::AbortedTransaction,
    records::{
        Batch, BatchHeader, ControlType, Decompressor, EndTxnMarker,
        header::{HEADER_BYTES, patch_base_offset},
    },
};

use crate::consumer::IsolationLevel;

/// Batches of a producer that a repeat is recognised by (Kafka: `ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
const REMEMBERED: usize = 5;

#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) batches: Vec<Batch>,
    producers: HashMap<ProducerId, Producer>,
}

#[derive(Debug)]
struct Producer {
    epoch: ProducerEpoch,
    recent: VecDeque<(Sequence, Sequence, Offset)>,
}

impl Log {
    pub(super) fn append(&mut self, records: Bytes) -> Result<Offset, ErrorCode> {
        let mut rest = records;
        let batch = Batch::split_from(&mut rest).map_err(|_| ErrorCode::CORRUPT_MESSAGE)?;
        if !batch.is_intact() {
            return Err(ErrorCode::CORRUPT_MESSAGE);
        }
        if !rest.is_empty() || batch.header().record_count != batch.header().last_offset_delta + 1 {
            return Err(ErrorCode::INVALID_RECORD);
        }
        if let Some(offset) = self.check_producer(batch.header())? {
            return Ok(offset);
        }
        Ok(self.push(&batch))
    }

    /// The offset of an earlier append of the same batch, if there was one.
    fn check_producer(&mut self, header: &BatchHeader) -> Result<Option<Offset>, ErrorCode> {
        if !header.producer_id.is_some() {
            return Ok(None);
        }
        let (first, last) = (header.base_sequence, header.last_sequence());
        let Some(known) = self.producers.get(&header.producer_id) else { return Ok(None) };
        if header.producer_epoch < known.epoch {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        if header.producer_epoch > known.epoch {
            return if first == Sequence(0) {
                Ok(None)
            } else {
                Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER)
            };
        }
        let repeat = known.recent.iter().find(|(f, l, _)| (*f, *l) == (first, last));
        if let Some((.., offset)) = repeat {
            return Ok(Some(*offset));
        }
        match known.recent.back() {
            Some((_, before, _)) if before.plus(1) != first => Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
            _ => Ok(None),
        }
    }

    fn push(&mut self, batch: &Batch) -> Offset {
        let offset = Offset(self.end);
        self.remember(batch.header(), offset);
        let placed = placed_at(batch, offset);
        self.end = placed.header().next_offset().0;
        self.batches.push(placed);
        offset
    }

    fn remember(&mut self, header: &BatchHeader, offset: Offset) {
        if !header.producer_id.is_some() {
            return;
        }
        let fresh = || Producer { epoch: header.producer_epoch, recent: VecDeque::new() };
        let producer = self.producers.entry(header.producer_id).or_insert_with(fresh);
        if producer.epoch != header.producer_epoch {
            *producer = fresh();
        }
        producer.recent.push_back((header.base_sequence, header.last_sequence(), offset));
        if producer.recent.len() > REMEMBERED {
            producer.recent.pop_front();
        }
    }

    /// Puts the marker of a transaction behind everything.
    pub(super) fn mark(&mut self, marker: EndTxnMarker, id: ProducerId, epoch: ProducerEpoch) {
        if let Ok(batch) = Batch::split_from(&mut marker.to_batch(id, epoch, Timestamp(0))) {
            let placed = placed_at(&batch, Offset(self.end));
            self.end = placed.header().next_offset().0;
            self.batches.push(placed);
        }
        // Whatever comes from an earlier epoch from here on is late.
        let known = self.producers.entry(id).or_insert_with(|| Producer { epoch, recent: VecDeque::new() });
        if known.epoch < epoch {
            *known = Producer { epoch, recent: VecDeque::new() };
        }
    }

    pub(super) fn forget_producers(&mut self) {
        self.producers.clear();
    }

    pub(super) fn trim(&mut self, start: i64) {
        self.start = start;
        self.batches.retain(|batch| batch.header().next_offset().0 > start);
    }

    /// Where the first open transaction begins; the end where there is none.
    pub(super) fn stable_end(&self) -> i64 {
        let mut open = HashMap::new();
        for header in self.batches.iter().map(Batch::header) {
            if header.attributes.is_control() {
                open.remove(&header.producer_id);
            } else if header.attributes.is_transactional() {
                open.entry(header.producer_id).or_insert(header.base_offset.0);
            }
        }
        open.into_values().min().unwrap_or(self.end)
    }

    /// Up to where the records go that a reader gets to see.
    pub(super) fn end_for(&self, isolation: i8) -> i64 {
        if isolation == IsolationLevel::ReadCommitted.id() { self.stable_end() } else { self.end }
    }

    /// Whole batches from the one that holds the offset on, in front of `end`: at least one, then as many as fit.
    pub(super) fn read(&self, offset: i64, end: i64, bytes_max: usize) -> Result<Bytes, ErrorCode> {
        if offset < self.start || offset > self.end {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        let mut read = BytesMut::new();
        let is_wanted = |batch: &&Batch| {
            let header = batch.header();
            header.next_offset().0 > offset && header.base_offset.0 < end
        };
        for batch in self.batches.iter().filter(is_wanted) {
            if !read.is_empty() && read.len() + batch.bytes().len() > bytes_max {
                break;
            }
            read.extend_from_slice(batch.bytes());
        }
        Ok(read.freeze())
    }

    /// The transactions that were aborted at an offset or behind it.
    pub(super) fn aborted(&self, from: Offset) -> Vec<AbortedTransaction> {
        let (mut open, mut aborted) = (HashMap::new(), Vec::new());
        for batch in &self.batches {
            let header = batch.header();
            let (producer_id, offset) = (header.producer_id, header.base_offset);
            if !header.attributes.is_control() {
                open.entry(producer_id).or_insert(offset);
            } else if let Some(first_offset) = open.remove(&producer_id)
                && is_abort(batch)
                && offset >= from
            {
                aborted.push(AbortedTransaction { producer_id, first_offset });
            }
        }
        aborted
    }

    /// What ListOffsets answers to a timestamp: the time and the offset of the first batch that is not older.
    pub(super) fn list(&self, timestamp: i64, isolation: i8) -> (i64, i64) {
        match timestamp {
            -1 => (-1, self.end_for(isolation)),
            -2 => (-1, self.start),
            -3 => self.largest_timestamp(),
            _ => {
                let headers = self.batches.iter().map(Batch::header);
                let mut reached = headers.filter(|header| header.max_timestamp.0 >= timestamp);
                reached.next().map_or((-1, -1), |header| (header.max_timestamp.0, header.base_offset.0))
            }
        }
    }

    /// The largest time, and the offset of the first batch that has it.
    fn largest_timestamp(&self) -> (i64, i64) {
        let times =
            self.batches.iter().map(|batch| (batch.header().max_timestamp.0, batch.header().base_offset.0));
        times.max_by_key(|(time, offset)| (*time, -offset)).unwrap_or((-1, -1))
    }
}

fn is_abort(batch: &Batch) -> bool {
    let open = batch.open(&mut Decompressor::new(), crate::caps::DECOMPRESSED_BYTES_MAX).ok();
    let first = open.as_ref().and_then(|open| open.refs().next()?.ok());
    first.is_some_and(|record| ControlType::from_key(record.key) == Ok(ControlType::Abort))
}

fn placed_at(batch: &Batch, offset: Offset) -> Batch {
    let mut bytes = BytesMut::from(batch.bytes().as_ref());
    let mut header = [0; HEADER_BYTES];
    header.copy_from_slice(&bytes[..HEADER_BYTES]);
    patch_base_offset(&mut header, offset);
    bytes[..HEADER_BYTES].copy_from_slice(&header);
    Batch::split_from(&mut bytes.freeze()).unwrap_or_else(|_| batch.clone())
}
