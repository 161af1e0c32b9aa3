//! A start below the wire: after a stop in order, and after a kill, with many partitions of which many were written
//! since the last checkpoint.
//!
//! `cargo bench -p mainstem-storage --bench recovery`

#[path = "support/measure.rs"]
mod measure;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use mainstem_protocol::{
    PartitionId, Timestamp, TopicId,
    records::{Batch, BatchBuilder, Compression, NewRecord, ProducerStamp},
};
use mainstem_storage::{
    AppendError, AppendGroup, Overrides, Store, SystemClock, Ticket,
    disk::RealDisk,
    store::{NewTopic, Options},
};
use measure::{Spread, sync_millis, time};

const STARTS: usize = 5;
const PARTITIONS: u32 = 5000;
/// Partitions that are written before each kill.
const WRITTEN: [u32; 3] = [40, 400, 4000];

fn main() {
    let directory = fresh_directory();
    println!("a write of 4 KiB and its sync: {} ms", sync_millis(&directory));
    let data = directory.join("data");
    let topic = prepare(&data);
    let clean = (0..STARTS).map(|_| after_stop(&data).0).collect();
    println!("{PARTITIONS} partitions, after a stop in order, ms:      {}", Spread::of(clean));
    for written in WRITTEN {
        let (killed, stopped): (Vec<_>, Vec<_>) =
            (0..STARTS).map(|_| after_kill(&data, topic, written)).unzip();
        println!("{PARTITIONS} partitions, kill, {written:>4} of them written, ms: {}", Spread::of(killed));
        println!("    and the stop in order behind that, ms:       {}", Spread::of(stopped));
    }
}

fn prepare(data: &Path) -> TopicId {
    let store = open(data);
    let overrides = Overrides::from([("retention.ms".to_owned(), "-1".to_owned())]);
    let new = NewTopic { name: "many".to_owned(), partitions: PARTITIONS, overrides, keyed: false };
    let (topic, ticket) = store.create_topic(new).expect("the topic is new");
    ticket.wait().expect("the journal works");
    append(&store, topic, PARTITIONS);
    store.shutdown().expect("the store stops");
    topic
}

/// Milliseconds of the start, and of the stop behind it.
fn after_stop(data: &Path) -> (f64, f64) {
    let (start, store) = time(|| open(data));
    let (stop, ()) = time(|| store.shutdown().expect("the store stops"));
    (start.as_secs_f64() * 1000.0, stop.as_secs_f64() * 1000.0)
}

fn after_kill(data: &Path, topic: TopicId, written: u32) -> (f64, f64) {
    let store = open(data);
    append(&store, topic, written);
    store.close();
    drop(store);
    after_stop(data)
}

fn open(data: &Path) -> Arc<Store> {
    let disk = Arc::new(RealDisk::new(data.to_owned()));
    Store::open(Options::default(), disk, Arc::new(SystemClock::default())).expect("the store opens").0
}

/// One record into each of the first partitions.
fn append(store: &Store, topic: TopicId, partitions: u32) {
    let batch = batch();
    let tickets: Vec<Ticket> = (0..partitions)
        .map(|number| place(store, AppendGroup::single(topic, PartitionId(number as i32), batch.clone())))
        .collect();
    tickets.into_iter().for_each(|ticket| drop(ticket.wait().expect("the journal works")));
}

fn place(store: &Store, mut group: AppendGroup) -> Ticket {
    loop {
        match store.append(&group) {
            Err(AppendError::NoRoom) => store.make_room(&mut group).expect("there is room"),
            placed => return placed.expect("the group is right"),
        }
    }
}

fn batch() -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    let record = NewRecord { timestamp: Timestamp(1), value: Some(b"value"), ..NewRecord::default() };
    builder.append(&record).expect("the batch has room");
    let mut bytes = builder.seal(&ProducerStamp::NONE).expect("the batch is sealed");
    Batch::split_from(&mut bytes).expect("it was built here")
}

#[expect(clippy::disallowed_methods, reason = "the benchmark makes its own folder")]
fn fresh_directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-recovery");
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("the last run's folder goes");
    }
    fs::create_dir_all(directory.join("data")).expect("the folder is made");
    directory
}
