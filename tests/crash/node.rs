//! A store on a faulty disk, driven step by step, and what it shows to anybody who asks.

use std::{cell::Cell, collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use mainstem_protocol::{
    Offset, PartitionId, ProducerEpoch, ProducerId, Sequence, Timestamp, TopicId,
    records::{
        Batch, BatchBuilder, Compression, EndTxnMarker, Headers, NewRecord, ProducerStamp, RecordRef,
        Records, Tail, batches,
    },
};
use mainstem_storage::{
    AppendGroup, Isolation, ManualClock, Overrides, Read, Ticket,
    disk::FaultyDisk,
    segment::{Append, MapAppend, Wait},
    store::{AppendError, NewTopic, NextProducerId, Options, Store},
};

use crate::{
    image::{Image, Partition, Topic, Transactions, Value},
    ledger::Shown,
};

/// Bytes of the journal: so small that a run recycles it many times.
pub(crate) const JOURNAL_BYTES: u64 = 256 * 1024;
/// When every simulation begins.
pub(crate) const EPOCH: Timestamp = Timestamp(1_700_000_000_000);
/// Rounds after which a store that still has no room never will.
const ROUNDS_MAX: u32 = 50;

/// The settings of a topic that the workload makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) flush: Flush,
    pub(crate) has_retention: bool,
    /// The last value of each key is kept, as for the broker's own topics.
    pub(crate) keyed: bool,
}

/// When a topic's records are synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flush {
    /// Before they are acknowledged.
    Each,
    /// After so many of them, or so many milliseconds.
    After(u64, u64),
}

impl Flush {
    /// `flush.messages` and `flush.ms`.
    pub(crate) const fn settings(self) -> (u64, u64) {
        match self {
            Self::Each => (1, 1000),
            Self::After(messages, millis) => (messages, millis),
        }
    }
}

impl Kind {
    /// Synced, and nothing goes by itself.
    pub(crate) const SYNCED: Self = Self { flush: Flush::Each, has_retention: false, keyed: false };

    pub(crate) const fn is_synced(&self) -> bool {
        matches!(self.flush, Flush::Each)
    }

    /// The settings as the workload asks for them.
    pub(crate) fn overrides(self) -> Overrides {
        let mut overrides =
            vec![("segment.bytes", "8000".to_owned()), ("index.interval.bytes", "500".to_owned())];
        // Topics that are kept by key follow the broker's default, which is to sync each.
        if !self.keyed {
            let (messages, millis) = self.flush.settings();
            overrides.push(("flush.messages", messages.to_string()));
            overrides.push(("flush.ms", millis.to_string()));
        }
        if self.has_retention {
            overrides.push(("retention.bytes", "12000".to_owned()));
        }
        overrides.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// How bytes get into segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Write,
    Map,
}

pub(crate) struct Node {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Node {
    /// Starts a store on what a disk has.
    pub(crate) fn open(disk: &FaultyDisk) -> Result<Self, String> {
        Self::open_with(disk, How::Write)
    }

    pub(crate) fn open_with(disk: &FaultyDisk, how: How) -> Result<Self, String> {
        let clock = Arc::new(ManualClock::new(EPOCH));
        let options = Options {
            journal_bytes: JOURNAL_BYTES,
            background: false,
            append: (how == How::Map).then(|| Box::new(MapAppend) as Box<dyn Append>),
            topic_id: next_topic_id,
            ..Options::default()
        };
        let opened = Store::open(options, Arc::new(disk.clone()), clock.clone());
        let (store, _) = opened.map_err(|error| format!("the store does not open: {error}"))?;
        Ok(Self { store, clock })
    }

    pub(crate) fn create_topic(&self, name: &str, partitions: u32, kind: Kind) -> Option<(TopicId, Ticket)> {
        let overrides = kind.overrides();
        let topic = NewTopic { name: name.to_owned(), partitions, overrides, keyed: kind.keyed };
        self.store.create_topic(topic).ok()
    }

    /// Appends, making room where there is none; `None` where the store refuses.
    pub(crate) fn append(&self, mut group: AppendGroup) -> Result<Ticket, AppendError> {
        for _ in 0..ROUNDS_MAX {
            match self.store.append(&group) {
                Err(AppendError::NoRoom) => self.store.make_room(&mut group)?,
                result => return result,
            }
        }
        Err(AppendError::NoRoom)
    }

