//! Linux files.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, IoSlice, IoSliceMut, Read, Write},
    ops::Range,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{FileExt, MetadataExt},
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use rustix::{
    fs::{Advice, FallocateFlags, Mode, OFlags},
    io::{Errno, ReadWriteFlags},
};

use super::{
    Disk, DiskFile, DiskLock, Entry, LockError, Open, Space, direct, map, short, sync_each, window::Window,
};

/// Buffers that one `pwritev` takes (`IOV_MAX`).
const SLICES_MAX: usize = 1024;

/// From so many files on one sync of the file system is cheaper than one of each, although it may have to write what
/// others left there.
const FILES_FOR_SYNCFS: usize = 64;

/// A folder of the machine.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
    /// The root folder, from the first sync of the whole file system on: whoever has it open is told of what fails.
    opened: OnceLock<File>,
}

impl RealDisk {
    /// The disk below the folder `root`, which need not exist yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), opened: OnceLock::new() }
    }

    /// The folder that paths are relative to.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Data first, so that every descriptor says what failed of its own; then the metadata of all in one commit; and a
    /// last sync of one file, since not every file system flushes the medium's cache with the others'.
    fn sync_file_system(&self, files: &[Arc<dyn DiskFile>]) -> io::Result<()> {
        let root = self.opened()?;
        files.iter().try_for_each(|file| file.wait_for_writeback())?;
        rustix::fs::syncfs(root).map_err(|error| named(&error.into(), &self.root))?;
        match files.last() {
            Some(file) => file.sync_data(),
            None => root.sync_all(),
        }
    }

    /// Whether a sync of the root's file system reaches all of them: a folder may be a link, or another disk's mount.
    /// What is gone needs none.
    pub(super) fn is_one_file_system(
        &self,
        files: &[Arc<dyn DiskFile>],
        folders: &[PathBuf],
    ) -> io::Result<bool> {
        let device = self.opened()?.metadata()?.dev();
        let is_here = |path: &Path| match std::fs::metadata(path) {
            Ok(found) => found.dev() == device,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        let are_files_here = files.iter().all(|file| is_here(file.path()));
        Ok(are_files_here && folders.iter().all(|folder| is_here(&self.at(folder))))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the front door")]
    fn opened(&self) -> io::Result<&File> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let opened = File::open(&self.root).map_err(|error| named(&error, &self.root))?;
        Ok(self.opened.get_or_init(|| opened))
    }

    fn at(&self, path: &Path) -> PathBuf {
        // Joining an empty path would add a slash, and with it a name that messages show.
        if path.as_os_str().is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the front door")]
impl Disk for RealDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.at(path);
        let file = options(how).open(&path).map_err(|error| named(&error, &path))?;
        // What the kernel reads ahead by itself would be in the cache, and so be trusted, without anybody having
        // looked at its checksums; whoever reads much asks for it by `will_need`.
        rustix::fs::fadvise(&file, 0, None, Advice::Random)?;
        Ok(Arc::new(RealFile { file, path, direct: OnceLock::new(), window: Mutex::default() }))
    }

    fn rename(&self, source: &Path, target: &Path) -> io::Result<()> {
        let source = self.at(source);
        std::fs::rename(&source, self.at(target)).map_err(|error| named(&error, &source))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = self.at(path);
        std::fs::remove_file(&path).map_err(|error| named(&error, &path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let path = self.at(path);
        std::fs::remove_dir(&path).map_err(|error| named(&error, &path))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let path = self.at(path);
        std::fs::create_dir_all(&path).map_err(|error| named(&error, &path))
    }

    fn len_of(&self, path: &Path) -> io::Result<u64> {
        let path = self.at(path);
        std::fs::metadata(&path).map(|file| file.len()).map_err(|error| named(&error, &path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let path = self.at(path);
        let entries = std::fs::read_dir(&path).map_err(|error| named(&error, &path))?;
        let mut entries =
            entries.map(|entry| entry.and_then(|e| entry_of(&e))).collect::<io::Result<Vec<_>>>()?;
        entries.sort();
        Ok(entries)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let path = self.at(path);
        File::open(&path).and_then(|folder| folder.sync_all()).map_err(|error| named(&error, &path))
    }

    fn sync_all(&self, files: &[Arc<dyn DiskFile>], folders: &[PathBuf]) -> io::Result<()> {
        let are_many = files.len() + folders.len() >= FILES_FOR_SYNCFS;
        if are_many && self.is_one_file_system(files, folders)? {
            self.sync_file_system(files)
        } else {
            sync_each(self, files, folders)
        }
    }

    fn lock(&self, path: &Path) -> Result<DiskLock, LockError> {
        let path = self.at(path);
        let io = |source| LockError::Io { path: path.clone(), source };
        let mut file = options(Open::Create).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { pid: holder(&mut file), path }),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io)?;
        Ok(DiskLock::new(file))
    }

    fn space(&self) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(&self.root)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Space { total: bytes(stat.f_blocks), usable: bytes(stat.f_bavail) })
    }
}

