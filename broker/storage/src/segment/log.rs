//! A segment: appends, space, seals and syncs.

use std::{
    fmt, io,
    io::IoSlice,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use mainstem_protocol::{Offset, Timestamp, records::BatchHeader};

use super::{
    Damage, SegmentFiles, SegmentId,
    damage::Quarantine,
    files::{INDEX, LOG, TIME_INDEX, path},
    index::{self, Batch, Covered, Live, Sealed, Written},
};
use crate::{
    caps,
    disk::{DiskFile, Open, PAGE_BYTES},
};

/// Where a segment comes from.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    /// It begins now: its file is created, and emptied if a start that failed left one.
    New,
    /// A checkpoint knows it. What the file has behind this end never was and is cut off before the first append
    /// (durability 2).
    Known {
        /// The position behind its last batch.
        end: u64,
        /// The largest timestamp before it.
        largest: Timestamp,
    },
}

/// A file of batches and its indexes. One thread appends; any number read meanwhile.
pub struct Segment {
    pub(super) files: Arc<SegmentFiles>,
    pub(super) key: u64,
    folder: Arc<Path>,
    id: SegmentId,
    interval: u64,
    end: AtomicU64,
    /// Up to where write-back was started.
    written_back: AtomicU64,
    allocated: AtomicU64,
    space: Mutex<Space>,
    state: Mutex<State>,
    live: RwLock<Live>,
    pub(super) quarantine: Quarantine,
}

/// Held while the file's length changes.
#[derive(Debug)]
struct Space {
    /// What lies behind the end was not cut off yet.
    is_cut_due: bool,
}

/// What a segment needs to be durable.
#[derive(Debug)]
pub struct SegmentSync {
    /// The descriptor that its bytes were written with.
    pub file: Option<Arc<dyn DiskFile>>,
    /// The folder that its name is in, where that is not durable yet.
    pub folder: Option<PathBuf>,
    appends_seen: u64,
    names_seen: u64,
}

#[derive(Debug, Default)]
struct State {
    /// The descriptor through which bytes were written that no sync has vouched for yet (durability 13).
    unsynced: Option<Arc<dyn DiskFile>>,
    appends_begun: u64,
    appends_ended: u64,
    /// How often names came and went in the folder, and how many of those a sync of the folder has vouched for.
    names_changed: u64,
    names_synced: u64,
    written: Option<Written>,
}

impl Segment {
    /// A segment of `folder`. Touches the disk only where it is new.
    ///
    /// # Errors
    /// Where a new file cannot be created.
    pub fn open(
        files: &Arc<SegmentFiles>,
        folder: &Arc<Path>,
        id: impl Into<SegmentId>,
        index_interval_bytes: u64,
        origin: Origin,
    ) -> io::Result<Self> {
        let id = id.into();
        let (end, largest, is_new) = match origin {
            Origin::New => (0, Timestamp::NONE, true),
            Origin::Known { end, largest } => (end, largest, false),
        };
        let segment = Self {
            files: Arc::clone(files),
            key: files.next_key(),
            folder: Arc::clone(folder),
            id,
            interval: index_interval_bytes,
            end: AtomicU64::new(end),
            written_back: AtomicU64::new(end),
            allocated: AtomicU64::new(end),
            space: Mutex::new(Space { is_cut_due: !is_new }),
            state: Mutex::default(),
            live: RwLock::new(Live::new(id.base, index_interval_bytes, end, largest)),
            quarantine: Quarantine::default(),
        };
        if is_new {
            segment.create()?;
        }
        Ok(segment)
    }

    fn create(&self) -> io::Result<()> {
        let file = self.files.disk.open(&self.path(LOG), Open::Create)?;
        file.set_len(0)?;
        // A name that no sync has vouched for is as unsynced as bytes are.
        let mut state = self.state();
        state.unsynced = Some(file);
        state.names_changed += 1;
        Ok(())
    }

