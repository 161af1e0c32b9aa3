//! Compaction below the wire: how fast it goes beside what the disk does with the same bytes, what memory it takes, what
//! space it gives back, and what a producer of another topic notices of it.
//!
//! `cargo bench -p mainstem-storage --bench compaction [-- [alone] MEGABYTES KEYS [MEGABYTES_PER_SECOND]]`: of 2,000 MB and ten
//! million keys unless told otherwise, which come in no order, each about twice. The disk has settled before a figure of an
//! idle store is taken: what was appended is checkpointed, and two looks one after the other show the same. With `alone`
//! nobody produces beside it: how fast it goes then.

#[path = "support/measure.rs"]
mod measure;

use std::{
    collections::VecDeque,
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use mainstem_protocol::{
    PartitionId, Timestamp, TopicId,
    records::{Batch, BatchBuilder, Compression, NewRecord, ProducerStamp},
};
use mainstem_storage::{
    AppendError, AppendGroup, Overrides, Store, SystemClock, Ticket,
    disk::RealDisk,
    store::{CleanerOptions, NewTopic, Options},
};
use measure::{cpu_seconds, sync_millis, time};
use rustix::fs::{Advice, fadvise};

/// Of a record in a batch: key, value, and what stands before them.
const RECORD_BYTES: u64 = 100;
const VALUE_BYTES: usize = 84;
const RECORDS_PER_BATCH: u64 = 160;
/// How long the producer is looked at while nothing is compacted.
const IDLE: Duration = Duration::from_secs(20);
/// How long at a time is looked whether the disk has settled, and how often at most.
const LOOK_AT_DISK: Duration = Duration::from_secs(3);
const LOOKS_MAX: usize = 8;
/// Between two batches of the producer.
const PAUSE: Duration = Duration::from_millis(2);
/// How often is looked at memory, and whether all is done.
const LOOK: Duration = Duration::from_millis(20);
const NOW: Timestamp = Timestamp(1_700_000_000_000);
/// Tickets that are waited for behind those that follow.
const IN_FLIGHT: usize = 200;

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let megabytes = numbers.first().copied().unwrap_or(2000);
    let keys = numbers.get(1).copied().unwrap_or(10_000_000);
    let directory = fresh_directory();
    println!("a write of 4 KiB and its sync: {} ms", sync_millis(&directory));
    let store = open(&directory.join("data"));
    let (filling, latest) = time(|| fill(&store, megabytes, keys));
    println!("{megabytes} MB of {keys} keys appended in {:.1} s", filling.as_secs_f64());
    let other = topic(&store, "orders", &[]);
    settle_down(&store, other, &directory);
    let rate = numbers.get(2).copied();
    let moved = match std::env::args().any(|word| word == "alone") {
        true => compact(&store, latest, rate),
        false => compact_beside_a_producer(&store, latest, other, rate),
    };
    store.shutdown().expect("the store stops");
    drop(store);
    println!("the same bytes through a file, synced: {:.0} MB/s", disk_rate(&directory, moved));
    remove(&directory);
}

/// What was read and written, in megabytes.
#[derive(Clone, Copy)]
struct Moved {
    read: f64,
    written: f64,
}

/// What was appended is durable and out of the page cache, and what a producer notices no longer changes.
fn settle_down(store: &Store, other: TopicId, directory: &Path) {
    store.write_checkpoint(false).expect("the disk works");
    forget_pages(directory);
    let mut last = f64::INFINITY;
    for _ in 0..LOOKS_MAX {
        let now = produce_for(store, other, LOOK_AT_DISK).at(0.99);
        if (0.8..1.25).contains(&(now / last)) {
            return;
        }
        last = now;
    }
    println!("the disk does not settle: two looks at a time differ by more than a quarter");
}

fn compact_beside_a_producer(
    store: &Arc<Store>,
    latest: TopicId,
    other: TopicId,
    rate: Option<u64>,
) -> Moved {
    let before = produce_for(store, other, IDLE);
    println!("produce while nothing is compacted, ms: {before}");
    let is_done = Arc::new(AtomicBool::new(false));
    let producer = thread::spawn({
        let (store, is_done) = (Arc::clone(store), Arc::clone(&is_done));
        move || produce_while(&store, other, || !is_done.load(Ordering::Relaxed))
    });
    let moved = compact(store, latest, rate);
    is_done.store(true, Ordering::Relaxed);
    let meanwhile = producer.join().expect("the producer does not panic");
    println!("produce meanwhile, ms: {meanwhile}");
    let behind = produce_for(store, other, IDLE);
    println!("produce while nothing is compacted, ms: {behind}");
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        let times = |idle: &Latencies| meanwhile.at(share) / idle.at(share);
        println!(
            "    {name}: {:.2} times that before, {:.2} times that behind",
            times(&before),
            times(&behind)
        );
    }
    moved
}

