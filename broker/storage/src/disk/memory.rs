//! Files in memory that never fail.

use std::{
    collections::BTreeMap,
    io::{self, IoSlice},
    ops::Range,
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;

use super::{Disk, DiskFile, DiskLock, Entry, LockError, Open, Space, not_found, short};

/// What a memory disk says it holds: enough that nothing is refused for want of space.
const TOTAL_BYTES: u64 = 1 << 40;

/// A disk in memory. Clones share it, so that a test may restart a broker on what another one wrote.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    tree: Arc<Mutex<Tree>>,
    locks: Arc<Mutex<Vec<PathBuf>>>,
}

type Tree = BTreeMap<PathBuf, Node>;
type Contents = Arc<RwLock<Vec<u8>>>;

#[derive(Clone, Debug)]
enum Node {
    Folder,
    File(Contents),
}

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut tree = self.tree();
        let contents = match (tree.get(path), how) {
            (Some(Node::Folder), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Some(Node::File(_)), Open::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(Node::File(contents)), _) => Arc::clone(contents),
            (None, Open::Read | Open::Write) => return Err(not_found(path)),
            (None, Open::Create | Open::CreateNew) => {
                folder(&tree, parent(path))?;
                let contents = Contents::default();
                tree.insert(path.to_owned(), Node::File(Arc::clone(&contents)));
                contents
            }
        };
        Ok(Arc::new(MemoryFile { contents, path: path.to_owned() }))
    }

    fn rename(&self, source: &Path, target: &Path) -> io::Result<()> {
        let mut tree = self.tree();
        folder(&tree, parent(target))?;
        if !tree.contains_key(source) {
            return Err(not_found(source));
        }
        let moved: Vec<_> = tree.keys().filter(|path| path.starts_with(source)).cloned().collect();
        for path in moved {
            let Ok(rest) = path.strip_prefix(source) else { continue };
            let new = if rest.as_os_str().is_empty() { target.to_owned() } else { target.join(rest) };
            if let Some(node) = tree.remove(&path) {
                tree.insert(new, node);
            }
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut tree = self.tree();
        match tree.get(path) {
            Some(Node::File(_)) => tree.remove(path),
            Some(Node::Folder) => return Err(io::ErrorKind::IsADirectory.into()),
            None => return Err(not_found(path)),
        };
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut tree = self.tree();
        folder(&tree, path)?;
        if tree.keys().any(|other| other != path && other.starts_with(path)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        tree.remove(path);
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut tree = self.tree();
        for folder in path.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
            match tree.entry(folder.to_owned()).or_insert(Node::Folder) {
                Node::Folder => {}
                Node::File(_) => return Err(io::ErrorKind::NotADirectory.into()),
            }
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let tree = self.tree();
        folder(&tree, path)?;
        let within = tree.iter().filter(|(other, _)| !other.as_os_str().is_empty() && parent(other) == path);
        Ok(within.filter_map(|(path, node)| entry(path, node)).collect())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        folder(&self.tree(), path)
    }

    fn lock(&self, path: &Path) -> Result<DiskLock, LockError> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if locks.iter().any(|held| held == path) {
            return Err(LockError::Held { path: path.to_owned(), pid: Some(std::process::id()) });
        }
        locks.push(path.to_owned());
        Ok(DiskLock::new(HeldLock { path: path.to_owned(), locks: Arc::clone(&self.locks) }))
    }

    fn space(&self) -> io::Result<Space> {
        Ok(Space { total: TOTAL_BYTES, usable: TOTAL_BYTES })
    }
}

fn folder(tree: &Tree, path: &Path) -> io::Result<()> {
    match tree.get(path) {
        Some(Node::Folder) => Ok(()),
        None if path.as_os_str().is_empty() => Ok(()),
        Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
        None => Err(not_found(path)),
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}

fn entry(path: &Path, node: &Node) -> Option<Entry> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    Some(Entry { name, is_dir: matches!(node, Node::Folder) })
}

/// Gives a lock back when it goes; both disks in memory use it.
pub(super) struct HeldLock {
    pub(super) path: PathBuf,
    pub(super) locks: Arc<Mutex<Vec<PathBuf>>>,
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|held| *held != self.path);
    }
}

#[derive(Debug)]
struct MemoryFile {
    contents: Contents,
    path: PathBuf,
}

impl MemoryFile {
    fn read(&self) -> RwLockReadGuard<'_, Vec<u8>> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<u8>> {
        self.contents.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DiskFile for MemoryFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.read().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let contents = self.read();
        let rest = contents.get(index(position)?..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn read_at_nowait(&self, buffer: &mut [u8], position: u64) -> io::Result<Option<usize>> {
        self.read_at(buffer, position).map(Some)
    }

    fn read_direct(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.read_at(buffer, position)
    }

    fn write_at(&self, buffers: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let mut at = index(position)?;
        let mut contents = self.write();
        for buffer in buffers {
            let end = at + buffer.len();
            if contents.len() < end {
                contents.resize(end, 0);
            }
            contents[at..end].copy_from_slice(buffer);
            at = end;
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn start_writeback(&self, _range: Range<u64>) -> io::Result<()> {
        Ok(())
    }

    fn allocate(&self, range: Range<u64>) -> io::Result<()> {
        let end = index(range.end)?;
        let mut contents = self.write();
        if contents.len() < end {
            contents.resize(end, 0);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.write().resize(index(len)?, 0);
        Ok(())
    }

    fn map(&self, range: Range<u64>) -> io::Result<Bytes> {
        let contents = self.read();
        let range = index(range.start)?..index(range.end)?;
        contents.get(range).map(Bytes::copy_from_slice).ok_or_else(|| short(&self.path))
    }

    fn will_need(&self, _range: Range<u64>) -> io::Result<()> {
        Ok(())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

fn index(position: u64) -> io::Result<usize> {
    usize::try_from(position).map_err(io::Error::other)
}
