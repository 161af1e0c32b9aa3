//! Groups that have their place and wait for the journal's write, in the order of their LSNs.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;

use super::{AppendError, Poisoned};
use crate::{
    caps::{QUEUE_BYTES_MAX, ROUND_AHEAD_BYTES_MAX, ROUND_BYTES_MAX},
    ids::Lsn,
    journal::{
        Entry, Frame,
        file::padded,
        frame::{FRAME_HEADER_BYTES, FrameKind},
    },
    partition::Partition,
    ticket::{NotCommitted, Resolver},
};

/// A group that has its place.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) lsn: Lsn,
    pub(crate) frame: Frame,
    pub(crate) entries: Vec<Entry>,
    /// Those that the entries touch, in the order of topic and number.
    pub(crate) partitions: Vec<Arc<Partition>>,
    /// Whether its acknowledgement waits for a sync.
    pub(crate) is_synced: bool,
    pub(crate) resolver: Resolver,
    /// Keeps the journal from forgetting what was written ahead.
    _ahead: Option<Arc<Ahead>>,
}

/// The records of a big group, in the journal ahead of its commit frame. The journal is not recycled below them while
/// this lives.
#[derive(Debug)]
pub(crate) struct Ahead {
    queue: Arc<Queue>,
    group: u64,
    /// Bytes of the journal that are kept for the commit frame, until it has its place: what is written ahead holds the
    /// journal's first file, so a commit frame that found no room would never find any.
    kept: AtomicU64,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.queue.abandon(self.group, self.kept.load(Ordering::Relaxed));
    }
}

/// A group that asks for its place.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) entries: Vec<Entry>,
    pub(crate) partitions: Vec<Arc<Partition>>,
    pub(crate) is_synced: bool,
    /// Where its records were written ahead.
    pub(crate) ahead: Option<Arc<Ahead>>,
    /// Entries of the store itself may use what is kept back from appends.
    pub(crate) is_own: bool,
}

/// What one round takes.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) groups: Vec<Pending>,
    pub(crate) ahead: Vec<Frame>,
    pub(crate) abandoned: Vec<u64>,
    cost: u64,
}

/// Where groups get their LSNs.
#[derive(Debug)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    /// Something waits, or there is room again.
    changed: Condvar,
}

#[derive(Debug)]
struct Inner {
    next: Lsn,
    next_group: u64,
    waiting: VecDeque<Pending>,
    ahead: VecDeque<(u64, Bytes)>,
    abandoned: Vec<u64>,
    /// Blocks of the journal that what waits will take at most.
    cost: u64,
    /// Bytes of the journal that are surely free for what waits and for more.
    room: u64,
    /// Of them, those that are kept for the store's own entries.
    kept_back: u64,
    /// Of them, those that are kept for the commit frames of groups that are written ahead.
    kept_for_commits: u64,
    /// Whether anybody sleeps on [`Queue::changed`] who was not told yet. A condition variable makes a system call for
    /// each notification, whether or not anybody waits for it.
    is_awaited: bool,
    poisoned: Option<Poisoned>,
}

