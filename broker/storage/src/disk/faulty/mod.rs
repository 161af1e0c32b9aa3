//! A disk in memory that does what disks do on their worst days, by a seed.
//!
//! It keeps two states, what the page cache shows and what the medium has. Writes reach the first; a sync carries
//! them over to the second. [`FaultyDisk::cut`] gives the disk that a machine finds after a power cut: what was
//! synced, and of the rest any sector of any page, any length in between and any names, in any order.
//! It is harsher than ext4 and xfs, which keep names in order.

mod chance;
mod file;
mod inode;
mod names;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use self::{
    chance::Chance,
    file::{FaultyFile, failed_sync},
    inode::Inode,
    names::{Folder, Node, NodeId, Tree},
};
use super::{Disk, DiskFile, DiskLock, Entry, LockError, Open, Space, memory::HeldLock, not_found};

/// A disk that forgets, fails, fills up and rots. Clones share it.
#[derive(Clone)]
pub struct FaultyDisk {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    observer: Mutex<Option<Observer>>,
    locks: Arc<Mutex<Vec<PathBuf>>>,
}

type Observer = Box<dyn FnMut(&FaultyDisk, &Event) + Send>;

/// Something that changed the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How many there were before it.
    pub number: u64,
    /// What it was.
    pub kind: EventKind,
    /// The file or folder.
    pub path: PathBuf,
}

/// What changed a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Bytes were written.
    Write,
    /// A file was to be synced.
    Sync,
    /// A file grew, was cut or got space.
    Length,
    /// Something was created, renamed or removed.
    Name,
    /// A folder was to be synced.
    SyncNames,
}

pub(in crate::disk) struct State {
    tree: Tree,
    chance: Chance,
    events: u64,
    syncs: u64,
    power_off_at: Option<u64>,
    is_off: bool,
    failing_sync: Option<u64>,
    capacity: Option<u64>,
    forgets_on_close: bool,
}

