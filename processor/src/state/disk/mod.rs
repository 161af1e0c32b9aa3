//! State that may be larger than memory: one directory for a process, with a table for each store of each task.
//!
//! Everything is kept by `fjall`, a log-structured merge tree: sorted tables on disk, a cache of their blocks, and
//! buffers in front of them. Cache and buffers are shared by all tables, so that one number limits the memory of all
//! state on disk. A commit of a task is one batch over all its tables, which is there as a whole or not at all; it goes
//! to the system with the commit and to the disk some time later, for what a power cut takes back is read again from the
//! changelogs.
//!
//! Reads and writes block the thread that asks, which is the task's own.

mod table;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use mainstem_client::Text;
use tracing::info;

use super::{
    Store,
    fault::{DirectoryError, StoreFault, phrase},
};
use crate::caps;
pub(crate) use table::{Rows, Table, Writes};

/// The version of what is written here; a newer one is refused.
const FORMAT: u32 = 1;

/// The table of what is said about the directory as a whole. No store has that name: theirs have slashes.
const ABOUT: &str = "about";

/// A directory for stores that are kept on disk. Copies are the same directory; several processors of a process may
/// share it, and with it its memory. It is locked until the last copy is dropped.
///
/// Whatever it holds is in the changelogs too: it may be deleted while nobody uses it, and is built up again at the next
/// start.
///
/// ```no_run
/// use mainstem_processor::{Kept, Settings, StateDirectory};
///
/// let directory = StateDirectory::open("/var/lib/orders/state", 256 * 1024 * 1024)?;
/// let settings = Settings { state_directory: Some(directory), kept: Kept::OnDisk, ..Settings::default() };
/// # let _ = settings;
/// # Ok::<(), mainstem_processor::DirectoryError>(())
/// ```
#[derive(Clone)]
pub struct StateDirectory {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    memory_bytes: u64,
    database: Database,
    /// The tables that tasks have opened, with the bytes that each has in its buffer.
    opened: Mutex<HashMap<String, Opened>>,
}

struct Opened {
    keyspace: Keyspace,
    buffered_bytes: u64,
}

