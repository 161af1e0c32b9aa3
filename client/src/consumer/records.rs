//! Records as they are handed out, and the bytes that they are taken from.

use bytes::Bytes;
use mainstem_protocol::{
    Offset,
    records::{Batch, Batches, Decompressor, IntoRecords, Record, Tail, batches},
};

use super::{aborted::Aborted, error::Damage};
use crate::{TopicPartition, caps};

/// Records for which room is made ahead, whatever a batch says of itself.
const RESERVED_RECORDS_MAX: usize = 4096;

/// Records of one partition, in order. Offsets may skip: what was compacted away or belongs to the brokers is not
/// there.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::time::Duration;
/// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::{OffsetReset, Polled}};
///
/// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
/// let mut consumer = Consumer::new(&transport, config);
/// consumer.assign([TopicPartition::new("greetings", 0)]);
/// if let Polled::Records(batches) = consumer.poll(Duration::from_secs(30)).await? {
///     for batch in batches {
///         println!("{}: {} records, go on at {}", batch.partition, batch.records.len(), batch.next_offset);
///     }
/// }
/// # Ok(())
/// # });
/// ```
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

/// One record, and the partition that it comes from.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::OffsetReset};
///
/// let first = TopicPartition::new("greetings", 0);
/// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
/// let mut consumer = Consumer::new(&transport, config);
/// consumer.assign([first.clone()]);
/// let next = consumer.next().await?;
/// println!("{} at {}: {:?}", next.partition, next.record.offset, next.record.value);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRecord {
    /// The partition.
    pub partition: TopicPartition,
    /// The record.
    pub record: Record,
}

/// What a broker handed out for a partition, and nobody has taken yet.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) partition: TopicPartition,
    pub(super) round: u64,
    pub(super) high_watermark: Offset,
    /// Where the next record comes from.
    pub(super) position: Offset,
    /// Bytes that this keeps in memory, before decompression.
    pub(super) bytes: usize,
    batches: Batches,
    aborted: Aborted,
    /// The batch that was begun.
    open: Option<IntoRecords>,
    /// What was found wrong with it.
    damage: Option<Damage>,
}

impl Fetched {
    pub(super) const fn new(
        partition: TopicPartition,
        round: u64,
        position: Offset,
        high_watermark: Offset,
        bytes: Bytes,
        aborted: Aborted,
    ) -> Self {
        let size = bytes.len();
        let batches = batches(bytes, Tail::Skip);
        let (open, damage) = (None, None);
        Self { partition, round, high_watermark, position, bytes: size, batches, aborted, open, damage }
    }

    /// Where the records behind these come from; found in the headers of the batches alone.
    pub(super) fn end(&self) -> Offset {
        let whole = self.batches.clone().map_while(Result::ok);
        whole.last().map_or(self.position, |batch| self.position.max(batch.header().next_offset()))
    }

    /// The next record; none where all were taken. Damage is reported once everything before it was taken, and then
    /// each time.
    pub(super) fn next(&mut self, decompressor: &mut Decompressor) -> Result<Option<Record>, Damage> {
        loop {
            if let Some(damage) = &self.damage {
                return Err(damage.clone());
            }
            let Some(open) = &mut self.open else {
                if self.open_next(decompressor)? { continue } else { return Ok(None) }
            };
            match open.next() {
                // A broker hands out whole batches, so the first may begin before the offset that was asked for.
                Some(Ok(record)) if record.offset < self.position => {}
                Some(Ok(record)) => {
                    let behind =
                        if open.left() == 0 { open.header().next_offset() } else { record.offset.plus(1) };
                    self.position = behind;
                    return Ok(Some(record));
                }
                Some(Err(error)) => self.damage = Some(error.into()),
                None => self.pass_over(),
            }
        }
    }

    /// Takes at most so many records; damage is an error where it is the first thing.
    pub(super) fn take(
        &mut self,
        wanted: usize,
        decompressor: &mut Decompressor,
    ) -> Result<Vec<Record>, Damage> {
        let mut taken = Vec::new();
        while taken.len() < wanted {
            match self.next(decompressor) {
                Ok(Some(record)) => {
                    if taken.is_empty() {
                        taken.reserve((1 + self.left_in_batch()).min(wanted).min(RESERVED_RECORDS_MAX));
                    }
                    taken.push(record);
                }
                Ok(None) => break,
                Err(damage) if taken.is_empty() => return Err(damage),
                Err(_) => break,
            }
        }
        Ok(taken)
    }

    /// Whether there is nothing more to take.
    pub(super) fn is_finished(&mut self) -> bool {
        if self.open.as_ref().is_some_and(|open| open.left() == 0) && self.damage.is_none() {
            // One record more would be an error: the batch has bytes left behind its last record.
            match self.open.as_mut().and_then(Iterator::next) {
                Some(Err(error)) => self.damage = Some(error.into()),
                _ => self.pass_over(),
            }
        }
        self.open.is_none() && self.damage.is_none() && self.batches.clone().next().is_none()
    }

    fn left_in_batch(&self) -> usize {
        self.open.as_ref().map_or(0, IntoRecords::left)
    }

    fn pass_over(&mut self) {
        if let Some(open) = self.open.take() {
            self.position = self.position.max(open.header().next_offset());
        }
    }

    /// Opens the next batch that has records for us. What is damaged stays, to be found again.
    fn open_next(&mut self, decompressor: &mut Decompressor) -> Result<bool, Damage> {
        loop {
            let mut ahead = self.batches.clone();
            let Some(batch) = ahead.next() else { return Ok(false) };
            let batch = batch?;
            let is_aborted = self.aborted.covers(&batch, decompressor);
            let has_records = check(&batch, self.position)? && !is_aborted;
            if has_records {
                self.open = Some(batch.open(decompressor, caps::DECOMPRESSED_BYTES_MAX)?.into_records());
            }
            self.batches = ahead;
            if has_records {
                return Ok(true);
            }
            self.position = self.position.max(batch.header().next_offset());
        }
    }
}

/// Whether a batch has records for whoever reads at `position`; the brokers' own are for nobody.
fn check(batch: &Batch, position: Offset) -> Result<bool, Damage> {
    let header = batch.header();
    if header.next_offset() <= position {
        return Ok(false);
    }
    if !batch.is_intact() {
        return Err(Damage::Checksum);
    }
    Ok(!header.attributes.is_control())
}
