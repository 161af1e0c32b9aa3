//! Index files: entries, and behind them a trailer that guards them.
//!
//! ```text
//!  at  size
//!   0     4  magic: MSOX for offsets, MSTX for timestamps
//!   4     4  version, 1
//!   8     8  number of entries
//!  16     8  how much of the log they cover: every batch that begins before this position
//!  24     8  a timestamp that no batch among them is above
//!  32     4  CRC-32 of the entries and of the 32 bytes before
//!  36     4  zeros
//! ```
//!
//! The file ends with its trailer. While a segment grows, new entries replace the trailer and a new one follows:
//! a power cut in between leaves a file that its checksum refuses. Nothing is synced: an index can be made anew.

use std::{
    io::{self, IoSlice},
    path::Path,
};

use crc32fast::Hasher;
use mainstem_protocol::Timestamp;

use super::entry::{Entry, OffsetEntry, TimeEntry, count_before, field, floor};
use crate::disk::{Disk, DiskFile, Open};

const TRAILER_BYTES: usize = 40;
const GUARDED_BYTES: usize = 32;
const VERSION: u32 = 1;

/// Both index files of a segment, read and found whole.
#[derive(Debug, Default)]
pub struct Sealed {
    pub(in crate::segment) offsets: Vec<u8>,
    pub(in crate::segment) times: Vec<u8>,
    pub(in crate::segment) covered: Covered,
}

/// What the entries of a file speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::segment) struct Covered {
    /// Every batch that begins before this position is indexed.
    pub(in crate::segment) end: u64,
    /// A timestamp that none of them is above.
    pub(in crate::segment) largest: Timestamp,
}

impl Default for Covered {
    fn default() -> Self {
        Self { end: 0, largest: Timestamp::NONE }
    }
}

impl Sealed {
    /// Reads both files; `None` where one is missing or not what was written.
    ///
    /// # Errors
    /// Where the disk cannot read them.
    pub(in crate::segment) fn read(
        disk: &dyn Disk,
        offsets: &Path,
        times: &Path,
    ) -> io::Result<Option<Self>> {
        let (Some(offsets), Some(times)) =
            (read::<OffsetEntry>(disk, offsets)?, read::<TimeEntry>(disk, times)?)
        else {
            return Ok(None);
        };
        let is_pair = offsets.covered == times.covered;
        Ok(is_pair.then_some(Self {
            offsets: offsets.entries,
            times: times.entries,
            covered: offsets.covered,
        }))
    }

    /// Forgets what concerns batches from `position` on. A time entry came with an offset entry for the same batch
    /// or a later one, so those that are not behind the last offset entry speak of batches that stay.
    pub(in crate::segment) fn truncate(&mut self, position: u64) {
        if self.covered.end <= position {
            return;
        }
        let kept = count_before(&self.offsets, |entry: OffsetEntry| (entry.position as u64) < position);
        self.offsets.truncate(kept * OffsetEntry::BYTES);
        let last = floor(&self.offsets, |_: OffsetEntry| true).map_or(-1, |entry| entry.relative_offset);
        let kept = count_before(&self.times, |entry: TimeEntry| entry.relative_offset <= last);
        self.times.truncate(kept * TimeEntry::BYTES);
        self.covered.end = position;
    }

    /// Bytes in memory.
    pub(in crate::segment) fn bytes(&self) -> usize {
        size_of::<Self>() + self.offsets.len() + self.times.len()
    }

    /// The same, and behind it these.
    pub(in crate::segment) fn with(
        &self,
        offsets: &[OffsetEntry],
        times: &[TimeEntry],
        covered: Covered,
    ) -> Self {
        let offsets = [&self.offsets[..], &encoded(offsets)].concat();
        let times = [&self.times[..], &encoded(times)].concat();
        Self { offsets, times, covered }
    }
}

