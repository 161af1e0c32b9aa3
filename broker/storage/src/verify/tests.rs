use std::io::IoSlice;

use mainstem_protocol::{Timestamp, TopicId};

use super::*;
use crate::{
    AppendGroup, ManualClock, Marker, Options, Store, TransactionVersion,
    disk::{MemoryDisk, Open},
    testing::{append, batch, transactional},
};

/// A directory with three segments of a topic, stopped in order or not.
fn directory(is_clean: bool) -> (Arc<dyn Disk>, TopicId) {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000)));
    let options = Options { journal_bytes: 1024 * 1024, background: false, ..Options::default() };
    let (store, _) = Store::open(options, disk.clone(), clock).unwrap();
    let settings = [("segment.bytes", "300"), ("index.interval.bytes", "100")];
    let topic = crate::testing::topic(&store, "orders", &settings);
    for _ in 0..6 {
        append(&store, topic, batch(5, None));
    }
    store.cleanup_step();
    store.write_checkpoint(false).unwrap();
    append(&store, topic, batch(5, None));
    if is_clean {
        store.shutdown().unwrap();
    } else {
        store.round().unwrap();
    }
    (disk, topic)
}

/// A directory with an aborted transaction over two segments, stopped in order.
fn with_aborted() -> Arc<dyn Disk> {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000)));
    let options = Options { journal_bytes: 1024 * 1024, background: false, ..Options::default() };
    let (store, _) = Store::open(options, disk.clone(), clock).unwrap();
    let topic = crate::testing::topic(&store, "orders", &[("segment.bytes", "200")]);
    append(&store, topic, transactional(5, (1, 0, 0)));
    append(&store, topic, transactional(5, (1, 0, 5)));
    let marker = Marker {
        producer_id: mainstem_protocol::ProducerId(1),
        producer_epoch: mainstem_protocol::ProducerEpoch(0),
        coordinator_epoch: 0,
        committed: false,
        version: TransactionVersion::V1,
    };
    let mut group = AppendGroup::new();
    group.push_marker(topic, mainstem_protocol::PartitionId(0), marker, Timestamp(1));
    while store.append(&group).is_err() {
        store.make_room(&mut group).unwrap();
    }
    store.shutdown().unwrap();
    disk
}

#[test]
fn an_aborted_transaction_that_readers_are_not_told_of_is_damage() {
    let disk = with_aborted();
    assert_eq!(verify(&disk).unwrap().damages, []);
    let mut checkpoint = checkpoint::find(&*disk).unwrap().unwrap().checkpoint;
    checkpoint.topics[0].partitions[0].aborted = Default::default();
    checkpoint::write(&*disk, &checkpoint).unwrap();
    let damages = verify(&disk).unwrap().damages;
    let [damage] = &damages[..] else { panic!("one: {damages:?}") };
    assert!(damage.what.contains("producer 1 aborted what it wrote from offset 0 on"), "{damage}");
}

fn spoil(disk: &Arc<dyn Disk>, path: &Path, position: u64) {
    let file = disk.open(path, Open::Write).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, position).unwrap();
    file.write_at(&[IoSlice::new(&[byte[0] ^ 0x10])], position).unwrap();
}

fn log(topic: TopicId, base: i64) -> PathBuf {
    crate::partition::partition_folder(topic, mainstem_protocol::PartitionId(0))
        .join(format!("{base:020}.log"))
}

#[test]
fn a_sound_directory_has_no_damage() {
    for is_clean in [true, false] {
        let (disk, _) = directory(is_clean);
        let report = verify(&disk).unwrap();
        assert_eq!(report.damages, []);
        assert_eq!(report.notes, []);
        assert_eq!((report.groups, report.batches), if is_clean { (0, 7) } else { (1, 6) });
    }
}

#[test]
fn every_bad_batch_is_named_with_its_bytes() {
    let (disk, topic) = directory(true);
    spoil(&disk, &log(topic, 0), 100);
    spoil(&disk, &log(topic, 10), 111 + 80);
    let report = verify(&disk).unwrap();
    let ranges: Vec<_> =
        report.damages.iter().map(|damage| (damage.path.clone(), damage.range.clone())).collect();
    assert_eq!(ranges, [(log(topic, 0), 0..111), (log(topic, 10), 111..222)]);
    let text = report.damages[1].to_string();
    assert!(text.ends_with("bytes 111 to 222: the checksum of the batch at offset 15 is wrong"), "{text}");
}

#[test]
fn short_and_missing_segments_and_broken_headers_are_named() {
    let (disk, topic) = directory(true);
    disk.open(&log(topic, 0), Open::Write).unwrap().set_len(150).unwrap();
    disk.remove(&log(topic, 10)).unwrap();
    spoil(&disk, &log(topic, 20), 16);
    let damages = verify(&disk).unwrap().damages;
    let ranges: Vec<_> = damages.iter().map(|damage| damage.range.clone()).collect();
    assert_eq!(ranges, [150..222, 111..150, 0..222, 0..222]);
}

#[test]
fn any_flipped_bit_of_what_counts_is_found() {
    for (path, position) in
        [("meta", 30), ("checkpoint", 40), ("journal", 4096 + 80), ("index", 5), ("log", 70)]
    {
        // Only without a clean stop the journal's tail counts, and only after one indexes are whole.
        let (disk, topic) = directory(path != "journal");
        let path = match path {
            "checkpoint" => checkpoint_path(&disk),
            "journal" => tail_path(&disk),
            "index" => log(topic, 0).with_extension("index"),
            "log" => log(topic, 0),
            path => path.into(),
        };
        let position = if path.starts_with("journal") { tail_position(&disk) + 20 } else { position };
        spoil(&disk, &path, position);
        let report = verify(&disk).unwrap();
        assert!(report.damages.iter().any(|damage| damage.path == path), "{}: {report:?}", path.display());
    }
}

fn newest(disk: &Arc<dyn Disk>) -> Checkpoint {
    checkpoint::find(&**disk).unwrap().unwrap().checkpoint
}

fn checkpoint_path(disk: &Arc<dyn Disk>) -> PathBuf {
    checkpoint::path(newest(disk).lsn)
}

fn tail_path(disk: &Arc<dyn Disk>) -> PathBuf {
    crate::journal::file::path(newest(disk).journal.number)
}

fn tail_position(disk: &Arc<dyn Disk>) -> u64 {
    newest(disk).journal.position
}

#[test]
fn what_does_not_belong_is_noted() {
    let (disk, topic) = directory(true);
    disk.open(&log(topic, 99), Open::Create).unwrap();
    disk.create_dir_all(Path::new("topics/00000000000000000000000000000007/0")).unwrap();
    disk.open(Path::new("stray"), Open::Create).unwrap();
    let report = verify(&disk).unwrap();
    assert_eq!((report.damages.len(), report.notes.len()), (0, 3), "{report:?}");
}

#[test]
fn nothing_is_said_about_what_is_no_data_directory_or_in_use() {
    let empty: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    assert!(matches!(verify(&empty), Err(VerifyError::NoData)));
    let (disk, _) = directory(true);
    let _held = disk.lock(Path::new("lock")).unwrap();
    assert!(matches!(verify(&disk), Err(VerifyError::Lock(_))));
}