impl FaultyDisk {
    /// An empty disk without faults; the seed decides what survives in between.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_tree(Tree::new(), Chance::new(seed))
    }

    fn with_tree(tree: Tree, chance: Chance) -> Self {
        let state = State {
            tree,
            chance,
            events: 0,
            syncs: 0,
            power_off_at: None,
            is_off: false,
            failing_sync: None,
            capacity: None,
            forgets_on_close: false,
        };
        let shared = Shared { state: Mutex::new(state), observer: Mutex::new(None), locks: Arc::default() };
        Self { shared: Arc::new(shared) }
    }

    /// The disk that a machine finds after a power cut now. This one is not changed.
    #[must_use]
    pub fn cut(&self, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let survival = Survival::by(&mut chance);
        let state = self.state();
        let tree = state.tree.survivor(survival, &mut chance);
        let cut = Self::with_tree(tree, chance);
        cut.state().forgets_on_close = state.forgets_on_close;
        cut
    }

    /// The disk that the next process finds when this one is killed now: all that was written is there, none of
    /// it more durable than before.
    #[must_use]
    pub fn killed(&self, seed: u64) -> Self {
        let state = self.state();
        let mut tree = state.tree.clone();
        for inode in tree.inodes_mut() {
            *inode = inode.inherited(state.forgets_on_close);
        }
        let killed = Self::with_tree(tree, Chance::new(seed));
        killed.state().forgets_on_close = state.forgets_on_close;
        killed
    }

    /// How many events there were.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.state().events
    }

    /// How many syncs there were, of files and folders.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Calls `observer` at each event, when its effect is in the cache and nothing of it is promised: the
    /// moment to [`FaultyDisk::cut`].
    pub fn observe(&self, observer: impl FnMut(&Self, &Event) + Send + 'static) {
        *self.observer() = Some(Box::new(observer));
    }

    /// Ends what [`FaultyDisk::observe`] began.
    pub fn unobserve(&self) {
        *self.observer() = None;
    }

    /// Turns the power off in the middle of the event of that number: it and every later call fail.
    pub fn power_off_at(&self, event: u64) {
        self.state().power_off_at = Some(event);
    }

    /// Makes the sync of that number fail (0 is the first): its pages look clean, but any of them are lost.
    pub fn fail_sync(&self, number: u64) {
        self.state().failing_sync = Some(number);
    }

    /// Limits the bytes that may be allocated, those that are already included; `None` lifts the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// From now on no sync vouches for what was written before the file's last descriptor was closed
    /// (durability 13): the kernel may have told the error of such a page to nobody.
    pub fn forget_on_close(&self) {
        self.state().forgets_on_close = true;
    }

    /// Drops from the cache whatever need not be written any more.
    pub fn evict(&self) {
        self.state().tree.inodes_mut().for_each(Inode::evict);
    }

    /// Turns a bit of a file over, silently.
    ///
    /// # Errors
    /// `NotFound` where there is no such file.
    pub fn flip_bit(&self, path: &Path, position: u64, bit: u8) -> io::Result<()> {
        self.damage(path, |inode| inode.flip_bit(position, bit))
    }

    /// Cuts a file short, silently and durably.
    ///
    /// # Errors
    /// `NotFound` where there is no such file.
    pub fn shorten(&self, path: &Path, len: u64) -> io::Result<()> {
        self.damage(path, |inode| inode.shorten(len))
    }

    /// Makes a range of a file fail with EIO whenever it is read.
    ///
    /// # Errors
    /// `NotFound` where there is no such file.
    pub fn spoil(&self, path: &Path, range: Range<u64>) -> io::Result<()> {
        self.damage(path, |inode| inode.spoil(range))
    }

    /// Loses a file, silently and durably.
    ///
    /// # Errors
    /// `NotFound` where there is no such file.
    pub fn lose(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let place = state.tree.place(path)?;
        let folder = place.0;
        state.tree.find(path)?;
        state.tree.remove(place);
        state.tree.sync(folder);
        Ok(())
    }

    fn damage(&self, path: &Path, act: impl FnOnce(&mut Inode)) -> io::Result<()> {
        let mut state = self.state();
        let node = state.tree.find(path)?;
        act(state.tree.inode_mut(node).ok_or_else(|| not_found(path))?);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn observer(&self) -> MutexGuard<'_, Option<Observer>> {
        self.shared.observer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an event, tells it to the observer, and turns the power off if this is the moment.
    fn happened(&self, kind: EventKind, path: &Path) -> io::Result<()> {
        let number = self.state().count();
        if let Some(observer) = self.observer().as_mut() {
            observer(self, &Event { number, kind, path: path.to_owned() });
        }
        self.state().lose_power(number)
    }

    fn sync_fails(&self) -> bool {
        let mut state = self.state();
        state.syncs += 1;
        state.failing_sync == Some(state.syncs - 1)
    }

    fn change_names(&self, path: &Path, act: impl FnOnce(&mut Tree) -> io::Result<()>) -> io::Result<()> {
        {
            let mut state = self.state();
            state.check_power()?;
            act(&mut state.tree)?;
        }
        self.happened(EventKind::Name, path)
    }
}

