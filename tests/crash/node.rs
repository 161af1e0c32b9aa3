//! A store on a faulty disk, driven step by step, and what it shows to anybody who asks.

use std::{cell::Cell, sync::Arc, time::Duration};

use bytes::Bytes;
use mainstem_protocol::{
    Offset, PartitionId, ProducerEpoch, ProducerId, Sequence, Timestamp, TopicId,
    records::{Batch, BatchBuilder, Compression, NewRecord, ProducerStamp, Records, Tail, batches},
};
use mainstem_storage::{
    AppendGroup, ManualClock, Overrides, Read, Ticket,
    disk::FaultyDisk,
    segment::Wait,
    store::{AppendError, NewTopic, NextProducerId, Options, Store},
};

use crate::{
    image::{Image, Partition, Topic, Value},
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
    pub(crate) is_synced: bool,
    pub(crate) has_retention: bool,
}

pub(crate) struct Node {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Node {
    /// Starts a store on what a disk has.
    pub(crate) fn open(disk: &FaultyDisk) -> Result<Self, String> {
        let clock = Arc::new(ManualClock::new(EPOCH));
        let options = Options {
            journal_bytes: JOURNAL_BYTES,
            background: false,
            topic_id: next_topic_id,
            ..Options::default()
        };
        let opened = Store::open(options, Arc::new(disk.clone()), clock.clone());
        let (store, _) = opened.map_err(|error| format!("the store does not open: {error}"))?;
        Ok(Self { store, clock })
    }

    pub(crate) fn create_topic(&self, name: &str, partitions: u32, kind: Kind) -> Option<(TopicId, Ticket)> {
        let overrides = overrides(kind);
        let topic = NewTopic { name: name.to_owned(), partitions, overrides, keyed: false };
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

    pub(crate) fn retain(&self, later: Duration) {
        self.clock.advance(later);
        self.store.retention_step();
    }

    /// Everything that can be read, through the way that fetches go.
    pub(crate) fn image(&self) -> Result<Image, String> {
        let mut image = Image::default();
        for topic in self.store.topics().iter() {
            let partitions = (0..topic.partitions.len()).map(|index| self.partition(topic.id, index as i32));
            let partitions = partitions.collect::<Result<_, _>>()?;
            let has_retention = topic.config.retention_bytes.is_some();
            image.topics.insert(topic.id, Topic { name: topic.name.clone(), partitions, has_retention });
        }
        Ok(image)
    }

    fn partition(&self, topic: TopicId, index: i32) -> Result<Partition, String> {
        let partition = self.store.partition(topic, PartitionId(index)).ok_or("a partition went away")?;
        let visible = partition.visible(&self.store.cut());
        let mut found = Partition {
            log_start: visible.log_start.0,
            end: visible.high_watermark.0,
            ..Partition::default()
        };
        let mut next = visible.log_start;
        while next < visible.high_watermark {
            let how = Read { bytes_max: 16 * 1024, at_least_one: true, wait: Wait::Yes };
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

/// What every partition shows now.
pub(crate) fn shown(store: &Store) -> Vec<(TopicId, i32, Shown)> {
    let mut all = Vec::new();
    for topic in store.topics().iter() {
        for (index, partition) in (0..).zip(&topic.partitions) {
            let shown = Shown {
                log_start: partition.log_start().0,
                high_watermark: partition.high_watermark().0,
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
        let value = Value::parse(record.value.unwrap_or_default());
        let value = value.ok_or_else(|| format!("the record at offset {offset} is nobody's"))?;
        if offset >= from {
            partition.records.push_back((offset.0, value));
        }
    }
    Ok(batch.header().next_offset())
}

fn overrides(kind: Kind) -> Overrides {
    let flush = if kind.is_synced { "1" } else { "9223372036854775807" };
    let mut overrides = Overrides::from([
        ("flush.messages".to_owned(), flush.to_owned()),
        ("segment.bytes".to_owned(), "20000".to_owned()),
        ("index.interval.bytes".to_owned(), "500".to_owned()),
    ]);
    if kind.has_retention {
        overrides.insert("retention.bytes".to_owned(), "50000".to_owned());
    }
    overrides
}

/// A batch of these values, of that producer if there is one.
pub(crate) fn batch(values: &[Value], value_bytes: usize, producer: Option<(i64, i32)>) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    for value in values {
        let bytes = value.bytes(value_bytes);
        let record = NewRecord { timestamp: EPOCH, value: Some(&bytes), ..NewRecord::default() };
        builder.append(&record).expect("a small record");
    }
    let stamp = producer.map_or(ProducerStamp::NONE, |(id, sequence)| ProducerStamp {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(0),
        base_sequence: Sequence(sequence),
        transactional: false,
    });
    let mut bytes: Bytes = builder.seal(&stamp).expect("nothing to compress");
    Batch::split_from(&mut bytes).expect("what was just built")
}
