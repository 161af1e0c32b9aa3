//! Windows whose bounds follow from the records of their keys: sessions and sliding windows. Those of a key that is at
//! hand are decoded, in the order of their starts, and changed many times before they are written back at a commit.
//!
//! In the store there are two kinds of entries, told apart by their first byte:
//!
//! | key | value |
//! |---|---|
//! | 0, an alarm (8), the key | nothing |
//! | 1, the length of the key (4), the key, the start (8) | the end (8), the time (8), what is so (1), the value |
//!
//! Times in keys sort like their numbers. An *alarm* is a time at which the windows of a key are to be looked at, for one
//! of them may be over: each key that has windows has an alarm that is not behind the first of their ends. A session
//! that goes on leaves its alarm where it is, and gets a new one when that is due: records cost no alarm.

use std::collections::HashMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mainstem_client::{Text, Timestamp};

use super::{NodeError, cells::Seen, cx::Cx};
use crate::{
    Window, Windowed, caps,
    serdes::{Serde, SerdeError},
    state::{ordered, unordered},
};

const ALARM: u8 = 0;
const SPAN: u8 = 1;

/// What is so of a window, as bits.
const IS_CLOSED: u8 = 1;
const IS_NULL: u8 = 2;

/// Bytes in front of the key of an alarm.
const ALARM_BYTES: usize = 9;
/// Bytes in front of the value of a window.
const HEAD_BYTES: usize = 17;

/// A window of a key.
#[derive(Debug)]
pub(crate) struct Span<A> {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) value: Option<A>,
    /// The largest time of the records in it, and when the last of them was seen.
    pub(crate) seen: Seen,
    /// Whether it is over, and only kept for what others need of it.
    pub(crate) is_closed: bool,
    is_changed: bool,
    /// Its bounds as the store has them.
    stored: Option<(i64, i64)>,
}

impl<A> Span<A> {
    pub(crate) const fn new(start: i64, end: i64, value: Option<A>, seen: Seen) -> Self {
        Self { start, end, value, seen, is_closed: false, is_changed: true, stored: None }
    }

    /// Changes the value by a record.
    pub(crate) fn change(&mut self, seen: Seen, change: impl FnOnce(Option<A>) -> A) {
        self.value = Some(change(self.value.take()));
        self.seen = Seen { time: self.seen.time.max(seen.time), ..seen };
        self.is_changed = true;
    }

    /// Notes that it is over.
    pub(crate) const fn close(&mut self) {
        self.is_closed = true;
        self.is_changed = true;
    }

    /// When it is to be looked at next: as it closes, and when nobody needs it any more.
    pub(crate) const fn alarm(&self, keep_ms: i64) -> i64 {
        if self.is_closed { self.end.saturating_add(keep_ms) } else { self.end }
    }
}

/// The windows of a key, in the order of their starts.
#[derive(Debug)]
pub(crate) struct KeySpans<A> {
    pub(crate) key: Bytes,
    pub(crate) spans: Vec<Span<A>>,
    /// The bounds of windows that are no more, as the store has them.
    gone: Vec<(i64, i64)>,
    /// A time at or behind an alarm of the key.
    alarm: Option<i64>,
    is_changed: bool,
}

impl<A> KeySpans<A> {
    /// Takes windows out for good.
    pub(crate) fn remove(&mut self, span: usize) -> Span<A> {
        let span = self.spans.remove(span);
        self.gone.extend(span.stored);
        span
    }

    /// Whether there is a window with that start.
    pub(crate) fn has(&self, start: i64) -> bool {
        self.spans.binary_search_by_key(&start, |span| span.start).is_ok()
    }

    /// Puts a window in its place.
    pub(crate) fn insert(&mut self, span: Span<A>) -> usize {
        let at = self.spans.partition_point(|known| known.start < span.start);
        self.spans.insert(at, span);
        at
    }
}

/// A row that was written back: what stands in the store from now on, or no longer.
pub(crate) struct Row<'a, A> {
    pub(crate) key: &'a Bytes,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// What stood there before, where somebody asks.
    pub(crate) old: Option<A>,
    /// None where it is no more.
    pub(crate) span: Option<&'a Span<A>>,
}