fn options(how: Open) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(how != Open::Read);
    options.create(how == Open::Create).create_new(how == Open::CreateNew);
    options
}

fn entry_of(entry: &std::fs::DirEntry) -> io::Result<Entry> {
    let is_dir = entry.file_type()?.is_dir();
    Ok(Entry { name: entry.file_name().to_string_lossy().into_owned(), is_dir })
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// The same error with the file's name: the operating system leaves it out.
fn named(error: &io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[derive(Debug)]
struct RealFile {
    file: File,
    path: PathBuf,
    /// A second descriptor with `O_DIRECT`, opened at its first use; `None` where the file system has no such thing.
    direct: OnceLock<Option<rustix::fd::OwnedFd>>,
    /// Where it is written through a mapping.
    window: Mutex<Window>,
}

impl DiskFile for RealFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut count = 0;
        while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, position + count as u64) {
                Ok(0) => break,
                Ok(read) => count += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(named(&error, &self.path)),
            }
        }
        Ok(count)
    }

    fn read_at_nowait(&self, buffer: &mut [u8], position: u64) -> io::Result<Option<usize>> {
        let mut count = 0;
        while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
            let slices = &mut [IoSliceMut::new(rest)];
            match rustix::io::preadv2(&self.file, slices, position + count as u64, ReadWriteFlags::NOWAIT) {
                Ok(0) => break,
                Ok(read) => count += read,
                Err(Errno::INTR) => {}
                // Without support for the flag nobody knows: then a blocking thread reads.
                Err(Errno::AGAIN | Errno::OPNOTSUPP) => return Ok(None),
                Err(error) => return Err(named(&error.into(), &self.path)),
            }
        }
        Ok(Some(count))
    }

    fn read_direct(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        if let Some(file) = self.direct.get_or_init(|| reopened_direct(&self.file)) {
            match direct::read(file.as_fd(), buffer, position) {
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                result => return result.map_err(|error| named(&error, &self.path)),
            }
        }
        // A file system without O_DIRECT: what is dirty is written, then all of it is dropped from the cache.
        rustix::fs::fdatasync(&self.file)?;
        rustix::fs::fadvise(&self.file, 0, None, Advice::DontNeed)?;
        self.read_at(buffer, position)
    }

    fn write_at(&self, buffers: &[IoSlice<'_>], mut position: u64) -> io::Result<()> {
        let mut slices = buffers.to_vec();
        let mut rest = slices.as_mut_slice();
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let some = rest.get(..SLICES_MAX).unwrap_or(rest);
            match rustix::io::pwritev(&self.file, some, position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    position += count as u64;
                    IoSlice::advance_slices(&mut rest, count);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(named(&error.into(), &self.path)),
            }
        }
        Ok(())
    }

    fn write_mapped(&self, buffers: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.write(&self.file, &self.path, buffers, position).map_err(|error| named(&error, &self.path))
    }

    fn wait_for_writeback(&self) -> io::Result<()> {
        direct::wait_for_writeback(self.file.as_fd()).map_err(|error| named(&error, &self.path))
    }

    fn sync_data(&self) -> io::Result<()> {
        rustix::fs::fdatasync(&self.file).map_err(|error| named(&error.into(), &self.path))
    }

    fn start_writeback(&self, range: Range<u64>) -> io::Result<()> {
        direct::start_writeback(self.file.as_fd(), range)
    }

    fn allocate(&self, range: Range<u64>) -> io::Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        rustix::fs::fallocate(&self.file, FallocateFlags::empty(), range.start, range.end - range.start)
            .map_err(|error| named(&error.into(), &self.path))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn map(&self, range: Range<u64>) -> io::Result<Bytes> {
        if self.len()? < range.end {
            return Err(short(&self.path));
        }
        map::map(&self.file, &self.path, range)
    }

    fn will_need(&self, range: Range<u64>) -> io::Result<()> {
        let len = std::num::NonZeroU64::new(range.end.saturating_sub(range.start));
        if len.is_some() {
            rustix::fs::fadvise(&self.file, range.start, len, Advice::WillNeed)?;
        }
        Ok(())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}

/// Opened through /proc, so that it is this very file, whatever it is called by now.
fn reopened_direct(file: &File) -> Option<rustix::fd::OwnedFd> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC, Mode::empty()).ok()
}
