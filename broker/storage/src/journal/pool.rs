//! The journal's files: those with frames that are needed, the one that is written, and those that wait.
//!
//! A file that waits has its final name, its zeros and its folder entry durably before it is written to: a frame in a
//! file that a power cut gives back its old name would be lost.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    disk::{Disk, DiskFile, Open, whole},
    journal::file::{self, FOLDER, Layout},
};

/// Files and who may have them next.
#[derive(Debug)]
pub(crate) struct Pool {
    disk: Arc<dyn Disk>,
    pub(crate) layout: Layout,
    files: Mutex<Files>,
}

#[derive(Debug, Default)]
struct Files {
    /// In the order of their numbers; the last one is being written.
    used: VecDeque<PoolFile>,
    /// In the order of their numbers, which go on from the used ones.
    free: VecDeque<PoolFile>,
}

/// A file of the journal, open.
#[derive(Clone, Debug)]
pub(crate) struct PoolFile {
    pub(crate) number: u64,
    pub(crate) bytes: u64,
    pub(crate) file: Arc<dyn DiskFile>,
}

impl Pool {
    /// Takes over the files that a start found: `used` up to the one that is written, `free` those behind it.
    pub(crate) fn new(disk: Arc<dyn Disk>, layout: Layout, used: Vec<PoolFile>, free: Vec<PoolFile>) -> Self {
        let files = Mutex::new(Files { used: used.into(), free: free.into() });
        Self { disk, layout, files }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file that follows the one that is written, which it then is itself.
    pub(crate) fn next(&self) -> Option<PoolFile> {
        let mut files = self.files();
        let next = files.free.pop_front()?;
        files.used.push_back(next.clone());
        Some(next)
    }

    /// Bytes that surely fit into the files that wait.
    pub(crate) fn free_bytes(&self) -> u64 {
        self.files().free.iter().map(|file| self.layout.usable(file.bytes)).sum()
    }

    /// Bytes of all files, and of those in use.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let files = self.files();
        let used = files.used.iter().map(|file| file.bytes).sum::<u64>();
        (used + files.free.iter().map(|file| file.bytes).sum::<u64>(), used)
    }

    /// Adds one file where the journal has not its size yet; returns whether it did. Blocks. One thread alone grows
    /// and recycles.
    pub(crate) fn grow(&self) -> io::Result<bool> {
        if self.bytes().0 >= self.layout.journal_bytes {
            return Ok(false);
        }
        let file = create(&*self.disk, self.next_number(), self.layout.file_bytes, &[])?;
        self.files().free.push_back(file);
        Ok(true)
    }

    /// Gives the files below `number` to those that wait, under new names. Blocks.
    pub(crate) fn recycle_below(&self, number: u64) -> io::Result<()> {
        let mut renamed = Vec::new();
        while let Some(file) = self.take_used_below(number) {
            let target = self.next_number() + renamed.len() as u64;
            self.disk.rename(&file::path(file.number), &file::path(target))?;
            renamed.push(PoolFile { number: target, ..file });
        }
        if !renamed.is_empty() {
            self.disk.sync_dir(Path::new(FOLDER))?;
        }
        self.files().free.extend(renamed);
        Ok(())
    }

    fn take_used_below(&self, number: u64) -> Option<PoolFile> {
        let mut files = self.files();
        let is_last = files.used.len() <= 1;
        let below = files.used.front().is_some_and(|file| file.number < number);
        if below && !is_last { files.used.pop_front() } else { None }
    }

    fn next_number(&self) -> u64 {
        let files = self.files();
        files.free.back().or_else(|| files.used.back()).map_or(0, |last| last.number + 1)
    }
}

/// A new file full of zeros behind its first bytes, durable with its name.
pub(crate) fn create(disk: &dyn Disk, number: u64, bytes: u64, first: &[u8]) -> io::Result<PoolFile> {
    let path = file::path(number);
    let temporary = whole::temporary(&path);
    let file = disk.open(&temporary, Open::Create)?;
    let filled = file
        .set_len(0)
        .and_then(|()| file.allocate(0..bytes))
        .and_then(|()| file.write_at(&[IoSlice::new(first)], 0))
        .and_then(|()| file.zero_fill(first.len() as u64..bytes));
    if let Err(error) = filled {
        disk.remove(&temporary)?;
        return Err(error);
    }
    file.sync_data()?;
    disk.rename(&temporary, &path)?;
    disk.sync_dir(Path::new(FOLDER))?;
    Ok(PoolFile { number, bytes, file: disk.open(&path, Open::Write)? })
}