/// Windows at hand.
pub(crate) struct Spans<A> {
    store: Text,
    /// How long a window is kept beyond its end when it is closed.
    keep_ms: i64,
    /// Whether what stood in the store is to be shown where something else is written.
    reads_old: bool,
    places: HashMap<Bytes, usize>,
    keys: Vec<KeySpans<A>>,
    changed: Vec<usize>,
    /// No alarm is before this time: those that are gone stay in the store's overlay until a commit, and each look would
    /// pass all of them again.
    alarms_from: i64,
    entry: Vec<u8>,
}

impl<A: Serde> Spans<A> {
    pub(crate) fn new(store: Text, keep_ms: i64, reads_old: bool) -> Self {
        let (places, keys, changed) = (HashMap::new(), Vec::new(), Vec::new());
        let (alarms_from, entry) = (i64::MIN, Vec::new());
        Self { store, keep_ms, reads_old, places, keys, changed, alarms_from, entry }
    }

    pub(crate) const fn store(&self) -> &Text {
        &self.store
    }

    /// Whether so much is changed that it should be written back before the next commit.
    pub(crate) const fn is_full(&self) -> bool {
        self.changed.len() >= caps::CHANGED_CELLS_MAX
    }

    /// The windows of a key, which is where [`Self::at`] has them until the next commit. They are taken to be changed.
    pub(crate) fn of(&mut self, key: &[u8], cx: &mut Cx<'_>) -> Result<usize, NodeError> {
        let place = match self.places.get(key) {
            Some(place) => *place,
            None => self.load(key, cx)?,
        };
        let windows = &mut self.keys[place];
        if !windows.is_changed {
            windows.is_changed = true;
            self.changed.push(place);
        }
        Ok(place)
    }

    pub(crate) fn at(&self, place: usize) -> &KeySpans<A> {
        &self.keys[place]
    }

    pub(crate) fn at_mut(&mut self, place: usize) -> &mut KeySpans<A> {
        &mut self.keys[place]
    }

    fn load(&mut self, key: &[u8], cx: &mut Cx<'_>) -> Result<usize, NodeError> {
        // The key must not hold on to the memory of the record that it comes from.
        let key = Bytes::copy_from_slice(key);
        let first = Bytes::copy_from_slice(entry(&mut self.entry, &key, i64::MIN));
        let mut last = BytesMut::from(entry(&mut self.entry, &key, i64::MAX));
        last.put_u8(0);
        let stored = cx.store(&self.store).range(&first, &last);
        let spans: Result<Vec<_>, _> = stored.iter().map(|(entry, value)| read(entry, value)).collect();
        let spans = spans.map_err(|cause| NodeError::Stored { store: self.store.clone(), cause })?;
        let alarm = spans.iter().map(|span| span.alarm(self.keep_ms)).min();
        let place = self.keys.len();
        self.places.insert(key.clone(), place);
        self.keys.push(KeySpans { key, spans, gone: Vec::new(), alarm, is_changed: false });
        Ok(place)
    }

    /// Sees to it that a key is looked at when time has reached `at`.
    pub(crate) fn wake(&mut self, place: usize, at: i64, cx: &mut Cx<'_>) {
        let Self { store, keys, alarms_from, entry, .. } = self;
        let windows = &mut keys[place];
        if windows.alarm.is_none_or(|alarm| at < alarm) {
            windows.alarm = Some(at);
            *alarms_from = at.min(*alarms_from);
            cx.store(store).put(alarm(entry, at, &windows.key), Bytes::new());
        }
    }

    /// The same, when the first of its windows needs it.
    pub(crate) fn wake_for_first(&mut self, place: usize, cx: &mut Cx<'_>) {
        let alarms = self.keys[place].spans.iter().map(|span| span.alarm(self.keep_ms));
        if let Some(first) = alarms.min() {
            self.wake(place, first, cx);
        }
    }

    /// The first time at which a key is to be looked at.
    pub(crate) fn first_alarm(&mut self, cx: &mut Cx<'_>) -> Option<i64> {
        let from = alarm(&mut self.entry, self.alarms_from, &[]);
        let (entry, _) = cx.store(&self.store).entries_from(from).next()?;
        entry.strip_prefix(&[ALARM])?.first_chunk().map(|at| unordered(*at))
    }

