//! From an offset to a range of the file.

use std::{io, ops::Range, sync::Arc};

use mainstem_protocol::{
    Offset,
    records::{BatchHeader, crc32c},
};

use super::{
    Damage, FileRange, ReadError, Segment,
    files::{INDEX, LOG, TIME_INDEX},
    index::{Batch, Covered, Key, Live, Sealed},
    walk::{Step, Walk},
};
use crate::disk::DiskFile;

/// Where the checksummed part of a batch begins.
const CRC_START: usize = 21;
/// How far apart the bytes are that are asked for to learn whether a range is in the page cache: what was evicted
/// was so in pieces that are mostly larger.
const SAMPLE_BYTES: u64 = 64 * 1024;

/// Whether a read may wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// On a thread that may block.
    Yes,
    /// On a reactor's thread: [`ReadError::Cold`] instead.
    No,
}

/// How much to read.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The position behind the last batch that may be shown; between two batches.
    pub end: u64,
    /// Bytes of whole batches.
    pub bytes_max: usize,
    /// The first batch comes even when it is larger than that.
    pub at_least_one: bool,
}

impl Wait {
    /// Reads up to the end of the buffer or the file; fewer bytes where the rest would have to be waited for.
    pub(super) fn read(
        self,
        file: &dyn DiskFile,
        buffer: &mut [u8],
        position: u64,
    ) -> Result<usize, ReadError> {
        match self {
            Self::Yes => Ok(file.read_at(buffer, position)?),
            Self::No => file.read_at_nowait(buffer, position)?.ok_or(ReadError::Cold),
        }
    }
}

impl Segment {
    /// Whole batches from the one that holds `offset`, or the next one there is; `None` where there are none, or
    /// not even the first one fits. The first batch may begin before the offset. What had to be waited for has its
    /// checksums checked; what is in the page cache is trusted (durability 24).
    ///
    /// # Errors
    /// [`ReadError::Cold`] only where it may not wait; [`ReadError::Damaged`] where the first batch is broken: a
    /// broken one behind it ends the range before it.
    pub fn read(&self, offset: Offset, limit: Limit, wait: Wait) -> Result<Option<FileRange>, ReadError> {
        let file = self.file()?;
        let limit = Limit { end: limit.end.min(self.end()), ..limit };
        match self.read_resident(&file, offset, limit) {
            Err(ReadError::Cold) if wait == Wait::Yes => self.read_cold(&file, offset, limit),
            result => result,
        }
    }

    fn read_resident(
        &self,
        file: &Arc<dyn DiskFile>,
        offset: Offset,
        limit: Limit,
    ) -> Result<Option<FileRange>, ReadError> {
        let Some(found) = self.range(&**file, offset, limit, Wait::No)? else { return Ok(None) };
        if is_resident(&**file, &found.range)? { Ok(found.in_file(file)) } else { Err(ReadError::Cold) }
    }

    fn read_cold(
        &self,
        file: &Arc<dyn DiskFile>,
        offset: Offset,
        limit: Limit,
    ) -> Result<Option<FileRange>, ReadError> {
        let Some(found) = self.range(&**file, offset, limit, Wait::Yes)? else { return Ok(None) };
        file.will_need(found.range.clone())?;
        let found = match self.check(&**file, found.range.clone()) {
            Ok(()) => found,
            Err(_) => self.outside_quarantine(found)?,
        };
        Ok(found.in_file(file))
    }

    /// Where the batches are that a read yields.
    fn range(
        &self,
        file: &dyn DiskFile,
        offset: Offset,
        limit: Limit,
        wait: Wait,
    ) -> Result<Option<Batches>, ReadError> {
        let Some(first) = self.locate(file, offset, limit.end, wait)? else { return Ok(None) };
        let (stop, next) = self.stop(file, &first, limit, wait)?;
        let found = Batches { range: first.position..stop, first: first.header.base_offset, next };
        self.outside_quarantine(found).map(Some)
    }

    /// The position of the batch that holds `offset`, or of the next one; `None` where there is none before `end`.
    ///
    /// # Errors
    /// As [`Segment::read`].
    pub fn position_of(&self, offset: Offset, end: u64, wait: Wait) -> Result<Option<u64>, ReadError> {
        let step = self.locate(&*self.file()?, offset, end.min(self.end()), wait)?;
        Ok(step.map(|step| step.position))
    }

