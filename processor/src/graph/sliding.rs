//! Nodes that keep a value for each sliding window and key.
//!
//! Which windows there are follows from the records: one that ends with each, and one that begins a millisecond behind
//! each, where anything lies in it. A record that comes brings up to three windows with it, whose first values are
//! copies of those of windows that hold the same records without it, so that no record has to be kept (KIP-450; Kafka
//! Streams: `KStreamSlidingWindowAggregate`). Windows that are closed are kept for these copies as long as a record may
//! still come that needs one.

use bytes::Bytes;
use mainstem_client::Timestamp;

use super::{
    NodeError,
    aggregate::{Change, Updated, Updates, result},
    behind,
    cells::Seen,
    cx::Cx,
    late::Late,
    operator::Logic,
    session::{decoded, shown, windowed},
    spans::{KeySpans, Row, Span, Spans},
    table::update::Update,
    windowed::{Emission, note_closed, seen_closed},
};
use crate::{
    SlidingWindows, Windowed, caps,
    record::Item,
    serdes::Serde,
    watermark::{BEGINNING, END},
};

/// A node that keeps a value for each sliding window and key.
pub(crate) struct SlidingAggregate<K, V, A> {
    windows: SlidingWindows,
    emission: Emission,
    /// Whether the value goes along that there was before.
    sends_old: bool,
    late: Late,
    change: Change<K, V, A>,
    spans: Spans<A>,
    /// The watermark at which a key is to be looked at.
    next_look: Timestamp,
    /// Up to where windows are closed already.
    closed_to: Timestamp,
}

/// What the node leaves for others.
type Results<K, A> = Updates<Windowed<K>, A>;

/// A record that has come.
struct Arrival<K, V> {
    /// Where the windows of its key are.
    place: usize,
    item: Item<K, V>,
    watermark: Timestamp,
}

/// What the windows of a key say about the surroundings of a time.
struct Around<A> {
    /// The windows that have the time in them: from the first to, and without, the last.
    first: usize,
    last: usize,
    /// The time of the record before it, where windows may be missing because of that.
    previous: Option<i64>,
    /// What lies in the last window that ends before it.
    left: Option<A>,
    /// What lies behind it in the last window that has it in it, and the largest time there.
    right: Option<(A, Timestamp)>,
}

/// A window to begin.
struct Begun<A> {
    start: i64,
    /// What lies in it besides the record at hand.
    value: Option<A>,
    /// The largest time in it.
    latest: Timestamp,
    /// Whether the record at hand lies in it.
    takes: bool,
}

impl<K: Serde, V: Serde, A: Serde> SlidingAggregate<K, V, A> {
    pub(crate) const fn new(
        windows: SlidingWindows,
        emission: Emission,
        sends_old: bool,
        late: Late,
        change: Change<K, V, A>,
        spans: Spans<A>,
    ) -> Self {
        // What the store holds is not known yet: the first record looks.
        let (next_look, closed_to) = (BEGINNING, BEGINNING);
        Self { windows, emission, sends_old, late, change, spans, next_look, closed_to }
    }

    /// How long windows are kept beyond their end when they are closed: a record that may still come looks so far back.
    pub(crate) const fn keep_ms(windows: SlidingWindows) -> i64 {
        windows.difference_ms().saturating_mul(2)
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
        let watermark = watermark.max(self.closed_to);
        // The last window that may have the record in it begins with it.
        if self.is_over(item.time.0.saturating_add(self.windows.difference_ms()), watermark) {
            cx.counts.late += 1;
            let Item { value, time, headers, .. } = item;
            return self.late.put_aside(bytes, &value, time, headers, cx);
        }
        let place = self.spans.of(&bytes, cx)?;
        let arrival = Arrival { place, item, watermark };
        if !self.add(&arrival, out, cx)? {
            let Item { value, time, headers, .. } = arrival.item;
            self.late.put_aside(bytes, &value, time, headers, cx)?;
        }
        if self.spans.is_full() { self.commit(out, cx) } else { Ok(()) }
    }

    const fn is_over(&self, end: i64, watermark: Timestamp) -> bool {
        self.windows.close_time(end).0 <= watermark.0
    }

