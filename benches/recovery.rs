//! A start below the wire: after a stop in order, and after a kill, with many partitions of which many were written
//! since the last checkpoint; and what partitions cost in which nobody writes.
//!
//! `cargo bench -p mainstem-storage --bench recovery`

#[path = "support/measure.rs"]
mod measure;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
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
/// Partitions of a node that has many, and how many of them were ever written.
const MANY: u32 = 50_000;
const MANY_WRITTEN: [u32; 2] = [0, 10_000];
/// With it the benchmark opens the data directory that follows, as a process of its own.
const OPEN: &str = "--open";

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != OPEN).skip(1);
    match arguments.next() {
        Some(data) => opened(Path::new(&data)),
        None => compare(),
    }
}

/// Says how many milliseconds a start takes, and how many KiB the process has then.
fn opened(data: &Path) {
    let (start, store) = time(|| open(data));
    println!("{} {}", start.as_secs_f64() * 1000.0, resident_kib());
    store.shutdown().expect("the store stops");
}

fn resident_kib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it says that");
    line.trim().trim_end_matches(" kB").parse().expect("it is a number")
}

/// Start and memory with many partitions, beside those of an empty directory.
fn many(directory: &Path) {
    let empty = directory.join("empty");
    make_dir(&empty);
    open(&empty).shutdown().expect("the store stops");
    let (start, base) = starts(&empty);
    println!("no partitions, after a stop, ms: {start}; resident {base} KiB");
    for written in MANY_WRITTEN {
        let data = directory.join(format!("many-{written}"));
        make_dir(&data);
        prepare(&data, MANY, written);
        let (start, resident) = starts(&data);
        let each = (resident.median - base.median) * 1024.0 / f64::from(MANY);
        println!("{MANY} partitions, {written} of them written, after a stop, ms: {start}");
        println!("    resident {resident} KiB, {each:.0} bytes for each partition");
    }
}

/// Milliseconds and KiB of several starts, each in a process of its own.
fn starts(data: &Path) -> (Spread, Spread) {
    let program = std::env::current_exe().expect("this program is a file");
    let one = |_| {
        let output = Command::new(&program).arg(OPEN).arg(data).output().expect("this program runs");
        let said = String::from_utf8(output.stdout).expect("numbers");
        let (millis, kib) = said.trim().split_once(' ').expect("two numbers");
        let number = |text: &str| text.parse::<f64>().expect("a number");
        (number(millis), number(kib))
    };
    let (millis, kib) = (0..STARTS).map(one).unzip();
    (Spread::of(millis), Spread::of(kib))
}

#[expect(clippy::disallowed_methods, reason = "the benchmark makes its own folder")]
fn make_dir(path: &Path) {
    fs::create_dir_all(path).expect("the folder is made");
}

fn compare() {
    let directory = fresh_directory();
    println!("a write of 4 KiB and its sync: {} ms", sync_millis(&directory));
    let data = directory.join("data");
    many(&directory);
    let topic = prepare(&data, PARTITIONS, PARTITIONS);
    let clean = (0..STARTS).map(|_| after_stop(&data).0).collect();
    println!("{PARTITIONS} partitions, after a stop in order, ms:      {}", Spread::of(clean));
    for written in WRITTEN {
        let (killed, stopped): (Vec<_>, Vec<_>) =
            (0..STARTS).map(|_| after_kill(&data, topic, written)).unzip();
        println!("{PARTITIONS} partitions, kill, {written:>4} of them written, ms: {}", Spread::of(killed));
        println!("    and the stop in order behind that, ms:       {}", Spread::of(stopped));
    }
}

fn prepare(data: &Path, partitions: u32, written: u32) -> TopicId {
    let store = open(data);
    let overrides = Overrides::from([("retention.ms".to_owned(), "-1".to_owned())]);
    let new = NewTopic { name: "many".to_owned(), partitions, overrides, keyed: false };
    let (topic, ticket) = store.create_topic(new).expect("the topic is new");
    ticket.wait().expect("the journal works");
    append(&store, topic, written);
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
