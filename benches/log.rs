//! The log below the wire: append and fetch, each beside the least that has to be done.
//!
//! `cargo bench -p mainstem-storage --bench log`

#[path = "support/measure.rs"]
mod measure;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use mainstem_protocol::{
    Offset, PartitionId, Timestamp, TopicId,
    records::{Batch, BatchBuilder, Compression, NewRecord, ProducerStamp},
};
use mainstem_storage::{
    AppendError, AppendGroup, Overrides, Read, Store, SystemClock, Ticket,
    disk::RealDisk,
    segment::Wait,
    store::{NewTopic, Options},
};
use measure::{Spread, sync_millis, time};

const ROUNDS: usize = 5;
const BATCH_BYTES: usize = 64 * 1024;
const BATCHES: usize = 2000;
const PARTITIONS: u32 = 6;

fn main() {
    let directory = fresh_directory();
    println!("a write of 4 KiB and its sync: {} ms", sync_millis(&directory));
    let copy = (0..ROUNDS).map(|_| copied()).collect();
    println!("copying memory, GB/s:                         {}", Spread::of(copy));
    let data = directory.join("data");
    for (name, flush_messages) in [("os", "9223372036854775807"), ("fsync", "1")] {
        let store = open(&data);
        let topic = create(&store, name, flush_messages);
        let append = (0..ROUNDS).map(|_| appended(&store, topic)).collect();
        println!("append of 64 KiB batches, {name:>5}, GB/s:        {}", Spread::of(append));
        let fetch = (0..ROUNDS).map(|_| fetched(&store, topic)).collect();
        println!("fetch of 1 MiB from the page cache, GB/s:     {}", Spread::of(fetch));
        store.shutdown().expect("the store stops");
    }
}

fn gigabytes_per_second(bytes: usize, seconds: f64) -> f64 {
    bytes as f64 / seconds / 1e9
}

fn copied() -> f64 {
    let source = vec![7_u8; BATCH_BYTES];
    let mut target = vec![0_u8; BATCH_BYTES];
    let (elapsed, ()) = time(|| {
        for _ in 0..BATCHES {
            target.copy_from_slice(std::hint::black_box(&source));
            std::hint::black_box(&mut target);
        }
    });
    gigabytes_per_second(BATCHES * BATCH_BYTES, elapsed.as_secs_f64())
}

fn open(data: &Path) -> Arc<Store> {
    let disk = Arc::new(RealDisk::new(data.to_owned()));
    Store::open(Options::default(), disk, Arc::new(SystemClock::default())).expect("the store opens").0
}

fn create(store: &Store, name: &str, flush_messages: &str) -> TopicId {
    let settings =
        [("flush.messages", flush_messages), ("retention.bytes", "134217728"), ("segment.bytes", "67108864")];
    let overrides: Overrides =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let new = NewTopic { name: name.to_owned(), partitions: PARTITIONS, overrides, keyed: false };
    let (topic, ticket) = store.create_topic(new).expect("the topic is new");
    ticket.wait().expect("the journal works");
    topic
}

/// Everything is placed as fast as there is room, and all of it acknowledged at the end.
fn appended(store: &Store, topic: TopicId) -> f64 {
    let batch = batch();
    let (elapsed, ()) = time(|| append_all(store, topic, &batch));
    gigabytes_per_second(BATCHES * BATCH_BYTES, elapsed.as_secs_f64())
}

fn append_all(store: &Store, topic: TopicId, batch: &Batch) {
    let tickets: Vec<Ticket> = (0..BATCHES)
        .map(|n| {
            let partition = PartitionId((n % PARTITIONS as usize) as i32);
            place(store, AppendGroup::single(topic, partition, batch.clone()))
        })
        .collect();
    for ticket in tickets {
        ticket.wait().expect("the journal works");
    }
}

fn place(store: &Store, mut group: AppendGroup) -> Ticket {
    loop {
        match store.append(&group) {
            Err(AppendError::NoRoom) => store.make_room(&mut group).expect("there is room"),
            placed => return placed.expect("the group is right"),
        }
    }
}

/// The last records of a partition, again and again.
fn fetched(store: &Store, topic: TopicId) -> f64 {
    let partition = store.partition(topic, PartitionId(0)).expect("the partition is there");
    let visible = partition.visible(&store.cut());
    let how = Read { bytes_max: 1024 * 1024, at_least_one: true, wait: Wait::Yes };
    let mut target = vec![0_u8; 1024 * 1024];
    let (elapsed, bytes) = time(|| {
        let (mut bytes, mut offset) = (0, Offset(visible.high_watermark.0 - 300));
        while offset < visible.high_watermark {
            let records = partition.read(&visible, offset, how).expect("the log is whole");
            let range = records.bytes().expect("the log is readable");
            target[..range.len()].copy_from_slice(&range);
            bytes += range.len();
            // A batch is a little shorter than that.
            offset = offset.plus(range.len().div_ceil(BATCH_BYTES) as i64);
        }
        bytes
    });
    gigabytes_per_second(bytes, elapsed.as_secs_f64())
}

/// One record, so that offsets count batches.
fn batch() -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    let value = vec![b'x'; BATCH_BYTES - 100];
    let record = NewRecord { timestamp: Timestamp(1), value: Some(&value), ..NewRecord::default() };
    builder.append(&record).expect("the batch has room");
    let mut bytes = builder.seal(&ProducerStamp::NONE).expect("the batch is sealed");
    Batch::split_from(&mut bytes).expect("it was built here")
}

#[expect(clippy::disallowed_methods, reason = "the benchmark makes its own folder")]
fn fresh_directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-log");
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("the last run's folder goes");
    }
    fs::create_dir_all(directory.join("data")).expect("the folder is made");
    directory
}
