//! Fetch sessions (KIP-227): who fetches many partitions again and again names only what has changed since the last time,
//! and is told only what has changed (Kafka: `FetchManager`).
//!
//! A session belongs to no connection: whoever knows its id and its epoch may go on with it, or close it. Requests outside of
//! any session touch nothing here, and take no lock.
//!
//! # Layout
//!
//! - [`FetchSessions`]: what Fetch asks, before it reads and after.
//! - `cache`: the sessions that there are; which one goes when there are too many.
//! - `session`: one of them, the partitions it has, and what was last said about each.
//!
//! # Locks
//!
//! That of the cache is taken before that of a session, never the other way round.

mod cache;
mod session;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstem_protocol::{
    ErrorCode, TopicId,
    messages::{FetchRequest, FetchResponse, fetch::FetchPartition},
};
use mainstem_storage::Clock;

use crate::metrics::FetchSessions as Counters;
use cache::Cache;
use session::{Epoch, Session, SessionId, Size};

/// The first version that names topics by their ids. A session keeps to one of the two ways.
const IDS_SINCE: i16 = 13;

/// The sessions of all clients.
#[derive(Debug)]
pub(crate) struct FetchSessions {
    cache: Mutex<Cache>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
}

/// What a Fetch request is within its session, from its beginning to its answer.
#[derive(Debug)]
pub(crate) enum Part {
    /// There is no session, and none is wanted.
    Outside,
    /// A session is wanted.
    First {
        /// Whether topics are named by their ids.
        has_ids: bool,
    },
    /// It goes on with a session.
    Next(Turn),
}

/// One turn of a session.
#[derive(Debug)]
pub(crate) struct Turn {
    id: SessionId,
    epoch: Epoch,
    session: Arc<Mutex<Session>>,
}

impl FetchSessions {
    /// At most `slots` sessions.
    pub(crate) fn new(slots: usize, clock: Arc<dyn Clock>, counters: Arc<Counters>) -> Self {
        Self { cache: Mutex::new(Cache::new(slots)), clock, counters }
    }

    /// Sessions that there are, and the partitions of all of them.
    pub(crate) fn count(&self) -> (usize, usize) {
        let cache = self.cache();
        (cache.sessions(), cache.partitions())
    }

    /// Begins a request: what it says of its session is heeded, and where it goes on with one, all partitions of the session
    /// are put into it, in the order in which they are to be read.
    ///
    /// # Errors
    /// The code for the whole request, where it does not fit its session.
    pub(crate) fn begin(&self, version: i16, request: &mut FetchRequest) -> Result<Part, ErrorCode> {
        let (id, epoch) = (SessionId(request.session_id), Epoch(request.session_epoch));
        let has_ids = version >= IDS_SINCE;
        if !epoch.is_full() {
            return self.go_on(has_ids, id, epoch, request);
        }
        // Whatever a full request names is closed (Kafka: `FetchManager.newContext`).
        if id != SessionId::NONE {
            self.cache().remove(id);
        }
        Ok(if epoch == Epoch::FINAL { Part::Outside } else { Part::First { has_ids } })
    }

    fn go_on(
        &self,
        has_ids: bool,
        id: SessionId,
        epoch: Epoch,
        request: &mut FetchRequest,
    ) -> Result<Part, ErrorCode> {
        let mut cache = self.cache();
        let session = cache.session(id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        let turn = Turn { id, epoch, session };
        let mut session = lock(&turn.session);
        session.check(epoch, has_ids)?;
        session.update(&request.topics, &request.forgotten_topics_data);
        if session.is_empty() {
            cache.remove(id);
            return Ok(Part::Outside);
        }
        session.next_epoch();
        self.counters.incremental();
        let is_kept = cache.touch(id, self.clock.monotonic(), session.size());
        drop(cache);
        request.topics = session.asked();
        drop(session);
        // Without a session, the answer names every partition, and the client begins anew.
        Ok(if is_kept { Part::Next(turn) } else { Part::Outside })
    }

    /// Ends a request that was begun: remembers what `respond` answers to it, and leaves out what need not be said.
    pub(crate) fn finish(
        &self,
        part: Part,
        request: FetchRequest,
        respond: impl FnOnce(FetchRequest) -> FetchResponse,
    ) -> FetchResponse {
        match part {
            Part::Outside => respond(request),
            Part::First { has_ids } => {
                let asked: Vec<_> = request.topics.iter().map(|topic| topic.partitions.clone()).collect();
                let found = respond(request);
                let SessionId(session_id) = self.create(has_ids, &asked, &found);
                FetchResponse { session_id, ..found }
            }
            Part::Next(turn) => turn.finish(respond(request)),
        }
    }

    fn create(&self, has_ids: bool, asked: &[Vec<FetchPartition>], found: &FetchResponse) -> SessionId {
        let session = || Session::new(has_ids, asked, &found.responses);
        let (now, size) = (self.clock.monotonic(), Size::of(&found.responses));
        let created = self.cache().create(now, size, random, session);
        self.counters.evicted(created.evicted);
        created.id
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        lock(&self.cache)
    }
}

impl Turn {
    /// Where somebody has gone on with the session in the meantime, the answer is not for whoever gets it now.
    fn finish(self, mut found: FetchResponse) -> FetchResponse {
        let Self { id, epoch, session } = self;
        found.session_id = id.0;
        let mut session = lock(&session);
        if session.epoch() == epoch.next() {
            session.leave_out(&mut found.responses);
        } else {
            found.error_code = ErrorCode::INVALID_FETCH_SESSION_EPOCH;
            found.responses.clear();
        }
        found
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that nobody guesses; positive, as Kafka's are.
fn random() -> SessionId {
    let TopicId([a, b, c, d, ..]) = TopicId::random();
    SessionId(i32::from_be_bytes([a, b, c, d]) & i32::MAX)
}

#[cfg(test)]
mod tests;