    /// One round of the journal; whether it went well.
    pub(crate) fn round(&self) -> bool {
        self.store.round().is_ok()
    }

    pub(crate) fn checkpoint(&self) -> bool {
        self.store.write_checkpoint(false).is_ok()
    }

    /// A fresh producer id; `None` where the store has none now.
    pub(crate) fn producer_id(&self) -> Option<i64> {
        loop {
            match self.store.next_producer_id().ok()? {
                NextProducerId::Ready(id) => return Some(id.0),
                NextProducerId::Wait(_) if self.round() => {}
                NextProducerId::Wait(_) => return None,
            }
        }
    }

    pub(crate) fn clean_up(&self) {
        self.store.cleanup_step();
    }

    pub(crate) fn allocate(&self) {
        self.store.allocate_step();
    }

    /// Time passes, and old segments go; returns how many log starts move.
    pub(crate) fn retain(&self, later: Duration) -> u64 {
        self.clock.advance(later);
        self.store.retention_step() as u64
    }

    /// Everything that can be read, through the way that fetches go.
    pub(crate) fn image(&self) -> Result<Image, String> {
        let mut image = Image::default();
        for topic in self.store.topics().iter() {
            let partitions = (0..topic.partitions.len()).map(|index| self.partition(topic.id, index as i32));
            let partitions = partitions.collect::<Result<_, _>>()?;
            let has_retention = topic.config.retention_bytes.is_some();
            let (name, overrides, keyed) = (topic.name.clone(), topic.overrides.clone(), topic.keyed);
            image.topics.insert(topic.id, Topic { name, partitions, overrides, has_retention, keyed });
        }
        Ok(image)
    }

    fn partition(&self, topic: TopicId, index: i32) -> Result<Partition, String> {
        let partition = self.store.partition(topic, PartitionId(index)).ok_or("a partition went away")?;
        let visible = partition.visible(&self.store.cut());
        let mut found = Partition {
            log_start: visible.log_start.0,
            end: visible.high_watermark.0,
            keyed: self.keyed(topic, index)?,
            transactions: transactions(&partition)?,
            ..Partition::default()
        };
        let mut next = visible.log_start;
        while next < visible.high_watermark {
            let how = Read {
                bytes_max: 16 * 1024,
                at_least_one: true,
                wait: Wait::Yes,
                isolation: Isolation::Uncommitted,
            };
            let records =
                partition.read(&visible, next, how).map_err(|error| format!("offset {next}: {error}"))?;
            let behind = take_records(&records, &mut found, next)?;
            if behind <= next {
                return Err(format!("a read of offset {next} of {} gives nothing", visible.high_watermark));
            }
            next = behind;
        }
        Ok(found)
    }