/// Compacts until nothing is left to do.
fn compact(store: &Store, latest: TopicId, rate: Option<u64>) -> Moved {
    let bytes = || store.partition(latest, PartitionId(0)).expect("it is there").bytes() as f64 / 1e6;
    let (before, cpu, memory) = (bytes(), cpu_seconds(), Memory::now());
    let (took, most) = time(|| let_clean(store, rate));
    let cpu = cpu_seconds() - cpu;
    let stats = store.cleaner_stats();
    let moved = Moved { read: stats.bytes_read as f64 / 1e6, written: stats.bytes_written as f64 / 1e6 };
    let seconds = took.as_secs_f64();
    println!("compacted in {} passes, {seconds:.1} s: {before:.0} MB became {:.0} MB", stats.passes, bytes());
    let (read, written) = (moved.read, moved.written);
    println!("    {read:.0} MB read, {written:.0} MB written: {:.0} MB/s", (read + written) / seconds);
    println!("    CPU of all threads: {cpu:.1} s");
    println!("    resident, MiB: {memory} before, {most} at most");
    moved
}

/// Lets the store's own cleaner work until nothing is left to do. The most memory that was seen meanwhile.
fn let_clean(store: &Store, rate: Option<u64>) -> Memory {
    let defaults = CleanerOptions::default();
    let bytes_per_second_max = rate.map_or(defaults.bytes_per_second_max, |rate| rate as f64 * 1e6);
    store.set_cleaner_options(CleanerOptions { bytes_per_second_max, backoff: LOOK, ..defaults });
    let mut most = Memory::default();
    let mut is_done = false;
    while !is_done {
        thread::sleep(LOOK);
        most = most.most(Memory::now());
        let stats = store.cleaner_stats();
        is_done = stats.passes > 0 && stats.dirtiest_ratio == 0.0;
    }
    most
}

fn produce_for(store: &Store, topic: TopicId, how_long: Duration) -> Latencies {
    let mut spent = Duration::ZERO;
    let mut latencies = Latencies(Vec::new());
    while spent < how_long {
        let (took, ()) = time(|| produce(store, topic, &mut latencies));
        spent += took;
    }
    latencies.sorted()
}

/// Waits for each batch before the next one.
fn produce_while(store: &Store, topic: TopicId, goes_on: impl Fn() -> bool) -> Latencies {
    let mut latencies = Latencies(Vec::new());
    while goes_on() {
        produce(store, topic, &mut latencies);
    }
    latencies.sorted()
}

fn produce(store: &Store, topic: TopicId, latencies: &mut Latencies) {
    let batch = sealed(&[[b'o']; 10]);
    let (took, ()) = time(|| drop(place(store, topic, batch).wait().expect("it is committed")));
    latencies.0.push(took.as_secs_f64() * 1000.0);
    thread::sleep(PAUSE);
}

/// Milliseconds.
struct Latencies(Vec<f64>);

impl Latencies {
    fn sorted(mut self) -> Self {
        self.0.sort_by(f64::total_cmp);
        self
    }

    /// The one that so many are below.
    fn at(&self, share: f64) -> f64 {
        self.0[((self.0.len() as f64 * share) as usize).min(self.0.len() - 1)]
    }
}

impl std::fmt::Display for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (p50, p99, p999) = (self.at(0.5), self.at(0.99), self.at(0.999));
        write!(f, "p50 {p50:.2}, p99 {p99:.2}, p99.9 {p999:.2} of {}", self.0.len())
    }
}

/// Of the process, in MiB: all that is resident, and what of it is no page of a file.
#[derive(Clone, Copy, Default)]
struct Memory {
    resident: u64,
    anonymous: u64,
}

impl Memory {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it says that");
            line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number") / 1024
        };
        Self { resident: field("VmRSS:"), anonymous: field("RssAnon:") }
    }

    fn most(self, other: Self) -> Self {
        let resident = self.resident.max(other.resident);
        Self { resident, anonymous: self.anonymous.max(other.anonymous) }
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} of them no file's)", self.resident, self.anonymous)
    }
}

fn fill(store: &Store, megabytes: u64, keys: u64) -> TopicId {
    let overrides = [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0"),
        ("segment.bytes", "134217728"),
        ("flush.messages", "1000000"),
    ];
    let topic = topic(store, "latest", &overrides);
    let mut waiting = VecDeque::new();
    let mut at = 0;
    while at < megabytes * 1_000_000 / RECORD_BYTES {
        let numbers: Vec<_> =
            (at..at + RECORDS_PER_BATCH).map(|at| scattered(at, keys).to_be_bytes()).collect();
        let keys: Vec<_> = numbers.iter().map(|number| &number[..]).collect();
        waiting.push_back(place(store, topic, sealed(&keys)));
        if waiting.len() > IN_FLIGHT {
            settle(waiting.pop_front());
        }
        at += RECORDS_PER_BATCH;
    }
    settle(waiting);
    topic
}

