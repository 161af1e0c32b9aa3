//! A file of a faulty disk.

use std::{
    io::{self, IoSlice},
    ops::Range,
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use super::{
    super::{DiskFile, short},
    EventKind, FaultyDisk, State,
    chance::Chance,
    inode::Inode,
    names::NodeId,
};

#[derive(Debug)]
pub(super) struct FaultyFile {
    pub(super) disk: FaultyDisk,
    pub(super) node: NodeId,
    pub(super) path: PathBuf,
}

impl FaultyFile {
    pub(super) fn open(disk: &FaultyDisk, state: &mut State, node: NodeId, path: &Path) -> Arc<dyn DiskFile> {
        if let Some(inode) = state.tree.inode_mut(node) {
            inode.handles += 1;
        }
        Arc::new(Self { disk: disk.clone(), node, path: path.to_owned() })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inode, &mut Chance) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state();
        state.check_power()?;
        let State { tree, chance, .. } = &mut *state;
        act(tree.inode_mut(self.node).ok_or(io::ErrorKind::NotFound)?, chance)
    }

    fn change(&self, end: u64, act: impl FnOnce(&mut Inode, &mut Chance)) -> io::Result<()> {
        let mut state = self.disk.state();
        state.check_power()?;
        state.check_space(self.node, end)?;
        let State { tree, chance, .. } = &mut *state;
        act(tree.inode_mut(self.node).ok_or(io::ErrorKind::NotFound)?, chance);
        Ok(())
    }

    fn read(
        &self,
        len: usize,
        position: u64,
        act: impl FnOnce(&mut Inode, Range<u64>) -> usize,
    ) -> io::Result<usize> {
        self.with(|inode, _| {
            let range = position..inode.len().min(position.saturating_add(len as u64)).max(position);
            if inode.is_unreadable(&range) {
                return Err(unreadable(&self.path, &range));
            }
            Ok(act(inode, range))
        })
    }
}

impl Drop for FaultyFile {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        let forgets = state.forgets_on_close;
        let Some(inode) = state.tree.inode_mut(self.node) else { return };
        inode.handles -= 1;
        if inode.handles == 0 && forgets {
            inode.orphan();
        }
    }
}

impl DiskFile for FaultyFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|inode, _| Ok(inode.len()))
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.read(buffer.len(), position, |inode, range| {
            inode.warm(&range);
            inode.read(buffer, position)
        })
    }

    fn read_at_nowait(&self, buffer: &mut [u8], position: u64) -> io::Result<Option<usize>> {
        let range = position..position.saturating_add(buffer.len() as u64);
        if self.with(|inode, _| Ok(inode.is_cold(&range)))? {
            return Ok(None);
        }
        self.read_at(buffer, position).map(Some)
    }

    fn read_direct(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.read(buffer.len(), position, |inode, _| inode.read_direct(buffer, position))
    }

    fn write_at(&self, buffers: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let bytes = buffers.iter().map(|buffer| &**buffer).collect::<Vec<&[u8]>>().concat();
        if bytes.is_empty() {
            return Ok(());
        }
        let end = position + bytes.len() as u64;
        self.change(end, |inode, chance| inode.write(&bytes, position, chance))?;
        self.disk.happened(EventKind::Write, &self.path)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|_, _| Ok(()))?;
        self.disk.happened(EventKind::Sync, &self.path)?;
        let fails = self.disk.sync_fails();
        self.with(|inode, chance| {
            if fails {
                inode.fail_sync(chance)
            } else {
                inode.sync()
            }
            if fails { Err(failed_sync(&self.path)) } else { Ok(()) }
        })
    }

    fn start_writeback(&self, _range: Range<u64>) -> io::Result<()> {
        self.with(|_, _| Ok(()))
    }

    fn allocate(&self, range: Range<u64>) -> io::Result<()> {
        self.change(range.end, |inode, _| inode.allocate(range.end))?;
        self.disk.happened(EventKind::Length, &self.path)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|inode, _| {
            inode.set_len(len);
            Ok(())
        })?;
        self.disk.happened(EventKind::Length, &self.path)
    }

    fn map(&self, range: Range<u64>) -> io::Result<Bytes> {
        let len = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
        if self.len()? < range.end {
            return Err(short(&self.path));
        }
        let mut buffer = vec![0; len];
        self.read_at(&mut buffer, range.start)?;
        Ok(buffer.into())
    }

    fn will_need(&self, _range: Range<u64>) -> io::Result<()> {
        self.with(|_, _| Ok(()))
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

fn unreadable(path: &Path, range: &Range<u64>) -> io::Error {
    io::Error::other(format!("{}: the medium cannot read {range:?} (EIO)", path.display()))
}

pub(super) fn failed_sync(path: &Path) -> io::Error {
    io::Error::other(format!("{}: the medium cannot write (EIO)", path.display()))
}
