//! Whatever the program, the input and the cuts are: output that only grows is the same bytes, and output that changes
//! is the same table.

mod program;

use program::{Program, changing_programs, growing_programs};
use proptest::prelude::*;

use super::*;

/// A key, a value and a time.
type Event = (i64, i64, i64);

/// A record as it was written: key, value and time.
type Written = (Raw, Raw, i64);

/// Times in some disorder, with jumps that close windows.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let steps = prop::collection::vec((0..3_i64, 0..9_i64, 0..5_i64, -12..3_i64), 0..50);
    steps.prop_map(|steps| {
        let mut now = -20;
        let event = |(key, value, step, back): (i64, i64, i64, i64)| {
            now += step * step;
            (key, value, now + back)
        };
        steps.into_iter().map(event).collect()
    })
}

/// The sizes of batches, over and over; each is followed by a commit.
fn batches() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..9_usize, 1..5)
}

/// What a program has written in the end, and how many records came too late for it.
fn outcome(program: &Program, events: &[Event], batches: &[usize]) -> (Vec<Written>, u64) {
    let topology = program.topology();
    let mut driver = TestDriver::new(&topology).unwrap();
    let (mut rest, mut sizes) = (events, batches.iter().cycle());
    while let (false, Some(size)) = (rest.is_empty(), sizes.next()) {
        let (now, later) = rest.split_at((*size).min(rest.len()));
        rest = later;
        let records: Vec<_> =
            now.iter().map(|(key, value, time)| TestRecord::new(*key, *value, *time)).collect();
        driver.pipe_batch("in", &records).unwrap();
    }
    driver.finish().unwrap();
    let written = driver.read::<Raw, Raw>("out").unwrap().into_iter();
    let written = written.map(|record| (record.key, record.value, record.timestamp.0)).collect();
    (written, topology.nodes().iter().map(|node| driver.counts(&node.name).late).sum())
}

/// The last value of each key that is not gone.
fn table(written: Vec<Written>) -> BTreeMap<Raw, Bytes> {
    let mut table = BTreeMap::new();
    for (key, value, _) in written {
        match value {
            Some(value) => drop(table.insert(key, value)),
            None => drop(table.remove(&key)),
        }
    }
    table
}

proptest! {
    #[test]
    fn output_that_only_grows_is_the_same_bytes_however_input_is_cut(
        (program, events, batches) in (growing_programs(), events(), batches()),
    ) {
        let expected = outcome(&program, &events, &[usize::MAX]);
        prop_assert_eq!(outcome(&program, &events, &batches), expected);
    }

    #[test]
    fn output_that_changes_is_the_same_table_however_input_is_cut(
        (program, events, batches) in (changing_programs(), events(), batches()),
    ) {
        let (expected, expected_late) = outcome(&program, &events, &[usize::MAX]);
        let (found, late) = outcome(&program, &events, &batches);
        prop_assert_eq!((table(found), late), (table(expected), expected_late));
    }
}
