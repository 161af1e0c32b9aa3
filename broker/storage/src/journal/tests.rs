use std::{io::IoSlice, path::Path, sync::Arc};

use bytes::Bytes;

use super::{
    Frame, JournalError, Layout, Point, Pool, Reader, Writer,
    file::{self, FOLDER, FileHeader},
    frame::FrameKind,
    pool,
};
use crate::{
    caps::BLOCK_BYTES,
    disk::{Disk, DiskFile, MemoryDisk, Open},
    ids::{Incarnation, Lsn},
};

/// A journal on a disk in memory.
struct Bench {
    disk: Arc<MemoryDisk>,
    writer: Writer,
    pool: Arc<Pool>,
    next: u64,
}

const START: Point = Point { number: 0, position: BLOCK_BYTES, lsn: Lsn(1) };

impl Bench {
    fn new() -> Self {
        let disk = Arc::new(MemoryDisk::new());
        let layout = Layout::new(1024 * 1024);
        disk.create_dir_all(Path::new(FOLDER)).unwrap();
        let file_bytes = layout.file_bytes;
        let header = FileHeader { number: 0, first: Lsn(1), incarnation: Incarnation(1), file_bytes };
        let first = pool::create(&*disk, 0, file_bytes, &header.encode()).unwrap();
        let pool = Arc::new(Pool::new(disk.clone(), layout, vec![first.clone()], Vec::new()));
        let writer = Writer::new(pool.clone(), Incarnation(1), first, START);
        Self { disk, writer, pool, next: 1 }
    }

    fn frames(&mut self, sizes: &[usize]) -> Vec<Frame> {
        let mut frame = |size: &usize| {
            self.next += 1;
            let payload = vec![Bytes::from(vec![self.next as u8; *size])];
            Frame { kind: FrameKind::Commit, lsn: Lsn(self.next - 1), group: self.next, payload }
        };
        sizes.iter().map(&mut frame).collect()
    }

    fn write(&mut self, sizes: &[usize]) -> Point {
        let frames = self.frames(sizes);
        let point = self.writer.point();
        self.writer.write(&frames).unwrap();
        point
    }

    /// Goes on as after a start that cut the journal at `point`.
    fn restart(&mut self, point: Point, incarnation: u64) {
        let bytes = self.pool.layout.file_bytes;
        let file = self.disk.open(&file::path(point.number), Open::Write).unwrap();
        let current = pool::PoolFile { number: point.number, bytes, file };
        self.writer = Writer::new(self.pool.clone(), Incarnation(incarnation), current, point);
        self.next = point.lsn.0;
    }

    fn file(&self, number: u64) -> Arc<dyn DiskFile> {
        self.disk.open(&file::path(number), Open::Write).unwrap()
    }

    fn spoil(&self, number: u64, position: u64) {
        self.file(number).write_at(&[IoSlice::new(&[0xff; 9])], position + 20).unwrap();
    }

    fn read(&self) -> Result<Vec<u64>, JournalError> {
        self.read_from(START)
    }

    fn read_from(&self, point: Point) -> Result<Vec<u64>, JournalError> {
        let mut reader = Reader::open(self.disk.clone(), point, Incarnation(1))?;
        let mut lsns = Vec::new();
        while let Some((header, _)) = reader.next()? {
            lsns.push(header.lsn.0);
        }
        Ok(lsns)
    }
}

#[test]
fn frames_come_out_as_they_went_in() {
    let mut bench = Bench::new();
    bench.write(&[10, 5000, 0]);
    bench.write(&[4096 - 72]);
    bench.write(&[1]);
    assert_eq!(bench.read().unwrap(), [1, 2, 3, 4, 5]);
}

#[test]
fn an_empty_journal_has_no_frames() {
    assert_eq!(Bench::new().read().unwrap(), Vec::<u64>::new());
}

#[test]
fn frames_go_on_in_the_next_file_and_reading_may_begin_anywhere() {
    let mut bench = Bench::new();
    while bench.pool.grow().unwrap() {}
    let mut points = Vec::new();
    for _ in 0..40 {
        points.push(bench.write(&[8000]));
    }
    assert!(bench.writer.point().number >= 5);
    assert_eq!(bench.read().unwrap(), (1..=40).collect::<Vec<_>>());
    for (at, point) in points.into_iter().enumerate() {
        assert_eq!(bench.read_from(point).unwrap(), (at as u64 + 1..=40).collect::<Vec<_>>());
    }
}

