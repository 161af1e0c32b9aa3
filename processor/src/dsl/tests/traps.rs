//! Where stream processors are known to go wrong with time and windows, and the tests that show that this one does not.
//! The numbers are those by which tests elsewhere name them.
//!
//! | trap | what holds | where |
//! |--:|---|---|
//! | 1 | a window has its start in it and not its end; sliding windows and sessions have both | `windows`, `sliding`, `sessions` |
//! | 2 | times before 1970 are rounded down, and no window is left out at zero | here, `window::fixed` |
//! | 3 | an advance that does not divide the size: some records are in one window more | here, `window::fixed` |
//! | 4 | nothing overflows at the ends of time; the end of the input closes each window once | here, `window::fixed`, `sessions` |
//! | 5 | a day has 24 hours of UTC, whatever clocks do | here |
//! | 6 | parts of a millisecond are rounded down | here |
//! | 7 | a record from far ahead can be kept from moving time | here |
//! | 8 | results do not depend on how input is cut | `work::window_tests`, `work::merge_tests`, `tables`, `joins`, `process` |
//! | 9 | at the end and the grace exactly, a window is closed | `windows`, `sliding`, `sessions` |
//! | 10 | each node has a grace of its own | here |
//! | 11 | a restart does not turn time back | here, `work::window_tests` |
//! | 12 | a timer goes off once, with its own time, however far time jumps | `testing` |
//! | 13 | a window that closes gives one result, also over restarts and crashes | `work::window_tests` |
//! | 14 | how many updates there are says nothing, the last one does | `work::window_tests` |
//! | 15 | a cumulating window takes what lies on its step into the next one; the step divides the size | here, `windows` |
//! | 16 to 20 | sessions: the gap itself, bridges, late records, restarts, what cannot be merged | `sessions` |
//! | 21 to 23, 27, 28 | joins of streams: known results, nulls, no result alone beside a pair, a stream with itself, bounds | `joins::streams` |
//! | 24, 25, 30 to 32 | joins with tables: who leads to results, removals, keys that are not the same bytes, partitions | `joins::tables_and_streams`, `joins::global`, `records`, `process`, `runtime::tests::partitioners` |
//! | 26, 29 | joins by a foreign key, and as of a time | `joins::foreign`, `joins::as_of` |
//! | 33, 37 to 40 | tables: null, retractions below zero, sums, least and largest values, a group that stays the same | `tables`, `state::typed` |
//! | 34 to 36 | changelogs that were compacted, of windows, and time to live by the time of records | `state::checkpoint`, `runtime::tests::disk`, `state::typed` |
//! | 43 | a restart in the midst of windows, sessions and joins changes no result | `work::window_tests`, `work::merge_tests`, `runtime::tests::foreign` |
//! | 49 | state of a newer version is refused, that of an older one is read | `state::description`, `runtime::tests::forms` |
//! | 51 | what comes back after a rest with old records is late, and waited for again | `time` |
//! | 52 | where all inputs rest, windows stay open | `time` |
//! | 53 | an input that has ended beside one that rests neither holds time up nor ends it | `watermark` |
//! | 54, 55 | an empty input holds nothing up; what waits to be merged has a bound | `runtime::tests::inputs`, `merge` |
//! | 56 | the watermark never falls | `watermark` |
//! | 57 | time goes on through a filter that lets nothing pass | here |
//! | 58 | behind an exchange time waits for all that write, also for those that have not yet | here |

use mainstem_client::Timestamp;

use super::*;
use crate::{BadRecords, Windows, window};

const HOUR: i64 = 3_600_000;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Start, end and count.
type Result = (i64, i64, i64);

fn counts(driver: &mut TestDriver, topic: &str) -> Vec<Result> {
    let results = driver.read::<Windowed<String>, i64>(topic).unwrap().into_iter();
    results.map(|result| (result.key.window.start.0, result.key.window.end.0, result.value)).collect()
}

/// Counts by key and window as they close.
fn closing(windows: impl Windows<Stream<Text, Text> = WindowedStream<Text, Text>>) -> TestDriver {
    let builder = StreamBuilder::new("t");
    let windowed = builder.stream::<Text, Text>("in").group_by_key().windowed_by(windows);
    windowed.on_close().count("counts").to("out");
    driver(&builder)
}

fn at(driver: &mut TestDriver, times: &[i64]) {
    times.iter().for_each(|time| driver.pipe("in", "k", "v", *time).unwrap());
}