/// All numbers below `keys` in no order, and then again in the same one: the factor has no divisor in common with a power
/// of ten.
fn scattered(at: u64, keys: u64) -> u64 {
    at.wrapping_mul(6_700_417) % keys
}

fn settle(tickets: impl IntoIterator<Item = Ticket>) {
    tickets.into_iter().for_each(|ticket| drop(ticket.wait().expect("it is committed")));
}

/// Records of these keys.
fn sealed<K: AsRef<[u8]>>(keys: &[K]) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    for key in keys {
        let (key, value) = (Some(key.as_ref()), Some(&[b'v'; VALUE_BYTES][..]));
        let record = NewRecord { timestamp: NOW, key, value, ..NewRecord::default() };
        builder.append(&record).expect("the batch has room");
    }
    let mut bytes = builder.seal(&ProducerStamp::NONE).expect("the batch is sealed");
    Batch::split_from(&mut bytes).expect("it was built here")
}

fn place(store: &Store, topic: TopicId, batch: Batch) -> Ticket {
    let mut group = AppendGroup::single(topic, PartitionId(0), batch);
    loop {
        match store.append(&group) {
            Err(AppendError::NoRoom) => store.make_room(&mut group).expect("there is room"),
            placed => return placed.expect("the group is right"),
        }
    }
}

fn topic(store: &Store, name: &str, overrides: &[(&str, &str)]) -> TopicId {
    let overrides: Overrides =
        overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let new = NewTopic { name: name.to_owned(), partitions: 1, overrides, keyed: false };
    let (topic, ticket) = store.create_topic(new).expect("the topic is new");
    ticket.wait().expect("the journal works");
    topic
}

/// Cleans nothing yet.
fn open(data: &Path) -> Arc<Store> {
    make_dir(data);
    let cleaner = CleanerOptions { is_enabled: false, backoff: LOOK, ..CleanerOptions::default() };
    let options = Options { cleaner, ..Options::default() };
    let disk = Arc::new(RealDisk::new(data.to_owned()));
    Store::open(options, disk, Arc::new(SystemClock::default())).expect("the store opens").0
}

/// Syncs every segment and takes its pages out of the page cache, so that compaction reads from the disk.
#[expect(clippy::disallowed_methods, reason = "the benchmark looks at its own folder")]
fn forget_pages(directory: &Path) {
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("it can be read").map(|entry| entry.expect("it can be read"))
        {
            let path = entry.path();
            match entry.file_type().expect("it has one").is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|extension| extension == "log") => forget(&path),
                false => {}
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the benchmark looks at its own files")]
fn forget(path: &Path) {
    let file = fs::File::open(path).expect("it can be read");
    file.sync_data().expect("the disk works");
    fadvise(&file, 0, None, Advice::DontNeed).expect("Linux can do that");
}

/// Megabytes a second of as much written to a file and synced, and as much read from it, all of it from the disk.
#[expect(clippy::disallowed_methods, reason = "the benchmark measures the disk itself")]
fn disk_rate(directory: &Path, moved: Moved) -> f64 {
    let path = directory.join("rate.tmp");
    let mut piece = vec![7_u8; 1_000_000];
    let (writing, ()) = time(|| {
        let mut file = fs::File::create(&path).expect("the directory can be written");
        (0..moved.written as u64).for_each(|_| file.write_all(&piece).expect("there is space"));
        file.sync_data().expect("the disk works");
    });
    let mut left = moved.read;
    let mut reading = Duration::ZERO;
    while left > 0.0 {
        forget(&path);
        let mut file = fs::File::open(&path).expect("it can be read");
        let (took, pieces) = time(|| {
            let pieces = (0..left as u64).take_while(|_| file.read_exact(&mut piece).is_ok());
            pieces.count()
        });
        reading += took;
        left -= pieces.max(1) as f64;
    }
    (moved.read + moved.written) / (writing + reading).as_secs_f64()
}

#[expect(clippy::disallowed_methods, reason = "the benchmark makes its own folder")]
fn make_dir(path: &Path) {
    fs::create_dir_all(path).expect("the folder is made");
}

#[expect(clippy::disallowed_methods, reason = "the benchmark removes its own folder")]
fn remove(path: &Path) {
    fs::remove_dir_all(path).expect("the folder goes");
}

fn fresh_directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-compaction");
    if directory.exists() {
        remove(&directory);
    }
    make_dir(&directory);
    directory
}