    /// The offset of the first batch, which names the file.
    #[must_use]
    pub const fn base_offset(&self) -> Offset {
        self.id.base
    }

    /// Which segment of its partition it is.
    #[must_use]
    pub const fn id(&self) -> SegmentId {
        self.id
    }

    /// The position behind the last batch that was written.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Up to where the file has space.
    #[must_use]
    pub fn allocated(&self) -> u64 {
        self.allocated.load(Ordering::Acquire)
    }

    /// The largest timestamp of all batches; none where there are no timestamps.
    #[must_use]
    pub fn largest_timestamp(&self) -> Timestamp {
        self.live().largest
    }

    /// What was found broken.
    #[must_use]
    pub fn damages(&self) -> Vec<Damage> {
        self.quarantine.all()
    }

    /// Where the file of batches is.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.path(LOG)
    }

    /// Checks that the file is there and holds what a checkpoint says it does.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or [`io::ErrorKind::UnexpectedEof`] where it is too short.
    pub fn check_len(&self) -> io::Result<()> {
        let (len, end) = (self.file()?.len()?, self.end());
        if len >= end {
            return Ok(());
        }
        let path = self.path(LOG);
        let text = format!("{} has {len} bytes of the {end} that were made durable", path.display());
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, text))
    }

    /// Bytes of the file, as they stand. Blocks.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn bytes_at(&self, position: u64, len: usize) -> io::Result<Bytes> {
        let mut bytes = vec![0; len];
        self.file()?.read_exact_at(&mut bytes, position)?;
        Ok(bytes.into())
    }

    /// Makes sure that there is space up to `end`, and ahead of it in steps that double, but not beyond `limit`
    /// unless `end` is. Blocks; to be called before the bytes get their place (durability 6, 16).
    ///
    /// # Errors
    /// `StorageFull`, or what else the disk says.
    pub fn reserve(&self, end: u64, limit: u64) -> io::Result<()> {
        if end <= self.allocated() {
            return Ok(());
        }
        let mut space = self.space.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.file()?;
        self.cut(&mut space, &*file)?;
        let allocated = self.allocated();
        if end <= allocated {
            return Ok(());
        }
        let (least, most) = caps::ALLOCATION_STEP_BYTES;
        let ahead = (allocated + allocated.clamp(least, most)).min(limit);
        let target = end.max(ahead).next_multiple_of(PAGE_BYTES);
        file.allocate(allocated..target)?;
        self.allocated.store(target, Ordering::Release);
        Ok(())
    }

    fn cut(&self, space: &mut Space, file: &dyn DiskFile) -> io::Result<()> {
        if space.is_cut_due {
            self.check_len()?;
            file.set_len(self.end())?;
            self.drop_stale_index()?;
            space.is_cut_due = false;
        }
        Ok(())
    }

    /// An index that speaks of bytes behind the end speaks of batches that never were, and would seem to speak of
    /// those that come there now. It goes for good with the next sync of the folder, and so before any checkpoint
    /// that knows them.
    fn drop_stale_index(&self) -> io::Result<()> {
        let paths = [self.path(INDEX), self.path(TIME_INDEX)];
        if paths.iter().all(|path| index::covers_at_most(&*self.files.disk, path, self.end())) {
            return Ok(());
        }
        self.files.indexes.remove(self.key);
        paths.iter().try_for_each(|path| self.files.remove(path))?;
        self.state().names_changed += 1;
        Ok(())
    }

    /// Writes batches behind the end, in one call, and indexes them. They have their offsets; space was reserved.
    /// Readers may be shown them when this returns.
    ///
    /// # Errors
    /// What the disk says: then the journal has the batches and the segment must be written again.
    pub fn append(&self, batches: &[(BatchHeader, Bytes)]) -> io::Result<()> {
        let start = self.end();
        let bytes: u64 = batches.iter().map(|(header, _)| header.size() as u64).sum();
        self.reserve(start + bytes, start + bytes)?;
        let file = self.begin_append()?;
        let headers: Vec<_> = batches.iter().map(|(header, _)| header.encode()).collect();
        let slices =
            headers.iter().zip(batches).flat_map(|(header, (_, records))| [&header[..], &records[..]]);
        let slices: Vec<_> = slices.map(IoSlice::new).collect();
        let result = self.files.append.append(&*file, &slices, start);
        self.end_append();
        result?;
        self.index(batches, start);
        self.end.store(start + bytes, Ordering::Release);
        Ok(())
    }

    fn begin_append(&self) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.file()?;
        let mut state = self.state();
        state.appends_begun += 1;
        Ok(Arc::clone(state.unsynced.get_or_insert(file)))
    }

    fn end_append(&self) {
        self.state().appends_ended += 1;
    }

    fn index(&self, batches: &[(BatchHeader, Bytes)], mut position: u64) {
        let mut live = self.live_mut();
        for (header, _) in batches {
            live.push(Batch::new(header, position));
            position += header.size() as u64;
        }
        live.end = position;
    }

    /// Gives back the space behind the end; nothing is appended any more.
    ///
    /// # Errors
    /// What the disk says; the space is then only given back later.
    pub fn seal(&self) -> io::Result<()> {
        let mut space = self.space.lock().unwrap_or_else(PoisonError::into_inner);
        if space.is_cut_due || self.allocated() > self.end() {
            let file = self.file()?;
            self.cut(&mut space, &*file)?;
            file.set_len(self.end())?;
            self.allocated.store(self.end(), Ordering::Release);
        }
        Ok(())
    }

    /// Starts to write what was appended since the last call, where that is `least` bytes or more, so that a later
    /// [`Segment::sync`] finds little to do.
    ///
    /// # Errors
    /// What the disk says.
    pub fn start_writeback(&self, least: u64) -> io::Result<()> {
        let (from, end) = (self.written_back.load(Ordering::Relaxed), self.end());
        if end.saturating_sub(from) < least {
            return Ok(());
        }
        self.written_back.store(end, Ordering::Relaxed);
        let unsynced = self.state().unsynced.clone();
        unsynced.map_or(Ok(()), |file| file.start_writeback(from..end))
    }

    /// Waits for the write-back that was started. Says nothing about durability.
    ///
    /// # Errors
    /// A failure poisons the log directory: a later sync may not tell of it any more.
    pub(crate) fn wait_for_writeback(&self) -> io::Result<()> {
        let unsynced = self.state().unsynced.clone();
        unsynced.map_or(Ok(()), |file| file.wait_for_writeback())
    }

    /// Whether anything is not durable yet.
    #[must_use]
    pub fn is_unsynced(&self) -> bool {
        let state = self.state();
        state.unsynced.is_some() || state.names_synced < state.names_changed
    }

    /// Makes all bytes written so far durable, and the file's name, through the descriptor that they were written
    /// with. Only afterwards may that be closed, and the journal be recycled (durability 13).
    ///
    /// # Errors
    /// A failure poisons the log directory.
    pub fn sync(&self) -> io::Result<()> {
        self.sync_bytes()?;
        self.flush_index();
        Ok(())
    }

    fn sync_bytes(&self) -> io::Result<()> {
        let sync = self.begin_sync();
        sync.file.iter().try_for_each(|file| file.sync_data())?;
        sync.folder.iter().try_for_each(|folder| self.files.disk.sync_dir(folder))?;
        self.finish_sync(sync);
        Ok(())
    }

    /// What must be synced for the bytes written so far to be durable. Whoever syncs many segments does it together,
    /// and flushes their indexes behind that: new files between the syncs would make the file system commit anew for
    /// each of them.
    pub fn begin_sync(&self) -> SegmentSync {
        let state = self.state();
        let (appends_seen, names_seen) = (state.appends_ended, state.names_changed);
        let folder = (state.names_synced < names_seen).then(|| self.folder.to_path_buf());
        SegmentSync { file: state.unsynced.clone(), folder, appends_seen, names_seen }
    }

    /// What [`Segment::begin_sync`] named is durable.
    pub fn finish_sync(&self, sync: SegmentSync) {
        let SegmentSync { appends_seen, names_seen, .. } = sync;
        let mut state = self.state();
        state.names_synced = state.names_synced.max(names_seen);
        let is_quiet = state.appends_begun == appends_seen && state.appends_ended == appends_seen;
        if let Some(file) = state.unsynced.take_if(|_| is_quiet) {
            self.files.logs.insert(self.key, file, 1);
        }
    }

    /// Moves index entries from memory into the files. A failure costs time at some later start, nothing else.
    pub fn flush_index(&self) {
        if let Err(error) = self.try_flush_index() {
            tracing::warn!(segment = %self.path(LOG).display(), %error, "index was not written");
            self.state().written = None;
        }
    }

    fn try_flush_index(&self) -> io::Result<()> {
        let (offsets, times, start, covered) = {
            let live = self.live();
            let covered = Covered { end: live.end, largest: live.largest };
            (live.offsets.clone(), live.times.clone(), live.start, covered)
        };
        // Without entries a walk is as quick, and a node of many small segments has no files for nothing.
        if start == covered.end || offsets.is_empty() {
            return Ok(());
        }
        let paths = (self.path(INDEX), self.path(TIME_INDEX));
        let paths = (paths.0.as_path(), paths.1.as_path());
        let written = self.state().written.take();
        let written = match written {
            Some(mut written) => {
                written.extend(&*self.files.disk, paths, (&offsets, &times), covered)?;
                written
            }
            None => index::rewrite(
                &*self.files.disk,
                paths,
                &self.whole_index(start, &offsets, &times, covered)?,
            )?,
        };
        self.state().written = Some(written);
        self.live_mut().moved(offsets.len(), times.len(), covered.end);
        self.files.indexes.remove(self.key);
        Ok(())
    }

    fn whole_index(
        &self,
        start: u64,
        offsets: &[index::OffsetEntry],
        times: &[index::TimeEntry],
        covered: Covered,
    ) -> io::Result<Sealed> {
        let before = self.sealed_index(start, super::Wait::Yes).map_err(io::Error::other)?;
        Ok(before.with(offsets, times, covered))
    }

    /// Removes the files, those that are gone already too. Whoever reads them goes on; the folder is not synced.
    ///
    /// # Errors
    /// What the disk says.
    pub fn remove(&self) -> io::Result<()> {
        [LOG, INDEX, TIME_INDEX].iter().try_for_each(|extension| self.files.remove(&self.path(extension)))?;
        self.state().unsynced = None;
        self.forget();
        Ok(())
    }

    fn forget(&self) {
        self.files.logs.remove(self.key);
        self.files.indexes.remove(self.key);
    }

    /// The file, opened where it is not.
    pub(super) fn file(&self) -> io::Result<Arc<dyn DiskFile>> {
        let unsynced = self.state().unsynced.clone();
        if let Some(file) = unsynced.or_else(|| self.files.logs.get(self.key)) {
            return Ok(file);
        }
        let file = self.files.disk.open(&self.path(LOG), Open::Write)?;
        self.files.logs.insert(self.key, Arc::clone(&file), 1);
        Ok(file)
    }

    pub(super) fn path(&self, extension: &str) -> PathBuf {
        path(&self.folder, self.id, extension)
    }

    pub(super) const fn interval(&self) -> u64 {
        self.interval
    }

    pub(super) fn live(&self) -> RwLockReadGuard<'_, Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn live_mut(&self) -> RwLockWriteGuard<'_, Live> {
        self.live.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.forget();
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Segment({} to {})", self.path(LOG).display(), self.end())
    }
}
