//! Windows whose bounds are known before there is any record: tumbling, hopping and cumulating ones, as their nodes see
//! them.
//!
//! Each has a *mark*, a multiple of the distance between two of them, by which it is known and kept: the start of a
//! tumbling or hopping window, and the start of the last step of a cumulating one. In the order of their marks they end.

use mainstem_client::Timestamp;

use super::{Window, first_open};

/// Windows whose bounds are known before there is any record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FixedWindows {
    /// From one mark to the next.
    advance_ms: i64,
    /// From a mark to the end of its window.
    reach_ms: i64,
    /// Between the starts of windows; for hopping ones the same as the advance.
    round_ms: i64,
    /// The first mark at or behind 1970.
    offset_ms: i64,
    grace_ms: i64,
}

impl FixedWindows {
    /// Windows that cannot be have been refused by then; here they only must not end in a panic.
    pub(super) fn hopping(size_ms: i64, advance_ms: i64, offset_ms: i64, grace_ms: i64) -> Self {
        let advance_ms = advance_ms.max(1);
        Self { advance_ms, reach_ms: size_ms.max(1), round_ms: advance_ms, offset_ms, grace_ms }
    }

    pub(super) fn cumulating(size_ms: i64, step_ms: i64, offset_ms: i64, grace_ms: i64) -> Self {
        let (step_ms, size_ms) = (step_ms.max(1), size_ms.max(1));
        Self { advance_ms: step_ms, reach_ms: step_ms, round_ms: size_ms.max(step_ms), offset_ms, grace_ms }
    }

    /// What a store by such windows must have been kept by: they, but for the grace.
    pub(crate) fn form(&self) -> String {
        let Self { advance_ms, reach_ms, round_ms, offset_ms, grace_ms: _ } = self;
        let round = if round_ms == advance_ms { String::new() } else { format!(" round {round_ms} ms") };
        format!("reach {reach_ms} ms advance {advance_ms} ms{round} offset {offset_ms} ms")
    }

    /// How long windows wait.
    pub(crate) const fn grace_ms(&self) -> i64 {
        self.grace_ms
    }

    /// The length of a window at its longest.
    pub(crate) fn length_ms(&self) -> i64 {
        self.reach_ms.max(self.round_ms)
    }

    /// The marks of the windows that a time lies in, in their order. The ends of time cut them short.
    pub(crate) fn marks_of(&self, time: Timestamp) -> impl Iterator<Item = i64> + use<> {
        let advance_ms = self.advance_ms;
        let last = time.0.saturating_sub(self.into(time, advance_ms));
        // The earliest window's mark lies less than the reach before the time; the latest that is to come is that of the
        // full round.
        let before = (self.reach_ms - 1 - self.into(time, advance_ms)).div_euclid(advance_ms);
        let into_round = self.into(time, self.round_ms);
        let after = (self.round_ms - 1 - into_round).div_euclid(advance_ms);
        (-before..=after).filter_map(move |step| last.checked_add(step.checked_mul(advance_ms)?))
    }

    /// How far a time lies behind the last multiple of a distance, counted from the offset.
    fn into(&self, time: Timestamp, distance_ms: i64) -> i64 {
        // Both are below the distance, so that nothing overflows near the ends of time.
        (time.0.rem_euclid(distance_ms) - self.offset_ms.rem_euclid(distance_ms)).rem_euclid(distance_ms)
    }

    /// The window of a mark.
    pub(crate) fn at(&self, mark: i64) -> Window {
        let is_cumulating = self.round_ms != self.advance_ms;
        let into_round = if is_cumulating { self.into(Timestamp(mark), self.round_ms) } else { 0 };
        Window {
            start: Timestamp(mark.saturating_sub(into_round)),
            end: Timestamp(mark.saturating_add(self.reach_ms)),
        }
    }

    /// The watermark at which the window of a mark closes.
    pub(crate) const fn close_time(&self, mark: i64) -> Timestamp {
        Timestamp(mark.saturating_add(self.reach_ms).saturating_add(self.grace_ms))
    }

