//! Nodes that keep a value for each session and key.
//!
//! A session is known by its first and its last record, so that with each record that makes it longer another row takes
//! the place of the one before, which is taken back first; as is every session that a record has joined to another.

use std::sync::Arc;

use bytes::Bytes;
use mainstem_client::{Text, Timestamp};

use super::{
    NodeError,
    aggregate::{Change, Updated, Updates, result},
    behind,
    cells::Seen,
    cx::Cx,
    late::Late,
    operator::Logic,
    spans::{KeySpans, Row, Span, Spans},
    table::update::Update,
    windowed::{Emission, note_closed, seen_closed},
};
use crate::{
    SessionWindows, Window, Windowed,
    record::Item,
    serdes::Serde,
    watermark::{BEGINNING, END},
};

/// Makes one value of those of two sessions, the earlier one first.
pub(crate) type Merge<K, A> = Arc<dyn Fn(&K, A, A) -> A + Send + Sync>;

/// A node that keeps a value for each session and key.
pub(crate) struct SessionAggregate<K, V, A> {
    windows: SessionWindows,
    emission: Emission,
    /// Whether the value goes along that there was before.
    sends_old: bool,
    late: Late,
    change: Change<K, V, A>,
    merge: Merge<K, A>,
    spans: Spans<A>,
    /// The watermark at which a key is to be looked at.
    next_look: Timestamp,
    /// Up to where sessions are closed already.
    closed_to: Timestamp,
}

/// What the node leaves for others.
type Results<K, A> = Updates<Windowed<K>, A>;

/// Sessions of a key that a record joins: so many from the first on.
#[derive(Clone, Copy)]
struct Joined {
    first: usize,
    count: usize,
}

impl<K: Serde, V: Serde, A: Serde> SessionAggregate<K, V, A> {
    pub(crate) fn new(
        windows: SessionWindows,
        emission: Emission,
        sends_old: bool,
        late: Late,
        (change, merge): (Change<K, V, A>, Merge<K, A>),
        spans: Spans<A>,
    ) -> Self {
        // What the store holds is not known yet: the first record looks.
        let (next_look, closed_to) = (BEGINNING, BEGINNING);
        Self { windows, emission, sends_old, late, change, merge, spans, next_look, closed_to }
    }

    fn take(&mut self, item: Item<K, V>, out: &mut Results<K, A>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let watermark = behind(item.watermark, cx.delay_ms);
        if watermark >= self.next_look {
            self.close(watermark, item.order, out, cx)?;
        }
        let unwritable = |cause| NodeError::Unwritable { part: "key", cause };
        let Some(bytes) = item.key.encode(cx.buffer()).map_err(unwritable)? else {
            cx.counts.errors += 1;
            return Ok(());
        };
        let place = self.spans.of(&bytes, cx)?;
        let (joined, end) = joined(&self.spans.at(place).spans, item.time.0, self.windows.gap_ms());
        // A record that is late by itself is not where it joins a session that goes on.
        if self.windows.close_time(end) <= watermark.max(self.closed_to) {
            cx.counts.late += 1;
            let Item { value, time, headers, .. } = item;
            return self.late.put_aside(bytes, &value, time, headers, cx);
        }
        self.add(place, joined, item, out);
        self.spans.wake(place, end, cx);
        self.next_look = self.next_look.min(self.windows.close_time(end));
        if self.spans.is_full() { self.commit(out, cx) } else { Ok(()) }
    }

    /// Adds a record to the sessions that it joins, or begins one.
    fn add(&mut self, place: usize, joined: Joined, item: Item<K, V>, out: &mut Results<K, A>) {
        let Self { change, merge, spans, emission, sends_old, .. } = self;
        let (is_eager, keeper) = (*emission == Emission::EachChange, spans.at(place));
        let seen = Seen::of(&item);
        let Item { key, value, time: Timestamp(time), .. } = item;
        let Joined { first, count } = joined;
        let before = &keeper.spans[first..first + count];
        let is_within = count == 1 && (before[0].start..=before[0].end).contains(&time);
        let mut old = None;
        if is_eager && is_within {
            old = before[0].value.clone().filter(|_| *sends_old);
        } else if is_eager {
            out.extend(before.iter().map(|session| taken_back(key.clone(), session, *sends_old, seen)));
        }
        match count {
            0 => drop(keeper.insert(Span::new(time, time, None, seen))),
            _ => join(keeper, joined, |one, other| merge(&key, one, other)),
        }
        let session = &mut keeper.spans[first];
        (session.start, session.end) = (session.start.min(time), session.end.max(time));
        session.change(seen, |before| change(&key, value, before));
        if is_eager {
            let (key, new) = (windowed(key, session.start, session.end), session.value.clone());
            out.push(result(key, Update { old, new }, session.seen));
        }
    }