    /// The keys that are to be looked at by a time, or all where there is none; their alarms are gone.
    pub(crate) fn woken(&mut self, by: Option<i64>, cx: &mut Cx<'_>) -> Result<Vec<usize>, NodeError> {
        let end = by.and_then(|by| by.checked_add(1)).map(|end| end.max(self.alarms_from));
        let first = Bytes::copy_from_slice(alarm(&mut self.entry, self.alarms_from, &[]));
        let last = end.map_or(&[SPAN][..], |end| alarm(&mut self.entry, end, &[]));
        let due = cx.store(&self.store).range(&first, last);
        self.alarms_from = end.unwrap_or(self.alarms_from);
        let mut woken = Vec::with_capacity(due.len());
        for (entry, _) in due {
            cx.store(&self.store).delete(&entry);
            let place = self.of(&entry[ALARM_BYTES.min(entry.len())..], cx)?;
            self.keys[place].alarm = None;
            woken.push(place);
        }
        // A key may have had several alarms.
        woken.sort_unstable();
        woken.dedup();
        Ok(woken)
    }

    /// Takes the windows out that nobody needs any more: those that are closed, and are not kept beyond a time; where
    /// there is none, all that are closed. They are not shown any more.
    pub(crate) fn expire_closed(&mut self, place: usize, time: Option<i64>, cx: &mut Cx<'_>) {
        let Self { store, keep_ms, keys, entry, .. } = self;
        let KeySpans { key, spans, .. } = &mut keys[place];
        let is_done = |span: &Span<A>| span.is_closed && time.is_none_or(|time| span.alarm(*keep_ms) <= time);
        let done = spans.iter().take_while(|span| is_done(span)).count();
        for (start, _) in spans.drain(..done).filter_map(|span| span.stored) {
            cx.store(store).delete(self::entry(entry, key, start));
        }
    }