    /// The headers of all batches up to `end`, in order, with their positions; ends early where `visit` says so.
    ///
    /// # Errors
    /// As [`Segment::read`], at the first batch that is broken.
    pub fn headers(
        &self,
        end: u64,
        mut visit: impl FnMut(u64, &BatchHeader) -> bool,
    ) -> Result<(), ReadError> {
        let file = self.file()?;
        let mut walk = Walk::new(&*file, 0..end.min(self.end()), Wait::Yes);
        while let Some(step) = walk.next()? {
            if !visit(step.position, &step.header) {
                break;
            }
        }
        Ok(())
    }

    fn locate(
        &self,
        file: &dyn DiskFile,
        offset: Offset,
        end: u64,
        wait: Wait,
    ) -> Result<Option<Step>, ReadError> {
        let start = self.floor(Key::Offset(offset), wait)?;
        self.first_where(file, start..end, wait, |header| header.next_offset() > offset)
    }

    /// The first batch of the range for which it holds. What cannot be passed over is quarantined.
    pub(super) fn first_where(
        &self,
        file: &dyn DiskFile,
        range: Range<u64>,
        wait: Wait,
        holds: impl Fn(&BatchHeader) -> bool,
    ) -> Result<Option<Step>, ReadError> {
        let mut walk = Walk::new(file, range, wait);
        loop {
            match walk.next() {
                Ok(Some(step)) if holds(&step.header) => return Ok(Some(step)),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.noted(error)),
            }
        }
    }

    fn noted(&self, error: ReadError) -> ReadError {
        if let ReadError::Damaged(damage) = &error {
            self.quarantine.add(damage);
        }
        error
    }

    /// Where a range that begins with `first` ends: between two batches, within the limit; and the offset there, unless it
    /// is the limit.
    fn stop(
        &self,
        file: &dyn DiskFile,
        first: &Step,
        limit: Limit,
        wait: Wait,
    ) -> Result<(u64, Option<Offset>), ReadError> {
        let wanted = first.position.saturating_add(limit.bytes_max as u64);
        if first.end() > wanted {
            let stop = if limit.at_least_one { first.end() } else { first.position };
            return Ok((stop, Some(first.header.next_offset())));
        }
        if wanted >= limit.end {
            return Ok((limit.end, None));
        }
        let mut stop = self.floor(Key::Position(wanted), wait)?.max(first.end());
        let mut next = first.header.next_offset();
        let mut walk = Walk::new(file, stop..limit.end, wait);
        loop {
            match walk.next() {
                Ok(Some(step)) if step.end() <= wanted => {
                    (stop, next) = (step.end(), step.header.next_offset())
                }
                Ok(Some(step)) => return Ok((stop, Some(step.header.base_offset))),
                Ok(None) => return Ok((stop, None)),
                Err(ReadError::Cold) => return Err(ReadError::Cold),
                // What is broken behind the first batch is found by whoever begins there.
                Err(_) => return Ok((stop, Some(next))),
            }
        }
    }

    /// The position of a batch at or before the key, found by the indexes.
    pub(super) fn floor(&self, key: Key, wait: Wait) -> Result<u64, ReadError> {
        let (found, start) = {
            let live = self.live();
            (live.floor(key), live.start)
        };
        if found.is_some() || start == 0 {
            return Ok(found.map_or(0, |entry| entry.position as u64));
        }
        let entry = self.sealed_index(start, wait)?.floor(self.base_offset(), key);
        Ok(entry.map_or(0, |entry| entry.position as u64))
    }

    /// The entries for all batches before `start`: from the cache, from the files, or made anew.
    pub(super) fn sealed_index(&self, start: u64, wait: Wait) -> Result<Arc<Sealed>, ReadError> {
        if start == 0 {
            return Ok(Arc::default());
        }
        if let Some(sealed) = self.files.indexes.get(self.key).filter(|sealed| sealed.covered.end == start) {
            return Ok(sealed);
        }
        if wait == Wait::No {
            return Err(ReadError::Cold);
        }
        let sealed = Arc::new(self.load_index(start)?);
        self.files.indexes.insert(self.key, Arc::clone(&sealed), sealed.bytes());
        Ok(sealed)
    }

    fn load_index(&self, start: u64) -> io::Result<Sealed> {
        let found = Sealed::read(&*self.files.disk, &self.path(INDEX), &self.path(TIME_INDEX))?;
        let mut sealed = found.unwrap_or_default();
        sealed.truncate(start);
        if sealed.covered.end < start {
            self.complete(&mut sealed, start)?;
        }
        Ok(sealed)
    }

    fn complete(&self, sealed: &mut Sealed, start: u64) -> io::Result<()> {
        let file = self.file()?;
        let mut live =
            Live::new(self.base_offset(), self.interval(), sealed.covered.end, sealed.covered.largest);
        let mut walk = Walk::new(&*file, sealed.covered.end..start, Wait::Yes);
        loop {
            match walk.next() {
                Ok(Some(step)) => live.push(Batch::new(&step.header, step.position)),
                Ok(None) => break,
                Err(ReadError::Io(error)) => return Err(error),
                Err(error) => {
                    self.noted(error);
                    break;
                }
            }
        }
        *sealed = sealed.with(&live.offsets, &live.times, Covered { end: start, largest: live.largest });
        Ok(())
    }

    /// The batches up to the first one that is known to be broken.
    fn outside_quarantine(&self, found: Batches) -> Result<Batches, ReadError> {
        match self.quarantine.within(&found.range) {
            Some(damage) if damage.range.start <= found.range.start => Err(damage.into()),
            // Where the last of them ends is not worth another walk: not behind where it would have.
            Some(damage) => Ok(Batches { range: found.range.start..damage.range.start, ..found }),
            None => Ok(found),
        }
    }

    /// Reads all batches of the range and checks their checksums; the first that is broken is quarantined.
    ///
    /// # Errors
    /// The damage.
    pub fn check(&self, file: &dyn DiskFile, range: Range<u64>) -> Result<(), Damage> {
        let mut walk = Walk::new(file, range.clone(), Wait::Yes);
        let mut batch = Vec::new();
        loop {
            let at = walk.position();
            let result = match walk.next() {
                Ok(None) => return Ok(()),
                Ok(Some(step)) => check_batch(file, &step, &mut batch),
                Err(ReadError::Damaged(damage)) => Err(damage),
                Err(error) => Err(self.damage(at..range.end, error.to_string())),
            };
            if let Err(damage) = result {
                self.quarantine.add(&damage);
                return Err(damage);
            }
        }
    }

    fn damage(&self, range: Range<u64>, reason: String) -> Damage {
        Damage { path: self.path(LOG), range, reason }
    }
}

