//! A store, and its overlay.

use std::{collections::BTreeMap, ops::Bound, sync::OnceLock};

use bytes::Bytes;
use mainstem_client::{Text, Timestamp};

use super::{
    checkpoint::Checkpoint,
    committed::Committed,
    disk::{Table, Writes},
    entries::{Entries, Merged},
    fault::StoreFault,
    keys::{CHECKPOINT_KEY, NODE_END, Owned, SystemKey, TIMER_PREFIX, ordered, unordered},
};
use crate::watermark::{BEGINNING, END};

/// Sorted keys and values, in memory or on disk. What was written since the last commit is kept apart, in memory, and is
/// dropped if the commit fails.
#[derive(Debug, Default)]
pub struct Store {
    committed: Committed,
    /// `None` for what is to be deleted.
    overlay: BTreeMap<Bytes, Option<Bytes>>,
    uncommitted_bytes: usize,
    /// Why something could not be read: the task ends before anything comes of it.
    fault: OnceLock<StoreFault>,
}

impl Store {
    pub(crate) fn on_disk(table: Table) -> Self {
        Self { committed: Committed::OnDisk(table), ..Self::default() }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.raw_get(&Owned::ByUser.key(key))
    }

    /// Gives a key a value.
    pub fn put(&mut self, key: &[u8], value: impl Into<Bytes>) {
        self.raw_put(Owned::ByUser.key(key), Some(value.into()));
    }

    /// Takes a key out.
    pub fn delete(&mut self, key: &[u8]) {
        self.raw_put(Owned::ByUser.key(key), None);
    }

    /// The entries whose keys are at least `from` and less than `to`, in the order of their keys.
    #[must_use]
    pub fn range(&self, from: &[u8], to: &[u8]) -> Vec<(Bytes, Bytes)> {
        self.entries(from, to).collect()
    }

    /// The entries whose keys are at least `from`, in the order of their keys.
    #[must_use]
    pub fn range_from(&self, from: &[u8]) -> Vec<(Bytes, Bytes)> {
        self.entries_from(from).collect()
    }

