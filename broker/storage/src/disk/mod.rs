//! The only place that touches files: one seam, three disks.
//!
//! - [`RealDisk`]: Linux files, with `pwritev`, `O_DIRECT`, `fallocate` and mappings.
//! - [`MemoryDisk`]: files in memory that never fail, for tests and for a broker without a directory.
//! - [`FaultyDisk`]: files in memory that lose what was not synced, fail, fill up and rot, by a seed.
//! - [`whole`]: small files written and read in one piece.
//!
//! Paths are relative to the disk's root and never leave it. All calls may block except
//! [`DiskFile::read_at_nowait`]; none belongs on a reactor thread.
//!
//! **Architecture invariant:** nothing outside this module opens, renames, removes or maps a file.

mod bus_error;
mod direct;
mod faulty;
mod map;
mod memory;
mod real;
pub mod whole;
mod window;

use std::{
    fmt, io,
    io::IoSlice,
    ops::Range,
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

pub use faulty::{Event, EventKind, FaultyDisk};
pub use map::populate;
pub use memory::MemoryDisk;
pub use real::RealDisk;

/// The unit in which a page cache keeps and loses bytes, and to which `O_DIRECT` aligns.
pub const PAGE_BYTES: u64 = 4096;

/// A directory tree.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// `NotFound` and `AlreadyExists` as `how` says; else what the file system says.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file or folder another name, replacing a file of that name; durable once the folder of each name
    /// was synced.
    ///
    /// # Errors
    /// Where `source` or the folder of `target` does not exist.
    fn rename(&self, source: &Path, target: &Path) -> io::Result<()>;

    /// Removes a file; whoever has it open may still read it.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    ///
    /// # Errors
    /// Where it does not exist or is not empty.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Creates a folder and those above it; it may exist.
    ///
    /// # Errors
    /// What the file system says.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Bytes in the file at `path`, allocated ones included, without opening it.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    fn len_of(&self, path: &Path) -> io::Result<u64> {
        self.open(path, Open::Read)?.len()
    }

    /// What a folder holds, sorted by name.
    ///
    /// # Errors
    /// `NotFound` where there is no such folder.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// Makes the names in a folder durable: what was created, renamed or removed there.
    ///
    /// # Errors
    /// A failure poisons the log directory, as that of [`DiskFile::sync_data`] does.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes the bytes and lengths of all these files durable and the names in all these folders, as
    /// [`DiskFile::sync_data`] and [`Disk::sync_dir`] of each of them would; a folder that is gone needs nothing. Many
    /// of them may cost a disk little more than one.
    ///
    /// # Errors
    /// As for [`DiskFile::sync_data`].
    fn sync_all(&self, files: &[Arc<dyn DiskFile>], folders: &[PathBuf]) -> io::Result<()> {
        sync_each(self, files, folders)
    }

    /// Takes the lock file at `path` until the lock is dropped, and writes this process's id into it.
    ///
    /// # Errors
    /// [`LockError::Held`] where another process, or another disk of this one, has it.
    fn lock(&self, path: &Path) -> Result<DiskLock, LockError>;

    /// How much fits on the disk and how much still does.
    ///
    /// # Errors
    /// What the file system says.
    fn space(&self) -> io::Result<Space>;
}

