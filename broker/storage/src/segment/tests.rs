//! Segments against a plain list of batches.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use mainstem_protocol::{
    Offset, Timestamp,
    records::{Batch, BatchBuilder, BatchHeader, Compression, NewRecord, ProducerStamp, RecordsRange},
};
use proptest::prelude::*;

use super::*;
use crate::disk::{Disk, FaultyDisk, MemoryDisk, Open};

const BASE: Offset = Offset(1000);
const FOLDER: &str = "topics/t/0";
const WHOLE: Limit = Limit { end: u64::MAX, bytes_max: usize::MAX, at_least_one: true };

/// A batch that begins with this offset, with a record for each timestamp.
fn batch(base_offset: Offset, timestamps: &[i64], value_bytes: usize) -> (BatchHeader, Bytes) {
    let mut builder = BatchBuilder::new(Compression::None);
    let value = vec![b'v'; value_bytes];
    for timestamp in timestamps {
        let record =
            NewRecord { timestamp: Timestamp(*timestamp), value: Some(&value), ..NewRecord::default() };
        builder.append(&record).unwrap();
    }
    let mut bytes = builder.seal(&ProducerStamp::NONE).unwrap();
    let batch = Batch::split_from(&mut bytes).unwrap();
    (BatchHeader { base_offset, ..*batch.header() }, batch.payload())
}

fn bytes_of(batches: &[(BatchHeader, Bytes)]) -> Vec<u8> {
    batches.iter().flat_map(|(header, records)| [&header.encode()[..], &records[..]].concat()).collect()
}