    fn keyed(&self, topic: TopicId, index: i32) -> Result<BTreeMap<u8, Value>, String> {
        let kept = self.store.keyed_values(topic, PartitionId(index), b"");
        let pair = |(key, value): (Bytes, Bytes)| Some((*key.first()?, Value::parse(&value)?));
        let pairs = kept.into_iter().map(|kept| pair(kept).ok_or("a kept value is nobody's"));
        Ok(pairs.collect::<Result<_, _>>()?)
    }
}

thread_local! {
    /// Of this simulation: each runs on a thread of its own.
    static TOPICS: Cell<u128> = const { Cell::new(0) };
}

/// Begins the identities of topics anew.
pub(crate) fn restart_topic_ids() {
    TOPICS.set(0);
}

fn next_topic_id() -> TopicId {
    TOPICS.set(TOPICS.get() + 1);
    TopicId((0x1000 + TOPICS.get()).to_be_bytes())
}

fn transactions(partition: &mainstem_storage::Partition) -> Result<Transactions, String> {
    let aborted = partition.aborted_transactions(partition.log_start(), Offset(i64::MAX));
    let aborted = aborted.ok_or("the log start moved while nobody works")?;
    let producers = partition.producers();
    let open = producers.iter().filter_map(|known| Some((known.id.0, known.transaction?.0)));
    Ok(Transactions {
        open: open.collect(),
        aborted: aborted
            .iter()
            .map(|one| (one.producer_id.0, one.first_offset.0, one.last_offset.0))
            .collect(),
        last_stable: partition.last_stable().0,
    })
}

/// What every partition shows now.
pub(crate) fn shown(store: &Store) -> Vec<(TopicId, i32, Shown)> {
    let mut all = Vec::new();
    for topic in store.topics().iter() {
        for (index, partition) in (0..).zip(&topic.partitions) {
            let shown = Shown {
                log_start: partition.log_start().0,
                high_watermark: partition.high_watermark().0,
                last_stable: partition.last_stable().0,
                leader_epoch: partition.leader_epoch().0,
                is_synced: topic.config.is_synced(),
            };
            all.push((topic.id, index, shown));
        }
    }
    all
}

fn take_records(records: &Records, partition: &mut Partition, from: Offset) -> Result<Offset, String> {
    let bytes = records.bytes().map_err(|error| error.to_string())?;
    let mut next = from;
    for batch in batches(bytes, Tail::Report) {
        let batch = batch.map_err(|error| error.to_string())?;
        next = take_batch(&batch, partition, from)?;
    }
    Ok(next)
}

fn take_batch(batch: &Batch, partition: &mut Partition, from: Offset) -> Result<Offset, String> {
    if !batch.is_intact() {
        return Err(format!("the batch at offset {} has a wrong checksum", batch.header().base_offset));
    }
    let open = batch.open(&mut mainstem_protocol::records::Decompressor::new(), usize::MAX);
    let open = open.map_err(|error| error.to_string())?;
    for record in open.refs() {
        let record = record.map_err(|error| error.to_string())?;
        let offset = open.offset(&record);
        let value = value_of(batch, &record);
        let value = value.ok_or_else(|| format!("the record at offset {offset} is nobody's"))?;
        if offset >= from {
            partition.records.push_back((offset.0, value));
        }
    }
    Ok(batch.header().next_offset())
}

/// A tombstone says in a header whose it is, a marker in its batch.
fn value_of(batch: &Batch, record: &RecordRef<'_>) -> Option<Value> {
    if batch.header().attributes.is_control() {
        let marker = EndTxnMarker::parse(record.key, record.value).ok()?;
        return Some(Value::marker(batch.header().producer_id.0, marker.committed));
    }
    match record.value {
        Some(bytes) => Value::parse(bytes),
        None => record.headers.iter().find_map(|(_, value)| Value::parse(value?)),
    }
}

/// A batch of these values, of that producer if there is one.
pub(crate) fn batch(values: &[Value], value_bytes: usize, producer: Option<(i64, i32)>) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    for value in values {
        let bytes = value.bytes(value_bytes);
        push(&mut builder, NewRecord { value: Some(&bytes), ..NewRecord::default() });
    }
    seal(builder, producer)
}

/// The same, in the producer's transaction.
pub(crate) fn transactional_batch(values: &[Value], value_bytes: usize, producer: (i64, i32)) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    for value in values {
        let bytes = value.bytes(value_bytes);
        push(&mut builder, NewRecord { value: Some(&bytes), ..NewRecord::default() });
    }
    stamped(builder, &ProducerStamp { transactional: true, ..stamp(producer) })
}

/// The same for a topic that keeps the last value of each key.
pub(crate) fn keyed_batch(values: &[Value], value_bytes: usize, producer: Option<(i64, i32)>) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    for value in values {
        let (key, bytes) = ([value.key()], value.bytes(value_bytes));
        let headers = Headers::new([(&b"value"[..], Some(&bytes[..]))]).expect("one header");
        let record = match value.is_tombstone() {
            true => NewRecord { headers: headers.as_ref(), ..NewRecord::default() },
            false => NewRecord { value: Some(&bytes), ..NewRecord::default() },
        };
        push(&mut builder, NewRecord { key: Some(&key), ..record });
    }
    seal(builder, producer)
}

fn push(builder: &mut BatchBuilder, record: NewRecord<'_>) {
    builder.append(&NewRecord { timestamp: EPOCH, ..record }).expect("a small record");
}

fn seal(builder: BatchBuilder, producer: Option<(i64, i32)>) -> Batch {
    stamped(builder, &producer.map_or(ProducerStamp::NONE, stamp))
}

const fn stamp((id, sequence): (i64, i32)) -> ProducerStamp {
    ProducerStamp {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(0),
        base_sequence: Sequence(sequence),
        transactional: false,
    }
}

fn stamped(mut builder: BatchBuilder, stamp: &ProducerStamp) -> Batch {
    let mut bytes: Bytes = builder.seal(stamp).expect("nothing to compress");
    Batch::split_from(&mut bytes).expect("what was just built")
}