/// An open file. The descriptor is closed when the last clone goes.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// The name under which the file was opened, for messages.
    fn path(&self) -> &Path;

    /// Bytes in the file, allocated ones included.
    ///
    /// # Errors
    /// What the file system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file holds nothing.
    ///
    /// # Errors
    /// As [`DiskFile::len`].
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads through the page cache until `buffer` is full or the file ends; returns the bytes read.
    ///
    /// # Errors
    /// `EIO` where the medium cannot give the bytes.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// As [`DiskFile::read_at`], but `None` where that would wait for the medium.
    ///
    /// # Errors
    /// What the file system says.
    fn read_at_nowait(&self, buffer: &mut [u8], position: u64) -> io::Result<Option<usize>>;

    /// As [`DiskFile::read_at`], but past the page cache: what the medium has (durability 17).
    ///
    /// # Errors
    /// `EIO` where the medium cannot give the bytes.
    fn read_direct(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// Writes all of `buffers`, one behind the other, at `position`; on an error any part of it may be written.
    ///
    /// # Errors
    /// `StorageFull` where there is no space.
    fn write_at(&self, buffers: &[IoSlice<'_>], position: u64) -> io::Result<()>;

    /// As [`DiskFile::write_at`], but through a mapping where the disk has such a thing. The file must have space
    /// already: it does not grow.
    ///
    /// # Errors
    /// `UnexpectedEof` where the file is too short; what the disk says.
    fn write_mapped(&self, buffers: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let bytes: u64 = buffers.iter().map(|buffer| buffer.len() as u64).sum();
        if self.len()? < position + bytes {
            return Err(short(self.path()));
        }
        self.write_at(buffers, position)
    }

    /// Makes the file's bytes and length durable, though not its name.
    ///
    /// # Errors
    /// A failure means that bytes may be lost although they can still be read: it is never retried (durability 27).
    fn sync_data(&self) -> io::Result<()>;

    /// Starts to write the range to the medium, without waiting and without any promise (durability 15).
    ///
    /// # Errors
    /// What the file system says.
    fn start_writeback(&self, range: Range<u64>) -> io::Result<()>;

    /// Waits until what was written to the medium before is there, though perhaps not durably, and is told of every
    /// write of this file that failed.
    ///
    /// # Errors
    /// As for [`DiskFile::sync_data`].
    fn wait_for_writeback(&self) -> io::Result<()> {
        self.sync_data()
    }

    /// Reserves space for the range; the file grows to its end where it was shorter, and reads as zeros there.
    ///
    /// # Errors
    /// `StorageFull` where there is no space.
    fn allocate(&self, range: Range<u64>) -> io::Result<()>;

    /// Writes zeros over the range.
    ///
    /// # Errors
    /// As [`DiskFile::write_at`].
    fn zero_fill(&self, range: Range<u64>) -> io::Result<()> {
        static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
        let mut position = range.start;
        while position < range.end {
            let count = usize::try_from(range.end - position).unwrap_or(usize::MAX).min(ZEROS.len());
            self.write_at(&[IoSlice::new(&ZEROS[..count])], position)?;
            position += count as u64;
        }
        Ok(())
    }

    /// Cuts the file to `len`, or grows it without allocating.
    ///
    /// # Errors
    /// What the file system says.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Maps the range for reading at random; it ends with the last clone of the bytes. It shows what was written
    /// before the call; what is written later may show or not. The range must lie within the file and the file
    /// must not be cut below it while the bytes live: a real disk answers a touch behind the end with SIGBUS.
    ///
    /// # Errors
    /// `UnexpectedEof` where the file ends before the range does; what the file system says.
    fn map(&self, range: Range<u64>) -> io::Result<Bytes>;

    /// Asks for the range to be read ahead, in large pieces, without waiting (durability 22).
    ///
    /// # Errors
    /// What the file system says.
    fn will_need(&self, range: Range<u64>) -> io::Result<()>;

    /// The descriptor, for `sendfile`; `None` where there is none.
    fn as_fd(&self) -> Option<BorrowedFd<'_>>;

    /// Fills `buffer` through the page cache.
    ///
    /// # Errors
    /// `UnexpectedEof` where the file is too short.
    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        let count = self.read_at(buffer, position)?;
        if count == buffer.len() { Ok(()) } else { Err(short(self.path())) }
    }
}

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// An existing file, for reading alone.
    Read,
    /// An existing file, for reading and writing.
    Write,
    /// A new file; `AlreadyExists` where there is one.
    CreateNew,
    /// A new file where there is none.
    Create,
}

/// What a folder holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name within its folder.
    pub name: String,
    /// Whether it is a folder itself.
    pub is_dir: bool,
}

/// Bytes of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// All of them.
    pub total: u64,
    /// Those that this process may still allocate.
    pub usable: u64,
}

/// A lock file that is held until this is dropped.
pub struct DiskLock {
    _held: Box<dyn Send + Sync>,
}

impl DiskLock {
    fn new(held: impl Send + Sync + 'static) -> Self {
        Self { _held: Box::new(held) }
    }
}

impl fmt::Debug for DiskLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DiskLock")
    }
}

/// Why a lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it.
    #[error("{path} is locked by process {}", pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string()))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who has it, as far as the file says.
        pid: Option<u32>,
    },
    /// The lock file could not be opened or written.
    #[error("the lock file {path} cannot be written")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
}

/// Syncs files and folders one by one.
fn sync_each(
    disk: &(impl Disk + ?Sized),
    files: &[Arc<dyn DiskFile>],
    folders: &[PathBuf],
) -> io::Result<()> {
    files.iter().try_for_each(|file| file.sync_data())?;
    folders.iter().try_for_each(|folder| not_found_is_fine(disk.sync_dir(folder)))
}

fn not_found_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn short(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("{} is shorter than it should be", path.display()))
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{} does not exist", path.display()))
}

#[cfg(test)]
pub(crate) mod tests;