    /// The mark from which on windows are open; `None` where all are closed.
    pub(crate) fn first_open(&self, watermark: Timestamp) -> Option<i64> {
        first_open(self.reach_ms, self.grace_ms, watermark)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{CumulatingWindows, TimeWindows};

    fn bounds(windows: FixedWindows, time: i64) -> Vec<(i64, i64)> {
        let windows = windows.marks_of(Timestamp(time)).map(|mark| windows.at(mark));
        windows.map(|window| (window.start.0, window.end.0)).collect()
    }

    fn tumbling(size_ms: i64) -> FixedWindows {
        FixedWindows::hopping(size_ms, size_ms, 0, 0)
    }

    /// What the definition says: all windows with bounds at multiples that have the time in them.
    fn by_definition(size_ms: i64, advance_ms: i64, offset_ms: i64, time: i64) -> Vec<(i64, i64)> {
        let starts = (-600..600).map(|number| number * advance_ms + offset_ms);
        let windows = starts.map(|start| (start, start + size_ms));
        windows.filter(|(start, end)| (*start..*end).contains(&time)).collect()
    }

    /// Inputs and results are those of Kafka Streams' `TimeWindowsTest`, where no window begins before 1970.
    #[test]
    fn tumbling_and_hopping_windows_are_those_of_kafka_streams() {
        let hopping = FixedWindows::hopping(12, 5, 0, 0);
        assert_eq!(bounds(hopping, 21), [(10, 22), (15, 27), (20, 32)]);
        assert_eq!(bounds(tumbling(12), 21), [(12, 24)]);
        assert_eq!(bounds(FixedWindows::hopping(6, 5, 0, 0), 7), [(5, 11)]);
    }

    #[test]
    fn cumulating_windows_grow_from_one_start() {
        let windows = FixedWindows::cumulating(30, 10, 0, 0);
        assert_eq!(bounds(windows, 0), [(0, 10), (0, 20), (0, 30)]);
        assert_eq!(bounds(windows, 9), [(0, 10), (0, 20), (0, 30)]);
        assert_eq!(bounds(windows, 29), [(0, 30)]);
        assert_eq!(bounds(windows, -1), [(-30, 0)]);
        assert_eq!(bounds(windows, -30), [(-30, -20), (-30, -10), (-30, 0)]);
        assert_eq!(bounds(FixedWindows::cumulating(30, 10, 5, 0), 34), [(5, 35)]);
        assert_eq!(bounds(FixedWindows::cumulating(30, 10, 25, 0), 34), [(25, 35), (25, 45), (25, 55)]);
        assert_eq!(bounds(FixedWindows::cumulating(30, 30, 0, 0), 34), [(30, 60)]);
    }

    #[test]
    fn ends_of_time_have_windows_that_do_not_leave_it() {
        for windows in
            [tumbling(10), FixedWindows::hopping(10, 3, 1, 5), FixedWindows::cumulating(30, 10, 7, 5)]
        {
            for time in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
                let bounds = bounds(windows, time);
                assert!(!bounds.is_empty(), "{windows:?} {time}");
                for (start, end) in bounds {
                    assert!(
                        start <= time && (time < end || end == i64::MAX),
                        "{windows:?} {time} {start} {end}"
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn hopping_windows_are_those_that_have_the_time_in_them(
            (advance, more, offset) in (1..20_i64, 0..30_i64, 0..20_i64), time in -500..500_i64,
        ) {
            let (size, offset) = (advance + more, offset % advance);
            let windows = FixedWindows::hopping(size, advance, offset, 0);
            prop_assert_eq!(bounds(windows, time), by_definition(size, advance, offset, time));
        }

        #[test]
        fn cumulating_windows_are_those_of_a_round_that_have_the_time_in_them(
            (step, steps, offset) in (1..20_i64, 1..10_i64, 0..200_i64), time in -500..500_i64,
        ) {
            let size = step * steps;
            let windows = FixedWindows::cumulating(size, step, offset % size, 0);
            let [(start, _)] = by_definition(size, size, offset % size, time)[..] else { panic!() };
            let ends = (1..=steps).map(|number| start + number * step);
            let expected: Vec<_> = ends.filter(|end| *end > time).map(|end| (start, end)).collect();
            prop_assert_eq!(bounds(windows, time), expected);
        }
    }

    #[test]
    fn windows_without_length_do_not_end_in_a_panic() {
        let none = Duration::ZERO;
        assert_eq!(TimeWindows::tumbling(none).windows_of(Timestamp(5)).count(), 1);
        assert_eq!(CumulatingWindows::new(none, none).windows_of(Timestamp(5)).count(), 1);
    }
}