/// Trap 2. Kafka Streams leaves the records out, and has no window that begins before zero.
#[test]
fn times_before_1970_are_in_the_windows_that_they_lie_in() {
    let mut driver = closing(TimeWindows::tumbling(ms(5000)));
    at(&mut driver, &[-5001, -5000, -1, 0]);
    driver.finish().unwrap();
    assert_eq!(counts(&mut driver, "out"), [(-10_000, -5000, 1), (-5000, 0, 2), (0, 5000, 1)]);
    let mut driver = closing(TimeWindows::hopping(ms(10), ms(3)));
    at(&mut driver, &[4]);
    driver.finish().unwrap();
    assert_eq!(counts(&mut driver, "out"), [(-3, 7, 1), (0, 10, 1), (3, 13, 1)]);
}

/// Trap 3: size 10, advance 3.
#[test]
fn record_is_in_as_many_hopping_windows_as_there_are_around_it() {
    let windows = TimeWindows::hopping(ms(10), ms(3));
    let each: Vec<_> = (30..39).map(|time| windows.windows_of(Timestamp(time)).count()).collect();
    assert_eq!(each, [4, 3, 3, 4, 3, 3, 4, 3, 3]);
}

/// Trap 4.
#[test]
fn windows_at_the_ends_of_time_close_once() {
    for windows in [TimeWindows::tumbling(ms(10)), TimeWindows::hopping(ms(10), ms(4)).grace(ms(7))] {
        let mut driver = closing(windows);
        at(&mut driver, &[i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX]);
        driver.finish().unwrap();
        let results = counts(&mut driver, "out");
        let sum = |at: i64| results.iter().filter(|(start, ..)| (*start < 0) == (at < 0)).count();
        assert!(sum(-1) > 0 && sum(1) > 0, "{results:?}");
        let mut keys: Vec<_> = results.iter().map(|(start, end, _)| (*start, *end)).collect();
        keys.dedup();
        assert_eq!(keys.len(), results.len());
        driver.finish().unwrap();
        assert_eq!((counts(&mut driver, "out"), driver.counts("counts").late), (vec![], 0));
    }
}

/// Trap 5: on 31 March 2024 clocks in Berlin went from two to three; the day that begins there at 23 o'clock UTC has 24
/// hours all the same.
#[test]
fn day_has_24_hours_also_where_clocks_are_put_forward() {
    const MARCH_31: i64 = 1_711_843_200_000;
    let days = TimeWindows::tumbling(ms(24 * HOUR.unsigned_abs()));
    let day = |time: i64| days.windows_of(Timestamp(time)).next().unwrap();
    assert_eq!((day(MARCH_31).start.0, day(MARCH_31).end.0), (MARCH_31, MARCH_31 + 24 * HOUR));
    let berlin = days.offset(ms(23 * HOUR.unsigned_abs()));
    let day = berlin.windows_of(Timestamp(MARCH_31)).next().unwrap();
    assert_eq!((day.start.0, day.end.0), (MARCH_31 - HOUR, MARCH_31 + 23 * HOUR));
}

/// Trap 6.
#[test]
fn parts_of_a_millisecond_are_rounded_down() {
    let micros = [-1001, -1000, -1, 0, 999, 1000].map(|micros| window::time_of_micros(micros).0);
    assert_eq!(micros, [-2, -1, -1, 0, 0, 1]);
    let nanos = [-1, 0, 999_999, 1_000_000].map(|nanos| window::time_of_nanos(nanos).0);
    assert_eq!(nanos, [-1, 0, 0, 1]);
}

/// Trap 7: the year 9999 would close all windows.
#[test]
fn record_from_far_ahead_can_be_kept_from_moving_time() {
    const YEAR_9999: i64 = 253_370_764_800_000;
    let builder = StreamBuilder::new("t");
    let input = Input::<Text, i64>::new()
        .event_time(|_, happened, _| Timestamp(*happened))
        .ahead_max(ms(1000))
        .on_bad_record(BadRecords::DeadLetter("ahead".into()));
    let grouped = builder.stream_with("in", input).group_by_key();
    grouped.windowed_by(TimeWindows::tumbling(ms(10))).on_close().count("counts").to("out");
    let mut driver = driver(&builder);
    for (happened, recorded) in [(5, 5), (YEAR_9999, 6), (1006, 7), (i64::MAX, 8), (7, 9), (1007, 6)] {
        driver.pipe("in", "k", happened, recorded).unwrap();
    }
    let ahead = driver.read::<String, i64>("ahead").unwrap();
    assert_eq!(ahead.iter().map(|ahead| ahead.value).collect::<Vec<_>>(), [YEAR_9999, i64::MAX, 1007]);
    let why =
        "event time does not parse: it is 1001 ms ahead of its record's timestamp, and 1000 ms are allowed";
    assert_eq!(ahead[2].header("__streams.errors.message").as_deref(), Some(why));
    assert_eq!((counts(&mut driver, "out"), driver.counts("counts").late), (vec![(0, 10, 1)], 1));
}

