//! Nodes that keep a value for each sliding window and key.
//!
//! Which windows there are follows from the records: one that ends with each, and one that begins a millisecond behind
//! each, where anything lies in it. A record that comes brings up to three windows with it, whose first values are
//! copies of those of windows that hold the same records without it, so that no record has to be kept (KIP-450; Kafka
//! Streams: `KStreamSlidingWindowAggregate`). Windows that are closed are kept for these copies as long as a record may
//! still come that needs one.

use mainstem_client::Timestamp;

use super::{
    NodeError,
    aggregate::{Change, Updated, result},
    cells::Seen,
    cx::Cx,
    late::Late,
    operator::Logic,
    rows::{Rows, windowed},
    spans::{Span, Spans},
    table::update::Update,
    windowed::{Results, Showing},
};
use crate::{SlidingWindows, Windowed, caps, record::Item, serdes::Serde};

/// A node that keeps a value for each sliding window and key.
pub(crate) struct SlidingAggregate<K, V, A> {
    difference_ms: i64,
    late: Late,
    change: Change<K, V, A>,
    rows: Rows<A>,
}

/// A record that has come.
struct Arrival<K, V> {
    /// Where the windows of its key are.
    place: usize,
    item: Item<K, V>,
    /// Up to where windows are closed.
    closed_to: Timestamp,
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
        showing: Showing,
        late: Late,
        change: Change<K, V, A>,
        spans: Spans<A>,
    ) -> Self {
        let rows = Rows::new(spans, showing, windows.grace_ms());
        Self { difference_ms: windows.difference_ms(), late, change, rows }
    }

    /// How long windows are kept beyond their end when they are closed: a record that may still come looks so far back.
    pub(crate) const fn keep_ms(windows: SlidingWindows) -> i64 {
        windows.difference_ms().saturating_mul(2)
    }

    fn take(&mut self, item: Item<K, V>, out: &mut Results<K, A>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let closed_to = self.rows.keep_up((item.watermark, item.order), out, cx)?;
        let Some(bytes) = cx.needed_key(&item.key)? else { return Ok(()) };
        // The last window that may have the record in it begins with it.
        if self.rows.is_over(item.time.0.saturating_add(self.difference_ms), closed_to) {
            return self.late.take(bytes, item, cx);
        }
        let place = self.rows.spans.of(&bytes, cx)?;
        let arrival = Arrival { place, item, closed_to };
        if !self.add(&arrival, out, cx)? {
            let Item { value, time, headers, .. } = arrival.item;
            self.late.put_aside(bytes, &value, time, headers, cx)?;
        }
        self.rows.make_room(out, cx)
    }

    /// Adds a record to the windows that it lies in, and begins those that there are because of it. Says whether any
    /// window has taken it.
    fn add(
        &mut self,
        arrival: &Arrival<K, V>,
        out: &mut Results<K, A>,
        cx: &mut Cx<'_>,
    ) -> Result<bool, NodeError> {
        let (time, difference_ms) = (arrival.item.time, self.difference_ms);
        let Around { first, last, previous, left, right } =
            around(&self.rows.spans.at(arrival.place).spans, time.0, difference_ms);
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
        let Arrival { place, item, closed_to } = arrival;
        let end = self.rows.spans.at(*place).spans[window].end;
        if self.rows.is_over(end, *closed_to) {
            cx.counts.late += 1;
            return false;
        }
        let is_eager = self.rows.is_eager();
        let old =
            if is_eager { self.rows.old(&self.rows.spans.at(*place).spans[window].value) } else { None };
        let window = &mut self.rows.spans.at_mut(*place).spans[window];
        window.change(Seen::of(item), |before| (self.change)(&item.key, item.value.clone(), before));
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
        let (Begun { start, value, latest, takes }, Arrival { place, item, closed_to }) = (begun, arrival);
        let end = start.saturating_add(self.difference_ms);
        if self.rows.spans.at(*place).has(start) {
            return false;
        }
        if self.rows.is_over(end, *closed_to) {
            cx.counts.late += 1;
            return false;
        }
        let mut window = Span::new(start, end, value, Seen { time: latest, ..Seen::of(item) });
        if takes {
            window.change(Seen::of(item), |before| (self.change)(&item.key, item.value.clone(), before));
        }
        if self.rows.is_eager() {
            out.push(row(&item.key, &window, None));
        }
        self.rows.spans.at_mut(*place).insert(window);
        self.rows.wake(*place, end, cx);
        takes
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
        self.rows.close_by((cx.watermark, *cx.order), out, cx)
    }

    fn commit(&mut self, out: &mut Results<K, A>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.rows.write_back(out, cx)
    }
}