#[test]
fn recycled_files_are_written_again_and_their_old_frames_are_not_read() {
    let mut bench = Bench::new();
    while bench.pool.grow().unwrap() {}
    for _ in 0..100 {
        bench.write(&[8000, 3000]);
        bench.pool.recycle_below(bench.writer.point().number).unwrap();
    }
    let point = bench.write(&[8000]);
    assert!(point.number > 16);
    assert_eq!(bench.read_from(point).unwrap(), [201]);
}

#[test]
fn a_full_journal_says_so() {
    let mut bench = Bench::new();
    let frames = bench.frames(&[8000; 9]);
    assert!(bench.writer.write(&frames).is_err());
}

#[test]
fn durability_07_a_ghost_of_an_earlier_incarnation_ends_the_journal() {
    let mut bench = Bench::new();
    bench.write(&[100]);
    bench.writer.sync().unwrap();
    let tenth = bench.write(&[100]);
    bench.write(&[100]);
    // A power cut keeps the third frame alone; the second one is written anew, with the same size.
    bench.spoil(0, tenth.position);
    assert_eq!(bench.read().unwrap(), [1]);
    bench.restart(tenth, 2);
    bench.write(&[100]);
    assert_eq!(bench.read().unwrap(), [1, 2]);
}

#[test]
fn durability_08_a_torn_tail_is_cut() {
    let mut bench = Bench::new();
    bench.write(&[100]);
    bench.writer.sync().unwrap();
    let torn = bench.write(&[5000]);
    bench.write(&[100]);
    bench.spoil(0, torn.position);
    assert_eq!(bench.read().unwrap(), [1]);
}

#[test]
fn durability_08_rot_below_a_durable_position_is_named() {
    let mut bench = Bench::new();
    bench.write(&[100]);
    let rotten = bench.write(&[5000]);
    bench.writer.sync().unwrap();
    let witness = bench.write(&[100]);
    bench.spoil(0, rotten.position);
    match bench.read() {
        Err(JournalError::Damaged { path, range, .. }) => {
            assert_eq!(path, file::path(0));
            assert!(range.start <= rotten.position && range.end == witness.position, "{range:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn durability_08_a_witness_in_a_later_file_counts() {
    let mut bench = Bench::new();
    while bench.pool.grow().unwrap() {}
    let rotten = bench.write(&[100]);
    bench.writer.sync().unwrap();
    while bench.writer.point().number < 2 {
        bench.write(&[8000]);
    }
    let size = bench.pool.layout.file_bytes;
    bench.file(0).zero_fill(rotten.position..size).unwrap();
    bench.file(1).zero_fill(BLOCK_BYTES..size).unwrap();
    assert!(matches!(bench.read(), Err(JournalError::Damaged { .. })));
}

#[test]
fn durability_08_an_idle_frame_is_the_witness_of_the_last_sync() {
    let mut bench = Bench::new();
    let last = bench.write(&[100]);
    assert!(!bench.writer.lacks_witness());
    bench.writer.sync().unwrap();
    assert!(bench.writer.lacks_witness());
    bench
        .writer
        .write(&[Frame { kind: FrameKind::Idle, lsn: Lsn(2), group: 0, payload: Vec::new() }])
        .unwrap();
    assert!(!bench.writer.lacks_witness());
    bench.spoil(0, last.position);
    assert!(matches!(bench.read(), Err(JournalError::Damaged { .. })));
}

#[test]
fn durability_09_no_write_touches_a_block_of_an_earlier_one() {
    let mut bench = Bench::new();
    for sizes in [&[1][..], &[4000, 30], &[4096 - 72], &[9000]] {
        let point = bench.write(sizes);
        assert_eq!(point.position % BLOCK_BYTES, 0);
    }
    assert_eq!(bench.writer.point().position % BLOCK_BYTES, 0);
}

#[test]
fn durability_10_the_first_frame_of_an_open_group_is_needed() {
    let mut bench = Bench::new();
    bench.write(&[100]);
    let mut data = bench.frames(&[8000]);
    data[0].kind = FrameKind::Data;
    let point = bench.writer.point();
    bench.writer.write(&data).unwrap();
    bench.write(&[100]);
    assert_eq!(bench.writer.first_needed(), point);
    bench.writer.abandon(data[0].group);
    assert_eq!(bench.writer.first_needed(), bench.writer.point());
}

#[test]
fn a_missing_file_and_a_newer_format_are_refused() {
    let bench = Bench::new();
    let elsewhere = Point { number: 7, ..START };
    assert!(matches!(bench.read_from(elsewhere), Err(JournalError::Missing { .. })));
    bench.file(0).write_at(&[IoSlice::new(&9_u32.to_le_bytes())], 8).unwrap();
    assert!(matches!(bench.read(), Err(JournalError::Newer { version: 9, .. })));
}
