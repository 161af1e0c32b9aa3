//! Tumbling windows for processors of the low-level interface, with a store: each record belongs to one window, each
//! window gives one result for each key when the watermark says that nothing more is waited for.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use mainstem_client::{Text, Timestamp};

use super::{Window, first_open, millis};
use crate::{
    Context, InputRecord, NoStore,
    state::{ordered, unordered},
    watermark::END,
};

/// Windows of one size that follow one another since 1970, kept in a store.
#[derive(Clone, Debug)]
pub struct TumblingWindows {
    size_ms: i64,
    grace_ms: i64,
    store: Text,
}

impl TumblingWindows {
    /// Windows of a size (at least a millisecond), without grace, kept in a store of that name.
    #[must_use]
    pub fn new(store: impl Into<Text>, size: Duration) -> Self {
        Self { size_ms: millis(size).max(1), grace_ms: 0, store: store.into() }
    }

    /// The same, waiting for records that come late.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace_ms: millis(grace), ..self }
    }

    /// The window that a time belongs to. Times before 1970 have windows like any other.
    #[must_use]
    pub const fn window_of(&self, time: Timestamp) -> Window {
        let start = time.0.saturating_sub(time.0.rem_euclid(self.size_ms));
        Window { start: Timestamp(start), end: Timestamp(start.saturating_add(self.size_ms)) }
    }

    /// Whether nothing more is waited for.
    #[must_use]
    pub const fn is_closed(&self, window: Window, watermark: Timestamp) -> bool {
        window.end.0.saturating_add(self.grace_ms) <= watermark.0
    }

    /// Changes what the record's window knows about a key; a record that is late is counted and dropped. Says
    /// whether it was taken.
    ///
    /// # Errors
    /// Where the processor has no such store.
    pub fn add(
        &self,
        record: &InputRecord,
        key: &[u8],
        ctx: &mut Context<'_>,
        change: impl FnOnce(Option<Bytes>) -> Bytes,
    ) -> Result<bool, NoStore> {
        let window = self.window_of(record.event_time);
        let closed_to = ctx.store(&self.store)?.closed_to();
        if self.is_closed(window, record.watermark.max(closed_to)) {
            ctx.drop_late();
            return Ok(false);
        }
        let store = ctx.store(&self.store)?;
        let entry = entry(window, key);
        let changed = change(store.get(&entry));
        store.put(&entry, changed);
        Ok(true)
    }

    /// Takes out what the windows know that the watermark has closed, in the order of the windows and then of the keys.
    /// To be called when the watermark has risen.
    ///
    /// # Errors
    /// Where the processor has no such store.
    pub fn close(&self, ctx: &mut Context<'_>) -> Result<Vec<(Window, Bytes, Bytes)>, NoStore> {
        let watermark = ctx.watermark();
        let store = ctx.store(&self.store)?;
        let first_open = first_open(self.size_ms, self.grace_ms, watermark);
        let entries = match first_open {
            Some(start) => store.range(b"", &ordered(start)),
            None => store.range_from(b""),
        };
        for (entry, _) in &entries {
            store.delete(entry);
        }
        let closed = entries.into_iter().filter_map(|(entry, value)| {
            let start = Timestamp(unordered(*entry.first_chunk::<8>()?));
            let end = Timestamp(start.0.saturating_add(self.size_ms));
            Some((Window { start, end }, entry.slice(8..), value))
        });
        let closed: Vec<_> = closed.collect();
        // The end of the input is that of one run: the next one must know that these are closed.
        if let (END, Some((window, ..))) = (watermark, closed.last()) {
            store.close_to(Timestamp(window.end.0.saturating_add(self.grace_ms)));
        }
        Ok(closed)
    }
}

fn entry(window: Window, key: &[u8]) -> Bytes {
    let mut entry = BytesMut::with_capacity(8 + key.len());
    entry.put_slice(&ordered(window.start.0));
    entry.put_slice(key);
    entry.freeze()
}

#[cfg(test)]
mod tests {
    use mainstem_client::{Headers, Offset, Record};
    use proptest::prelude::*;

    use super::*;
    use crate::{OutputRecord, state::Stores, wall_clock::WallTimers};

    fn windows(size: u64, grace: u64) -> TumblingWindows {
        TumblingWindows::new("w", Duration::from_millis(size)).grace(Duration::from_millis(grace))
    }

