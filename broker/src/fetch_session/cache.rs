//! The sessions that there are, and which of them goes when there is no room (Kafka: `FetchSessionCacheShard`).
//!
//! A new session takes the place of one that was not used for long; where there is none, that of the one with the fewest
//! partitions, if that one has fewer than itself and has had its time. Kafka's replicas have more rights; here are none.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::session::{Session, SessionId, Size};
use crate::caps::{FETCH_SESSION_BYTES_MAX, FETCH_SESSION_LIFE_MIN, FETCH_SESSIONS_BYTES_MAX};

/// All sessions.
#[derive(Debug)]
pub(super) struct Cache {
    slots: usize,
    sessions: HashMap<SessionId, Entry>,
    /// The one that was not used for the longest time first.
    by_use: BTreeSet<(Duration, SessionId)>,
    /// Those that have had their time, the one with the fewest partitions first.
    by_size: BTreeSet<(usize, SessionId)>,
    total: Size,
}

#[derive(Debug)]
struct Entry {
    session: Arc<Mutex<Session>>,
    created: Duration,
    used: Duration,
    size: Size,
}

/// What came of the wish for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Created {
    /// None where there was no room.
    pub(super) id: SessionId,
    /// Sessions that had to go.
    pub(super) evicted: u64,
}

impl Cache {
    pub(super) fn new(slots: usize) -> Self {
        Self {
            slots,
            sessions: HashMap::new(),
            by_use: BTreeSet::new(),
            by_size: BTreeSet::new(),
            total: Size::default(),
        }
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    pub(super) const fn partitions(&self) -> usize {
        self.total.partitions
    }

    pub(super) fn session(&self, id: SessionId) -> Option<Arc<Mutex<Session>>> {
        self.sessions.get(&id).map(|entry| Arc::clone(&entry.session))
    }

    /// Makes room for a session of this size, and then the session. `random` draws numbers.
    pub(super) fn create(
        &mut self,
        now: Duration,
        size: Size,
        random: impl FnMut() -> SessionId,
        session: impl FnOnce() -> Session,
    ) -> Created {
        let mut created = Created { id: SessionId::NONE, evicted: 0 };
        if size.bytes > FETCH_SESSION_BYTES_MAX {
            return created;
        }
        while !self.has_room(size) {
            if !self.evict(now, size) {
                return created;
            }
            created.evicted += 1;
        }
        created.id = self.unused(random);
        let session = session();
        let size = session.size();
        let entry = Entry { session: Arc::new(Mutex::new(session)), created: now, used: now, size };
        self.enter(now, created.id, entry);
        created
    }

    fn has_room(&self, size: Size) -> bool {
        self.sessions.len() < self.slots && self.total.bytes + size.bytes <= FETCH_SESSIONS_BYTES_MAX
    }

    fn unused(&self, mut random: impl FnMut() -> SessionId) -> SessionId {
        loop {
            let id = random();
            if id != SessionId::NONE && !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }

    /// Removes the session that has to go for one of this size, if there is any.
    fn evict(&mut self, now: Duration, size: Size) -> bool {
        let oldest = self.by_use.first().filter(|(used, _)| is_over(now, *used));
        let smallest = self.by_size.first().filter(|(partitions, _)| *partitions < size.partitions);
        let Some(id) = oldest.map(|(_, id)| *id).or_else(|| smallest.map(|(_, id)| *id)) else {
            return false;
        };
        self.remove(id);
        true
    }

    /// Removes a session, if there is one of this number.
    pub(super) fn remove(&mut self, id: SessionId) {
        self.leave(id);
    }

    /// A session was used, and has this size now. Whether it may stay; else it is gone.
    pub(super) fn touch(&mut self, id: SessionId, now: Duration, size: Size) -> bool {
        let Some(entry) = self.leave(id) else { return false };
        self.enter(now, id, Entry { used: now, size, ..entry });
        let may_stay = size.bytes <= FETCH_SESSION_BYTES_MAX && self.total.bytes <= FETCH_SESSIONS_BYTES_MAX;
        if !may_stay {
            self.remove(id);
        }
        may_stay
    }

    fn enter(&mut self, now: Duration, id: SessionId, entry: Entry) {
        self.by_use.insert((entry.used, id));
        if is_over(now, entry.created) {
            self.by_size.insert((entry.size.partitions, id));
        }
        self.total.partitions += entry.size.partitions;
        self.total.bytes += entry.size.bytes;
        self.sessions.insert(id, entry);
    }

    fn leave(&mut self, id: SessionId) -> Option<Entry> {
        let entry = self.sessions.remove(&id)?;
        self.by_use.remove(&(entry.used, id));
        self.by_size.remove(&(entry.size.partitions, id));
        self.total.partitions -= entry.size.partitions;
        self.total.bytes -= entry.size.bytes;
        Some(entry)
    }
}

/// Whether the time is over that a session has.
fn is_over(now: Duration, since: Duration) -> bool {
    now.saturating_sub(since) > FETCH_SESSION_LIFE_MIN
}