/// Whole batches of a segment.
struct Batches {
    range: Range<u64>,
    /// The base offset of the first one.
    first: Offset,
    /// The offset behind the last one; none where it is that behind all that the segment shows.
    next: Option<Offset>,
}

impl Batches {
    fn in_file(self, file: &Arc<dyn DiskFile>) -> Option<FileRange> {
        let Self { range, first, next } = self;
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        (len > 0).then(|| FileRange::new(Arc::clone(file), range.start, len, first, next))
    }
}

fn check_batch(file: &dyn DiskFile, step: &Step, batch: &mut Vec<u8>) -> Result<(), Damage> {
    let damage =
        |reason: String| Damage { path: file.path().to_owned(), range: step.position..step.end(), reason };
    batch.resize(step.header.size(), 0);
    file.read_exact_at(batch, step.position).map_err(|error| damage(error.to_string()))?;
    if crc32c(&batch[CRC_START..]) == step.header.crc {
        return Ok(());
    }
    Err(damage("the checksum of a batch is wrong".to_owned()))
}

fn is_resident(file: &dyn DiskFile, range: &Range<u64>) -> io::Result<bool> {
    let Some(last) = range.end.checked_sub(1) else { return Ok(true) };
    let mut position = range.start;
    while position < last {
        if file.read_at_nowait(&mut [0], position)?.is_none() {
            return Ok(false);
        }
        position = (position / SAMPLE_BYTES + 1) * SAMPLE_BYTES;
    }
    Ok(file.read_at_nowait(&mut [0], last)?.is_some())
}
