//! Frames go in: packed into writes of whole blocks, made durable by one sync for all of them.

use std::{
    collections::BTreeMap,
    io::{self, IoSlice},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    caps::BLOCK_BYTES,
    disk::DiskFile,
    ids::{Incarnation, Lsn},
    journal::{
        Point,
        file::{FileHeader, padded},
        frame::{FRAME_HEADER_BYTES, FrameHeader, FrameKind},
        pool::{Pool, PoolFile},
    },
};

/// A frame that waits to be written; LSNs follow each other without a gap.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: FrameKind,
    pub(crate) lsn: Lsn,
    pub(crate) group: u64,
    pub(crate) payload: Vec<Bytes>,
}

/// The one who writes the journal.
#[derive(Debug)]
pub(crate) struct Writer {
    pool: Arc<Pool>,
    incarnation: Incarnation,
    current: PoolFile,
    position: u64,
    /// The frame that comes next.
    next: Lsn,
    durable: Lsn,
    /// The largest durable LSN that a written frame bears witness of.
    witnessed: Lsn,
    /// Files with bytes that were not synced yet, but the current one.
    left_behind: Vec<Arc<dyn DiskFile>>,
    /// Where the groups begin that were written ahead and have no commit frame yet.
    open_groups: BTreeMap<u64, Point>,
}

const ZEROS: [u8; BLOCK_BYTES as usize] = [0; BLOCK_BYTES as usize];

impl Frame {
    pub(crate) fn bytes(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + self.payload.iter().map(|piece| piece.len() as u64).sum::<u64>()
    }
}

impl Writer {
    /// Goes on in `current` at the block behind `point`, everything before which is durable.
    pub(crate) fn new(pool: Arc<Pool>, incarnation: Incarnation, current: PoolFile, point: Point) -> Self {
        let durable = Lsn(point.lsn.0 - 1);
        Self {
            pool,
            incarnation,
            current,
            position: padded(point.position),
            next: point.lsn,
            durable,
            // What a start made durable has no witness yet.
            witnessed: Lsn::ZERO,
            left_behind: Vec::new(),
            open_groups: BTreeMap::new(),
        }
    }

    /// The last frame that was written.
    pub(crate) const fn written(&self) -> Lsn {
        Lsn(self.next.0 - 1)
    }

    /// The last frame that was synced.
    pub(crate) const fn durable(&self) -> Lsn {
        self.durable
    }

    /// Whether no frame says yet what was synced last (rule 8).
    pub(crate) fn lacks_witness(&self) -> bool {
        self.witnessed < self.durable
    }

    /// Where the next frame will be.
    pub(crate) const fn point(&self) -> Point {
        Point { number: self.current.number, position: self.position, lsn: self.next }
    }

    /// The first place that a start needs after a checkpoint of now: before groups that are still open.
    pub(crate) fn first_needed(&self) -> Point {
        self.open_groups.values().copied().min_by_key(|point| point.lsn).unwrap_or_else(|| self.point())
    }

    /// Bytes that surely still fit.
    pub(crate) fn room(&self) -> u64 {
        let here = self.current.bytes.saturating_sub(self.position);
        here.saturating_sub(self.pool.layout.frame_bytes_max()) + self.pool.free_bytes()
    }

    /// None of the groups that were written ahead will have a commit frame: the node stops.
    pub(crate) fn abandon_all(&mut self) {
        self.open_groups.clear();
    }

    /// A group that was written ahead will have no commit frame.
    pub(crate) fn abandon(&mut self, group: u64) {
        self.open_groups.remove(&group);
    }

    /// Writes frames in their order; each write begins and ends at a block (rule 9). Returns the bytes it took.
    pub(crate) fn write(&mut self, frames: &[Frame]) -> io::Result<u64> {
        let mut rest = frames;
        let mut bytes = 0;
        while !rest.is_empty() {
            let count = self.fitting(rest);
            if count == 0 {
                self.next_file()?;
                continue;
            }
            let (now, later) = rest.split_at(count);
            bytes += self.write_packed(now)?;
            rest = later;
        }
        Ok(bytes)
    }

    fn fitting(&self, frames: &[Frame]) -> usize {
        let mut left = self.current.bytes.saturating_sub(self.position);
        let fits = |frame: &&Frame| match left.checked_sub(frame.bytes()) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        frames.iter().take_while(fits).count()
    }

    fn write_packed(&mut self, frames: &[Frame]) -> io::Result<u64> {
        let headers: Vec<_> = frames.iter().map(|frame| self.header(frame).encode(&frame.payload)).collect();
        let mut slices = Vec::with_capacity(3 * frames.len() + 1);
        for (header, frame) in headers.iter().zip(frames) {
            slices.push(IoSlice::new(header));
            slices.extend(frame.payload.iter().map(|piece| IoSlice::new(piece)));
        }
        let bytes: u64 = frames.iter().map(Frame::bytes).sum();
        let padding = (padded(bytes) - bytes) as usize;
        slices.push(IoSlice::new(&ZEROS[..padding]));
        self.current.file.write_at(&slices, self.position)?;
        self.note_written(frames);
        self.position += padded(bytes);
        Ok(padded(bytes))
    }

    fn header(&self, frame: &Frame) -> FrameHeader {
        FrameHeader {
            kind: frame.kind,
            lsn: frame.lsn,
            incarnation: self.incarnation,
            durable: self.durable,
            group: frame.group,
            payload_bytes: (frame.bytes() - FRAME_HEADER_BYTES as u64) as u32,
        }
    }

    fn note_written(&mut self, frames: &[Frame]) {
        let mut position = self.position;
        for frame in frames {
            assert_eq!(frame.lsn, self.next, "frames are written in the order of their numbers");
            let point = Point { number: self.current.number, position, lsn: frame.lsn };
            match frame.kind {
                FrameKind::Data => drop(self.open_groups.entry(frame.group).or_insert(point)),
                FrameKind::Commit => drop(self.open_groups.remove(&frame.group)),
                FrameKind::Idle => {}
            }
            position += frame.bytes();
            self.next = self.next.next();
        }
        self.witnessed = self.durable;
    }

    fn next_file(&mut self) -> io::Result<()> {
        let next = self.pool.next().ok_or_else(|| io::Error::other("the journal has no free file"))?;
        let PoolFile { number, bytes, ref file } = next;
        let header =
            FileHeader { number, first: self.next, incarnation: self.incarnation, file_bytes: bytes }
                .encode();
        file.write_at(&[IoSlice::new(&header)], 0)?;
        self.left_behind.push(Arc::clone(&self.current.file));
        self.current = next;
        self.position = BLOCK_BYTES;
        Ok(())
    }

    /// Makes everything written durable; after an error nothing may be trusted (rule 27).
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        for file in self.left_behind.drain(..) {
            file.sync_data()?;
        }
        self.current.file.sync_data()?;
        self.durable = self.written();
        Ok(())
    }
}
