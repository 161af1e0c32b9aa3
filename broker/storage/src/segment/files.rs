//! The files of all segments: their names, and which of them are open.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use mainstem_protocol::Offset;

use super::{Append, WriteAppend, index::Sealed};
use crate::{
    caps,
    disk::{Disk, DiskFile},
};

/// How a file of batches is called.
pub(super) const LOG: &str = "log";
/// How an offset index is called.
pub(super) const INDEX: &str = "index";
/// How a time index is called.
pub(super) const TIME_INDEX: &str = "timeindex";

/// Which segment of a partition: bytes that were ever served never change, so what a cleaning puts in the place of a
/// segment is another one, with the same base offset and the next revision (durability 23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentId {
    /// The offset of the first batch that it held when it was written to.
    pub base: Offset,
    /// How often it was cleaned.
    pub revision: u32,
}

impl From<Offset> for SegmentId {
    /// As it is written to.
    fn from(base: Offset) -> Self {
        Self { base, revision: 0 }
    }
}

/// The name of a segment's file, as Kafka has it; behind the base offset of a cleaned one comes its revision.
#[must_use]
pub fn file_name(id: impl Into<SegmentId>, extension: &str) -> String {
    match id.into() {
        SegmentId { base, revision: 0 } => format!("{:020}.{extension}", base.0),
        SegmentId { base, revision } => format!("{:020}-{revision}.{extension}", base.0),
    }
}

/// Segment and extension of a segment's file; `None` for other files.
#[must_use]
pub fn parse_file_name(name: &str) -> Option<(SegmentId, &str)> {
    let (stem, extension) = name.split_once('.')?;
    let (digits, revision) = match stem.split_once('-') {
        Some((digits, revision)) => (digits, revision.parse().ok().filter(|revision| *revision > 0)?),
        None => (stem, 0),
    };
    let known = [LOG, INDEX, TIME_INDEX].contains(&extension);
    let base = digits.parse().ok().filter(|_| digits.len() == 20 && known)?;
    let id = SegmentId { base: Offset(base), revision };
    (file_name(id, extension) == name).then_some((id, extension))
}

/// What all segments of a node share: the disk, the way to append, and a bounded number of open files.
#[derive(Debug)]
pub struct SegmentFiles {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) append: Box<dyn Append>,
    pub(super) logs: Cache<Arc<dyn DiskFile>>,
    pub(super) indexes: Cache<Arc<Sealed>>,
    next_key: AtomicU64,
}

impl SegmentFiles {
    /// Segments on `disk` that are appended to by `pwritev`.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>) -> Arc<Self> {
        Self::with_append(disk, Box::new(WriteAppend))
    }

    /// Segments on `disk` that are appended to as given.
    #[must_use]
    pub fn with_append(disk: Arc<dyn Disk>, append: Box<dyn Append>) -> Arc<Self> {
        Arc::new(Self {
            disk,
            append,
            logs: Cache::new(caps::SEGMENT_DESCRIPTORS_MAX),
            indexes: Cache::new(caps::SEGMENT_INDEX_BYTES_MAX),
            next_key: AtomicU64::new(0),
        })
    }

    pub(super) fn next_key(&self) -> u64 {
        self.next_key.fetch_add(1, Ordering::Relaxed)
    }

    /// Removes a file that may be gone already: an interrupted removal is finished at the next start.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        match self.disk.remove(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

pub(super) fn path(folder: &Path, id: SegmentId, extension: &str) -> PathBuf {
    folder.join(file_name(id, extension))
}

/// The most recently used things by segment, up to a weight of all together. When that is passed the oldest eighth of
/// them goes at once, and again if need be, so that looking for the oldest is rare.
#[derive(Debug)]
pub(super) struct Cache<T> {
    entries: Mutex<Entries<T>>,
    clock: AtomicU64,
    weight_max: usize,
}

#[derive(Debug)]
struct Entries<T> {
    by_key: HashMap<u64, Cached<T>>,
    /// Of all of them together.
    weight: usize,
}

#[derive(Debug)]
struct Cached<T> {
    thing: T,
    weight: usize,
    used: u64,
}

impl<T: Clone> Cache<T> {
    fn new(weight_max: usize) -> Self {
        let entries = Entries { by_key: HashMap::new(), weight: 0 };
        Self { entries: Mutex::new(entries), clock: AtomicU64::new(0), weight_max }
    }

    pub(super) fn get(&self, key: u64) -> Option<T> {
        let used = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries();
        let cached = entries.by_key.get_mut(&key)?;
        cached.used = used;
        Some(cached.thing.clone())
    }

    pub(super) fn insert(&self, key: u64, thing: T, weight: usize) {
        let used = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries();
        entries.remove(key);
        entries.weight += weight;
        entries.by_key.insert(key, Cached { thing, weight, used });
        while entries.weight > self.weight_max {
            entries.drop_oldest();
        }
    }

    pub(super) fn remove(&self, key: u64) {
        self.entries().remove(key);
    }

    fn entries(&self) -> MutexGuard<'_, Entries<T>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries().by_key.len()
    }
}

impl<T> Entries<T> {
    fn remove(&mut self, key: u64) {
        if let Some(cached) = self.by_key.remove(&key) {
            self.weight -= cached.weight;
        }
    }

    /// What is used by nobody else goes with its last clone.
    fn drop_oldest(&mut self) {
        let mut ages: Vec<_> = self.by_key.values().map(|cached| cached.used).collect();
        let at = ages.len() / 8;
        let (_, oldest, _) = ages.select_nth_unstable(at);
        let oldest = *oldest;
        self.by_key.retain(|_, cached| cached.used > oldest);
        self.weight = self.by_key.values().map(|cached| cached.weight).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kafka() {
        assert_eq!(file_name(Offset(368_769), LOG), "00000000000000368769.log");
        let cleaned = SegmentId { base: Offset(368_769), revision: 12 };
        assert_eq!(file_name(cleaned, LOG), "00000000000000368769-12.log");
        assert_eq!(parse_file_name("00000000000000368769-12.log"), Some((cleaned, LOG)));
        let parsed = parse_file_name("00000000000000368769.timeindex");
        assert_eq!(parsed, Some((Offset(368_769).into(), TIME_INDEX)));
        for other in [
            "368769.log",
            "00000000000000368769.txt",
            "00000000000000368769.log.tmp",
            "00000000000000368769-0.log",
            "00000000000000368769-01.log",
            "00000000000000368769-.log",
            "checkpoint",
            "",
        ] {
            assert_eq!(parse_file_name(other), None, "{other}");
        }
    }

    #[test]
    fn cache_keeps_what_was_used_last_and_never_more_than_it_may() {
        let cache = Cache::new(16);
        for key in 0..1000 {
            cache.insert(key, key, 1);
            assert_eq!(cache.get(0), Some(0));
            assert!(cache.len() <= 16);
        }
        assert_eq!(cache.get(999), Some(999));
        assert_eq!(cache.get(1), None);
        cache.insert(1000, 1000, 15);
        assert_eq!((cache.get(1000), cache.get(998)), (Some(1000), None));
        cache.insert(1001, 1001, 17);
        assert_eq!(cache.len(), 0);
    }
}