impl Queue {
    pub(crate) fn new(next: Lsn, next_group: u64, room: u64, kept_back: u64) -> Self {
        let inner = Inner {
            next,
            next_group,
            waiting: VecDeque::new(),
            ahead: VecDeque::new(),
            abandoned: Vec::new(),
            cost: 0,
            room,
            kept_back,
            kept_for_commits: 0,
            is_awaited: false,
            poisoned: None,
        };
        Self { inner: Mutex::new(inner), changed: Condvar::new() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a group its place, behind all that have one. The caller holds the locks of its partitions.
    pub(crate) fn place(&self, request: Request) -> Result<(Lsn, Resolver), AppendError> {
        let payload = crate::journal::entry::encode(&request.entries, request.ahead.is_some());
        let mut inner = self.inner();
        inner.check()?;
        let group = request.ahead.as_ref().map_or(inner.next_group, |ahead| ahead.group);
        let frame = Frame { kind: FrameKind::Commit, lsn: inner.next, group, payload };
        let cost = padded(frame.bytes());
        match &request.ahead {
            Some(ahead) => inner.admit_commit(cost, ahead)?,
            None => {
                inner.admit(cost, request.is_own)?;
                inner.next_group += 1;
            }
        }
        let pending = inner.push(frame, request);
        self.tell(inner);
        Ok(pending)
    }

    /// Whether a group of so many bytes would get a place now.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        self.inner().refusal(bytes, false).is_none()
    }

    /// Whether so many bytes may be written ahead now.
    pub(crate) fn has_room_ahead(&self, bytes: u64) -> bool {
        self.inner().is_free(bytes, false)
    }

    /// Puts the records of a big group into the way, in pieces of one frame each, and keeps room for its commit frame.
    pub(crate) fn write_ahead(
        self: &Arc<Self>,
        pieces: Vec<Bytes>,
        cost: u64,
        commit_cost: u64,
    ) -> Result<Ahead, AppendError> {
        let mut inner = self.inner();
        inner.check()?;
        if !inner.is_free(cost + commit_cost, false) {
            return Err(AppendError::NoRoom);
        }
        let group = inner.next_group;
        inner.next_group += 1;
        inner.cost += cost;
        inner.kept_for_commits += commit_cost;
        inner.ahead.extend(pieces.into_iter().map(|piece| (group, piece)));
        self.tell(inner);
        Ok(Ahead { queue: Arc::clone(self), group, kept: AtomicU64::new(commit_cost) })
    }

    /// Whether all of a group's pieces were taken by a round.
    pub(crate) fn is_ahead(&self, ahead: &Ahead) -> Result<bool, Poisoned> {
        let inner = self.inner();
        inner.check()?;
        Ok(inner.ahead.iter().all(|(group, _)| *group != ahead.group))
    }

    /// A group that was written ahead gets no commit frame any more, or has it.
    fn abandon(&self, group: u64, kept: u64) {
        let mut inner = self.inner();
        let (gone, left): (VecDeque<_>, _) = inner.ahead.drain(..).partition(|(other, _)| *other == group);
        inner.ahead = left;
        inner.cost -= gone.iter().map(|(_, piece)| data_cost(piece)).sum::<u64>();
        inner.kept_for_commits -= kept;
        inner.abandoned.push(group);
    }

    /// Takes what waits, up to what one round writes. Big groups take part of it each time, so that they do not delay
    /// everybody's.
    pub(crate) fn take(&self) -> Taken {
        let mut inner = self.inner();
        let mut taken = Taken { abandoned: std::mem::take(&mut inner.abandoned), ..Taken::default() };
        // With something written ahead all that waits is taken: numbers are given in the order of the journal.
        while (taken.cost < ROUND_BYTES_MAX || !inner.ahead.is_empty())
            && let Some(group) = inner.waiting.pop_front()
        {
            taken.cost += padded(group.frame.bytes());
            taken.groups.push(group);
        }
        // Their numbers follow those of all groups that have one: only behind the last of them may they be written.
        let mut ahead_bytes = 0;
        while inner.waiting.is_empty()
            && ahead_bytes < ROUND_AHEAD_BYTES_MAX
            && let Some((group, piece)) = inner.ahead.pop_front()
        {
            let frame = Frame { kind: FrameKind::Data, lsn: inner.take_lsn(), group, payload: vec![piece] };
            ahead_bytes += padded(frame.bytes());
            taken.ahead.push(frame);
        }
        taken.cost += ahead_bytes;
        taken
    }

    /// The LSN of a frame that no group needs: the idle one. `None` where something waits.
    pub(crate) fn take_idle_lsn(&self) -> Option<Lsn> {
        let mut inner = self.inner();
        inner.waiting.is_empty().then(|| inner.take_lsn())
    }

    /// What was taken is written; so much room is left.
    pub(crate) fn written(&self, taken_cost: u64, room: u64) {
        let mut inner = self.inner();
        inner.cost = inner.cost.saturating_sub(taken_cost);
        inner.room = room;
        self.tell(inner);
    }

    /// Takes back the groups behind `lsn`; returns them and those that stay, which are given back with [`Queue::keep`].
    pub(crate) fn split_behind(&self, lsn: Lsn) -> (Vec<Pending>, Vec<Pending>) {
        let mut inner = self.inner();
        let (kept, dropped): (Vec<_>, Vec<_>) = inner.waiting.drain(..).partition(|group| group.lsn <= lsn);
        let cost: u64 = dropped.iter().map(|group| padded(group.frame.bytes())).sum();
        inner.cost -= cost;
        if let Some(first) = dropped.first() {
            inner.next = first.lsn;
        }
        (kept, dropped)
    }

    pub(crate) fn keep(&self, kept: Vec<Pending>) {
        self.inner().waiting.extend(kept);
    }

    /// Nothing more is accepted; everything that waits has failed.
    pub(crate) fn poison(&self, why: &Poisoned) {
        let mut inner = self.inner();
        inner.poisoned.get_or_insert_with(|| why.clone());
        let waiting = std::mem::take(&mut inner.waiting);
        inner.ahead.clear();
        drop(inner);
        waiting.iter().for_each(|group| group.resolver.resolve(Err(NotCommitted::Failed)));
        self.changed.notify_all();
    }

    pub(crate) fn check(&self) -> Result<(), Poisoned> {
        self.inner().check()
    }

    pub(crate) fn is_empty(&self) -> bool {
        let inner = self.inner();
        inner.waiting.is_empty() && inner.ahead.is_empty()
    }

    pub(crate) fn next_group(&self) -> u64 {
        self.inner().next_group
    }

    /// The last LSN that was given.
    pub(crate) fn placed(&self) -> Lsn {
        Lsn(self.inner().next.0 - 1)
    }

    /// Waits until something waits to be written, or so long.
    pub(crate) fn wait_for_work(&self, timeout: Duration) {
        let sleeps = |inner: &mut Inner| {
            let is_idle = inner.waiting.is_empty() && inner.ahead.is_empty() && inner.poisoned.is_none();
            inner.is_awaited |= is_idle;
            is_idle
        };
        drop(self.changed.wait_timeout_while(self.inner(), timeout, sleeps));
    }

    /// Waits until anything changes, or so long.
    pub(crate) fn wait_for_change(&self, timeout: Duration) {
        let mut inner = self.inner();
        inner.is_awaited = true;
        drop(self.changed.wait_timeout(inner, timeout));
    }

    /// Tells those who sleep that something changed.
    fn tell(&self, mut inner: MutexGuard<'_, Inner>) {
        let is_awaited = std::mem::take(&mut inner.is_awaited);
        drop(inner);
        if is_awaited {
            self.changed.notify_all();
        }
    }

    pub(crate) fn wake(&self) {
        self.changed.notify_all();
    }
}

impl Inner {
    fn check(&self) -> Result<(), Poisoned> {
        self.poisoned.clone().map_or(Ok(()), Err)
    }