/// Whether the file at `path` says that it speaks of nothing behind `end`, or is not there.
pub(in crate::segment) fn covers_at_most(disk: &dyn Disk, path: &Path, end: u64) -> bool {
    let covered = disk.open(path, Open::Read).and_then(|file| {
        let mut trailer = [0; TRAILER_BYTES];
        let start = file.len()?.checked_sub(TRAILER_BYTES as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
        file.read_exact_at(&mut trailer, start)?;
        Ok(u64::from_le_bytes(field(&trailer, 16)))
    });
    match covered {
        Ok(covered) => covered <= end,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// What is in the files, so that they can be continued.
#[derive(Clone, Debug)]
pub(in crate::segment) struct Written {
    offsets: Entries,
    times: Entries,
}

#[derive(Clone, Debug, Default)]
struct Entries {
    count: u64,
    hasher: Hasher,
}

impl Written {
    /// Puts entries behind those that are there.
    pub(in crate::segment) fn extend(
        &mut self,
        disk: &dyn Disk,
        paths: (&Path, &Path),
        entries: (&[OffsetEntry], &[TimeEntry]),
        covered: Covered,
    ) -> io::Result<()> {
        self.offsets.extend(
            &*disk.open(paths.0, Open::Create)?,
            &encoded(entries.0),
            covered,
            kind::<OffsetEntry>(),
        )?;
        self.times.extend(
            &*disk.open(paths.1, Open::Create)?,
            &encoded(entries.1),
            covered,
            kind::<TimeEntry>(),
        )
    }
}

/// Writes both files anew.
pub(in crate::segment) fn rewrite(
    disk: &dyn Disk,
    paths: (&Path, &Path),
    sealed: &Sealed,
) -> io::Result<Written> {
    let mut written = Written { offsets: Entries::default(), times: Entries::default() };
    let (offsets, times) = (disk.open(paths.0, Open::Create)?, disk.open(paths.1, Open::Create)?);
    offsets.set_len(0)?;
    times.set_len(0)?;
    written.offsets.extend(&*offsets, &sealed.offsets, sealed.covered, kind::<OffsetEntry>())?;
    written.times.extend(&*times, &sealed.times, sealed.covered, kind::<TimeEntry>())?;
    Ok(written)
}

impl Entries {
    fn extend(&mut self, file: &dyn DiskFile, fresh: &[u8], covered: Covered, kind: Kind) -> io::Result<()> {
        let Kind { magic, entry_bytes } = kind;
        let position = self.count * entry_bytes;
        self.hasher.update(fresh);
        self.count += fresh.len() as u64 / entry_bytes;
        let trailer = trailer(magic, self.count, covered, self.hasher.clone());
        file.write_at(&[IoSlice::new(fresh), IoSlice::new(&trailer)], position)
    }
}

#[derive(Clone, Copy)]
struct Kind {
    magic: [u8; 4],
    entry_bytes: u64,
}

fn kind<E: Entry>() -> Kind {
    let magic = if E::BYTES == OffsetEntry::BYTES { *b"MSOX" } else { *b"MSTX" };
    Kind { magic, entry_bytes: E::BYTES as u64 }
}

fn encoded<E: Entry>(entries: &[E]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * E::BYTES);
    entries.iter().for_each(|entry| entry.write(&mut bytes));
    bytes
}

fn trailer(magic: [u8; 4], count: u64, covered: Covered, mut hasher: Hasher) -> [u8; TRAILER_BYTES] {
    let mut trailer = [0; TRAILER_BYTES];
    trailer[0..4].copy_from_slice(&magic);
    trailer[4..8].copy_from_slice(&VERSION.to_le_bytes());
    trailer[8..16].copy_from_slice(&count.to_le_bytes());
    trailer[16..24].copy_from_slice(&covered.end.to_le_bytes());
    trailer[24..32].copy_from_slice(&covered.largest.0.to_le_bytes());
    hasher.update(&trailer[..GUARDED_BYTES]);
    trailer[32..36].copy_from_slice(&hasher.finalize().to_le_bytes());
    trailer
}

struct Read {
    entries: Vec<u8>,
    covered: Covered,
}

fn read<E: Entry>(disk: &dyn Disk, path: &Path) -> io::Result<Option<Read>> {
    let file = match disk.open(path, Open::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
    // What the medium cannot give is made anew, like anything else that is wrong with an index.
    let is_whole = file.read_exact_at(&mut bytes, 0).is_ok();
    Ok(if is_whole { checked::<E>(bytes) } else { None })
}

fn checked<E: Entry>(mut bytes: Vec<u8>) -> Option<Read> {
    let found = bytes.split_off(bytes.len().checked_sub(TRAILER_BYTES)?);
    let (end, largest) = (u64::from_le_bytes(field(&found, 16)), i64::from_le_bytes(field(&found, 24)));
    let covered = Covered { end, largest: Timestamp(largest) };
    let mut hasher = Hasher::new();
    hasher.update(&bytes);
    let count = (bytes.len() / E::BYTES) as u64;
    let expected = trailer(kind::<E>().magic, count, covered, hasher);
    (found == expected && bytes.len().is_multiple_of(E::BYTES)).then_some(Read { entries: bytes, covered })
}