    fn bounds(size: u64, time: i64) -> (i64, i64) {
        let window = windows(size, 0).window_of(Timestamp(time));
        (window.start.0, window.end.0)
    }

    #[test]
    fn start_belongs_to_a_window_and_end_to_the_next() {
        assert_eq!(bounds(10, 10), (10, 20));
        assert_eq!(bounds(10, 19), (10, 20));
        assert_eq!(bounds(10, 20), (20, 30));
    }

    #[test]
    fn times_before_1970_are_rounded_down() {
        assert_eq!(bounds(5000, -1), (-5000, 0));
        assert_eq!(bounds(5000, -5000), (-5000, 0));
        assert_eq!(bounds(5000, -5001), (-10_000, -5000));
    }

    #[test]
    fn the_ends_of_time_have_windows() {
        assert_eq!(bounds(10, i64::MAX).1, i64::MAX);
        assert!(bounds(10, i64::MIN).0 <= i64::MIN + 10);
        let last = windows(10, 5).window_of(Timestamp(i64::MAX));
        assert!(!windows(10, 5).is_closed(last, Timestamp(i64::MAX - 1)));
        assert!(windows(10, 5).is_closed(last, Timestamp(i64::MAX)));
    }

    #[test]
    fn window_closes_when_the_watermark_reaches_end_and_grace() {
        let window = Window { start: Timestamp(0), end: Timestamp(10) };
        assert!(!windows(10, 5).is_closed(window, Timestamp(14)));
        assert!(windows(10, 5).is_closed(window, Timestamp(15)));
    }

    fn record(time: i64, watermark: i64) -> InputRecord {
        let record = Record {
            offset: Offset(0),
            timestamp: Timestamp(time),
            key: None,
            value: None,
            headers: Headers::default(),
        };
        InputRecord { record, event_time: Timestamp(time), watermark: Timestamp(watermark), order: 0 }
    }

    /// Counts records of each window and key; input is cut after every `cut` records. Gives what was emitted and how
    /// many were late.
    fn counted(times: &[(i64, u8)], cut: usize) -> (Vec<(i64, u8, u8)>, u64) {
        let windows = windows(10, 3);
        let names = [Text::from_static("w")];
        let mut stores = Stores::new(names.clone());
        let (mut forwarded, mut late, mut out) = (Vec::<(usize, OutputRecord)>::new(), 0, Vec::new());
        let (mut watermark, mut wall) = (i64::MIN, WallTimers::default());
        let mut next_timer = Timestamp(i64::MAX);
        let chunks = times.chunks(cut).map(Some).chain([None]);
        for chunk in chunks {
            let mut ctx = Context {
                stores: &mut stores,
                wall: &mut wall,
                next_timer: &mut next_timer,
                node: &names[0],
                store_names: &names,
                table_names: &[],
                outputs: &[],
                forwarded: &mut forwarded,
                late: &mut late,
                watermark: Timestamp(watermark),
                stream_time: Timestamp(watermark),
            };
            for (time, key) in chunk.into_iter().flatten() {
                let count = |count: Option<Bytes>| Bytes::from(vec![count.map_or(0, |count| count[0]) + 1]);
                windows.add(&record(*time, watermark), &[*key], &mut ctx, count).unwrap();
                watermark = watermark.max(*time);
            }
            ctx.watermark = Timestamp(if chunk.is_some() { watermark } else { i64::MAX });
            let closed = windows.close(&mut ctx).unwrap();
            out.extend(closed.into_iter().map(|(window, key, count)| (window.start.0, key[0], count[0])));
        }
        (out, late)
    }

    #[test]
    fn each_window_and_key_is_emitted_once_and_late_records_are_dropped() {
        // 13 closes [0, 10), so the 9 behind it is late; -1 before it is not, since nothing has come yet.
        let times = [(-1, 0), (0, 0), (9, 1), (10, 0), (9, 0), (13, 0), (9, 0)];
        let expected = vec![(-10, 0, 1), (0, 0, 2), (0, 1, 1), (10, 0, 2)];
        assert_eq!(counted(&times, 100), (expected, 1));
    }

    proptest! {
        #[test]
        fn results_do_not_depend_on_how_input_is_cut(
            times in prop::collection::vec((-50..50_i64, 0..3_u8), 1..60),
            cut in 1..60_usize,
        ) {
            prop_assert_eq!(counted(&times, cut), counted(&times, 1));
        }
    }
}
