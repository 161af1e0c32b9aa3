//! Nodes that keep a value for each window and key.
//!
//! In the store a key stands behind the mark of its window ([`FixedWindows`]), in eight bytes that sort like the number,
//! so that the windows that close are those in front. A window that closes leaves the store, whether or not it is emitted then.
//!
//! Windows close between two records and not at the end of a batch, and results bear the time of their window, so
//! that neither depends on how the input is cut.
//!
//! The end of the input closes windows that time has not reached. A later run goes on from where time was, so the store
//! keeps how far they were closed: a record for one of them is late, rather than the first of a second result.

use bytes::{BufMut, Bytes};
use mainstem_client::Timestamp;

use super::{
    LAST, NodeError,
    aggregate::{Change, Updated, Updates, result},
    behind,
    cells::{Cell, Cells, Seen},
    cx::Cx,
    late::Late,
    operator::Logic,
    table::update::Update,
};
use crate::{
    Windowed,
    record::Item,
    serdes::Serde,
    state::{Store, ordered, unordered},
    watermark::{BEGINNING, END},
    window::FixedWindows,
};

/// Bytes of a mark in front of its key.
const MARK_BYTES: usize = 8;

/// When results are passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emission {
    /// With each change.
    EachChange,
    /// At a commit: the last change of each.
    LastChange,
    /// When a window closes.
    OnClose,
}

/// When results are passed on, and what goes along.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Showing {
    pub(crate) emission: Emission,
    /// Whether the value goes along that there was before.
    pub(crate) sends_old: bool,
}

/// What a window's node leaves for others.
pub(super) type Results<K, A> = Updates<Windowed<K>, A>;

/// A node that keeps a value for each window and key.
pub(crate) struct WindowedAggregate<K, V, A> {
    windows: FixedWindows,
    showing: Showing,
    late: Late,
    change: Change<K, V, A>,
    cells: Cells<A>,
    /// When the first of the windows that there are closes.
    next_close: Timestamp,
    /// Up to where windows are closed already.
    closed_to: Timestamp,
    entry: Vec<u8>,
}

impl<K: Serde, V: Serde, A: Serde> WindowedAggregate<K, V, A> {
    pub(crate) const fn new(
        windows: FixedWindows,
        showing: Showing,
        late: Late,
        change: Change<K, V, A>,
        cells: Cells<A>,
    ) -> Self {
        Self {
            windows,
            showing,
            late,
            change,
            cells,
            // What the store holds is not known yet: the first record looks.
            next_close: BEGINNING,
            closed_to: BEGINNING,
            entry: Vec::new(),
        }
    }

    fn take(&mut self, item: Item<K, V>, out: &mut Results<K, A>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let watermark = behind(item.watermark, cx.delay_ms);
        if watermark >= self.next_close {
            self.close(watermark, item.order, out, cx)?;
        }
        let Some(bytes) = cx.needed_key(&item.key)? else { return Ok(()) };
        let (watermark, seen) = (watermark.max(self.closed_to), Seen::of(&item));
        let Item { key, value, time, headers, .. } = item;
        let (mut value, mut is_taken) = (Some(value), false);
        let mut marks = self.windows.marks_of(time).peekable();
        while let Some(mark) = marks.next() {
            if self.windows.close_time(mark) <= watermark {
                cx.counts.late += 1;
                continue;
            }
            is_taken = true;
            // The value is copied only where windows overlap.
            let value = if marks.peek().is_some() { value.clone() } else { value.take() };
            let Some(value) = value else { break };
            let shown = self.add(mark, &bytes, (&key, value), seen, cx)?;
            out.extend(shown);
        }
        if let (false, Some(value)) = (is_taken, value) {
            self.late.put_aside(bytes, &value, time, headers, cx)?;
        }
        if self.cells.is_full() { self.commit(out, cx) } else { Ok(()) }
    }