fn files(disk: &(impl Disk + Clone + 'static)) -> Arc<SegmentFiles> {
    disk.create_dir_all(Path::new(FOLDER)).unwrap();
    SegmentFiles::new(Arc::new(disk.clone()))
}

/// Every way to append, on every disk.
fn every_way(check: impl Fn(&Arc<SegmentFiles>)) {
    let folder = crate::disk::tests::Folder::new();
    let ways: [fn() -> Box<dyn Append>; 2] = [|| Box::new(WriteAppend), || Box::new(MapAppend)];
    for append in ways {
        let disks: [Arc<dyn Disk>; 3] = [
            Arc::new(MemoryDisk::new()),
            Arc::new(FaultyDisk::new(1)),
            Arc::new(crate::disk::RealDisk::new(folder.path())),
        ];
        for disk in disks {
            disk.create_dir_all(Path::new(FOLDER)).unwrap();
            check(&SegmentFiles::with_append(disk, append()));
        }
    }
}

fn open(files: &Arc<SegmentFiles>, interval: u64, origin: Origin) -> Segment {
    Segment::open(files, &Path::new(FOLDER).into(), BASE, interval, origin).unwrap()
}

/// A segment of batches with one record each, whose timestamps and offsets rise together.
fn simple(files: &Arc<SegmentFiles>, count: i64) -> (Segment, Vec<(BatchHeader, Bytes)>) {
    let batches: Vec<_> = (0..count).map(|i| batch(BASE.plus(i), &[i * 10], 100)).collect();
    let segment = open(files, 1000, Origin::New);
    segment.append(&batches).unwrap();
    (segment, batches)
}

fn known(segment: &Segment) -> Origin {
    Origin::Known { end: segment.end(), largest: segment.largest_timestamp() }
}

#[derive(Clone, Debug)]
enum Step {
    Append {
        timestamps: Vec<i64>,
        value_bytes: usize,
        gap: i64,
    },
    Sync,
    Restart,
    RestartWithoutIndex,
    RestartWithWrongIndex {
        position: u64,
    },
    /// A power cut took what no checkpoint knew; what comes instead is something else.
    RestartWithoutTail,
    Roll,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let append = (prop::collection::vec(0_i64..60, 1..5), 0_usize..300, 0_i64..3)
        .prop_map(|(timestamps, value_bytes, gap)| Step::Append { timestamps, value_bytes, gap });
    let step = prop_oneof![
        20 => append,
        3 => Just(Step::Sync),
        1 => Just(Step::Restart),
        1 => Just(Step::RestartWithoutIndex),
        1 => (0_u64..600).prop_map(|position| Step::RestartWithWrongIndex { position }),
        1 => Just(Step::RestartWithoutTail),
        1 => Just(Step::Roll),
    ];
    prop::collection::vec(step, 1..60)
}

/// A segment, and what it should hold.
struct Model {
    disk: FaultyDisk,
    files: Arc<SegmentFiles>,
    interval: u64,
    segment: Segment,
    batches: Vec<(BatchHeader, Bytes)>,
}

impl Model {
    fn new(interval: u64) -> Self {
        let disk = FaultyDisk::new(interval);
        let files = files(&disk);
        let segment = open(&files, interval, Origin::New);
        Self { disk, files, interval, segment, batches: Vec::new() }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append { timestamps, value_bytes, gap } => {
                let next = self.batches.last().map_or(BASE, |(header, _)| header.next_offset());
                let batch = batch(next.plus(*gap), timestamps, *value_bytes);
                self.segment.append(std::slice::from_ref(&batch)).unwrap();
                self.batches.push(batch);
            }
            Step::Sync => self.segment.sync().unwrap(),
            Step::Roll => self.segment.seal().unwrap(),
            Step::Restart => self.restart(),
            Step::RestartWithoutIndex => {
                let _ = self.disk.lose(&self.segment.path("index"));
                self.restart();
            }
            Step::RestartWithWrongIndex { position } => {
                let len =
                    self.disk.open(&self.segment.path("timeindex"), Open::Read).and_then(|file| file.len());
                if let Ok(len) = len {
                    self.disk.flip_bit(&self.segment.path("timeindex"), position % len, 3).unwrap();
                }
                self.restart();
            }
            Step::RestartWithoutTail => {
                let size = self.batches.pop().map_or(0, |(header, _)| header.size() as u64);
                let largest = self.segment.largest_timestamp();
                let origin = Origin::Known { end: self.segment.end() - size, largest };
                self.files = files(&self.disk);
                self.segment = open(&self.files, self.interval, origin);
            }
        }
    }

    fn restart(&mut self) {
        self.files = files(&self.disk);
        self.segment = open(&self.files, self.interval, known(&self.segment));
    }

    fn check(&self) {
        let bytes = bytes_of(&self.batches);
        assert_eq!(self.segment.end(), bytes.len() as u64);
        let end = self.batches.last().map_or(BASE, |(header, _)| header.next_offset());
        for offset in BASE.0 - 1..=end.0 {
            self.check_read(Offset(offset), &bytes);
        }
        for timestamp in -2..62 {
            let found =
                self.segment.record_at_time(Timestamp(timestamp), BASE..Offset(i64::MAX), u64::MAX).unwrap();
            assert_eq!(found, self.scan(timestamp), "time {timestamp}");
        }
        let largest = self.segment.record_with_largest_time(BASE..Offset(i64::MAX), u64::MAX).unwrap();
        assert_eq!(largest, self.records().map(|(_, time)| time).max().and_then(|time| self.scan(time.0)));
    }

    fn check_read(&self, offset: Offset, bytes: &[u8]) {
        let first = self.batches.iter().position(|(header, _)| header.next_offset() > offset);
        let start = first.map_or(bytes.len(), |first| bytes_of(&self.batches[..first]).len());
        for bytes_max in [0, 1, 200, 500, 3000, usize::MAX] {
            for at_least_one in [false, true] {
                let limit = Limit { end: u64::MAX, bytes_max, at_least_one };
                let found = self.segment.read(offset, limit, Wait::Yes).unwrap();
                let expected = self.expected(first, bytes_max, at_least_one);
                let found = found.map(|range| (range.position() as usize, range.bytes().unwrap()));
                let expected = (!expected.is_empty())
                    .then(|| (start, Bytes::copy_from_slice(&bytes[start..start + expected.len()])));
                assert_eq!(found, expected, "offset {offset}, {bytes_max} bytes");
            }
        }
    }

    fn expected(&self, first: Option<usize>, bytes_max: usize, at_least_one: bool) -> Vec<u8> {
        let rest = first.map_or(&[][..], |first| &self.batches[first..]);
        let mut taken = Vec::new();
        for (index, batch) in rest.iter().enumerate() {
            let next = bytes_of(std::slice::from_ref(batch));
            if taken.len() + next.len() > bytes_max && (index > 0 || !at_least_one) {
                break;
            }
            taken.extend(next);
        }
        taken
    }

    /// The oracle: every record, in order.
    fn records(&self) -> impl Iterator<Item = (Offset, Timestamp)> {
        self.batches.iter().flat_map(|(header, records)| {
            let bytes = [&header.encode()[..], &records[..]].concat();
            let batch = Batch::split_from(&mut bytes.into()).unwrap();
            let open = batch.open(&mut mainstem_protocol::records::Decompressor::new(), usize::MAX).unwrap();
            open.refs()
                .map(|record| record.unwrap())
                .map(|r| (open.offset(&r), open.timestamp(&r)))
                .collect::<Vec<_>>()
        })
    }

    fn scan(&self, timestamp: i64) -> Option<(Offset, Timestamp)> {
        self.records().find(|(_, found)| found.0 >= timestamp)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_read_and_time_lookup_equals_a_scan(steps in steps(), interval in prop::sample::select(vec![0, 1, 150, 700, 100_000])) {
        let mut model = Model::new(interval);
        for step in &steps {
            model.step(step);
        }
        model.check();
    }
}

#[test]
fn read_ends_where_readers_may_not_see_further() {
    let files = files(&MemoryDisk::new());
    let (segment, batches) = simple(&files, 20);
    let end = bytes_of(&batches[..7]).len() as u64;
    let read = |offset| segment.read(Offset(offset), Limit { end, ..WHOLE }, Wait::Yes).unwrap();
    assert_eq!(read(1003).unwrap().bytes().unwrap(), bytes_of(&batches[3..7]));
    assert!(read(1007).is_none());
}

#[test]
fn every_way_to_append_yields_the_same_bytes() {
    every_way(|files| {
        let batches: Vec<_> = (0..200).map(|i| batch(BASE.plus(i), &[i], (i * 37 % 4000) as usize)).collect();
        let segment = open(files, 1000, Origin::New);
        for chunk in batches.chunks(7) {
            segment.append(chunk).unwrap();
        }
        segment.sync().unwrap();
        segment.seal().unwrap();
        let restarted = open(files, 1000, known(&segment));
        for segment in [&segment, &restarted] {
            let range = segment.read(Offset(1050), WHOLE, Wait::Yes).unwrap().unwrap();
            assert!(range.bytes().unwrap() == bytes_of(&batches[50..]));
        }
        restarted.remove().unwrap();
    });
}

#[test]
fn space_is_allocated_in_steps_that_double_and_given_back() {
    let disk = MemoryDisk::new();
    let files = files(&disk);
    let segment = open(&files, 4096, Origin::New);
    let mut steps = Vec::new();
    while segment.allocated() < 40 << 20 {
        segment.reserve(segment.allocated() + 1, u64::MAX).unwrap();
        steps.push(segment.allocated() >> 10);
    }
    assert_eq!(steps, [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 49152]);
    segment.append(&[batch(BASE, &[1], 10)]).unwrap();
    segment.seal().unwrap();
    let file = disk.open(&segment.log_path(), Open::Read).unwrap();
    assert_eq!(file.len().unwrap(), segment.end());
    segment.reserve(segment.end() + 10, segment.end() + 10).unwrap();
    assert_eq!(segment.allocated(), 4096);
}

#[test]
fn durability_02_what_lies_behind_the_end_is_cut_before_the_first_append() {
    let disk = MemoryDisk::new();
    let (segment, batches) = simple(&files(&disk), 20);
    let end = bytes_of(&batches[..10]).len() as u64;
    let restarted = open(&files(&disk), 1000, Origin::Known { end, largest: Timestamp(90) });
    restarted.append(&batches[10..11]).unwrap();
    let mut behind = vec![1; 100];
    let file = disk.open(&segment.log_path(), Open::Read).unwrap();
    file.read_at(&mut behind, restarted.end()).unwrap();
    assert_eq!(behind, [0; 100]);
}

#[test]
fn segment_shorter_than_its_checkpoint_says_is_refused() {
    let disk = FaultyDisk::new(1);
    let (segment, _) = simple(&files(&disk), 20);
    let origin = known(&segment);
    disk.shorten(&segment.log_path(), 500).unwrap();
    let restarted = open(&files(&disk), 1000, origin);
    assert_eq!(restarted.check_len().unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    restarted.append(&[batch(Offset(2000), &[1], 10)]).unwrap_err();
    disk.lose(&segment.log_path()).unwrap();
    let restarted = open(&files(&disk), 1000, origin);
    assert_eq!(restarted.check_len().unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn durability_13_descriptor_of_unsynced_bytes_stays_open() {
    let disk = FaultyDisk::new(1);
    disk.forget_on_close();
    let files = files(&disk);
    ["topics/t", "topics", ""].iter().for_each(|folder| disk.sync_dir(Path::new(folder)).unwrap());
    let (segment, batches) = simple(&files, 20);
    // So many others that nothing of the first one would be left in a cache.
    files.logs.remove(segment.key);
    segment.sync().unwrap();
    assert!(!segment.is_unsynced());
    segment.append(&[batch(Offset(3000), &[1], 10)]).unwrap();
    files.logs.remove(segment.key);
    segment.sync().unwrap();
    let expected = segment.end();
    for seed in 0..50 {
        let cut = disk.cut(seed);
        let found = open(
            &SegmentFiles::new(Arc::new(cut)),
            1000,
            Origin::Known { end: expected, largest: Timestamp(190) },
        );
        let bytes = found.read(BASE, WHOLE, Wait::Yes).unwrap().unwrap().bytes().unwrap();
        assert_eq!(bytes[..bytes_of(&batches).len()], bytes_of(&batches));
        assert_eq!(bytes.len() as u64, expected);
    }
}

#[test]
fn durability_22_cold_range_is_not_waited_for_on_a_reactor() {
    let disk = FaultyDisk::new(1);
    let (segment, batches) = simple(&files(&disk), 20);
    segment.sync().unwrap();
    disk.evict();
    let read = |wait| segment.read(Offset(1005), WHOLE, wait);
    assert!(matches!(read(Wait::No), Err(ReadError::Cold)));
    assert_eq!(read(Wait::Yes).unwrap().unwrap().bytes().unwrap(), bytes_of(&batches[5..]));
    assert_eq!(read(Wait::No).unwrap().unwrap().len(), bytes_of(&batches[5..]).len());
}

#[test]
fn durability_24_damaged_batch_is_quarantined_with_place_and_size() {
    let disk = FaultyDisk::new(1);
    let (segment, batches) = simple(&files(&disk), 20);
    segment.sync().unwrap();
    let bad = bytes_of(&batches[..8]).len() as u64..bytes_of(&batches[..9]).len() as u64;
    disk.flip_bit(&segment.log_path(), bad.end - 5, 0).unwrap();
    disk.evict();
    let before = segment.read(Offset(1005), WHOLE, Wait::Yes).unwrap().unwrap();
    assert_eq!(before.bytes().unwrap(), bytes_of(&batches[5..8]));
    let Err(ReadError::Damaged(damage)) = segment.read(Offset(1008), WHOLE, Wait::Yes) else {
        panic!("served")
    };
    assert_eq!((damage.path, damage.range), (segment.log_path(), bad));
    let Err(ReadError::Damaged(_)) = segment.read(Offset(1008), WHOLE, Wait::No) else {
        panic!("served later")
    };
    let behind = segment.read(Offset(1009), WHOLE, Wait::Yes).unwrap().unwrap();
    assert_eq!(behind.bytes().unwrap(), bytes_of(&batches[9..]));
    assert_eq!(segment.damages().len(), 1);
}

#[test]
fn unreadable_batch_is_quarantined_too() {
    let disk = FaultyDisk::new(1);
    let (segment, batches) = simple(&files(&disk), 20);
    segment.sync().unwrap();
    disk.evict();
    let bad = bytes_of(&batches[..8]).len() as u64;
    disk.spoil(&segment.log_path(), bad + 70..bad + 71).unwrap();
    assert!(segment.read(Offset(1008), WHOLE, Wait::Yes).is_err());
    assert!(segment.read(Offset(1002), Limit { bytes_max: 400, ..WHOLE }, Wait::Yes).unwrap().is_some());
}

#[test]
fn removed_segment_is_read_to_its_end_by_who_has_it() {
    let disk = MemoryDisk::new();
    let (segment, batches) = simple(&files(&disk), 20);
    segment.sync().unwrap();
    let range = segment.read(BASE, WHOLE, Wait::Yes).unwrap().unwrap();
    segment.remove().unwrap();
    segment.remove().unwrap();
    assert!(disk.list(Path::new(FOLDER)).unwrap().is_empty());
    drop(segment);
    assert_eq!(range.bytes().unwrap(), bytes_of(&batches));
}

#[test]
fn durability_13_stale_index_that_goes_during_a_sync_is_gone_for_good_with_the_next_one() {
    let files = files(&MemoryDisk::new());
    let (segment, batches) = simple(&files, 20);
    segment.sync().unwrap();
    let end = bytes_of(&batches[..5]).len() as u64;
    let restarted = open(&files, 1000, Origin::Known { end, largest: Timestamp(40) });
    let sync = restarted.begin_sync();
    restarted.append(&batches[5..6]).unwrap();
    restarted.finish_sync(sync);
    assert!(restarted.begin_sync().folder.is_some());
    restarted.sync().unwrap();
    assert!(restarted.begin_sync().folder.is_none());
}

#[test]
fn index_files_hold_the_entries_that_kafka_would_read() {
    let disk = MemoryDisk::new();
    let (segment, batches) = simple(&files(&disk), 20);
    segment.sync().unwrap();
    let file = disk.open(&segment.path("index"), Open::Read).unwrap();
    let mut entry = [0; 8];
    file.read_exact_at(&mut entry, 0).unwrap();
    let size = batches[0].0.size() as i32;
    let first = (1000 + size - 1) / size;
    assert_eq!(entry[..4], first.to_be_bytes());
    assert_eq!(entry[4..], (first * size).to_be_bytes());
}

#[test]
fn idle_segment_holds_no_descriptor_of_its_own() {
    let files = files(&MemoryDisk::new());
    let (segment, _) = simple(&files, 5);
    assert_eq!((files.logs.len(), segment.is_unsynced()), (0, true));
    segment.sync().unwrap();
    assert_eq!((files.logs.len(), segment.is_unsynced()), (1, false));
    drop(segment);
    assert_eq!(files.logs.len(), 0);
}
