//! Frames come out: past the page cache, in their order, up to where the journal ends; a hole in it is told from its end.

use std::{collections::BTreeMap, io, ops::Range, path::Path, path::PathBuf, sync::Arc};

use bytes::Bytes;

use crate::{
    caps::BLOCK_BYTES,
    disk::{Disk, DiskFile, Open},
    ids::{Incarnation, Lsn},
    journal::{
        Point,
        file::{self, FOLDER, FileHeader, NoHeader, padded},
        frame::{FRAME_HEADER_BYTES, FrameHeader, checksum},
    },
};

const WINDOW_BYTES: u64 = 1024 * 1024;

/// Why the journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk does not give the bytes.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// Bytes that were durable are not what they were.
    #[error("{path} is damaged, bytes {} to {}: {what}", range.start, range.end)]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        range: Range<u64>,
        /// What is wrong there.
        what: String,
    },
    /// A file is gone.
    #[error("{path} is missing")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A newer version wrote this.
    #[error("{path} has format {version}, this version knows {}", file::VERSION)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u32,
    },
}

/// Reads a journal from a point on.
#[derive(Debug)]
pub(crate) struct Reader {
    disk: Arc<dyn Disk>,
    /// Bytes of each file, by number.
    files: BTreeMap<u64, u64>,
    current: Window,
    position: u64,
    expected: Lsn,
    incarnation: Incarnation,
}

/// A file and the piece of it that was read last.
#[derive(Debug)]
struct Window {
    number: u64,
    bytes: u64,
    file: Arc<dyn DiskFile>,
    start: u64,
    held: Bytes,
}

impl Reader {
    /// Reads from `point` on; frames of an incarnation before `incarnation` are ghosts.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        point: Point,
        incarnation: Incarnation,
    ) -> Result<Self, JournalError> {
        let files = list(&*disk)?;
        let missing = || JournalError::Missing { path: file::path(point.number) };
        let bytes = *files.get(&point.number).ok_or_else(missing)?;
        let mut current = Window::open(&*disk, point.number, bytes)?;
        current.check_header()?;
        Ok(Self { disk, files, current, position: point.position, expected: point.lsn, incarnation })
    }

    /// Where the next frame would be: after the last one, where the journal goes on.
    pub(crate) const fn point(&self) -> Point {
        Point { number: self.current.number, position: self.position, lsn: self.expected }
    }

    /// Bytes of each file of the folder, by number.
    pub(crate) const fn files(&self) -> &BTreeMap<u64, u64> {
        &self.files
    }

    /// The next frame; `None` where the journal ends.
    pub(crate) fn next(&mut self) -> Result<Option<(FrameHeader, Bytes)>, JournalError> {
        if let Some(found) = self.find_here()? {
            return Ok(Some(self.accept(found)));
        }
        if self.find_file()?
            && let Some(found) = self.find_here()?
        {
            return Ok(Some(self.accept(found)));
        }
        self.look_for_witness()?;
        Ok(None)
    }

    fn accept(&mut self, (position, header, payload): (u64, FrameHeader, Bytes)) -> (FrameHeader, Bytes) {
        self.position = position + header.bytes();
        self.expected = header.lsn.next();
        self.incarnation = header.incarnation;
        (header, payload)
    }

    /// The next frame stands right behind the last one, or at the next block.
    fn find_here(&mut self) -> Result<Option<(u64, FrameHeader, Bytes)>, JournalError> {
        for position in [self.position, padded(self.position)] {
            let frame = self.current.frame(position)?;
            if let Some((header, payload)) = frame.filter(|(header, _)| self.follows(header)) {
                return Ok(Some((position, header, payload)));
            }
        }
        Ok(None)
    }

    fn follows(&self, header: &FrameHeader) -> bool {
        header.lsn == self.expected && header.incarnation >= self.incarnation
    }

    /// Or it is the first one of the next file.
    fn find_file(&mut self) -> Result<bool, JournalError> {
        let number = self.current.number + 1;
        let Some(&bytes) = self.files.get(&number) else { return Ok(false) };
        let mut next = Window::open(&*self.disk, number, bytes)?;
        let follows = next.header()?.is_some_and(|header| {
            header.number == number && header.first == self.expected && header.incarnation >= self.incarnation
        });
        // A header alone, without a frame, is the end of the file before as well.
        if !follows || next.frame(BLOCK_BYTES)?.is_none_or(|(header, _)| !self.follows(&header)) {
            return Ok(false);
        }
        self.current = next;
        self.position = BLOCK_BYTES;
        Ok(true)
    }

    /// A later frame that knows the missing one to be durable proves that this is no torn tail (rule 8).
    fn look_for_witness(&mut self) -> Result<(), JournalError> {
        let start = self.position;
        if let Some(witness) = self.witness_in_current()? {
            return Err(self.damage(start..witness));
        }
        let later: Vec<_> =
            self.files.range(self.current.number + 1..).map(|(&number, &bytes)| (number, bytes)).collect();
        for (number, bytes) in later {
            let mut window = Window::open(&*self.disk, number, bytes)?;
            window.load(0, 2 * BLOCK_BYTES, 0)?;
            if self.is_later(&mut window)? && self.witness_in(&mut window, BLOCK_BYTES)?.is_some() {
                return Err(self.damage(start..self.current.bytes));
            }
        }
        Ok(())
    }

    fn damage(&self, range: Range<u64>) -> JournalError {
        let what = format!("frame {} was durable and cannot be read", self.expected);
        JournalError::Damaged { path: file::path(self.current.number), range, what }
    }

    /// Whether a file was written after the missing frame, as its header or its first frame says.
    fn is_later(&self, window: &mut Window) -> Result<bool, JournalError> {
        let number = window.number;
        let by_header =
            window.header()?.is_some_and(|header| header.number == number && header.first >= self.expected);
        let first = window.frame(BLOCK_BYTES)?;
        Ok(by_header || first.is_some_and(|(header, _)| header.lsn >= self.expected))
    }

    fn witness_in_current(&mut self) -> Result<Option<u64>, JournalError> {
        let Window { number, bytes, ref file, .. } = self.current;
        let mut window = Window { number, bytes, file: Arc::clone(file), start: 0, held: Bytes::new() };
        self.witness_in(&mut window, padded(self.position))
    }

    fn witness_in(&self, window: &mut Window, from: u64) -> Result<Option<u64>, JournalError> {
        let mut position = from;
        while position < window.bytes {
            let frame = window.frame(position)?;
            if frame.is_some_and(|(header, _)| header.lsn > self.expected && header.durable >= self.expected)
            {
                return Ok(Some(position));
            }
            position += BLOCK_BYTES;
        }
        Ok(None)
    }
}

