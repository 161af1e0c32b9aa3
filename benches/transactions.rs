//! Transactions below the wire: batches in some partitions, then one group with a marker for each of them, over one
//! partition and over fifty; one producer after the other, and many at once; beside the same batches without transactions.
//!
//! `cargo bench -p mainstem-storage --bench transactions`

#[path = "support/measure.rs"]
mod measure;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use mainstem_protocol::{
    PartitionId, ProducerEpoch, ProducerId, Sequence, Timestamp, TopicId,
    records::{Batch, BatchBuilder, Compression, NewRecord, ProducerStamp},
};
use mainstem_storage::{
    AppendError, AppendGroup, Marker, Overrides, Store, SystemClock, Ticket, TransactionVersion,
    disk::{Disk as _, RealDisk},
    store::{NewTopic, Options},
};
use measure::{Spread, cpu_seconds, sync_millis, time};

const ROUNDS: usize = 5;
const RECORD_BYTES: usize = 512;
const NOW: Timestamp = Timestamp(1);

/// How transactions are made: by so many producers at once, each over so many partitions.
struct Load {
    producers: usize,
    partitions: i32,
    transactions: usize,
}

const LOADS: [Load; 4] = [
    Load { producers: 1, partitions: 1, transactions: 400 },
    Load { producers: 1, partitions: 50, transactions: 200 },
    Load { producers: 100, partitions: 1, transactions: 20_000 },
    Load { producers: 100, partitions: 50, transactions: 1000 },
];

fn main() {
    let directory = fresh_directory();
    println!("a write of 4 KiB and its sync: {} ms", sync_millis(&directory));
    let store = open(&directory);
    for load in &LOADS {
        let topic = create(&store, load);
        let mut next = vec![0; load.producers];
        let runs = (0..ROUNDS).map(|_| (run(&store, topic, load, &mut next), plain(&store, topic, load)));
        let (with, without): (Vec<_>, Vec<_>) = runs.unzip();
        println!(
            "{} producers over {} partitions: {}, without transactions {}",
            load.producers,
            load.partitions,
            told(&with),
            told(&without)
        );
    }
    store.shutdown().expect("the store stops");
}

/// Transactions per second, and CPU seconds for a thousand of them.
struct Figure {
    per_second: f64,
    cpu_per_thousand: f64,
}

fn told(figures: &[Figure]) -> String {
    let per_second = Spread::of(figures.iter().map(|figure| figure.per_second).collect());
    let cpu = Spread::of(figures.iter().map(|figure| figure.cpu_per_thousand).collect());
    format!("{per_second}/s, {cpu} CPU s per thousand")
}

fn figure(transactions: usize, work: impl FnOnce()) -> Figure {
    let before = cpu_seconds();
    let (elapsed, ()) = time(work);
    let thousands = transactions as f64 / 1000.0;
    Figure {
        per_second: transactions as f64 / elapsed.as_secs_f64(),
        cpu_per_thousand: (cpu_seconds() - before) / thousands,
    }
}

/// Every producer has one transaction at a time; its batches need not be acknowledged before its end has its place.
fn run(store: &Store, topic: TopicId, load: &Load, next: &mut [i32]) -> Figure {
    figure(load.transactions, || {
        for _ in 0..load.transactions / load.producers {
            let ends = next.iter_mut().enumerate().map(|(id, next)| {
                place(store, written(topic, load, id as i64, *next, true));
                *next += 1;
                place(store, ended(topic, load, id as i64))
            });
            ends.collect::<Vec<_>>().into_iter().for_each(wait);
        }
    })
}

fn plain(store: &Store, topic: TopicId, load: &Load) -> Figure {
    figure(load.transactions, || {
        for _ in 0..load.transactions / load.producers {
            let ends = (0..load.producers).map(|_| place(store, written(topic, load, -1, -1, false)));
            ends.collect::<Vec<_>>().into_iter().for_each(wait);
        }
    })
}

fn written(topic: TopicId, load: &Load, id: i64, sequence: i32, transactional: bool) -> AppendGroup {
    let mut group = AppendGroup::new();
    let batch = batch(id, sequence, transactional);
    (0..load.partitions).for_each(|partition| group.push(topic, PartitionId(partition), batch.clone()));
    group
}

fn ended(topic: TopicId, load: &Load, id: i64) -> AppendGroup {
    let marker = Marker {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(0),
        coordinator_epoch: 0,
        committed: true,
        version: TransactionVersion::V1,
    };
    let mut group = AppendGroup::new();
    (0..load.partitions).for_each(|partition| group.push_marker(topic, PartitionId(partition), marker, NOW));
    group
}

fn place(store: &Store, mut group: AppendGroup) -> Ticket {
    loop {
        match store.append(&group) {
            Err(AppendError::NoRoom) => store.make_room(&mut group).expect("there is room"),
            placed => return placed.expect("the group is right"),
        }
    }
}

fn wait(ticket: Ticket) {
    ticket.wait().expect("the journal works");
}

fn batch(id: i64, sequence: i32, transactional: bool) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    let value = [b'x'; RECORD_BYTES];
    let record = NewRecord { timestamp: NOW, value: Some(&value), ..NewRecord::default() };
    builder.append(&record).expect("the batch has room");
    let producer_epoch = ProducerEpoch(if transactional { 0 } else { -1 });
    let stamp = ProducerStamp {
        producer_id: ProducerId(id),
        producer_epoch,
        base_sequence: Sequence(sequence),
        transactional,
    };
    let mut bytes = builder.seal(&stamp).expect("the batch is sealed");
    Batch::split_from(&mut bytes).expect("it was built here")
}

fn open(data: &Path) -> Arc<Store> {
    let disk = Arc::new(RealDisk::new(data.to_owned()));
    disk.create_dir_all(Path::new("")).expect("the folder is made");
    Store::open(Options::default(), disk, Arc::new(SystemClock::default())).expect("the store opens").0
}

fn create(store: &Store, load: &Load) -> TopicId {
    let name = format!("{}-{}", load.producers, load.partitions);
    let partitions = load.partitions.unsigned_abs();
    let new = NewTopic { name, partitions, overrides: Overrides::new(), keyed: false };
    let (topic, ticket) = store.create_topic(new).expect("the topic is new");
    wait(ticket);
    topic
}

#[expect(clippy::disallowed_methods, reason = "the benchmark makes its own folder")]
fn fresh_directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-transactions");
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("the last run's folder goes");
    }
    fs::create_dir_all(&directory).expect("the folder is made");
    directory
}
