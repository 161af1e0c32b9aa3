//! The log below the wire: append, by writes and through maps, and fetch, each beside the least that has to be done.
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
    AppendError, AppendGroup, Isolation, Overrides, Read, Store, SystemClock, Ticket,
    disk::{Disk as _, RealDisk},
    segment::{Append, MapAppend, Wait, WriteAppend},
    store::{NewTopic, Options},
};
use measure::{Spread, cpu_seconds, sync_millis, time};

const ROUNDS: usize = 5;
const BATCH_BYTES: usize = 64 * 1024;
/// Small ones, as a producer without linger sends them.
const SMALL_BATCH_BYTES: usize = 1024;
const BYTES: usize = 128 * 1000 * 1000;
const SMALL_BYTES: usize = 16 * 1000 * 1000;
const PARTITIONS: u32 = 6;

fn main() {
    let directory = fresh_directory();
    println!("a write of 4 KiB and its sync: {} ms", sync_millis(&directory));
    let copy = (0..ROUNDS).map(|_| copied()).collect();
    println!("copying memory, GB/s:                         {}", Spread::of(copy));
    for (name, flush_messages) in [("os", "9223372036854775807"), ("fsync", "1")] {
        compare(&directory, name, flush_messages);
    }
}

/// Both appenders in turn, each with a log of its own, so that what the machine does meanwhile hits both.
fn compare(directory: &Path, name: &str, flush_messages: &str) {
    let logs = ["write", "map"].map(|appender| {
        let store = open(&directory.join(format!("{name}-{appender}")), appender);
        let topic = create(&store, name, flush_messages);
        (appender, store, topic)
    });
    for (batch_bytes, bytes) in [(BATCH_BYTES, BYTES), (SMALL_BATCH_BYTES, SMALL_BYTES)] {
        let rounds = (0..ROUNDS).flat_map(|_| &logs);
        let figures: Vec<_> =
            rounds.map(|(_, store, topic)| appended(store, *topic, batch_bytes, bytes)).collect();
        for (at, (appender, ..)) in logs.iter().enumerate() {
            report_append(name, appender, batch_bytes, figures.iter().skip(at).step_by(logs.len()));
        }
    }
    for (appender, store, topic) in logs {
        // The last batches are small ones: one round of big ones for the reader.
        appended(&store, topic, BATCH_BYTES, BYTES);
        let fetch = (0..ROUNDS).map(|_| fetched(&store, topic)).collect();
        println!("fetch of 1 MiB from the page cache, {appender}, GB/s: {}", Spread::of(fetch));
        store.shutdown().expect("the store stops");
    }
}

fn report_append<'a>(
    name: &str,
    appender: &str,
    batch_bytes: usize,
    figures: impl Iterator<Item = &'a Appended>,
) {
    let (speed, cpu): (Vec<_>, Vec<_>) =
        figures.map(|figure| (figure.gigabytes_per_second, figure.cpu_seconds_per_gigabyte)).unzip();
    println!(
        "append of {batch_bytes:>5} B batches, {name:>5}, {appender:>5}: {} GB/s, {} CPU s/GB",
        Spread::of(speed),
        Spread::of(cpu)
    );
}

struct Appended {
    gigabytes_per_second: f64,
    cpu_seconds_per_gigabyte: f64,
}

fn gigabytes_per_second(bytes: usize, seconds: f64) -> f64 {
    bytes as f64 / seconds / 1e9
}

fn copied() -> f64 {
    let source = vec![7_u8; BATCH_BYTES];
    let mut target = vec![0_u8; BATCH_BYTES];
    let (elapsed, ()) = time(|| {
        for _ in 0..BYTES / BATCH_BYTES {
            target.copy_from_slice(std::hint::black_box(&source));
            std::hint::black_box(&mut target);
        }
    });
    gigabytes_per_second(BYTES, elapsed.as_secs_f64())
}

fn open(data: &Path, appender: &str) -> Arc<Store> {
    let disk = Arc::new(RealDisk::new(data.to_owned()));
    disk.create_dir_all(Path::new("")).expect("the folder is made");
    let append: Box<dyn Append> = if appender == "map" { Box::new(MapAppend) } else { Box::new(WriteAppend) };
    let options = Options { append: Some(append), ..Options::default() };
    Store::open(options, disk, Arc::new(SystemClock::default())).expect("the store opens").0
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
fn appended(store: &Store, topic: TopicId, batch_bytes: usize, bytes: usize) -> Appended {
    let batch = batch(batch_bytes);
    let before = cpu_seconds();
    let (elapsed, ()) = time(|| append_all(store, topic, &batch, bytes / batch_bytes));
    Appended {
        gigabytes_per_second: gigabytes_per_second(bytes, elapsed.as_secs_f64()),
        cpu_seconds_per_gigabyte: (cpu_seconds() - before) / (bytes as f64 / 1e9),
    }
}

fn append_all(store: &Store, topic: TopicId, batch: &Batch, batches: usize) {
    let tickets: Vec<Ticket> = (0..batches)
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
    let how = Read {
        bytes_max: 1024 * 1024,
        at_least_one: true,
        wait: Wait::Yes,
        isolation: Isolation::Uncommitted,
    };
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
fn batch(bytes: usize) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    let value = vec![b'x'; bytes - 100];
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
    fs::create_dir_all(&directory).expect("the folder is made");
    directory
}