impl State {
    fn check_power(&self) -> io::Result<()> {
        if self.is_off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn check_space(&self, node: NodeId, end: u64) -> io::Result<()> {
        let Some(capacity) = self.capacity else { return Ok(()) };
        let missing = self.tree.inode(node).map_or(0, |inode| inode.missing(end));
        let fits = missing == 0 || self.tree.allocated() + missing <= capacity;
        if fits { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn count(&mut self) -> u64 {
        self.events += 1;
        self.events - 1
    }

    fn lose_power(&mut self, number: u64) -> io::Result<()> {
        self.is_off |= self.power_off_at == Some(number);
        self.check_power()
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.check_power()?;
        match (state.tree.find(path), how) {
            (Ok(_), Open::CreateNew) => Err(io::ErrorKind::AlreadyExists.into()),
            (Ok(node), _) if state.tree.folder(node).is_some() => Err(io::ErrorKind::IsADirectory.into()),
            (Ok(node), _) => Ok(FaultyFile::open(self, &mut state, node, path)),
            (Err(error), Open::Read | Open::Write) => Err(error),
            (Err(_), Open::Create | Open::CreateNew) => {
                let place = state.tree.place(path)?;
                let node = state.tree.add(place, Node::File(Box::default()));
                let file = FaultyFile::open(self, &mut state, node, path);
                drop(state);
                self.happened(EventKind::Name, path)?;
                Ok(file)
            }
        }
    }

    fn rename(&self, source: &Path, target: &Path) -> io::Result<()> {
        self.change_names(source, |tree| {
            let node = tree.find(source)?;
            let places = (tree.place(source)?, tree.place(target)?);
            tree.rename(places.0, places.1, node);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change_names(path, |tree| {
            let node = tree.find(path)?;
            tree.inode(node).ok_or(io::ErrorKind::IsADirectory)?;
            let place = tree.place(path)?;
            tree.remove(place);
            Ok(())
        })
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.change_names(path, |tree| {
            let folder = tree.folder(tree.find(path)?).ok_or(io::ErrorKind::NotADirectory)?;
            if !folder.names.is_empty() {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            let place = tree.place(path)?;
            tree.remove(place);
            Ok(())
        })
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut above: Vec<_> = path.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
        above.reverse();
        for path in above {
            let found = self.state().tree.find(path);
            match found {
                Ok(node) if self.state().tree.folder(node).is_some() => {}
                Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
                Err(_) => self.change_names(path, |tree| {
                    let place = tree.place(path)?;
                    tree.add(place, Node::Folder(Folder::default()));
                    Ok(())
                })?,
            }
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let state = self.state();
        state.check_power()?;
        let folder = state.tree.folder(state.tree.find(path)?).ok_or(io::ErrorKind::NotADirectory)?;
        let entry = |(name, node): (&String, &NodeId)| Entry {
            name: name.clone(),
            is_dir: state.tree.folder(*node).is_some(),
        };
        Ok(folder.names.iter().map(entry).collect())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let folder = {
            let state = self.state();
            state.check_power()?;
            state.tree.find(path)?
        };
        self.happened(EventKind::SyncNames, path)?;
        if self.sync_fails() {
            return Err(failed_sync(path));
        }
        self.state().tree.sync(folder);
        Ok(())
    }

    fn lock(&self, path: &Path) -> Result<DiskLock, LockError> {
        let mut locks = self.shared.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if locks.iter().any(|held| held == path) {
            return Err(LockError::Held { path: path.to_owned(), pid: Some(std::process::id()) });
        }
        locks.push(path.to_owned());
        Ok(DiskLock::new(HeldLock { path: path.to_owned(), locks: Arc::clone(&self.shared.locks) }))
    }

    fn space(&self) -> io::Result<Space> {
        let state = self.state();
        let total = state.capacity.unwrap_or(1 << 40);
        Ok(Space { total, usable: total.saturating_sub(state.tree.allocated()) })
    }
}

impl fmt::Debug for FaultyDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyDisk")
    }
}

/// How kind a power cut is to what was not synced.
#[derive(Clone, Copy, Debug)]
pub(in crate::disk) enum Survival {
    Nothing,
    Everything,
    /// Each thing by itself, so often in a hundred.
    Some(u64),
}

impl Survival {
    fn by(chance: &mut Chance) -> Self {
        match chance.below(8) {
            0 => Self::Nothing,
            1 => Self::Everything,
            2 | 3 => Self::Some(90),
            4 => Self::Some(10),
            _ => Self::Some(50),
        }
    }

    fn happens(self, chance: &mut Chance) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Some(percent) => chance.happens(percent),
        }
    }

    /// Which sectors of a page survive: mostly all or none, now and then a part.
    fn sectors(self, chance: &mut Chance) -> u8 {
        match self {
            Self::Some(_) if chance.happens(25) => chance.next() as u8,
            _ if self.happens(chance) => u8::MAX,
            _ => 0,
        }
    }

    /// The old length, the new one, or one that the file had on the way.
    fn between(self, old: u64, new: u64, chance: &mut Chance) -> u64 {
        match self {
            Self::Some(_) if chance.happens(25) => old.min(new) + chance.below(old.abs_diff(new) + 1),
            _ if self.happens(chance) => new,
            _ => old,
        }
    }
}
