//! Whatever the program, the input and the cuts are: output that only grows is the same bytes, and output that changes
//! is the same table.

mod lowered;
mod program;

use program::{Program, Topic, changing_programs, growing_programs};
use proptest::prelude::*;

use super::*;

/// The topic of a global table, which is there before all others and does not change.
const GLOBAL: &str = "global";

/// A record of one of the topics: where it goes, a key, a value and a time.
#[derive(Clone, Copy, Debug)]
struct Event {
    topic: Topic,
    key: i64,
    /// The key of the record that it is behind, or its own.
    behind: i64,
    value: i64,
    time: i64,
}

/// A record as it was written: key, value and time.
type Written = (Raw, Raw, i64);

/// Times in some disorder, with jumps that close windows. However they are cut, they are taken in this order: each topic is
/// only behind itself.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let topic = prop_oneof![4 => Just(Topic::In), 2 => Just(Topic::Other), 1 => Just(Topic::Versions)];
    let late = prop::collection::vec(1..12_i64, 0..3);
    let steps = prop::collection::vec((topic, 0..3_i64, 0..9_i64, 0..5_i64, late), 0..40);
    steps.prop_map(|steps| {
        let (mut now, mut last, mut events) = (-20, Topic::In, Vec::new());
        for (topic, key, value, step, late) in steps {
            now += step * step + i64::from(topic != last);
            last = topic;
            let event = Event { topic, key, behind: key, value, time: now };
            let behind = |back| Event { key: (key + back) % 3, value: back, time: now - back, ..event };
            events.push(event);
            events.extend(late.into_iter().map(behind));
        }
        events
    })
}

/// The sizes of batches, over and over; each is followed by a commit.
fn batches() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..9_usize, 1..5)
}

/// What a program has written in the end, and how many records came too late for it.
fn outcome(program: &Program, events: &[Event], batches: &[usize]) -> (Vec<Written>, u64) {
    let topology = program.topology();
    let topics = [Topic::In, Topic::Other, Topic::Versions].map(|topic| (topic.name(), program.partitions));
    let topics: Vec<_> = topics.into_iter().chain([(GLOBAL, 2)]).collect();
    let mut driver = TestDriver::with_partitions(&topology, &topics).unwrap();
    let read = topology.input_topics();
    if read.iter().any(|topic| topic == GLOBAL) {
        driver.pipe_batch(GLOBAL, &[0_i64, 2].map(|key| TestRecord::new(key, key + 70, 0))).unwrap();
    }
    let events = events.iter().filter(|event| read.iter().any(|read| read == event.topic.name()));
    let events: Vec<_> = events.collect();
    let (mut rest, mut sizes) = (&events[..], batches.iter().cycle());
    while let (false, Some(size)) = (rest.is_empty(), sizes.next()) {
        let (now, later) = rest.split_at((*size).min(rest.len()));
        rest = later;
        for Event { topic, key, behind, value, time } in now {
            // Of several partitions each is only behind itself.
            let key = if program.partitions > 1 { behind } else { key };
            // A value that a versioned table has no more.
            let value = (*topic != Topic::Versions || *value > 2).then_some(*value);
            driver.put_only(topic.name(), &TestRecord::new(*key, value, *time)).unwrap();
        }
        driver.run().unwrap();
    }
    driver.finish().unwrap();
    let written = driver.read::<Raw, Raw>("out").unwrap().into_iter();
    let mut written: Vec<_> = written.map(|record| (record.key, record.value, record.timestamp.0)).collect();
    if program.is_spread() {
        written.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    }
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