    /// Adds a record to the windows that it lies in, and begins those that there are because of it. Says whether any
    /// window has taken it.
    fn add(
        &mut self,
        arrival: &Arrival<K, V>,
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<bool, NodeError> {
        let (time, difference_ms) = (arrival.item.time, self.windows.difference_ms());
        let Around { first, last, previous, left, right } =
            around(&self.spans.at(arrival.place).spans, time.0, difference_ms);
        if (last - first) as i64 > caps::WINDOWS_OF_A_RECORD_MAX {
            return Err(NodeError::TooManyWindows { limit: caps::WINDOWS_OF_A_RECORD_MAX });
        }
        let mut is_taken = false;
        for window in first..last {
            is_taken |= self.add_to(window, arrival, out, cx);
        }
        let start = time.0.saturating_sub(difference_ms);
        let behind_previous =
            previous.map(|previous| previous.saturating_add(1)).filter(|behind| *behind >= start);
        for (start, value) in behind_previous.map(|behind| (behind, None)).into_iter().chain([(start, left)])
        {
            is_taken |= self.begin(Begun { start, value, latest: time, takes: true }, arrival, out, cx);
        }
        if let (Some(start), Some((right, latest))) = (time.0.checked_add(1), right) {
            self.begin(Begun { start, value: Some(right), latest, takes: false }, arrival, out, cx);
        }
        Ok(is_taken)
    }

    fn add_to(
        &mut self,
        window: usize,
        arrival: &Arrival<K, V>,
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> bool {
        let Arrival { place, item, watermark } = arrival;
        let end = self.spans.at(*place).spans[window].end;
        if self.is_over(end, *watermark) {
            cx.counts.late += 1;
            return false;
        }
        let (is_eager, change) = (self.emission == Emission::EachChange, &self.change);
        let window = &mut self.spans.at(*place).spans[window];
        let old = if is_eager && self.sends_old { window.value.clone() } else { None };
        window.change(Seen::of(item), |before| change(&item.key, item.value.clone(), before));
        if is_eager {
            out.push(row(&item.key, window, old));
        }
        true
    }

    /// Begins a window, unless it is there, or over. Says whether it has taken the record.
    fn begin(
        &mut self,
        begun: Begun<A>,
        arrival: &Arrival<K, V>,
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> bool {
        let (Begun { start, value, latest, takes }, Arrival { place, item, watermark }) = (begun, arrival);
        let end = start.saturating_add(self.windows.difference_ms());
        if self.spans.at(*place).has(start) {
            return false;
        }
        if self.is_over(end, *watermark) {
            cx.counts.late += 1;
            return false;
        }
        let mut window = Span::new(start, end, value, Seen { time: latest, ..Seen::of(item) });
        if takes {
            window.change(Seen::of(item), |before| (self.change)(&item.key, item.value.clone(), before));
        }
        if self.emission == Emission::EachChange {
            out.push(row(&item.key, &window, None));
        }
        self.spans.at(*place).insert(window);
        self.spans.wake(*place, end, cx);
        self.next_look = self.next_look.min(self.windows.close_time(end));
        takes
    }

    /// Closes the windows that the watermark says are over, in the order of their ends and then of their keys, and lets go
    /// of those that nobody needs any more.
    fn close(
        &mut self,
        watermark: Timestamp,
        order: u64,
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let last_closed = watermark.0.saturating_sub(self.windows.grace_ms()).saturating_sub(1);
        let last_closed = (watermark != END).then_some(last_closed);
        let mut closed = Vec::new();
        for place in self.spans.woken(last_closed, cx)? {
            let windows = self.windows;
            let is_over = |window: &Span<A>| windows.close_time(window.end) <= watermark;
            let over = self.spans.at(place).spans.partition_point(is_over);
            if self.emission == Emission::LastChange && over > 0 {
                self.show(Some((place, over)), out, cx)?;
            }
            self.close_first(place, over, &mut closed);
            self.spans.expire_closed(place, last_closed, cx);
            self.spans.wake_for_first(place, cx);
        }
        closed.sort_by(|(key, window), (other_key, other)| (window.end, key).cmp(&(other.end, other_key)));
        let last = closed.last().map(|(_, window)| self.windows.close_time(window.end));
        for (key, window) in closed.into_iter().filter(|_| self.emission == Emission::OnClose) {
            let seen = seen_closed(Timestamp(window.end), self.windows.grace_ms(), order, cx.delay_ms);
            let key = windowed(decoded(&key, self.spans.store())?, window.start, window.end);
            out.push(result(key, Update { old: None, new: window.value }, seen));
        }
        let closed_to = note_closed(watermark, last, cx.store(self.spans.store()));
        self.closed_to = self.closed_to.max(closed_to);
        self.next_look = self.spans.first_alarm(cx).map_or(END, |alarm| self.windows.close_time(alarm));
        Ok(())
    }

    fn close_first(&mut self, place: usize, over: usize, closed: &mut Vec<(Bytes, Span<A>)>) {
        let KeySpans { key, spans, .. } = self.spans.at(place);
        for window in spans[..over].iter_mut().filter(|window| !window.is_closed) {
            window.close();
            closed
                .push((key.clone(), Span::new(window.start, window.end, window.value.clone(), window.seen)));
        }
    }

    /// Writes the first windows of a key back, or all that there are, and passes on what has become of them.
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

fn row<K: Clone, A: Clone>(key: &K, window: &Span<A>, old: Option<A>) -> Updated<Windowed<K>, A> {
    let update = Update { old, new: window.value.clone() };
    result(windowed(key.clone(), window.start, window.end), update, window.seen)
}

fn around<A: Clone>(windows: &[Span<A>], time: i64, difference_ms: i64) -> Around<A> {
    let start = time.saturating_sub(difference_ms);
    let first = windows.partition_point(|window| window.start < start);
    let last = windows.partition_point(|window| window.start <= time);
    let before = windows[..first].last();
    let mut around =
        Around { first, last, previous: before.map(|window| window.seen.time.0), left: None, right: None };
    match windows[first..last].first().filter(|window| window.start == start) {
        // There was a record at that time already: all windows are there.
        Some(window) if window.seen.time.0 >= time => around.previous = None,
        Some(window) => around.previous = Some(window.seen.time.0),
        None => {
            let is_near = around.previous.is_some_and(|previous| previous >= start);
            around.left = before.filter(|_| is_near).and_then(|window| window.value.clone());
        }
    }
    let has_behind = |window: &&Span<A>| window.start > start && window.seen.time.0 > time;
    let right = windows[first..last].last().filter(has_behind);
    let is_missing = windows.get(last).is_none_or(|window| Some(window.start) != time.checked_add(1));
    around.right =
        right.filter(|_| is_missing).and_then(|window| Some((window.value.clone()?, window.seen.time)));
    around
}

impl<K: Serde, V: Serde, A: Serde> Logic for SlidingAggregate<K, V, A> {
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