/// Trap 10.
#[test]
fn windows_of_different_grace_in_one_program_close_each_in_its_time() {
    let builder = StreamBuilder::new("t");
    let records = builder.stream::<Text, Text>("in");
    let window = TimeWindows::tumbling(ms(10));
    records.group_by_key().windowed_by(window).on_close().count("strict").to("strict-out");
    records.group_by_key().windowed_by(window.grace(ms(20))).on_close().count("patient").to("patient-out");
    let mut driver = driver(&builder);
    at(&mut driver, &[1, 15, 2]);
    assert_eq!(
        (counts(&mut driver, "strict-out"), counts(&mut driver, "patient-out")),
        (vec![(0, 10, 1)], vec![])
    );
    assert_eq!((driver.counts("strict").late, driver.counts("patient").late), (1, 0));
    at(&mut driver, &[30]);
    assert_eq!(counts(&mut driver, "patient-out"), [(0, 10, 2)]);
}

/// Trap 15: ten o'clock exactly belongs to the window up to eleven, and to all longer ones.
#[test]
fn record_on_a_step_belongs_to_the_windows_behind_it() {
    let windows = CumulatingWindows::new(ms(24 * 3_600_000), ms(3_600_000));
    let ends: Vec<_> = windows.windows_of(Timestamp(10 * HOUR)).map(|window| window.end.0 / HOUR).collect();
    assert_eq!(ends, (11..=24).collect::<Vec<_>>());
}

/// Trap 57.
#[test]
fn time_goes_on_through_a_filter_that_lets_nothing_pass() {
    let builder = StreamBuilder::new("t");
    let kept = builder.stream::<Text, Text>("in").filter(|_, value| value == "keep");
    kept.group_by_key().windowed_by(TimeWindows::tumbling(ms(10))).on_close().count("counts").to("out");
    let moved = kept.group_by(|_, value| value.clone());
    moved.windowed_by(TimeWindows::tumbling(ms(10))).on_close().count("moved").to("moved-out");
    let mut driver = driver(&builder);
    for (value, time) in [("keep", 1), ("drop", 9), ("drop", 10)] {
        driver.pipe("in", "k", value, time).unwrap();
    }
    assert_eq!(counts(&mut driver, "out"), [(0, 10, 1)]);
    assert_eq!(counts(&mut driver, "moved-out"), [(0, 10, 1)]);
}

/// Trap 58: the task of the second partition has sent nothing behind the exchange, and is waited for until it is idle.
#[test]
fn windows_behind_an_exchange_wait_for_tasks_that_have_sent_nothing() {
    let builder = StreamBuilder::new("t");
    let moved = builder.stream::<Text, Text>("in").group_by(|_, value| value.clone());
    moved.windowed_by(TimeWindows::tumbling(ms(10))).on_close().count("counts").to("out");
    let mut driver = TestDriver::with_partitions(&builder.build().unwrap(), &[("in", 2)]).unwrap();
    for time in [1, 50] {
        driver.pipe_record("in", &TestRecord::new("k", "v", time).partition(0)).unwrap();
    }
    assert_eq!(counts(&mut driver, "out"), []);
    driver.pipe_record("in", &TestRecord::new("k", "v", 20).partition(1)).unwrap();
    assert_eq!(counts(&mut driver, "out"), [(0, 10, 1)]);
    let mut driver = TestDriver::with_partitions(&builder.build().unwrap(), &[("in", 2)]).unwrap();
    for time in [1, 50] {
        driver.pipe_record("in", &TestRecord::new("k", "v", time).partition(0)).unwrap();
    }
    driver.advance(Duration::from_secs(10)).unwrap();
    driver.pipe_record("in", &TestRecord::new("k", "v", 51).partition(0)).unwrap();
    assert_eq!(counts(&mut driver, "out"), [(0, 10, 1)]);
}