    fn take_lsn(&mut self) -> Lsn {
        let lsn = self.next;
        self.next = lsn.next();
        lsn
    }

    fn admit(&mut self, cost: u64, is_own: bool) -> Result<(), AppendError> {
        self.refusal(cost, is_own).map_or(Ok(()), Err)?;
        self.cost += cost;
        Ok(())
    }

    /// The commit frame of a group that was written ahead: its room was kept.
    fn admit_commit(&mut self, cost: u64, ahead: &Ahead) -> Result<(), AppendError> {
        let kept = ahead.kept.load(Ordering::Relaxed);
        if self.room < self.cost + cost + self.kept_for_commits - kept {
            return Err(AppendError::NoRoom);
        }
        ahead.kept.store(0, Ordering::Relaxed);
        self.kept_for_commits -= kept;
        self.cost += cost;
        Ok(())
    }

    fn refusal(&self, cost: u64, is_own: bool) -> Option<AppendError> {
        let is_crowded = !is_own && self.cost > 0 && self.cost + cost > QUEUE_BYTES_MAX;
        (is_crowded || !self.is_free(cost, is_own)).then_some(AppendError::NoRoom)
    }

    /// Whether the journal has so much room besides what waits for it and what is kept.
    fn is_free(&self, cost: u64, is_own: bool) -> bool {
        let kept_back = if is_own { 0 } else { self.kept_back };
        self.room >= self.cost + cost + kept_back + self.kept_for_commits
    }

    fn push(&mut self, frame: Frame, request: Request) -> (Lsn, Resolver) {
        let (lsn, resolver) = (self.take_lsn(), Resolver::default());
        let Request { entries, partitions, is_synced, ahead, .. } = request;
        let pending =
            Pending { lsn, frame, entries, partitions, is_synced, resolver: resolver.clone(), _ahead: ahead };
        self.waiting.push_back(pending);
        (lsn, resolver)
    }
}

/// Bytes of the journal that a piece of a big group takes.
pub(crate) fn data_cost(piece: &Bytes) -> u64 {
    padded((piece.len() + FRAME_HEADER_BYTES) as u64)
}

impl Taken {
    /// Blocks that what was taken was admitted with.
    pub(crate) const fn cost(&self) -> u64 {
        self.cost
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.ahead.is_empty()
    }
}

impl Pending {
    pub(crate) fn batches(&self) -> impl Iterator<Item = &crate::journal::PlacedBatch> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Batch(batch) => Some(batch),
            _ => None,
        })
    }

    /// The partition that an entry names.
    pub(crate) fn partition(
        &self,
        topic: mainstem_protocol::TopicId,
        id: mainstem_protocol::PartitionId,
    ) -> Option<&Arc<Partition>> {
        let at = self
            .partitions
            .binary_search_by_key(&(topic, id), |partition| (partition.topic(), partition.id()));
        at.ok().map(|at| &self.partitions[at])
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn place(queue: &Queue) {
        let request = Request {
            entries: Vec::new(),
            partitions: Vec::new(),
            is_synced: false,
            ahead: None,
            is_own: false,
        };
        queue.place(request).unwrap();
    }

    #[test]
    fn only_who_sleeps_is_told() {
        let queue = Queue::new(Lsn(1), 1, 1 << 20, 0);
        place(&queue);
        queue.wait_for_work(Duration::MAX);
        assert!(!queue.inner().is_awaited, "there was work");
        assert_eq!(queue.take().groups.len(), 1);
        thread::scope(|scope| {
            let journal = scope.spawn(|| queue.wait_for_work(Duration::MAX));
            let producer = scope.spawn(|| queue.wait_for_change(Duration::MAX));
            while !(journal.is_finished() && producer.is_finished()) {
                if queue.inner().is_awaited {
                    place(&queue);
                }
                thread::yield_now();
            }
        });
    }
}