impl std::fmt::Debug for StateDirectory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateDirectory").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl StateDirectory {
    /// Opens a directory, or makes it. Blocks while what was written last is read.
    ///
    /// `memory_bytes` is what all state on disk may take of the process's memory, at least 16 MiB: three
    /// eighths cache what was read, a quarter holds what is being written, and the rest is for filters, indexes, merging
    /// and what the allocator cannot use.
    ///
    /// # Errors
    /// Where it is in use, damaged, of another version, or the system refuses.
    pub fn open(path: impl AsRef<Path>, memory_bytes: u64) -> Result<Self, DirectoryError> {
        let (path, least) = (path.as_ref().to_owned(), caps::STATE_MEMORY_BYTES_MIN);
        if memory_bytes < least {
            return Err(DirectoryError::Memory { found: memory_bytes, least });
        }
        let opened = Database::builder(&path)
            .cache_size(memory_bytes / 8 * 3)
            .worker_threads(caps::STATE_WORKERS)
            .max_cached_files(Some(caps::STATE_FILES_MAX))
            .open();
        let database = opened.map_err(|error| refused(&path, &error))?;
        check_version(&path, &database)?;
        let inner = Inner { path, memory_bytes, database, opened: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// What it may take of the process's memory, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.inner.memory_bytes
    }

    /// Bytes on disk, those that wait to be merged away included.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn disk_bytes(&self) -> Result<u64, DirectoryError> {
        self.inner.database.disk_space().map_err(|error| refused(&self.inner.path, &error))
    }

    /// Deletes the stores of a processor; returns how many there were. They come back from their changelogs when it is
    /// started the next time. Stores that are in use stay.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn forget(&self, processor: &str) -> Result<usize, DirectoryError> {
        let refused = |error| refused(&self.inner.path, &error);
        let (database, opened) = (&self.inner.database, self.opened());
        let prefix = format!("{processor}/");
        let names = database.list_keyspace_names().into_iter();
        let mut forgotten = 0;
        for name in names.filter(|name| name.starts_with(&prefix) && !opened.contains_key(&**name)) {
            let keyspace = database.keyspace(&name, KeyspaceCreateOptions::default).map_err(refused)?;
            database.delete_keyspace(keyspace).map_err(refused)?;
            forgotten += 1;
        }
        Ok(forgotten)
    }

    /// Opens the table of a store; none where another task has it open.
    pub(crate) fn table(&self, place: &Place<'_>) -> Result<Option<Table>, StoreFault> {
        let (name, store) = (place.to_string(), Text::from(place.store));
        let mut opened = self.opened();
        if opened.contains_key(&name) {
            return Ok(None);
        }
        if name.len() > caps::STATE_NAME_BYTES_MAX {
            let cause =
                format!("the names of processor and store have {} bytes in all, too many", name.len());
            return Err(StoreFault { store, verb: "opened", cause });
        }
        let buffer_bytes = self.buffer_bytes();
        let options = || KeyspaceCreateOptions::default().max_memtable_size(buffer_bytes);
        let keyspace = self.inner.database.keyspace(&name, options);
        let keyspace = keyspace.map_err(|error| StoreFault::new(&store, "opened", &error))?;
        opened.insert(name.clone(), Opened { keyspace: keyspace.clone(), buffered_bytes: 0 });
        drop(opened);
        Ok(Some(Table::new(self.clone(), keyspace, store, name)))
    }

    /// A store that belongs to no processor, and so has no changelog: for measurements.
    ///
    /// # Errors
    /// Where it cannot be opened, or is open.
    #[doc(hidden)]
    pub fn store_alone(&self, name: &str) -> Result<Store, StoreFault> {
        let store = Text::from(name);
        let in_use = || StoreFault { store, verb: "opened", cause: "it is open".to_owned() };
        let place = Place { processor: "alone", task: "0_0", store: name };
        self.table(&place)?.map(Store::on_disk).ok_or_else(in_use)
    }

    fn close(&self, name: &str) {
        self.opened().remove(name);
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<String, Opened>> {
        self.inner.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that all tables together may have in their buffers before the fullest are written out.
    fn buffer_bytes(&self) -> u64 {
        self.inner.memory_bytes / 8
    }

    /// Notes what was written to tables, and sees to it that their buffers keep within their limit: the fullest are written
    /// out, and whoever writes faster than that is possible waits.
    fn note_written(&self, written: &[(&str, u64)]) -> Result<(), fjall::Error> {
        let mut opened = self.opened();
        for (name, bytes) in written {
            if let Some(table) = opened.get_mut(*name) {
                table.buffered_bytes += bytes;
            }
        }
        let mut buffered: u64 = opened.values().map(|table| table.buffered_bytes).sum();
        while buffered > self.buffer_bytes() {
            let Some(fullest) = opened.values_mut().max_by_key(|table| table.buffered_bytes) else { break };
            buffered -= std::mem::take(&mut fullest.buffered_bytes);
            fullest.keyspace.rotate_memtable()?;
        }
        drop(opened);
        self.wait_for_room();
        Ok(())
    }

    /// What is being written out counts until it is on disk. Where that does not come to an end, the next write says why.
    fn wait_for_room(&self) {
        for _ in 0..caps::STATE_WAITS_MAX {
            if self.inner.database.write_buffer_size() <= 2 * self.buffer_bytes() {
                return;
            }
            std::thread::sleep(STEP);
        }
    }
}

/// How long to wait between two looks at the buffers.
const STEP: Duration = Duration::from_millis(1);

/// Which table: processor, task and store.
pub(crate) struct Place<'a> {
    pub(crate) processor: &'a str,
    pub(crate) task: &'a str,
    pub(crate) store: &'a str,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.processor, self.task, self.store)
    }
}

/// A directory without a version is a new one.
fn check_version(path: &Path, database: &Database) -> Result<(), DirectoryError> {
    let refused = |error| refused(path, &error);
    let about = database.keyspace(ABOUT, KeyspaceCreateOptions::default).map_err(refused)?;
    let Some(found) = about.get("format").map_err(refused)? else {
        info!(path = %path.display(), "state directory made");
        about.insert("format", FORMAT.to_string()).map_err(refused)?;
        return database.persist(fjall::PersistMode::SyncAll).map_err(refused);
    };
    let found = String::from_utf8_lossy(&found).into_owned();
    let is_known = found.parse::<u32>().is_ok_and(|found| (1..=FORMAT).contains(&found));
    let path = path.to_owned();
    if is_known { Ok(()) } else { Err(DirectoryError::Version { path, found, known: FORMAT }) }
}

fn refused(path: &Path, error: &fjall::Error) -> DirectoryError {
    let path = path.to_owned();
    match error {
        fjall::Error::Locked => DirectoryError::Locked { path },
        fjall::Error::Io(error) => DirectoryError::Io { path, cause: error.to_string() },
        fjall::Error::InvalidVersion(found) => {
            DirectoryError::Version { path, found: format!("{found:?} of its engine"), known: FORMAT }
        }
        other => DirectoryError::Damaged { path, cause: phrase(other) },
    }
}

#[cfg(test)]
mod tests;
