//! The windows of a node whose bounds follow from their records, and what is passed on of them: with each change, at
//! a commit, or as they close.

use bytes::Bytes;
use mainstem_client::{Text, Timestamp};

use super::{
    NodeError,
    aggregate::{Updated, result},
    behind,
    cells::Seen,
    cx::Cx,
    spans::{KeySpans, Row, Spans},
    table::update::Update,
    windowed::{Emission, Results, Showing, note_closed, seen_closed},
};
use crate::{
    Window, Windowed,
    serdes::Serde,
    watermark::{BEGINNING, END},
};

/// The windows of a node, each of which is a row of its table.
pub(super) struct Rows<A> {
    pub(super) spans: Spans<A>,
    showing: Showing,
    /// How far the watermark is behind a window's end, at least, when it closes.
    wait_ms: i64,
    /// The watermark at which a key is to be looked at.
    next_look: Timestamp,
    /// Up to where windows are closed already.
    closed_to: Timestamp,
}

/// A window that has closed.
struct Closed<A> {
    key: Bytes,
    start: i64,
    end: i64,
    /// None where nobody asks for it.
    value: Option<A>,
}

impl<A: Serde> Rows<A> {
    pub(super) const fn new(spans: Spans<A>, showing: Showing, wait_ms: i64) -> Self {
        // What the store holds is not known yet: the first record looks.
        Self { spans, showing, wait_ms, next_look: BEGINNING, closed_to: BEGINNING }
    }

    /// Whether each change is passed on.
    pub(super) fn is_eager(&self) -> bool {
        self.showing.emission == Emission::EachChange
    }

    /// What goes along of the value that there was before a change.
    pub(super) fn old(&self, value: &Option<A>) -> Option<A> {
        if self.showing.sends_old { value.clone() } else { None }
    }

    /// Whether a window with that end is closed when time has come so far.
    pub(super) const fn is_over(&self, end: i64, watermark: Timestamp) -> bool {
        self.close_time(end).0 <= watermark.0
    }

    const fn close_time(&self, end: i64) -> Timestamp {
        Timestamp(end.saturating_add(self.wait_ms).saturating_add(1))
    }

    /// Sees to it that a key is looked at when its window with that end closes.
    pub(super) fn wake(&mut self, place: usize, end: i64, cx: &mut Cx<'_>) {
        self.spans.wake(place, end, cx);
        self.next_look = self.next_look.min(self.close_time(end));
    }

    /// Closes what is over before a record that came at a watermark of the task. Returns up to where windows are closed.
    pub(super) fn keep_up<K: Serde>(
        &mut self,
        (watermark, order): (Timestamp, u64),
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<Timestamp, NodeError> {
        let watermark = behind(watermark, cx.delay_ms);
        self.close_by((watermark, order), out, cx)?;
        Ok(watermark.max(self.closed_to))
    }

    /// Closes what is over at a watermark of the node.
    pub(super) fn close_by<K: Serde>(
        &mut self,
        (watermark, order): (Timestamp, u64),
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        if watermark < self.next_look {
            return Ok(());
        }
        let closed = self.close(watermark, out, cx)?;
        let last = closed.last().map(|row| self.close_time(row.end));
        if self.showing.emission == Emission::OnClose {
            for row in closed {
                out.push(self.result(row, order, cx.delay_ms)?);
            }
        }
        let closed_to = note_closed(watermark, last, cx.store(self.spans.store()));
        self.closed_to = self.closed_to.max(closed_to);
        self.next_look = self.spans.first_alarm(cx).map_or(END, |alarm| self.close_time(alarm));
        Ok(())
    }

    /// Closes the windows that are over, and lets go of those that nobody needs any more. Returns them in the order of
    /// their ends and then of their keys.
    fn close<K: Serde>(
        &mut self,
        watermark: Timestamp,
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<Vec<Closed<A>>, NodeError> {
        let last_closed = watermark.0.saturating_sub(self.wait_ms).saturating_sub(1);
        let last_closed = (watermark != END).then_some(last_closed);
        let mut closed = Vec::new();
        for place in self.spans.woken(last_closed, cx)? {
            let windows = &self.spans.at(place).spans;
            let over = windows.partition_point(|window| self.is_over(window.end, watermark));
            if self.showing.emission == Emission::LastChange && over > 0 {
                self.show(Some((place, over)), out, cx)?;
            }
            self.close_first(place, over, &mut closed);
            self.spans.expire_closed(place, last_closed, cx);
            self.spans.wake_for_first(place, cx);
        }
        closed.sort_by(|one, other| (one.end, &one.key).cmp(&(other.end, &other.key)));
        Ok(closed)
    }

    fn close_first(&mut self, place: usize, over: usize, closed: &mut Vec<Closed<A>>) {
        let is_shown = self.showing.emission == Emission::OnClose;
        let KeySpans { key, spans, .. } = self.spans.at_mut(place);
        for window in spans[..over].iter_mut().filter(|window| !window.is_closed) {
            window.close();
            let value = if is_shown { window.value.clone() } else { None };
            closed.push(Closed { key: key.clone(), start: window.start, end: window.end, value });
        }
    }

    /// The result of a window that is over bears its end.
    fn result<K: Serde>(
        &self,
        closed: Closed<A>,
        order: u64,
        delay_ms: i64,
    ) -> Result<Updated<Windowed<K>, A>, NodeError> {
        let Closed { key, start, end, value } = closed;
        let seen = seen_closed(Timestamp(end), self.wait_ms, order, delay_ms);
        let key = windowed(decoded(&key, self.spans.store())?, start, end);
        Ok(result(key, Update { old: None, new: value }, seen))
    }

    /// Writes back what has changed before that is too much.
    pub(super) fn make_room<K: Serde>(
        &mut self,
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        if self.spans.is_full() { self.write_back(out, cx) } else { Ok(()) }
    }

    /// Writes back what has changed, and passes it on where that was not done with each change.
    pub(super) fn write_back<K: Serde>(
        &mut self,
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        self.show(None, out, cx)
    }

    /// Writes the first windows of a key back, or all that there are, and passes on what has become of them.
    fn show<K: Serde>(
        &mut self,
        first: Option<(usize, usize)>,
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let (emission, store) = (self.showing.emission, self.spans.store().clone());
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

pub(super) const fn windowed<K>(key: K, start: i64, end: i64) -> Windowed<K> {
    Windowed { key, window: Window { start: Timestamp(start), end: Timestamp(end) } }
}

/// The key of windows, from the bytes by which the store has it.
fn decoded<K: Serde>(bytes: &Bytes, store: &Text) -> Result<K, NodeError> {
    K::decode(Some(bytes)).map_err(|cause| NodeError::Stored { store: store.clone(), cause })
}

/// What a commit passes on of a row.
fn shown<K: Serde, A: Clone>(
    row: Row<'_, A>,
    now: Seen,
    store: &Text,
) -> Result<Updated<Windowed<K>, A>, NodeError> {
    let seen = row.span.map_or(Seen { time: Timestamp(row.end), ..now }, |span| span.seen);
    let new = row.span.and_then(|span| span.value.clone());
    let key = windowed(decoded(row.key, store)?, row.start, row.end);
    Ok(result(key, Update { old: row.old, new }, seen))
}