    /// Takes out the sessions that the watermark closes, in the order of their ends and then of their keys.
    fn close(
        &mut self,
        watermark: Timestamp,
        order: u64,
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let mut closed = Vec::new();
        for place in self.spans.woken(self.last_closed(watermark), cx)? {
            let windows = self.windows;
            let is_over = |session: &Span<A>| windows.close_time(session.end) <= watermark;
            let over = self.spans.at(place).spans.partition_point(is_over);
            if self.emission == Emission::LastChange && over > 0 {
                self.show(Some((place, over)), out, cx)?;
            }
            for _ in 0..over {
                let session = self.spans.expire(place, 0, cx);
                closed.push((self.spans.at(place).key.clone(), session));
            }
            self.spans.wake_for_first(place, cx);
        }
        closed.sort_by(|(key, session), (other_key, other)| (session.end, key).cmp(&(other.end, other_key)));
        let last = closed.last().map(|(_, session)| self.windows.close_time(session.end));
        if self.emission == Emission::OnClose {
            for (key, session) in closed {
                out.push(self.closed(&key, session, order, cx.delay_ms)?);
            }
        }
        let closed_to = note_closed(watermark, last, cx.store(self.spans.store()));
        self.closed_to = self.closed_to.max(closed_to);
        self.next_look = self.spans.first_alarm(cx).map_or(END, |alarm| self.windows.close_time(alarm));
        Ok(())
    }

    /// The last end of a session that a watermark closes; none where that is the end of time.
    fn last_closed(&self, watermark: Timestamp) -> Option<i64> {
        let last = watermark.0.saturating_sub(self.windows.wait_ms()).saturating_sub(1);
        (watermark != END).then_some(last)
    }

    /// The result of a session that is over bears the time of its last record.
    fn closed(
        &self,
        key: &Bytes,
        session: Span<A>,
        order: u64,
        delay_ms: i64,
    ) -> Result<Updated<Windowed<K>, A>, NodeError> {
        let key = decoded(key, self.spans.store())?;
        let seen = seen_closed(Timestamp(session.end), self.windows.wait_ms(), order, delay_ms);
        let update = Update { old: None, new: session.value };
        Ok(result(windowed(key, session.start, session.end), update, seen))
    }

    /// Writes the first sessions of a key back, or all that there are, and passes on what has become of them.
    fn show(
        &mut self,
        first: Option<(usize, usize)>,
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let (emission, store) = (self.emission, self.spans.store().clone());
        let show = |row: Row<'_, A>, now: Seen| {
            if emission == Emission::LastChange {
                out.push(shown(row, now, &store)?);
            }
            Ok(())
        };
        match first {
            Some((place, count)) => self.spans.write_first(place, count, cx, show),
            None => self.spans.write_back(cx, show),
        }
    }
}

/// The key of windows, from the bytes by which the store has it.
pub(super) fn decoded<K: Serde>(bytes: &Bytes, store: &Text) -> Result<K, NodeError> {
    K::decode(Some(bytes)).map_err(|cause| NodeError::Stored { store: store.clone(), cause })
}

pub(super) const fn windowed<K>(key: K, start: i64, end: i64) -> Windowed<K> {
    Windowed { key, window: Window { start: Timestamp(start), end: Timestamp(end) } }
}

/// What a commit passes on of a row.
pub(super) fn shown<K: Serde, A: Clone>(
    row: Row<'_, A>,
    now: Seen,
    store: &Text,
) -> Result<Updated<Windowed<K>, A>, NodeError> {
    let seen = row.span.map_or(Seen { time: Timestamp(row.end), ..now }, |span| span.seen);
    let new = row.span.and_then(|span| span.value.clone());
    let key = windowed(decoded(row.key, store)?, row.start, row.end);
    Ok(result(key, Update { old: row.old, new }, seen))
}

/// The sessions that a record joins, and the end of what they become.
fn joined<A>(sessions: &[Span<A>], time: i64, gap_ms: i64) -> (Joined, i64) {
    let first = sessions.partition_point(|session| session.end < time.saturating_sub(gap_ms));
    let near = |session: &&Span<A>| session.start <= time.saturating_add(gap_ms);
    let near = sessions[first..].iter().take_while(near);
    let (count, end) = near.fold((0, time), |(count, end), session| (count + 1, end.max(session.end)));
    (Joined { first, count }, end)
}

/// Makes one session of several.
fn join<A>(keeper: &mut KeySpans<A>, joined: Joined, merge: impl Fn(A, A) -> A) {
    let Joined { first, count } = joined;
    for _ in 1..count {
        let later = keeper.remove(first + 1);
        let session = &mut keeper.spans[first];
        session.end = later.end;
        session.seen.time = session.seen.time.max(later.seen.time);
        session.value = match (session.value.take(), later.value) {
            (Some(value), Some(later)) => Some(merge(value, later)),
            (value, later) => value.or(later),
        };
    }
}

/// That a row is no more.
fn taken_back<K, A: Clone>(
    key: K,
    session: &Span<A>,
    sends_old: bool,
    seen: Seen,
) -> Updated<Windowed<K>, A> {
    let old = session.value.clone().filter(|_| sends_old);
    let seen = Seen { time: Timestamp(session.end), ..seen };
    result(windowed(key, session.start, session.end), Update { old, new: None }, seen)
}

impl<K: Serde, V: Serde, A: Serde> Logic for SessionAggregate<K, V, A> {
    type In = Item<K, V>;
    type Out = Results<K, A>;

    fn run(
        &mut self,
        input: &mut Vec<Item<K, V>>,
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        input.drain(..).try_for_each(|item| self.take(item, out, cx))
    }

    fn watermark(&mut self, out: &mut Results<K, A>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        if cx.watermark >= self.next_look { self.close(cx.watermark, *cx.order, out, cx) } else { Ok(()) }
    }

    fn commit(&mut self, out: &mut Results<K, A>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.show(None, out, cx)
    }
}