impl Window {
    fn open(disk: &dyn Disk, number: u64, bytes: u64) -> Result<Self, JournalError> {
        let path = file::path(number);
        let file = disk.open(&path, Open::Read).map_err(|source| JournalError::Io { path, source })?;
        Ok(Self { number, bytes, file, start: 0, held: Bytes::new() })
    }

    /// The header of the file; `None` where there is none that can be read.
    fn header(&mut self) -> Result<Option<FileHeader>, JournalError> {
        let Some(block) = self.bytes(0, BLOCK_BYTES)? else { return Ok(None) };
        match FileHeader::decode(&block) {
            Ok(header) => Ok(Some(header)),
            Err(NoHeader::Unreadable) => Ok(None),
            Err(NoHeader::Newer(version)) => {
                Err(JournalError::Newer { path: file::path(self.number), version })
            }
        }
    }

    /// The file's header was durable.
    fn check_header(&mut self) -> Result<(), JournalError> {
        let number = self.number;
        match self.header()?.filter(|header| header.number == number) {
            Some(_) => Ok(()),
            None => Err(JournalError::Damaged {
                path: file::path(self.number),
                range: 0..BLOCK_BYTES,
                what: "the header cannot be read".to_owned(),
            }),
        }
    }

    /// The frame at `position`, where there is a whole one.
    fn frame(&mut self, position: u64) -> Result<Option<(FrameHeader, Bytes)>, JournalError> {
        let Some(bytes) = self.bytes(position, FRAME_HEADER_BYTES as u64)? else { return Ok(None) };
        let Some(header_bytes) = bytes.first_chunk() else { return Ok(None) };
        let Some((header, crc)) = FrameHeader::decode(header_bytes) else { return Ok(None) };
        let start = position + FRAME_HEADER_BYTES as u64;
        let Some(payload) = self.bytes(start, u64::from(header.payload_bytes))? else { return Ok(None) };
        let is_whole = crc == checksum(header_bytes, std::slice::from_ref(&payload));
        Ok(is_whole.then_some((header, payload)))
    }

    /// Bytes of the file; `None` behind its end.
    fn bytes(&mut self, position: u64, count: u64) -> Result<Option<Bytes>, JournalError> {
        if position.checked_add(count).is_none_or(|end| end > self.bytes) {
            return Ok(None);
        }
        let held = self.start..self.start + self.held.len() as u64;
        if position < held.start || position + count > held.end {
            self.load(position, count, WINDOW_BYTES)?;
        }
        let at = (position - self.start) as usize;
        Ok((at + count as usize <= self.held.len()).then(|| self.held.slice(at..at + count as usize)))
    }

    /// Reads `count` bytes, and more of those behind them where that is less than `least`.
    fn load(&mut self, position: u64, count: u64, least: u64) -> Result<(), JournalError> {
        let start = position / BLOCK_BYTES * BLOCK_BYTES;
        let wanted = padded(position + count - start).max(least).min(self.bytes - start);
        let mut buffer = vec![0; wanted as usize];
        let read = self.file.read_direct(&mut buffer, start);
        let io = |source| JournalError::Io { path: file::path(self.number), source };
        buffer.truncate(read.map_err(io)?);
        (self.start, self.held) = (start, buffer.into());
        Ok(())
    }
}

/// The files of the journal's folder with their sizes.
pub(crate) fn list(disk: &dyn Disk) -> Result<BTreeMap<u64, u64>, JournalError> {
    let io = |path: PathBuf| move |source| JournalError::Io { path, source };
    let entries = disk.list(Path::new(FOLDER)).map_err(io(FOLDER.into()))?;
    let numbers = entries.iter().filter_map(|entry| file::number(&entry.name));
    let size = |number| disk.open(&file::path(number), Open::Read).and_then(|file| file.len());
    numbers.map(|number| Ok((number, size(number).map_err(io(file::path(number)))?))).collect()
}
