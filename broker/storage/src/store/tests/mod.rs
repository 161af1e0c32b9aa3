//! The store, step by step, on a disk in memory; with `LOG_APPEND=map` on the machine's own, through mapped segments.

mod alter;
mod appends;
mod cleaning;
mod control;
mod journal;
mod reading;
mod recovery;
mod resources;
mod retention;
mod transactions;
mod truncate;

use std::sync::Arc;

use mainstem_protocol::{
    Offset, PartitionId, Timestamp, TopicId,
    records::{Batch, BatchHeader, Tail, batches},
};

use super::{AppendError, NewTopic, OpenError, Options, Recovery, Store};
use crate::{
    AppendGroup, Isolation, Overrides, Partition, Read, Ticket,
    clock::ManualClock,
    disk::{Disk, MemoryDisk, RealDisk, tests::Folder},
    segment::{Append, MapAppend, Wait},
    testing::batch,
};

pub(super) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A store without threads.
pub(super) struct Bench {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) store: Arc<Store>,
    pub(super) recovery: Recovery,
    /// It goes with the last handle.
    folder: Option<Arc<Folder>>,
}

pub(super) fn options() -> Options {
    let append = is_mapped().then(|| Box::new(MapAppend) as Box<dyn Append>);
    Options { journal_bytes: 1024 * 1024, background: false, append, ..Options::default() }
}

/// Which of the appenders the suite runs with: it must pass with either.
fn is_mapped() -> bool {
    match std::env::var("LOG_APPEND").as_deref() {
        Ok("map") => true,
        Ok("write") | Err(_) => false,
        Ok(other) => panic!("LOG_APPEND={other} is neither write nor map"),
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(options())
    }

    pub(super) fn with(options: Options) -> Self {
        if !is_mapped() {
            return Self::open(options, Arc::new(MemoryDisk::new())).unwrap();
        }
        let folder = Arc::new(Folder::new());
        let disk = Arc::new(RealDisk::new(folder.path()));
        Self { folder: Some(folder), ..Self::open(options, disk).unwrap() }
    }

    pub(super) fn on(disk: Arc<dyn Disk>) -> Self {
        Self::open(options(), disk).unwrap()
    }

    pub(super) fn open(options: Options, disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        let clock = Arc::new(ManualClock::new(NOW));
        let (store, recovery) = Store::open(options, disk.clone(), clock.clone())?;
        while store.grow_step() {}
        Ok(Self { disk, clock, store, recovery, folder: None })
    }

    /// Forgets everything in memory and starts again.
    pub(super) fn restart(self) -> Self {
        self.try_restart().unwrap()
    }

    pub(super) fn try_restart(self) -> Result<Self, OpenError> {
        let Self { disk, store, folder, .. } = self;
        assert_eq!(Arc::strong_count(&store), 1, "nobody else has the store");
        drop(store);
        Ok(Self { folder, ..Self::open(options(), disk)? })
    }

    pub(super) fn topic(&self, name: &str, partitions: u32, overrides: &[(&str, &str)]) -> TopicId {
        self.create(name, partitions, overrides, false)
    }

    pub(super) fn create(
        &self,
        name: &str,
        partitions: u32,
        overrides: &[(&str, &str)],
        keyed: bool,
    ) -> TopicId {
        let overrides: Overrides =
            overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let new = NewTopic { name: name.to_owned(), partitions, overrides, keyed };
        let (id, ticket) = self.store.create_topic(new).unwrap();
        self.store.round().unwrap();
        ticket.wait().unwrap();
        id
    }

    pub(super) fn partition(&self, topic: TopicId, partition: i32) -> Arc<Partition> {
        self.store.partition(topic, PartitionId(partition)).unwrap()
    }

    /// Gives a group its place, with room made where there is none.
    pub(super) fn place(&self, mut group: AppendGroup) -> Result<Ticket, AppendError> {
        loop {
            match self.store.append(&group) {
                Err(AppendError::NoRoom) => self.store.make_room(&mut group)?,
                result => return result,
            }
        }
    }

    pub(super) fn place_batch(
        &self,
        topic: TopicId,
        partition: i32,
        batch: Batch,
    ) -> Result<Ticket, AppendError> {
        self.place(AppendGroup::single(topic, PartitionId(partition), batch))
    }

    /// Appends and commits; returns the base offset.
    pub(super) fn append(&self, topic: TopicId, partition: i32, batch: Batch) -> Offset {
        let ticket = self.place_batch(topic, partition, batch).unwrap();
        self.store.round().unwrap();
        ticket.wait().unwrap().places[0].base_offset
    }

    pub(super) fn fill(&self, topic: TopicId, partition: i32, batches: usize) {
        for _ in 0..batches {
            self.append(topic, partition, batch(5, None));
        }
    }

    /// All batches that are shown.
    pub(super) fn read(&self, topic: TopicId, partition: i32) -> Vec<BatchHeader> {
        read_all(&self.partition(topic, partition))
    }
}

pub(super) fn read_all(partition: &Partition) -> Vec<BatchHeader> {
    let visible = partition.shown();
    let (mut offset, mut found) = (visible.log_start, Vec::new());
    while offset < visible.high_watermark {
        let how =
            Read { bytes_max: 1000, at_least_one: true, wait: Wait::Yes, isolation: Isolation::Uncommitted };
        let records = partition.read(&visible, offset, how).unwrap().bytes().unwrap();
        assert!(!records.is_empty(), "nothing at {offset}");
        for batch in batches(records, Tail::Report) {
            let batch = batch.unwrap();
            assert!(batch.is_intact());
            offset = batch.header().next_offset();
            found.push(*batch.header());
        }
    }
    found
}

pub(super) fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

pub(super) fn ends(headers: &[BatchHeader]) -> Vec<i64> {
    headers.iter().map(|header| header.next_offset().0).collect()
}