    /// As [`Self::range`], one at a time: what is not asked for is not read.
    #[must_use]
    pub fn entries(&self, from: &[u8], to: &[u8]) -> Entries<'_> {
        self.user_range(from, Bound::Excluded(Owned::ByUser.key(to)))
    }

    /// As [`Self::range_from`], one at a time: what is not asked for is not read.
    #[must_use]
    pub fn entries_from(&self, from: &[u8]) -> Entries<'_> {
        self.user_range(from, Bound::Excluded(Owned::BySystem.key(&[])))
    }

    fn user_range(&self, from: &[u8], to: Bound<Bytes>) -> Entries<'_> {
        Entries::new(self.raw_range((Bound::Included(Owned::ByUser.key(from)), to)))
    }

    pub(crate) fn number(&self, key: &SystemKey<'_>) -> Option<i64> {
        let value = self.raw_get(&key.bytes())?;
        value.as_ref().try_into().ok().map(i64::from_be_bytes)
    }

    pub(crate) fn put_number(&mut self, key: &SystemKey<'_>, number: i64) {
        self.raw_put(key.bytes(), Some(Bytes::copy_from_slice(&number.to_be_bytes())));
    }

    /// How far the windows in it were closed when the input ended, in this run or an earlier one: time has not come so
    /// far, and yet they stay closed.
    pub(crate) fn closed_to(&self) -> Timestamp {
        self.number(&SystemKey::ClosedTo).map_or(BEGINNING, Timestamp)
    }

    /// Notes that all windows are closed that close by then.
    pub(crate) fn close_to(&mut self, closed_to: Timestamp) {
        if closed_to > self.closed_to() {
            self.put_number(&SystemKey::ClosedTo, closed_to.0);
        }
    }

    /// What the store says of itself, as it stands there.
    pub(crate) fn description(&self) -> Option<Bytes> {
        self.raw_get(&SystemKey::Description.bytes())
    }

    /// Lets the store say this of itself from the next commit on.
    pub(crate) fn describe(&mut self, description: Bytes) {
        self.raw_put(SystemKey::Description.bytes(), Some(description));
    }

    /// The time of the store: the largest that it was told of.
    pub(crate) fn observed(&self) -> Timestamp {
        self.number(&SystemKey::Observed).map_or(BEGINNING, Timestamp)
    }

    /// Tells the store of a time.
    pub(crate) fn observe(&mut self, time: Timestamp) {
        if time > self.observed() {
            self.put_number(&SystemKey::Observed, time.0);
        }
    }

    pub(crate) fn put_timer(&mut self, at: Timestamp, node: &str, key: &[u8]) {
        self.raw_put(SystemKey::Timer(at, node, key).bytes(), Some(Bytes::new()));
    }

    pub(crate) fn delete_timer(&mut self, at: Timestamp, node: &str, key: &[u8]) {
        self.raw_put(SystemKey::Timer(at, node, key).bytes(), None);
    }

    /// The first timer of a node, from a time on, that is due; where there is none, when the next one of any node is.
    pub(crate) fn due_timer(&self, from: Timestamp, due: Timestamp, node: &str) -> Result<Timer, Timestamp> {
        let mut next = END;
        let found = self.timers(from).find(|timer| {
            next = timer.at;
            timer.at > due || timer.node == node
        });
        found.filter(|timer| timer.at <= due).ok_or(if next > due { next } else { END })
    }

    /// When the last timer of a node goes off.
    pub(crate) fn last_timer(&self, node: &str) -> Option<Timestamp> {
        self.timers(BEGINNING).filter(|timer| timer.node == node).last().map(|timer| timer.at)
    }

    /// The timers between two times, both included, and when the next one behind them goes off.
    pub(crate) fn timers_until(&self, from: Timestamp, to: Timestamp) -> (Vec<Timer>, Timestamp) {
        let mut next = END;
        let mut within = Vec::new();
        for timer in self.timers(from) {
            if timer.at > to {
                next = timer.at;
                break;
            }
            within.push(timer);
        }
        (within, next)
    }

    /// The timers from a time on.
    pub(crate) fn timers(&self, from: Timestamp) -> impl Iterator<Item = Timer> {
        let first = [TIMER_PREFIX, &ordered(from.0)].concat();
        let timers = self.raw_range((Bound::Included(first.into()), Bound::Unbounded));
        timers.map_while(|(key, _)| Timer::of(&key))
    }

    /// The first entry.
    pub(crate) fn first(&self) -> Option<(Bytes, Bytes)> {
        self.entries_from(&[]).next()
    }

    fn raw_get(&self, key: &[u8]) -> Option<Bytes> {
        match self.overlay.get(key) {
            Some(written) => written.clone(),
            None => self.committed.get(key).unwrap_or_else(|fault| {
                self.fault.get_or_init(|| fault);
                None
            }),
        }
    }

    fn raw_put(&mut self, key: Bytes, value: Option<Bytes>) {
        let size = |value: &Option<Bytes>| value.as_ref().map_or(0, Bytes::len);
        let (length, written) = (key.len(), size(&value));
        match self.overlay.insert(key, value) {
            Some(before) => self.uncommitted_bytes = self.uncommitted_bytes + written - size(&before),
            None => self.uncommitted_bytes += length + written,
        }
    }

    fn raw_range(&self, bounds: (Bound<Bytes>, Bound<Bytes>)) -> Merged<'_> {
        let committed = self.committed.range(bounds.clone());
        Merged::new(committed, self.overlay.range(bounds), &self.fault)
    }

    /// What has been written since the last commit, for the changelog.
    pub(crate) fn uncommitted(&self) -> impl Iterator<Item = (&Bytes, Option<&Bytes>)> {
        self.overlay.iter().map(|(key, value)| (key, value.as_ref()))
    }

    pub(crate) const fn uncommitted_bytes(&self) -> usize {
        self.uncommitted_bytes
    }

    /// As if something could not be read.
    #[cfg(test)]
    pub(crate) fn fail(&self, fault: StoreFault) {
        self.fault.get_or_init(|| fault);
    }

    /// Why something could not be read, if so.
    pub(crate) fn fault(&self) -> Option<&StoreFault> {
        self.fault.get()
    }

    /// Makes what has been written part of the store; where that is on disk, with the batch, and only if its place in the
    /// changelog is known.
    pub(crate) fn apply(&mut self, checkpoint: Option<&Checkpoint>, writes: &mut Option<Writes>) {
        let changes = std::mem::take(&mut self.overlay);
        self.uncommitted_bytes = 0;
        if !changes.is_empty() {
            self.take(changes, checkpoint, writes);
        }
    }

    /// Makes what has been written part of a store that has no changelog: for measurements.
    ///
    /// # Errors
    /// Where it cannot be written.
    #[doc(hidden)]
    pub fn commit_alone(&mut self) -> Result<(), StoreFault> {
        let mut writes = None;
        self.apply(Some(&Checkpoint::NONE), &mut writes);
        writes.map_or(Ok(()), Writes::commit)
    }

    /// Takes changes over as a restore does, in a store that has no changelog: for measurements.
    ///
    /// # Errors
    /// Where they cannot be written.
    #[doc(hidden)]
    pub fn restore_alone(
        &mut self,
        changes: impl IntoIterator<Item = (Bytes, Option<Bytes>)>,
    ) -> Result<(), StoreFault> {
        self.restore(changes, &Checkpoint::NONE)
    }

    /// Takes over entries of the changelog.
    pub(crate) fn restore(
        &mut self,
        entries: impl IntoIterator<Item = (Bytes, Option<Bytes>)>,
        checkpoint: &Checkpoint,
    ) -> Result<(), StoreFault> {
        let mut writes = None;
        self.take(entries, Some(checkpoint), &mut writes);
        writes.map_or(Ok(()), Writes::commit)
    }

    fn take(
        &mut self,
        changes: impl IntoIterator<Item = (Bytes, Option<Bytes>)>,
        checkpoint: Option<&Checkpoint>,
        writes: &mut Option<Writes>,
    ) {
        self.committed.take(changes, writes);
        if let (Committed::OnDisk(_), Some(checkpoint)) = (&self.committed, checkpoint) {
            let entry = (Bytes::from_static(CHECKPOINT_KEY), Some(checkpoint.bytes()));
            self.committed.take([entry], writes);
        }
    }

    /// How far into its changelog the store is; none where it is in memory, or empty.
    pub(crate) fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreFault> {
        Ok(self.committed.get(CHECKPOINT_KEY)?.as_ref().and_then(Checkpoint::read))
    }

    /// How many entries are committed, those of the runtime among them, and how many bytes they take.
    pub(crate) fn size(&self) -> (u64, u64) {
        self.committed.size()
    }

    pub(crate) const fn is_on_disk(&self) -> bool {
        matches!(self.committed, Committed::OnDisk(_))
    }

    /// Takes everything out, whether committed or not.
    pub(crate) fn clear(&mut self) -> Result<(), StoreFault> {
        self.overlay.clear();
        self.uncommitted_bytes = 0;
        self.committed.clear()
    }
}

/// A timer: when, whose, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timer {
    pub(crate) at: Timestamp,
    pub(crate) node: Text,
    pub(crate) key: Bytes,
}

impl Timer {
    fn of(entry: &Bytes) -> Option<Self> {
        let (time, rest) = entry.strip_prefix(TIMER_PREFIX)?.split_first_chunk::<8>()?;
        let end = rest.iter().position(|byte| *byte == NODE_END)?;
        let node = std::str::from_utf8(&rest[..end]).ok()?;
        let key = entry.slice_ref(&rest[end + 1..]);
        Some(Self { at: Timestamp(unordered(*time)), node: Text::from(node), key })
    }
}

#[cfg(test)]
mod tests;