    fn add(
        &mut self,
        mark: i64,
        bytes: &[u8],
        (key, value): (&K, V),
        seen: Seen,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Updated<Windowed<K>, A>>, NodeError> {
        self.entry.clear();
        self.entry.put_slice(&ordered(mark));
        self.entry.put_slice(bytes);
        let (change, Showing { emission, sends_old }) = (&self.change, self.showing);
        let is_eager = emission == Emission::EachChange;
        let (sends_old, mut old) = (is_eager && sends_old, None);
        let change = |before: Option<A>| {
            old = if sends_old { before.clone() } else { None };
            change(key, value, before)
        };
        let show = |cell: &Cell<A>| is_eager.then(|| (cell.value.clone(), cell.seen));
        let shown = self.cells.change(&self.entry, seen, cx, change, show)?;
        self.next_close = self.next_close.min(self.windows.close_time(mark));
        let key = || Windowed { key: key.clone(), window: self.windows.at(mark) };
        Ok(shown.map(|(value, seen)| result(key(), Update { old, new: value }, seen)))
    }

    /// Takes out the windows that the watermark closes, in the order of windows and then of keys.
    fn close(
        &mut self,
        watermark: Timestamp,
        order: u64,
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        self.commit(out, cx)?;
        let first_open = self.windows.first_open(watermark).map(ordered);
        let store = cx.store(self.cells.store());
        let closed = match &first_open {
            Some(start) => store.range(b"", start),
            None => store.range_from(b""),
        };
        let last_closed = closed.last().and_then(|(entry, _)| mark(entry));
        for (entry, value) in closed {
            cx.store(self.cells.store()).delete(&entry);
            self.cells.forget(&entry);
            if self.showing.emission == Emission::OnClose {
                let result = self.closed(&entry, &value, order, cx.delay_ms)?;
                out.push(result);
            }
        }
        let last = last_closed.map(|mark| self.windows.close_time(mark));
        let closed_to = note_closed(watermark, last, cx.store(self.cells.store()));
        self.closed_to = self.closed_to.max(closed_to);
        let first = cx.store(self.cells.store()).first();
        let first = first.and_then(|(entry, _)| mark(&entry));
        self.next_close = first.map_or(END, |mark| self.windows.close_time(mark));
        Ok(())
    }

    /// The result of a closed window bears the last moment of the window.
    fn closed(
        &self,
        entry: &Bytes,
        value: &Bytes,
        order: u64,
        delay_ms: i64,
    ) -> Result<Updated<Windowed<K>, A>, NodeError> {
        let key = self.key(entry)?;
        let (value, _) = self.cells.read(value)?;
        let time = Timestamp(key.window.end.0.saturating_sub(1));
        let seen = seen_closed(time, self.windows.grace_ms(), order, delay_ms);
        Ok(result(key, Update { old: None, new: Some(value) }, seen))
    }

    fn key(&self, entry: &Bytes) -> Result<Windowed<K>, NodeError> {
        windowed_key(&self.windows, entry)
            .map_err(|cause| NodeError::Stored { store: self.cells.store().clone(), cause })
    }
}

/// Notes up to where windows are closed, the last of which closes at `last`, and says it. Where it is the end of the
/// input that closes windows, time will not say after a restart that they are closed.
pub(super) fn note_closed(watermark: Timestamp, last: Option<Timestamp>, store: &mut Store) -> Timestamp {
    if let (END, Some(last)) = (watermark, last) {
        store.close_to(last);
    }
    watermark.max(store.closed_to())
}

/// When those behind a node see the result of a window that has closed `wait_ms` behind the time that the result bears.
/// Nothing that comes later bears an earlier time, so that is the watermark too at which they see it, who are behind the
/// task's by the wait.
pub(super) fn seen_closed(time: Timestamp, wait_ms: i64, order: u64, delay_ms: i64) -> Seen {
    let watermark = Timestamp(time.0.saturating_add(wait_ms).saturating_add(delay_ms)).min(LAST);
    Seen { time, watermark, order }
}

/// The mark of an entry's window.
fn mark(entry: &Bytes) -> Option<i64> {
    Some(unordered(*entry.first_chunk::<MARK_BYTES>()?))
}

/// The key of an entry of a store.
pub(crate) fn windowed_key<K: Serde>(
    windows: &FixedWindows,
    entry: &Bytes,
) -> Result<Windowed<K>, crate::serdes::SerdeError> {
    let expected = "a window and a key";
    let short = crate::serdes::SerdeError::Length { expected, wanted: MARK_BYTES, found: entry.len() };
    let window = windows.at(mark(entry).ok_or(short)?);
    Ok(Windowed { key: K::decode(Some(&entry.slice(MARK_BYTES..)))?, window })
}

impl<K: Serde, V: Serde, A: Serde> Logic for WindowedAggregate<K, V, A> {
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
        if cx.watermark >= self.next_close { self.close(cx.watermark, *cx.order, out, cx) } else { Ok(()) }
    }

    fn commit(&mut self, out: &mut Results<K, A>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let Self { cells, windows, showing: Showing { emission, sends_old }, .. } = self;
        let (store, is_shown) = (cells.store().clone(), *emission == Emission::LastChange);
        cells.write_back(cx, is_shown && *sends_old, |cell, old| {
            if is_shown {
                let stored = |cause| NodeError::Stored { store: store.clone(), cause };
                let key = windowed_key(windows, &cell.key).map_err(stored)?;
                out.push(result(key, Update { old, new: cell.value.clone() }, cell.seen));
            }
            Ok(())
        })
    }
}
