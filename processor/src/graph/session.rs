//! Nodes that keep a value for each session and key.
//!
//! A session is known by its first and its last record, so that with each record that makes it longer another row takes
//! the place of the one before, which is taken back first; as is every session that a record has joined to another.

use std::sync::Arc;

use mainstem_client::Timestamp;

use super::{
    NodeError,
    aggregate::{Change, Updated, result},
    cells::Seen,
    cx::Cx,
    late::Late,
    operator::Logic,
    rows::{Rows, windowed},
    spans::{KeySpans, Span, Spans},
    table::update::Update,
    windowed::{Results, Showing},
};
use crate::{SessionWindows, Windowed, record::Item, serdes::Serde};

/// Makes one value of those of two sessions, the earlier one first.
pub(crate) type Merge<K, A> = Arc<dyn Fn(&K, A, A) -> A + Send + Sync>;

/// A node that keeps a value for each session and key.
pub(crate) struct SessionAggregate<K, V, A> {
    gap_ms: i64,
    late: Late,
    change: Change<K, V, A>,
    merge: Merge<K, A>,
    rows: Rows<A>,
}

/// Sessions of a key that a record joins: so many from the first on.
#[derive(Clone, Copy)]
struct Joined {
    first: usize,
    count: usize,
}

impl<K: Serde, V: Serde, A: Serde> SessionAggregate<K, V, A> {
    pub(crate) fn new(
        windows: SessionWindows,
        showing: Showing,
        late: Late,
        (change, merge): (Change<K, V, A>, Merge<K, A>),
        spans: Spans<A>,
    ) -> Self {
        let rows = Rows::new(spans, showing, windows.wait_ms());
        Self { gap_ms: windows.gap_ms(), late, change, merge, rows }
    }

    fn take(&mut self, item: Item<K, V>, out: &mut Results<K, A>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let closed_to = self.rows.keep_up((item.watermark, item.order), out, cx)?;
        let Some(bytes) = cx.needed_key(&item.key)? else { return Ok(()) };
        let place = self.rows.spans.of(&bytes, cx)?;
        let (joined, end) = joined(&self.rows.spans.at(place).spans, item.time.0, self.gap_ms);
        // A record that is late by itself is not where it joins a session that goes on.
        if self.rows.is_over(end, closed_to) {
            return self.late.take(bytes, item, cx);
        }
        self.add(place, joined, item, out);
        self.rows.wake(place, end, cx);
        self.rows.make_room(out, cx)
    }

    /// Adds a record to the sessions that it joins, or begins one.
    fn add(&mut self, place: usize, joined: Joined, item: Item<K, V>, out: &mut Results<K, A>) {
        let Self { change, merge, rows, .. } = self;
        let is_eager = rows.is_eager();
        let seen = Seen::of(&item);
        let Item { key, value, time: Timestamp(time), .. } = item;
        let Joined { first, count } = joined;
        let before = &rows.spans.at(place).spans[first..first + count];
        let is_within = count == 1 && (before[0].start..=before[0].end).contains(&time);
        let mut old = None;
        if is_eager && is_within {
            old = rows.old(&before[0].value);
        } else if is_eager {
            let taken_back =
                |session: &Span<A>| taken_back(key.clone(), session, rows.old(&session.value), seen);
            out.extend(before.iter().map(taken_back));
        }
        let keeper = rows.spans.at_mut(place);
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
fn taken_back<K, A>(key: K, session: &Span<A>, old: Option<A>, seen: Seen) -> Updated<Windowed<K>, A> {
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
        self.rows.close_by((cx.watermark, *cx.order), out, cx)
    }

    fn commit(&mut self, out: &mut Results<K, A>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.rows.write_back(out, cx)
    }
}