    /// Writes what has changed into the store, and shows it, key by key in the order in which they were first changed.
    pub(crate) fn write_back(
        &mut self,
        cx: &mut Cx<'_>,
        mut show: impl FnMut(Row<'_, A>, Seen) -> Result<(), NodeError>,
    ) -> Result<(), NodeError> {
        let changed = std::mem::take(&mut self.changed);
        for place in &changed {
            self.write_key_back(*place, cx, &mut show)?;
        }
        self.changed = changed;
        self.changed.clear();
        if self.keys.len() > caps::CELLS_MAX {
            self.keys.clear();
            self.places.clear();
        }
        Ok(())
    }

    fn write_key_back(
        &mut self,
        place: usize,
        cx: &mut Cx<'_>,
        show: impl FnMut(Row<'_, A>, Seen) -> Result<(), NodeError>,
    ) -> Result<(), NodeError> {
        let KeySpans { spans, is_changed, .. } = &mut self.keys[place];
        let count = spans.len();
        if std::mem::take(is_changed) { self.write_first(place, count, cx, show) } else { Ok(()) }
    }

    /// The same for the first windows of one key: first what is no more, and then what is new.
    pub(crate) fn write_first(
        &mut self,
        place: usize,
        count: usize,
        cx: &mut Cx<'_>,
        mut show: impl FnMut(Row<'_, A>, Seen) -> Result<(), NodeError>,
    ) -> Result<(), NodeError> {
        let now = Seen { time: cx.watermark, watermark: cx.watermark, order: *cx.order };
        let Self { store, reads_old, keys, entry, .. } = self;
        let KeySpans { key, spans, gone, .. } = &mut keys[place];
        let moved = spans[..count].iter().filter(|span| span.stored != Some((span.start, span.end)));
        gone.extend(moved.filter_map(|span| span.stored));
        gone.sort_unstable();
        for (start, end) in gone.drain(..) {
            let old = if *reads_old { stored(store, self::entry(entry, key, start), cx)? } else { None };
            cx.store(store).delete(self::entry(entry, key, start));
            show(Row { key, start, end, old, span: None }, now)?;
        }
        for span in spans[..count].iter_mut().filter(|span| span.is_changed) {
            (span.is_changed, span.stored) = (false, Some((span.start, span.end)));
            let old = if *reads_old { stored(store, self::entry(entry, key, span.start), cx)? } else { None };
            let value = span.bytes(cx.buffer())?;
            cx.store(store).put(self::entry(entry, key, span.start), value);
            // It was shown before it was closed.
            if !span.is_closed {
                show(Row { key, start: span.start, end: span.end, old, span: Some(span) }, now)?;
            }
        }
        Ok(())
    }
}

impl<A: Serde> Span<A> {
    /// As it stands in the store, in memory of its own.
    fn bytes(&self, buffer: &mut BytesMut) -> Result<Bytes, NodeError> {
        let unwritable = |cause| NodeError::Unwritable { part: "value", cause };
        let value = self.value.as_ref().map(|value| value.encode(buffer)).transpose().map_err(unwritable)?;
        let value = value.flatten();
        let mut whole = BytesMut::with_capacity(HEAD_BYTES + value.as_ref().map_or(0, Bytes::len));
        whole.put_i64(self.end);
        whole.put_i64(self.seen.time.0);
        let closed = if self.is_closed { IS_CLOSED } else { 0 };
        whole.put_u8(closed | if value.is_none() { IS_NULL } else { 0 });
        whole.put_slice(&value.unwrap_or_default());
        Ok(whole.freeze())
    }
}

/// The value of a window in the store.
fn stored<A: Serde>(store: &Text, entry: &[u8], cx: &mut Cx<'_>) -> Result<Option<A>, NodeError> {
    let Some(value) = cx.store(store).get(entry) else { return Ok(None) };
    let span = read(entry, &value).map_err(|cause| NodeError::Stored { store: store.clone(), cause })?;
    Ok(span.value)
}

/// The key of an alarm in the store.
fn alarm<'a>(buffer: &'a mut Vec<u8>, at: i64, key: &[u8]) -> &'a [u8] {
    buffer.clear();
    buffer.put_u8(ALARM);
    buffer.put_slice(&ordered(at));
    buffer.put_slice(key);
    buffer
}

/// The key of a window in the store.
fn entry<'a>(buffer: &'a mut Vec<u8>, key: &[u8], start: i64) -> &'a [u8] {
    buffer.clear();
    buffer.put_u8(SPAN);
    buffer.put_u32(key.len() as u32);
    buffer.put_slice(key);
    buffer.put_slice(&ordered(start));
    buffer
}

fn short(expected: &'static str, wanted: usize, found: usize) -> SerdeError {
    SerdeError::Length { expected, wanted, found }
}

fn read<A: Serde>(entry: &[u8], value: &Bytes) -> Result<Span<A>, SerdeError> {
    let start = entry.last_chunk().ok_or_else(|| short("a key with a window", 8, entry.len()))?;
    if value.len() < HEAD_BYTES {
        return Err(short("a window with its value", HEAD_BYTES, value.len()));
    }
    let mut head = value.slice(..HEAD_BYTES);
    let (start, end, time, what) =
        (unordered(*start), head.get_i64(), Timestamp(head.get_i64()), head.get_u8());
    let is_null = what & IS_NULL != 0;
    let value = if is_null { None } else { Some(A::decode(Some(&value.slice(HEAD_BYTES..)))?) };
    let seen = Seen { time, watermark: time, order: 0 };
    let stored = Some((start, end));
    Ok(Span { start, end, value, seen, is_closed: what & IS_CLOSED != 0, is_changed: false, stored })
}

/// What a window's entry in the store says; none where it is an alarm, or a window that is over.
pub(crate) fn held<K: Serde, A: Serde>(
    entry: &Bytes,
    value: &Bytes,
) -> Result<Option<(Windowed<K>, A)>, SerdeError> {
    if entry.first() == Some(&ALARM) {
        return Ok(None);
    }
    let key = entry.get(5..entry.len().saturating_sub(8));
    let key = key.ok_or_else(|| short("a key with a window", 13, entry.len()))?;
    let Span { start, end, value, is_closed, .. } = read(entry, value)?;
    let window = Window { start: Timestamp(start), end: Timestamp(end) };
    let key = Windowed { key: K::decode(Some(&entry.slice_ref(key)))?, window };
    Ok(value.filter(|_| !is_closed).map(|value| (key, value)))
}
