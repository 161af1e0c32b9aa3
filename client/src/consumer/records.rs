//! Records as they are handed out, and the bytes that they are taken from.

use bytes::Bytes;
use mainstem_protocol::{
    Offset,
    records::{Batch, Batches, Decompressor, Record, Tail, batches},
};

use super::error::Damage;
use crate::{TopicPartition, caps};

/// Records of one partition, in order. Offsets may skip: what was compacted away or belongs to the brokers is not
/// there.
#[derive(Clone, Debug)]
pub struct PartitionRecords {
    /// The partition.
    pub partition: TopicPartition,
    /// The records; at least one.
    pub records: Vec<Record>,
    /// Where to go on behind them: the offset to commit once they are dealt with.
    pub next_offset: Offset,
    /// The end of the partition, as it was when these were fetched.
    pub high_watermark: Offset,
}

/// What a broker handed out for a partition, and nobody has taken yet.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) partition: TopicPartition,
    pub(super) round: u64,
    pub(super) high_watermark: Offset,
    batches: Batches,
}

/// What was taken from it: where to go on, and the records before that.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) records: Vec<Record>,
    pub(super) position: Offset,
    pub(super) finished: bool,
}

impl Fetched {
    pub(super) const fn new(
        partition: TopicPartition,
        round: u64,
        high_watermark: Offset,
        bytes: Bytes,
    ) -> Self {
        Self { partition, round, high_watermark, batches: batches(bytes, Tail::Skip) }
    }

    /// Takes batches until there are `wanted` records or no further batch. Damage is reported once everything
    /// before it was taken.
    pub(super) fn take(
        &mut self,
        from: Offset,
        wanted: usize,
        decompressor: &mut Decompressor,
    ) -> Result<Taken, Damage> {
        let mut taken = Taken { records: Vec::new(), position: from, finished: false };
        while taken.records.len() < wanted {
            // What the iterator has not gone through yet stays, should this batch turn out to be damaged.
            let mut ahead = self.batches.clone();
            let Some(batch) = ahead.next() else {
                taken.finished = true;
                break;
            };
            match batch.map_err(Damage::from).and_then(|batch| open(&batch, &mut taken, decompressor)) {
                Err(_) if !taken.records.is_empty() => break,
                Err(damage) => return Err(damage),
                Ok(()) => self.batches = ahead,
            }
        }
        Ok(taken)
    }
}

fn open(batch: &Batch, taken: &mut Taken, decompressor: &mut Decompressor) -> Result<(), Damage> {
    let header = batch.header();
    if header.next_offset() <= taken.position {
        return Ok(());
    }
    if !batch.is_intact() {
        return Err(Damage::Checksum);
    }
    if !header.attributes.is_control() {
        let before = taken.records.len();
        let added = add(batch, taken, decompressor);
        if added.is_err() {
            taken.records.truncate(before);
        }
        added?;
    }
    taken.position = header.next_offset();
    Ok(())
}

/// A broker hands out whole batches, so the first may begin before the offset that was asked for.
fn add(batch: &Batch, taken: &mut Taken, decompressor: &mut Decompressor) -> Result<(), Damage> {
    let open = batch.open(decompressor, caps::DECOMPRESSED_BYTES_MAX)?;
    for record in open.records() {
        let record = record?;
        if record.offset >= taken.position {
            taken.records.push(record);
        }
    }
    Ok(())
}
